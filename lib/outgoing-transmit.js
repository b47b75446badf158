'use strict'

/**
 * The way of a message's parts to their transport: a Connection (one `send` each; proto frames them), a foreign
 * stream (framed here, in the writes core would make), or the message's own queue until it has either.
 */

const { AsyncResource } = require('node:async_hooks')
const { sendFlags } = require('./binding')
const { countLines } = require('./outgoing-head')
const { codes } = require('./errors')
const versions = require('./versions')
const {
  kConnection, kCallbacks, kFraming, kHead, kHeadFlags, kHighWaterMark, kLastFlags, kLines, kNeedDrain, kSocket, kUnusual
} = require('./symbols')

const { HEAD, BODY, END, CHUNKED, UNTIL_CLOSE, NO_BODY, TRAILERS, HEAD_UTF8, BODY_UTF8, INFORMATIONAL } = sendFlags

/** Queue entries only: bytes for the transport, outside of any framing. */
const RAW = 1 << 30

/**
 * When no more than this waits for the kernel, a message counts as handed over at once, as a small write does in
 * core; beyond, 'finish' and the callbacks of writes come when the kernel took all.
 */
const PENDING_MAX = 64 * 1024

function nop () {}

/** CRLFs in the head; counted anew if somebody replaced it. */
function headLines (message, head) {
  return message[kHead] === head ? message[kLines] : countLines(head)
}

/** How the body that follows the head is framed. `chunkedEncoding` is public and decides to the last. */
function framingOf (message) {
  if (message.chunkedEncoding) return message._hasBody ? CHUNKED : NO_BODY
  const framing = message[kFraming]
  return framing === CHUNKED ? UNTIL_CLOSE : framing
}

function isUtf8 (encoding) {
  return !encoding || encoding === 'utf8' || encoding === 'utf-8'
}

function isLatin1 (encoding) {
  return encoding === 'latin1' || encoding === 'binary'
}

/** Refuses an encoding that the transport would refuse: before anything of the part is on its way. */
function checkEncoding (message, encoding) {
  if (Buffer.isEncoding(encoding)) return
  // Without a transport there is nobody to refuse it, until core began to merge chunks by itself.
  if (message[kConnection] || (versions.tickMergesChunks && message.chunkedEncoding)) throw new codes.ERR_UNKNOWN_ENCODING(encoding)
}

/** Bytes of any other encoding. */
function encode (text, encoding) {
  if (!Buffer.isEncoding(encoding)) throw new codes.ERR_UNKNOWN_ENCODING(encoding)
  return Buffer.from(text, encoding)
}

function sizeOf (chunk, encoding) {
  if (typeof chunk !== 'string') return chunk.byteLength
  return Buffer.byteLength(chunk, Buffer.isEncoding(encoding) ? encoding : 'utf8')
}

/**
 * Gives a part of the message to its transport.
 * @param {number} flags HEAD, BODY, END, INFORMATIONAL, HEAD_UTF8; framing, encodings and the rest are added here
 * @param {string} head rendered block for HEAD and INFORMATIONAL
 * @param {string|Uint8Array|undefined} body
 * @param {string|null|undefined} encoding of a string body
 * @param {number} size bytes of the body, -1 if not known
 * @param {Function|null} callback for the body or the end
 * @returns {number} bytes the transport has not taken
 */
function transmit (message, flags, head, body, encoding, size, callback) {
  const connection = message[kConnection]
  if (connection === null || connection === undefined) return transmitForeign(message, flags, head, body, encoding, callback)

  let lines = 0
  let length = 0
  const isHead = (flags & HEAD) !== 0
  if (isHead) {
    lines = headLines(message, head)
    const framing = framingOf(message)
    flags |= message[kHeadFlags] | framing
    length = message._contentLength ?? 0
  } else if (head !== '') {
    lines = countLines(head)
  }
  if ((flags & BODY) !== 0) {
    if (typeof body === 'string') {
      if (isUtf8(encoding)) {
        if (size === -1 ? Buffer.byteLength(body) !== body.length : size !== body.length) flags |= BODY_UTF8
        // Core writes a head that is glued to a string body in the body's encoding.
        if (isHead && message[kUnusual] && (flags & UNTIL_CLOSE) !== CHUNKED) flags |= HEAD_UTF8
      } else if (!isLatin1(encoding)) {
        body = encode(body, encoding)
      }
    }
  } else {
    body = undefined
  }
  if ((flags & END) === 0) return afterSend(message, connection, connection.send(flags, head, lines, body, length), callback)

  if (message._last) flags |= message[kLastFlags]
  if (message._trailer === '' || framingOf(message) !== CHUNKED) {
    return afterSend(message, connection, connection.send(flags, head, lines, body, length), callback)
  }
  if ((flags & (HEAD | BODY)) !== 0) {
    connection.send(flags & ~(END | message[kLastFlags]), head, lines, body, length)
    flags &= END | message[kLastFlags]
  }
  const { _trailer: trailer } = message
  return afterSend(message, connection, connection.send(flags | TRAILERS, trailer, countLines(trailer), undefined, 0), callback)
}

/** A part is with the transport, unless the message was destroyed in the same tick. */
function written (message, callback) {
  callback(message.destroyed && !message.finished ? new codes.ERR_STREAM_DESTROYED('write') : null)
}

/** Keeps the promise of a write's callback. */
function afterSend (message, connection, pending, callback) {
  if (callback !== null) {
    if (pending < PENDING_MAX) {
      process.nextTick(written, message, callback)
    } else {
      if (message[kCallbacks] === null) message[kCallbacks] = []
      message[kCallbacks].push(AsyncResource.bind(callback))
      connection.notifyDrain()
    }
  }
  return pending
}

/** The same to a stream that is no connection of ours, in the writes that core would make. */
function transmitForeign (message, flags, head, body, encoding, callback) {
  const socket = message[kSocket]
  const isHead = (flags & (HEAD | INFORMATIONAL)) !== 0
  const isEnd = (flags & END) !== 0
  let isBody = (flags & BODY) !== 0
  const done = callback === null ? nop : callback
  socket.cork?.()
  if (message.chunkedEncoding && message._hasBody && (flags & INFORMATIONAL) === 0) {
    let before = isHead ? head : ''
    if (isBody) {
      before += sizeOf(body, encoding).toString(16) + '\r\n'
      socket.write(before, 'latin1', nop)
      socket.write(body, encoding, isEnd ? nop : done)
      before = '\r\n'
    }
    if (isEnd) socket.write(before + '0\r\n' + message._trailer + '\r\n', 'latin1', done)
    else if (isBody) socket.write(before, 'latin1', nop)
    else socket.write(before, 'latin1', done)
  } else {
    if (isHead) {
      if (isBody && typeof body === 'string' && (isUtf8(encoding) || isLatin1(encoding))) {
        body = head + body
      } else {
        socket.write(head, (flags & HEAD_UTF8) === 0 ? 'latin1' : 'utf8', isBody ? nop : done)
        if (!isBody) isBody = null
      }
    }
    if (isBody === true) socket.write(body, encoding, done)
    else if (isBody === false) {
      if (isEnd) socket.write('', 'latin1', done)
      else process.nextTick(done, null)
    }
  }
  socket.uncork?.()
  return socket.writableLength ?? 0
}

/** Can parts leave now? */
function isCarried (message) {
  const connection = message[kConnection]
  if (connection !== null && connection !== undefined) {
    if (connection.outputEnded) return false
    const { socket } = connection
    return socket === null || socket.writable !== false
  }
  const socket = message[kSocket]
  return socket !== null && socket !== undefined && socket._httpMessage === message && socket.writable === true
}

/** Keeps a part until the message has a transport. `data`, `encoding` and `callback` are what core shows. */
function enqueue (message, flags, data, encoding, callback) {
  const size = data === undefined ? 0 : data.length
  message.outputData.push({ data, encoding, callback, flags })
  message.outputSize += size
  message._onPendingData(size)
  return message.outputSize
}

/** Sends a part, or queues it. Takes transmit's arguments. */
function deliver (message, flags, head, body, encoding, size, callback) {
  if (message.outputData.length === 0 && isCarried(message)) {
    return transmit(message, flags, head, body, encoding, size, callback)
  }
  // Its transport is gone for good.
  if (message.destroyed) return 0
  if ((flags & (HEAD | INFORMATIONAL)) !== 0) {
    const alone = (flags & (BODY | END)) === 0
    const encoding = (flags & HEAD_UTF8) === 0 ? 'latin1' : undefined
    enqueue(message, flags & (HEAD | INFORMATIONAL | HEAD_UTF8), head, encoding, alone ? callback : null)
    if (alone) return message.outputSize
  }
  const data = (flags & BODY) !== 0 ? body : ''
  return enqueue(message, flags & (BODY | END), data, encoding, callback)
}

/** HEAD, once. */
function takeHeadFlag (message) {
  if (message._headerSent) return 0
  message._headerSent = true
  return HEAD
}

function writeRaw (message, data, encoding, callback) {
  const connection = message[kConnection]
  if (connection === null || connection === undefined) return message[kSocket].write(data, encoding, callback ?? nop)
  if (data.length === 0) {
    if (callback !== null) process.nextTick(written, message, callback)
    return true
  }
  if (typeof data === 'string' && !isUtf8(encoding) && !isLatin1(encoding)) data = encode(data, encoding)
  const pending = connection.writeRaw(data, typeof data === 'string' && isUtf8(encoding))
  return afterSend(message, connection, pending, callback) < message[kHighWaterMark]
}

/** The answer of write(), and the promise of 'drain' that false makes. */
function noteBackpressure (message, pending) {
  if (pending < message[kHighWaterMark]) return true
  message[kNeedDrain] = true
  const connection = message[kConnection]
  if (connection !== null && connection !== undefined) connection.notifyDrain()
  return false
}

module.exports = {
  PENDING_MAX,
  RAW,
  nop,
  isCarried,
  transmit,
  deliver,
  enqueue,
  writeRaw,
  noteBackpressure,
  takeHeadFlag,
  checkEncoding,
  isUtf8,
  written,
  encode,
  sizeOf
}

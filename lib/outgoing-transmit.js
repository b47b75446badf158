'use strict'

/**
 * The way of a message's parts to their transport: a Connection (one `send` each; proto frames them), a foreign
 * stream (framed here, in the writes core would make), or the message's own queue until it has either.
 */

const { AsyncResource } = require('node:async_hooks')
const { sendFlags } = require('./binding')
const { countLines } = require('./outgoing-head')
const { carryThrough } = require('./replaced-write')
const { codes } = require('./errors')
const versions = require('./versions')
const {
  kConnection, kCallbacks, kFraming, kHead, kHeadFlags, kHighWaterMark, kIsRequest, kLastFlags, kLines, kNeedDrain, kPlain, kSocket, kUnusual
} = require('./symbols')

const { HEAD, BODY, END, LENGTH, CHUNKED, UNTIL_CLOSE, NO_BODY, TRAILERS, HEAD_UTF8, BODY_UTF8, INFORMATIONAL } = sendFlags

/**
 * When less than this waits, a message counts as handed over at once, as a small write does in core; beyond, 'finish' and
 * the callbacks of writes come with onDrain (which need not wait for the kernel: see notifyDrain).
 */
const PENDING_MAX = 64 * 1024

const CRLF = Buffer.from('\r\n')

function nop () {}

/** CRLFs in the head; counted anew if somebody replaced it. */
function headLines (message, head) {
  return message[kHead] === head ? message[kLines] : countLines(head)
}

/** How the body that follows the head is framed. `chunkedEncoding` is public and decides to the last. */
function framingOf (message) {
  if (message.chunkedEncoding && !message[kPlain]) return message._hasBody ? CHUNKED : NO_BODY
  const framing = message[kFraming]
  if (framing !== CHUNKED) return framing
  return message[kPlain] ? LENGTH : UNTIL_CLOSE
}

function isUtf8 (encoding) {
  return !encoding || encoding === 'utf8' || encoding === 'utf-8'
}

function isLatin1 (encoding) {
  return encoding === 'latin1' || encoding === 'binary'
}

/** Refuses an encoding that the transport would refuse: before anything of the part is on its way. */
function checkEncoding (message, encoding, size) {
  if (Buffer.isEncoding(encoding)) return
  if (message.chunkedEncoding && message[kConnection] && !versions.tickMergesChunks) {
    // Core has announced the chunk by the time it learns of that.
    message._send(size.toString(16) + '\r\n', 'latin1', null)
  }
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
    // Even an empty list tells that somebody waits for the transport: 'finish' comes behind.
    if (message[kCallbacks] === null) message[kCallbacks] = []
    if (pending < PENDING_MAX) {
      process.nextTick(written, message, callback)
    } else {
      message[kCallbacks].push(AsyncResource.bind(callback))
      connection.notifyDrain()
    }
  }
  return pending
}

/** Bytes that a stream holds; what a socket of ours has given to its connection is gone. */
function heldBy (socket) {
  return (socket[kConnection]?.stream === null ? socket._writableState.length : socket.writableLength) ?? 0
}

/** The same to a stream, in the writes that core would make. */
function transmitForeign (message, flags, head, body, encoding, callback) {
  const socket = message[kSocket]
  if ((flags & INFORMATIONAL) !== 0) return answerOf(message, socket, socket.write(head, 'ascii', callback ?? undefined))
  const isHead = (flags & HEAD) !== 0
  const isEnd = (flags & END) !== 0
  let isBody = (flags & BODY) !== 0
  const done = callback === null ? nop : callback
  let taken
  if (message.chunkedEncoding && message._hasBody) {
    let before = isHead ? head : ''
    if (isBody) {
      socket.write(before + sizeOf(body, encoding).toString(16), 'latin1', null)
      socket.write(CRLF, null, null)
      socket.write(body, encoding, null)
      taken = socket.write(CRLF, null, isEnd ? nop : done)
      before = ''
    }
    if (isEnd) taken = socket.write(before + '0\r\n' + message._trailer + '\r\n', 'latin1', done)
    else if (!isBody) taken = socket.write(before, 'latin1', done)
  } else {
    if (isHead) {
      if (isBody && typeof body === 'string' && (isUtf8(encoding) || isLatin1(encoding))) {
        body = head + body
      } else {
        taken = socket.write(head, (flags & HEAD_UTF8) === 0 ? 'latin1' : 'utf8', isBody ? null : done)
        if (!isBody) isBody = null
      }
    }
    // Where the last part does not tell of the end itself, an empty one does.
    const isToldApart = isEnd && isBody === true && (!versions.endCallbackGetsError || message.strictContentLength || !message._header)
    if (isBody === true) taken = socket.write(body, encoding, isToldApart ? nop : done)
    if (isToldApart || (isEnd && isBody === false && heldBy(socket) !== 0)) taken = socket.write('', 'latin1', done)
    else if (isBody === false) process.nextTick(done, null)
  }
  return answerOf(message, socket, taken)
}

/** Whoever asks for patience gets it, however little he holds. */
function answerOf (message, socket, taken) {
  const held = heldBy(socket)
  return taken === false ? Math.max(message[kHighWaterMark], held) : held
}

/** Is a stream the message's transport: one that is no connection of ours, or one whose write() somebody has replaced? */
function isStreamed (message) {
  const connection = message[kConnection]
  if (connection !== null && connection !== undefined) {
    const { socket, ownWrite } = connection
    if (socket === null || socket.write === ownWrite || ownWrite === null) return false
    carryThrough(message)
  }
  return message[kSocket] !== null && message[kSocket] !== undefined
}

/** Can parts leave now? */
function isCarried (message) {
  const connection = message[kConnection]
  if (connection !== null && connection !== undefined) {
    if (connection.outputEnded) return false
    const { socket } = connection
    if (socket === null) return true
    isStreamed(message)
    return socket.writable !== false
  }
  const socket = message[kSocket]
  return socket !== null && socket !== undefined && socket._httpMessage === message && socket.writable === true
}

/** Is there, or was there, somebody to take its parts? Core keeps those of a request that never had anybody. */
function hadTransport (message) {
  return !message[kIsRequest] || Boolean(message[kConnection] || message[kSocket])
}

/** HEAD, once; none for those whose `_implicitHeader` makes no head. */
function takeHeadFlag (message) {
  if (message._headerSent || message._header === null) return 0
  message._headerSent = true
  return HEAD
}

function writeRaw (message, data, encoding, callback) {
  const connection = message[kConnection]
  if (connection === null || connection === undefined) return message[kSocket].write(data, encoding, callback)
  if (data.length === 0) {
    if (callback) process.nextTick(written, message, callback)
    return true
  }
  if (typeof data === 'string' && !isUtf8(encoding) && !isLatin1(encoding)) data = encode(data, encoding)
  const pending = connection.writeRaw(data, typeof data === 'string' && isUtf8(encoding))
  return afterSend(message, connection, pending, callback ?? null) < message[kHighWaterMark]
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
  CRLF,
  nop,
  isCarried,
  hadTransport,
  isStreamed,
  heldBy,
  transmit,
  writeRaw,
  noteBackpressure,
  takeHeadFlag,
  checkEncoding,
  isUtf8,
  written,
  encode,
  sizeOf
}

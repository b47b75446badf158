'use strict'

/**
 * The way of a message's parts to the Connection that carries it: one `send` each; proto frames them.
 */

const { AsyncResource } = require('node:async_hooks')
const { Buffer, process } = require('./host')
const { sendFlags } = require('./binding')
const { PENDING_MAX } = require('./connection')
const { isTaken, whenTaken } = require('./outgoing-callbacks')
const { countLines } = require('./outgoing-head')
const { carryThrough } = require('./replaced-write')
const { codes } = require('./errors')
const versions = require('./versions')
const {
  kConnection, kCallbacks, kDrainScope, kErrored, kFraming, kHead, kHeadFlags, kHighWaterMark, kLastFlags, kLines, kNeedDrain, kPlain, kSocket, kUnusual
} = require('./symbols')

const { HEAD, BODY, END, LENGTH, CHUNKED, UNTIL_CLOSE, NO_BODY, TRAILERS, HEAD_UTF8, BODY_UTF8 } = sendFlags

/** Flag of `transmit`, ours alone: the part is written by itself, not with others that waited. */
const CORKED = 1 << 27

/** In place of the bytes that wait, of a part that nobody will get. */
const LOST = Number.MAX_VALUE

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
 * Gives a part of the message to its connection.
 * @param {number} flags HEAD, BODY, END, INFORMATIONAL, HEAD_UTF8; framing, encodings and the rest are added here
 * @param {string} head rendered block for HEAD and INFORMATIONAL
 * @param {string|Uint8Array|undefined} body
 * @param {string|null|undefined} encoding of a string body
 * @param {number} size bytes of the body, -1 if not known
 * @param {Function|null} callback for the body or the end
 * @returns {number} bytes the transport has not taken
 */
function transmit (message, flags, head, body, encoding, size, callback) {
  const isCorked = (flags & CORKED) !== 0
  flags &= ~CORKED
  const connection = message[kConnection]

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
  if ((flags & END) === 0) return afterSend(message, connection, connection.send(flags, head, lines, body, length), callback, isCorked)

  if (connection.batch !== null) connection.batch.leave()
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

/** Parts that were written in this tick leave together: when it is over, or with what uncorks or ends their message. */
class Batch {
  callbacks = []
  error = null
  /** The connection has promised 'drain', too. */
  drains = false

  constructor (message, connection) {
    this.message = message
    this.connection = connection
  }

  leave () {
    const { connection, message } = this
    if (connection.batch !== this) return
    connection.batch = null
    if (isLost(message)) this.error = whyLost(message)
    process.nextTick(tell, this)
  }
}

/**
 * A part is with the transport.
 * @param {boolean} isCorked it was written by itself: core corks its socket for the rest of the tick then
 */
function written (message, callback, isCorked) {
  const connection = message[kConnection]
  const batch = connection?.batch
  if (batch && batch.message === message) {
    batch.callbacks.push(callback)
  } else if (isCorked && connection) {
    batch?.leave()
    connection.batch = new Batch(message, connection)
    connection.batch.callbacks.push(callback)
    process.nextTick(endOfTick, connection.batch)
  } else if (connection && message[kNeedDrain]) {
    // 'drain' comes before it.
    whenTaken(message, connection, 0, callback)
    connection.notifyDrain()
  } else {
    process.nextTick(callback, null)
  }
}

function endOfTick (batch) {
  batch.leave()
}

function tell ({ callbacks, error, drains, connection, message }) {
  const isOver = message.finished
  if (drains && !isOver && connection.id !== -1) connection.onDrain()
  try {
    for (const callback of callbacks) callback(error)
  } finally {
    // Of an ended message this tells the end, too.
    if (drains && isOver && connection.id !== -1) connection.onDrain()
  }
}

/** What the callback of a part gets that was lost with the transport. */
function whyLost (message) {
  return message[kErrored] || (message[kConnection]?.socket ?? message[kSocket])?.errored || new codes.ERR_STREAM_DESTROYED('write')
}

/** Keeps the promise of a write's callback; a part that is written itself waits for the end of its tick in core. */
function afterSend (message, connection, pending, callback, isCorked = false) {
  if (callback !== null) {
    // Even an empty list tells that callbacks wait for the transport: 'finish' comes behind.
    message[kCallbacks] ??= []
    if (isTaken(message, connection, pending)) written(message, callback, isCorked)
    else whenTaken(message, connection, pending, callback)
  }
  return pending
}

/** The callback of a part that is empty comes behind those of what was said before. */
function afterNothing (message, callback, isCorked) {
  const connection = message[kConnection]
  if (!connection) written(message, callback, isCorked)
  else afterSend(message, connection, connection.pending(), callback, isCorked)
}

/**
 * Is a stream the message's transport: one that somebody assigned and that is no connection of ours, or one whose write()
 * somebody has replaced?
 */
function isForeign (message) {
  const connection = message[kConnection]
  if (connection === null || connection === undefined) return Boolean(message[kSocket])
  const { socket, ownWrite } = connection
  if (socket === null || socket.write === ownWrite || ownWrite === null) return false
  carryThrough(message)
  return true
}

/** Bytes that a stream holds; what a socket of ours has given to its connection is gone. */
function heldBy (socket) {
  return socket[kConnection]?.stream === null ? socket._writableState.length : socket.writableLength
}

/** Can parts leave now? */
function isCarried (message) {
  const connection = message[kConnection]
  if (connection !== null && connection !== undefined) {
    if (connection.outputEnded) return false
    const { socket } = connection
    if (socket === null) return true
    isForeign(message)
    return socket.writable !== false
  }
  const socket = message[kSocket]
  return socket !== null && socket !== undefined && socket._httpMessage === message && socket.writable === true
}

/** What is sent now is lost: the transport is destroyed, although its 'close' may not have come yet. */
function isLost (message) {
  const connection = message[kConnection]
  if (connection === null || connection === undefined) return message[kSocket]?.destroyed === true
  return connection.givenUp || (connection.id === -1 && !connection.isConnecting()) || connection.socket?.destroyed === true
}

/** HEAD, once; none for those whose `_implicitHeader` makes no head. */
function takeHeadFlag (message) {
  if (message._headerSent || message._header === null) return 0
  message._headerSent = true
  return HEAD
}

function writeRaw (message, data, encoding, callback) {
  const connection = message[kConnection]
  if (data.length === 0) {
    if (callback !== null) afterNothing(message, callback, false)
    return true
  }
  if (typeof data === 'string' && !isUtf8(encoding) && !isLatin1(encoding)) data = encode(data, encoding)
  const pending = connection.writeRaw(data, typeof data === 'string' && isUtf8(encoding))
  return afterSend(message, connection, pending, callback) < message[kHighWaterMark]
}

/** The writer is asked for patience: 'drain' is to come, in its context. */
function awaitDrain (message) {
  message[kNeedDrain] = true
  message[kDrainScope] ??= new AsyncResource('HTTPDRAIN')
}

/** The answer of write(), and the promise of 'drain' that false makes. */
function noteBackpressure (message, pending) {
  const connection = message[kConnection]
  if (pending < message[kHighWaterMark] && !(message[kNeedDrain] && connection)) return true
  awaitDrain(message)
  if (pending === LOST) return false
  // What waits in the message leaves with its turn, or never.
  if (connection && message.outputData.length === 0) connection.notifyDrain()
  return false
}

module.exports = {
  PENDING_MAX,
  CORKED,
  LOST,
  CRLF,
  nop,
  isForeign,
  heldBy,
  isCarried,
  isLost,
  transmit,
  writeRaw,
  awaitDrain,
  noteBackpressure,
  takeHeadFlag,
  checkEncoding,
  isUtf8,
  written,
  afterNothing,
  whyLost,
  encode,
  sizeOf
}

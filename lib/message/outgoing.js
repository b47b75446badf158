'use strict'

/**
 * OutgoingMessage: write() and end() of requests and responses alike; the header store and what a message tells of
 * itself are in files beside this one. Knows nothing of server or client. A message is
 *  - carried by a Connection (`this[kConnection]`): proto frames the body, one `send` per call of the user;
 *  - carried by nothing yet: parts wait in `outputData` until `_flush()`;
 *  - sent by core's own methods, once it is no usual message any more (lib/message/delegate.js).
 *
 * Subclasses may set `kHeadFlags` and `kLastFlags` (sendFlags to add to HEAD and to a closing END) and override
 * `kFinished`, called when the last byte was handed over, just before 'finish'.
 */

const { captureRejectionSymbol } = require('node:events')
const stream = require('node:stream')
const { isUint8Array } = require('node:util/types')
const { Buffer, process } = require('../host')
const { sendFlags } = require('../binding')
const { storeHead } = require('./head')
const { headerMethods } = require('./header-store')
const { stateMembers, carrier, ownSocket } = require('./state')
const { holdsBack, hold, sendHeld } = require('./one-chunk-a-tick')
const { PENDING_MAX, CORKED, nop, isCarried, isUtf8, awaitOthers, noteBackpressure, takeHeadFlag, sizeOf } = require('./send')
const { deliver, isGluable, isOurs, flushQueue } = require('./queue')
const {
  baseEmit, isQuiet, isUntold, addEndCallback, failEndCallbacks, finishAnyway, finishLater, settled, drained
} = require('./finish')
const { isUnusual, leaveToCore } = require('./delegate')
const { cores, isCores, leaveCores } = require('../core/messages')
const { quiet } = require('./listeners')
const { isInsecure } = require('../connection/parser-options')
const { codes } = require('../core/errors')
const versions = require('../core/versions')
const {
  kConnection, kSettle, kOutHeaders, kNeedDrain, kCorked, kErrored, kBytesWritten, kHighWaterMark,
  kRejectNonStandardBodyWrites, kChunkedBuffer, kChunkedLength, kSocket, kWritableFinished, kEndCallbacks,
  kFlushError, kUniqueHeaders, kHead, kLines, kFraming, kUnusual, kHeadFlags, kLastFlags, kNative, kDrained, kFinished, kCallbacks, kDrainScope, kAwaitsRoom, kValidation
} = require('../core/symbols')

const { HEAD, BODY, END, UNTIL_CLOSE, HEAD_UTF8, INFORMATIONAL, CORK, UNTOLD } = sendFlags

/** Parts of this size and more may leave without a copy, if nobody is told when they are taken. */
const LARGE = 16 * 1024

const { Stream } = stream

/**
 * @param {object} [options]
 * @param {number} [options.highWaterMark] bytes; default stream.getDefaultHighWaterMark()
 * @param {boolean} [options.rejectNonStandardBodyWrites=false]
 */
function OutgoingMessage (options) {
  // What EventEmitter's own constructor sets, without the object for listeners that most messages never have.
  this._events = undefined
  this._eventsCount = 0
  this._maxListeners = undefined

  this.outputData = []
  this.outputSize = 0
  this.writable = true
  this.destroyed = false
  this._last = false
  this.chunkedEncoding = false
  this.shouldKeepAlive = true
  this.maxRequestsOnConnectionReached = false
  this._defaultKeepAlive = true
  this.useChunkedEncodingByDefault = true
  this.sendDate = false
  this._removedConnection = false
  this._removedContLen = false
  this._removedTE = false
  this.strictContentLength = false
  this._contentLength = null
  this._hasBody = true
  this._trailer = ''
  this.finished = false
  this._headerSent = false
  this._closed = false
  this._header = null
  this._keepAliveTimeout = 0
  this._onPendingData = nop

  this[kBytesWritten] = 0
  this[kNeedDrain] = false
  this[kCorked] = 0
  this[kChunkedBuffer] = null
  this[kChunkedLength] = 0
  this[kSocket] = null
  this[kOutHeaders] = null
  this[kErrored] = null
  this[kWritableFinished] = false
  this[kEndCallbacks] = null
  this[kHighWaterMark] = options?.highWaterMark ?? stream.getDefaultHighWaterMark(false)
  this[kRejectNonStandardBodyWrites] = options?.rejectNonStandardBodyWrites ?? false
  this[kConnection] = null
  this[kNative] = true
  this[kHead] = null
  this[kLines] = 0
  this[kFraming] = UNTIL_CLOSE
  this[kUnusual] = false
  this[kCallbacks] = null
  this[kDrainScope] = null
  this[kAwaitsRoom] = false
  if (versions.socketIsData && new.target !== undefined) ownSocket(this)
}
const shared = quiet(Stream.prototype)
Object.setPrototypeOf(OutgoingMessage.prototype, shared)
Object.setPrototypeOf(OutgoingMessage, Stream)

Object.defineProperties(OutgoingMessage.prototype, Object.getOwnPropertyDescriptors(headerMethods))
Object.defineProperties(OutgoingMessage.prototype, Object.getOwnPropertyDescriptors(stateMembers))
// Not among the members where core's messages have it as an own property.
Object.defineProperty(versions.socketIsData ? shared : OutgoingMessage.prototype, 'socket', carrier)

OutgoingMessage.prototype[kHeadFlags] = 0
OutgoingMessage.prototype[kLastFlags] = 0
OutgoingMessage.prototype[kFinished] = nop
OutgoingMessage.prototype[kSettle] = settled
OutgoingMessage.prototype[kDrained] = drained
OutgoingMessage.prototype[kUniqueHeaders] = null
OutgoingMessage.prototype[kFlushError] = null

// ------------------------------------------------------------------------------------------------- the head

OutgoingMessage.prototype._implicitHeader = function _implicitHeader () {
  throw new codes.ERR_METHOD_NOT_IMPLEMENTED('_implicitHeader()')
}

OutgoingMessage.prototype._storeHeader = function _storeHeader (firstLine, headers) {
  if (isCores(this)) return cores.OutgoingMessage._storeHeader.apply(this, arguments)
  if (storeHead(this, firstLine, headers)) this._send('')
}

/** Renders and sends the head now. */
OutgoingMessage.prototype.flushHeaders = function flushHeaders () {
  if (!this._header) this._implicitHeader()
  this._send('')
}

/** Core's way of output: raw bytes, with the head before them if it has not left. Ours sends heads that way, and no more. */
function _send (data, encoding, callback) {
  if (this[kNative] === true && data === '' && typeof encoding !== 'function' && !callback && !isUnusual(this)) {
    let flags = takeHeadFlag(this)
    // Core glues what it is given to the head and writes both as one string, in the encoding of what it was given.
    if (flags !== 0 && this[kUnusual] && isUtf8(encoding)) flags |= HEAD_UTF8
    // The parts that it goes before have corked their socket.
    if (flags !== 0 && this[kChunkedBuffer] !== null) flags |= CORK
    if (flags !== 0) return deliver(this, flags, this._header, undefined, null, -1, null) < this[kHighWaterMark]
  }
  leaveToCore(this)
  if (isHeadBehind(this, data, encoding)) {
    this._headerSent = true
    cores.OutgoingMessage._writeRaw.call(this, this._header, 'latin1', null)
  }
  return cores.OutgoingMessage._send.apply(this, arguments)
}

/**
 * True if the head must leave behind what waits already, a 1xx block: core would put a head that it cannot glue to the data
 * before all of that, and the block into the body (docs/COMPATIBILITY.md).
 */
function isHeadBehind (message, data, encoding) {
  return !isCores(message) && !message._headerSent && message._header !== null && message.outputData.length !== 0 && !isGluable(data, encoding)
}

function _writeRaw () {
  leaveToCore(this)
  return cores.OutgoingMessage._writeRaw.apply(this, arguments)
}

OutgoingMessage.prototype._send = _send
OutgoingMessage.prototype._writeRaw = _writeRaw

// ------------------------------------------------------------------------------------------- write() and end()

/** True if the message leaves to core, or has left: for what has become of it, or since its output is the application's. */
function leaves (message) {
  if (message[kNative] !== true) return true
  if (!isUnusual(message) && message._send === _send && message._writeRaw === _writeRaw) return false
  leaveToCore(message)
  return true
}

/** The message was ended before: core tells what is wrong, in a later tick, for which a message of ours that nobody listens to has to last. */
function complain (message, method, args) {
  if (!isCores(message)) message._events ??= { __proto__: null }
  return cores.OutgoingMessage[method].apply(message, args)
}

/** True if core's end() would send the chunks that cork() holds behind the end of the body (docs/COMPATIBILITY.md). */
function leavesChunksBehind (message) {
  return versions.corkMergesChunks && !versions.tickMergesChunks && !isCores(message) && message[kCorked] !== 0
}

/** Ends all corks of a message: what is held leaves, and what comes behind is not held. */
function releaseCorked (message) {
  message[kCorked] = 1
  cores.OutgoingMessage.uncork.call(message)
}

/** True if core refuses the part, at the moment when core does: it is none, or in an encoding that there is not. */
function isOdd (chunk, encoding) {
  return typeof chunk === 'string' ? Boolean(encoding) && !Buffer.isEncoding(encoding) : !isUint8Array(chunk)
}

/**
 * Sends a part of the body. Without a head so far it sends the implicit one.
 * @param {string|Uint8Array} chunk
 * @param {string} [encoding='utf8'] of a string
 * @param {Function} [callback] when the part was handed over
 * @returns {boolean} false: more than the high water mark waits; 'drain' follows
 */
OutgoingMessage.prototype.write = function write (chunk, encoding, callback) {
  if (this.finished) return complain(this, 'write', arguments)
  if (leaves(this)) return cores.OutgoingMessage.write.apply(this, arguments)
  if (typeof encoding === 'function') {
    callback = encoding
    encoding = null
  }
  if (typeof callback !== 'function') callback = undefined
  if (isOdd(chunk, encoding)) {
    leaveToCore(this)
    return cores.OutgoingMessage.write.apply(this, arguments)
  }

  if (!this._header) {
    this._implicitHeader()
    // The application may have a hand in the head, too.
    if (leaves(this)) return cores.OutgoingMessage.write.apply(this, arguments)
  }
  if (!this._hasBody) {
    if (this[kRejectNonStandardBodyWrites]) throw new codes.ERR_HTTP_BODY_NOT_ALLOWED()
    if (callback !== undefined) process.nextTick(callback)
    return true
  }
  const size = sizeOf(chunk, encoding)
  if (size === 0 && callback !== undefined) {
    if (this._headerSent && awaitOthers(this, callback)) return !this[kNeedDrain]
    leaveToCore(this)
    return cores.OutgoingMessage.write.apply(this, arguments)
  }
  if (holdsBack(this, size)) return hold(this, chunk, encoding, size, callback ?? null)

  let flags = takeHeadFlag(this)
  // A head that leaves with nothing waits for the end of the tick, too.
  flags |= size !== 0 ? BODY : flags && CORK
  if (flags === 0) return !this[kNeedDrain]
  if (callback !== undefined) flags |= CORKED
  else if (size >= LARGE && isUntold(this)) flags |= UNTOLD
  return noteBackpressure(this, deliver(this, flags, flags & HEAD ? this._header : '', chunk, encoding, size, callback ?? null))
}

/** Keeps what is written until uncork(); nests. */
OutgoingMessage.prototype.cork = function cork () {
  leaveToCore(this)
  if (this[kNative] !== true) cores.OutgoingMessage.cork.call(this)
  // Its end has left: what is corked now is its socket, for those behind it.
  else this.socket?.cork()
}

OutgoingMessage.prototype.uncork = function uncork () {
  if (this[kNative] !== true && (isCores(this) || this[kCorked] !== 0 || !versions.corkMergesChunks)) {
    return cores.OutgoingMessage.uncork.call(this)
  }
  // Core would count below zero without a cork(), and keep what is written later (docs/COMPATIBILITY.md).
  if (this.finished || this[kNative] !== true) this[kSocket]?.uncork()
  // What was written in this tick leaves.
  this[kConnection]?.uncork()
}

/**
 * Ends the message, with a last part if given.
 * @param {string|Uint8Array} [chunk]
 * @param {string} [encoding='utf8']
 * @param {Function} [callback] when everything was handed over
 * @returns {this}
 */
OutgoingMessage.prototype.end = function end (chunk, encoding, callback) {
  if (this.finished) return complain(this, 'end', arguments)
  if (leaves(this)) {
    if (leavesChunksBehind(this)) releaseCorked(this)
    return cores.OutgoingMessage.end.apply(this, arguments)
  }
  if (typeof chunk === 'function') {
    callback = chunk
    chunk = undefined
    encoding = null
  } else if (typeof encoding === 'function') {
    callback = encoding
    encoding = null
  }

  let flags = END
  let size = 0
  if (chunk) {
    if (isOdd(chunk, encoding)) {
      leaveToCore(this)
      return cores.OutgoingMessage.end.apply(this, arguments)
    }
    size = sizeOf(chunk, encoding)
    if (size !== 0) flags |= BODY
  }
  if (!this._header) {
    this._contentLength = size
    this._implicitHeader()
    if (leaves(this)) return cores.OutgoingMessage.end.apply(this, arguments)
  }
  if (!this._hasBody) {
    if (size !== 0 && this[kRejectNonStandardBodyWrites]) throw new codes.ERR_HTTP_BODY_NOT_ALLOWED()
    flags = END
  }
  if (this[kChunkedBuffer] !== null) {
    if (size !== 0) {
      hold(this, chunk, encoding, size, null)
      flags &= ~BODY
    }
    sendHeld(this)
  }
  flags |= takeHeadFlag(this)
  if (typeof callback === 'function') addEndCallback(this, callback)
  if (size >= LARGE && isUntold(this)) flags |= UNTOLD

  const carried = isCarried(this)
  // All is sent if nothing has to follow what was.
  const isSent = flags === END && !chunk && !(this._hasBody && this.chunkedEncoding) && this.outputSize === 0 && !this[kConnection]?.corked
  const pending = carried || !isSent ? deliver(this, flags, flags & HEAD ? this._header : '', chunk, encoding, size, null) : 0
  this.finished = true
  if (carried) {
    finishLater(this, this[kConnection], pending)
    this._finish()
  } else if (isSent) {
    process.nextTick(finishAnyway, this)
  }
  return this
}

/** Everything is with the transport; 'finish' follows when it took it. */
OutgoingMessage.prototype._finish = function _finish () {
  if (isCores(this)) return cores.OutgoingMessage._finish.apply(this, arguments)
  if (this._events !== undefined || this.emit !== baseEmit) this.emit('prefinish')
}

/** The message has got a transport: what waited leaves. */
OutgoingMessage.prototype._flush = function _flush () {
  if (this[kNative] === true && (isUnusual(this) || !isOurs(this))) leaveToCore(this)
  if (this[kNative] !== true) return cores.OutgoingMessage._flush.call(this)
  if (!isCarried(this)) return
  const ended = this.finished
  // What waited may have left with a part that came meanwhile.
  const hasWaited = this.outputData.length !== 0
  const ret = this._flushOutput()
  const connection = this[kConnection]
  if (ended) {
    if (hasWaited && connection !== null) finishLater(this, connection, connection.pending())
    this._finish()
  } else if (this[kNeedDrain]) {
    if (!ret) return connection?.notifyDrain()
    this[kNeedDrain] = false
    this.emit('drain')
  }
}

OutgoingMessage.prototype._flushOutput = function _flushOutput (socket) {
  return flushQueue(this) < this[kHighWaterMark]
}

// ---------------------------------------------------------------------------------------------------- the rest

/** Sets the socket's idle time (now, or once there is a socket) and listens for 'timeout'. @param {number} ms */
OutgoingMessage.prototype.setTimeout = function setTimeout (ms, callback) {
  if (callback) this.on('timeout', callback)
  const { socket } = this
  if (!socket) this.once('socket', (socket) => socket.setTimeout(ms))
  else socket.setTimeout(ms)
  return this
}

/** Destroys the message and its socket. */
OutgoingMessage.prototype.destroy = function destroy (error) {
  if (this.destroyed) return this
  const connection = this[kConnection]
  if (this[kNative] === true && connection !== null && this[kChunkedBuffer] === null) {
    // There may be no socket to be destroyed. And what was ended is with the connection, which tells of it.
    const isUnseen = connection.socket === null && !error
    if (isUnseen || this.finished) {
      this.destroyed = true
      this[kErrored] = error
      if (isUnseen) connection.destroy()
      else this.socket.destroy(error)
      return this
    }
  }
  // What is held is given up first, and the socket's cork with it: what went before leaves.
  if (this[kNative] === true && this[kChunkedBuffer] !== null) connection?.uncork()
  leaveToCore(this)
  return cores.OutgoingMessage.destroy.call(this, error)
}

OutgoingMessage.prototype.pipe = function pipe () {
  this.emit('error', new codes.ERR_STREAM_CANNOT_PIPE())
}

OutgoingMessage.prototype[captureRejectionSymbol] = function (error, event) {
  this.destroy(error)
}

if (versions.httpValidation) {
  /** The server whose options count, too. */
  OutgoingMessage.prototype[kValidation] = function () {}

  /** May field values hold control characters? */
  OutgoingMessage.prototype._isLenientHeaderValidation = function () {
    const server = this[kValidation]()
    const validation = this.httpValidation ?? server?.httpValidation
    if (validation !== undefined) return validation !== 'strict'
    const insecure = this.insecureHTTPParser ?? server?.insecureHTTPParser
    return typeof insecure === 'boolean' ? insecure : isInsecure()
  }
}

leaveCores(OutgoingMessage.prototype, 'OutgoingMessage', [
  'setHeader', 'getHeader', 'hasHeader', 'removeHeader', 'headersSent', 'writableEnded', 'socket',
  'write', 'end', 'cork', 'uncork', '_storeHeader', '_send', '_writeRaw', '_flush', '_finish', '_implicitHeader'
], ['writableFinished', 'writableLength', 'writableHighWaterMark', 'writableCorked', 'writableNeedDrain', '_flushOutput'])

/**
 * The `uniqueHeaders` option as a set.
 * @param {unknown} names
 * @returns {Set<string>|null} null unless an array
 */
function parseUniqueHeadersOption (names) {
  if (!Array.isArray(names)) return null
  return new Set(names.map((name) => name.toLowerCase()))
}

/** Sends a 1xx block, or queues it until it is this message's turn. @returns {boolean} as write() */
function sendInformational (message, block, callback) {
  if (leaves(message)) return message._writeRaw(block, 'ascii', callback)
  if (typeof callback !== 'function') callback = null
  return deliver(message, INFORMATIONAL, block, undefined, null, -1, callback) < message[kHighWaterMark]
}

module.exports = {
  OutgoingMessage,
  parseUniqueHeadersOption,
  sendInformational,
  failEndCallbacks,
  isQuiet,
  baseEmit,
  PENDING_MAX
}

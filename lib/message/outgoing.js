'use strict'

/**
 * OutgoingMessage: write() and end() of requests and responses; the header store (header-store.js) and the state that a
 * message shows (state.js) lie beside it. Knows nothing of server or client. A message is in one of three states:
 *  - carried by a Connection (`this[kConnection]`): each write() is one `send`, and proto frames the body;
 *  - not carried yet: its parts are queued in `outputData` until `_flush()`;
 *  - core's: core's own methods send it, from its first unusual act on (lib/message/delegate.js).
 *
 * Subclasses may set `kHeadFlags` and `kLastFlags` (sendFlags to add to HEAD and to a closing END) and override
 * `kFinished`, called once the last byte was handed over, just before 'finish'.
 */

const stream = require('node:stream')
const { isUint8Array } = require('node:util/types')
const { Buffer, process } = require('../host')
const { native, sendFlags } = require('../binding')
const { storeHead } = require('./head')
const { headerMethods } = require('./header-store')
const { stateMembers, carrier, ownSocket, socketCorks } = require('./state')
const { holdsPart, hold, holdNothing, sendHeld, endChunk, failIfGone } = require('./one-chunk-a-tick')
const { isUtf8, awaitOthers, noteBackpressure, stillWaits, takeHeadFlag, sizeOf } = require('./send')
const { sendOrQueue, isGluable, isGone, isOurs, memoryGone, flushQueue } = require('./output-data')
const { isUnheard, isUntold, endsUntold, addEndCallback, finishAnyway, finishLater, settled, drained } = require('./finish')
const { isUnusual, leaveToCore, tellBegun } = require('./delegate')
const { cores, isCores, deferToCore } = require('../core/messages')
const { baseEmit } = require('../core/originals')
const { nop, quiet } = require('./listeners')
const versions = require('../core/versions')
const {
  kConnection, kSettle, kOutHeaders, kNeedDrain, kCorked, kErrored, kBytesWritten, kHighWaterMark,
  kRejectNonStandardBodyWrites, kHeld, kChunkedLength, kSocket, kWritableFinished, kEndCallbacks,
  kFlushError, kUniqueHeaders, kHead, kLines, kFraming, kBeyondAscii, kHeadFlags, kLastFlags, kNative, kDrained, kFinished, kCallbacks, kDrainScope, kAwaitsRoom,
  kChunkedBuffer, kFresh, kLeaveToCore, kRenderHead, ofCore
} = require('../core/symbols')

/** Core's answer to whether field values are checked leniently, of which it asks itself once for a message. */
const kLenientCache = ofCore('kLenientCache')

const { HEAD, BODY, END, UNTIL_CLOSE, HEAD_UTF8, INFORMATIONAL, CORK, UNTOLD } = sendFlags

/** Bytes. A part of this size or more may be sent without a copy if no callback or listener waits until it is taken. */
const { SEGMENT: LARGE } = native.LIMITS

const { Stream } = stream

/**
 * @param {object} [options]
 * @param {number} [options.highWaterMark] bytes; default stream.getDefaultHighWaterMark()
 * @param {boolean} [options.rejectNonStandardBodyWrites=false]
 */
function OutgoingMessage (options) {
  // EventEmitter's constructor sets the same, but makes the object for listeners, which most messages never need.
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
  this[kHeld] = null
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
  this[kBeyondAscii] = false
  this[kCallbacks] = null
  this[kDrainScope] = null
  this[kAwaitsRoom] = false
  // Slots of a message that becomes core's: all messages have one hidden class.
  if (versions.corkMergesChunks) this[kChunkedBuffer] = undefined
  if (kLenientCache !== undefined) this[kLenientCache] = null
  if (versions.socketIsData && new.target !== undefined) ownSocket(this)
}
const shared = quiet(Stream.prototype)
Object.setPrototypeOf(OutgoingMessage.prototype, shared)
Object.setPrototypeOf(OutgoingMessage, Stream)

Object.defineProperties(OutgoingMessage.prototype, Object.getOwnPropertyDescriptors(headerMethods))
Object.defineProperties(OutgoingMessage.prototype, Object.getOwnPropertyDescriptors(stateMembers))
// Not among the inherited members where core's messages have it as an own property.
Object.defineProperty(versions.socketIsData ? shared : OutgoingMessage.prototype, 'socket', carrier)

OutgoingMessage.prototype[kHeadFlags] = 0
OutgoingMessage.prototype[kLastFlags] = 0
OutgoingMessage.prototype[kFinished] = nop
OutgoingMessage.prototype[kSettle] = function () { settled.call(this) }
OutgoingMessage.prototype[kDrained] = function () { drained.call(this) }
OutgoingMessage.prototype[kLeaveToCore] = function () { leaveToCore(this) }
OutgoingMessage.prototype[kFresh] = () => new OutgoingMessage()
OutgoingMessage.prototype[kUniqueHeaders] = null
OutgoingMessage.prototype[kFlushError] = null

// ------------------------------------------------------------------------------------------------- the head

OutgoingMessage.prototype._storeHeader = function _storeHeader (firstLine, headers) {
  if (this[kRenderHead](firstLine, headers)) this._send('')
}

/** Renders the head. Core's methods also send it, if it has to be sent at once. @returns {boolean} true if it still has to be */
OutgoingMessage.prototype[kRenderHead] = function renderHead (firstLine, headers) {
  if (!isCores(this)) return storeHead(this, firstLine, headers)
  cores.OutgoingMessage._storeHeader.call(this, firstLine, headers)
  return false
}

/** As core's _send: raw bytes, with the head before them if it was not sent. Our own callers send heads this way, no more. */
function _send (data, encoding, callback) {
  if (this[kNative] === true && data === '' && typeof encoding !== 'function' && !callback && !isUnusual(this)) {
    let flags = takeHeadFlag(this)
    // Core glues the data to the head and writes both as one string, in the encoding of the data.
    if (flags !== 0 && this[kBeyondAscii] && isUtf8(encoding)) flags |= HEAD_UTF8
    // The parts behind this head have corked their socket.
    if (flags !== 0 && this[kHeld] !== null) flags |= CORK
    if (flags !== 0) return sendOrQueue(this, flags, this._header, undefined, null, -1, null) < this[kHighWaterMark]
    if (this[kConnection] !== null) return this.writableLength < this[kHighWaterMark]
  }
  leaveToCore(this)
  if (!this._headerSent && this._header !== null) tellBegun(this)
  if (isHeadBehind(this, data, encoding)) {
    this._headerSent = true
    cores.OutgoingMessage._writeRaw.call(this, this._header, 'latin1', null)
  }
  return cores.OutgoingMessage._send.apply(this, arguments)
}

/**
 * True if the head has to be sent behind what is queued, a 1xx block: core's _send puts a head that it cannot glue to the
 * data before all of that, and the block into the body (docs/COMPATIBILITY.md).
 */
function isHeadBehind (message, data, encoding) {
  return !isCores(message) && !message._headerSent && message._header !== null && message.outputData.length !== 0 && !isGluable(data, encoding)
}

/** The beginning of a 1xx block, as core renders it. */
const INFORMATION = /^HTTP\/1\.1 1\d\d /

const BLANK_LINE = '\r\n\r\n'

/** True of one whole 1xx block. */
function isInformation (data) {
  return typeof data === 'string' && INFORMATION.test(data) && data.indexOf(BLANK_LINE) === data.length - BLANK_LINE.length
}

/** As core's _writeRaw: a 1xx block is sent, or queued until it is this message's turn; core sends anything else. */
function _writeRaw (data, encoding, callback) {
  if (this[kNative] === true && !this._headerSent && typeof encoding !== 'function' && isInformation(data) && !isUnusual(this)) {
    return sendOrQueue(this, INFORMATIONAL, data, undefined, null, -1, typeof callback === 'function' ? callback : null) < this[kHighWaterMark]
  }
  leaveToCore(this)
  // One whose end is with the connection stays ours, and may have no socket yet.
  if (this[kNative] === true && this[kConnection] !== null) this[kSocket] = this[kConnection].getSocket()
  return cores.OutgoingMessage._writeRaw.apply(this, arguments)
}

OutgoingMessage.prototype._send = _send
OutgoingMessage.prototype._writeRaw = _writeRaw

// ------------------------------------------------------------------------------------------- write() and end()

/** True if the message is core's. Makes it core's first if it is unusual, or if `_send` or `_writeRaw` was replaced. */
function becomesCores (message) {
  if (message[kNative] !== true) return true
  if (!isUnusual(message) && message._send === _send && message._writeRaw === _writeRaw) return false
  leaveToCore(message)
  return true
}

/** Calls core's method for a message that has ended: it reports the misuse in a later tick, and needs an `_events` to do it. */
function complain (message, method, args) {
  if (!isCores(message)) message._events ??= { __proto__: null }
  return cores.OutgoingMessage[method].apply(message, args)
}

/** True if core's end() would send the chunks that cork() gathers behind the end of the body (docs/COMPATIBILITY.md). */
function leavesChunksBehind (message) {
  return versions.corkMergesChunks && !versions.tickMergesChunks && !isCores(message) && message[kCorked] !== 0
}

/** Ends all corks of a message: the chunks gathered so far are sent, and later ones are not gathered. */
function releaseCorked (message) {
  message[kCorked] = 1
  cores.OutgoingMessage.uncork.call(message)
}

/** True if core's write() may refuse the part in the call: its type is wrong, its encoding is unknown, or its memory may be gone. */
function isOdd (chunk, encoding) {
  if (typeof chunk === 'string') return Boolean(encoding) && !Buffer.isEncoding(encoding)
  return !isUint8Array(chunk) || (chunk.length === 0 && !(chunk instanceof Buffer))
}

/**
 * Sends a part of the body, with the implicit head before it if there is none so far.
 * @param {string|Uint8Array} chunk
 * @param {string} [encoding='utf8'] of a string
 * @param {Function} [callback] once the part was handed over
 * @returns {boolean} false if `writableHighWaterMark` bytes or more wait; 'drain' follows
 */
OutgoingMessage.prototype.write = function write (chunk, encoding, callback) {
  if (this.finished) return complain(this, 'write', arguments)
  if (becomesCores(this)) return cores.OutgoingMessage.write.apply(this, arguments)
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
    // `_implicitHeader`, a method of the application perhaps, can have changed the message.
    if (becomesCores(this)) return cores.OutgoingMessage.write.apply(this, arguments)
  }
  if (!this._hasBody) {
    // Core's throws.
    if (this[kRejectNonStandardBodyWrites]) return cores.OutgoingMessage.write.apply(this, arguments)
    if (callback !== undefined) process.nextTick(callback)
    return true
  }
  const size = sizeOf(chunk, encoding)
  if (holdsPart(this, size)) return hold(this, chunk, encoding, size, callback ?? null)
  // An empty part is queued, too, and may be called back for.
  if (size === 0 && (callback !== undefined || this[kConnection] === null)) {
    if (this._headerSent && awaitOthers(this, callback)) return stillWaits(this)
    leaveToCore(this)
    return cores.OutgoingMessage.write.apply(this, arguments)
  }
  if (size === 0) holdNothing(this)

  let flags = takeHeadFlag(this)
  // A head without a part stays corked until the end of the tick, too.
  flags |= size !== 0 ? BODY : flags && CORK
  if (flags === 0) return stillWaits(this)
  if (callback === undefined && size >= LARGE && isUntold(this)) flags |= UNTOLD
  return noteBackpressure(this, sendOrQueue(this, flags, flags & HEAD ? this._header : '', chunk, encoding, size, callback ?? null, true))
}

/** Gathers what is written until uncork(); nests. */
OutgoingMessage.prototype.cork = function cork () {
  leaveToCore(this)
  if (this[kNative] !== true) cores.OutgoingMessage.cork.call(this)
  // The message has been sent: cork() corks its socket, for the messages behind it.
  else {
    if (versions.corkMergesChunks) this[kCorked]++
    this.socket?.cork()
  }
}

OutgoingMessage.prototype.uncork = function uncork () {
  if (this[kNative] !== true && (isCores(this) || this[kCorked] !== 0 || !versions.corkMergesChunks)) {
    return cores.OutgoingMessage.uncork.call(this)
  }
  if (this[kNative] === true && !this.finished && this[kHeld] === null && socketCorks(this) !== 0) return uncorkSocket(this)
  // Core's uncork() without a cork() counts below zero, and gathers what is written later (docs/COMPATIBILITY.md).
  if (this.finished || this[kNative] !== true) this[kSocket]?.uncork()
  if (this[kCorked] > 0) this[kCorked]--
  // Sends what was written in this tick.
  if (this[kHeld] !== null) endChunk(this)
  else this[kConnection]?.uncork()
}

/**
 * Ends a cork of the socket, which the application has corked: behind parts of this tick perhaps, which wait for its end, unless this
 * ends the cork that was theirs.
 */
function uncorkSocket (message) {
  const connection = message[kConnection]
  if (versions.tickMergesChunks && connection.corked) {
    leaveToCore(message)
    cores.OutgoingMessage.uncork.call(message)
  } else {
    connection.socket.uncork()
  }
}

/**
 * Ends the message, with a last part if given.
 * @param {string|Uint8Array} [chunk]
 * @param {string} [encoding='utf8'] of a string
 * @param {Function} [callback] once all of the message was handed over; gets the error if it was not
 * @returns {this}
 */
OutgoingMessage.prototype.end = function end (chunk, encoding, callback) {
  if (this.finished) return complain(this, 'end', arguments)
  if (this[kNative] === true && this[kHeld] !== null) failIfGone(this)
  if (becomesCores(this)) {
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
    size = sizeOf(chunk, encoding)
    // Core's queues an empty part, too.
    if (isOdd(chunk, encoding) || (size === 0 && this[kConnection] === null)) {
      leaveToCore(this)
      return cores.OutgoingMessage.end.apply(this, arguments)
    }
    if (size !== 0) flags |= BODY
  }
  if (!this._header) {
    this._contentLength = size
    this._implicitHeader()
    if (becomesCores(this)) return cores.OutgoingMessage.end.apply(this, arguments)
  }
  if (!this._hasBody) {
    if (size !== 0 && this[kRejectNonStandardBodyWrites]) return cores.OutgoingMessage.end.apply(this, arguments)
    flags = END
  }
  if (this[kHeld] !== null) {
    if (size !== 0) {
      hold(this, chunk, encoding, size, null)
      flags &= ~BODY
    }
    // No 'drain' comes any more, which the callbacks of what is held would wait for.
    this[kNeedDrain] = false
    sendHeld(this)
  }
  flags |= takeHeadFlag(this)
  if (typeof callback === 'function') addEndCallback(this, callback)
  if (size >= LARGE && endsUntold(this)) flags |= UNTOLD

  const carried = this[kConnection] !== null
  // True if no byte is left to send: neither a last chunk nor anything queued.
  const isSent = flags === END && !chunk && !(this._hasBody && this.chunkedEncoding) && this.outputSize === 0 && !this[kConnection]?.corked
  const pending = carried || !isSent ? sendOrQueue(this, flags, flags & HEAD ? this._header : '', chunk, encoding, size, null) : 0
  this.finished = true
  if (carried) {
    finishLater(this, this[kConnection], pending)
    this._finish()
  } else if (isSent) {
    process.nextTick(() => finishAnyway(this))
  }
  return this
}

/** Emits 'prefinish': all of the message is with the transport. 'finish' follows once the transport has taken it. */
OutgoingMessage.prototype._finish = function _finish () {
  if (isCores(this)) return cores.OutgoingMessage._finish.apply(this, arguments)
  if (this._events !== undefined || this.emit !== baseEmit) this.emit('prefinish')
}

/** Sends what is queued: the message has got a transport. As core's _flush. */
OutgoingMessage.prototype._flush = function _flush () {
  if (this[kNative] === true && isGone(this)) this.destroy(memoryGone())
  if (this[kNative] === true && (isUnusual(this) || !isOurs(this))) leaveToCore(this)
  if (this[kNative] !== true) return cores.OutgoingMessage._flush.call(this)
  if (this[kConnection] === null) return
  const ended = this.finished
  // A part that came meanwhile can have sent the queue already.
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

/** Sets the socket's idle time, now or once there is a socket, and listens for 'timeout'. */
OutgoingMessage.prototype.setTimeout = function setTimeout (msecs, callback) {
  // Core's looks where the socket is once it was made.
  if (!isCores(this)) this.socket // eslint-disable-line no-unused-expressions
  return cores.OutgoingMessage.setTimeout.call(this, msecs, callback)
}

/** Destroys the message and its socket. @param {Error} [error] */
OutgoingMessage.prototype.destroy = function destroy (error) {
  if (this.destroyed) return this
  const connection = this[kConnection]
  if (this[kNative] === true && connection !== null && this[kHeld] === null) {
    // No socket has been made and nothing waits for the end, or the message has ended, and its connection reports what becomes of it.
    const isUnseen = connection.socket === null && !error && isUnheard(this)
    if (isUnseen || this.finished) {
      this.destroyed = true
      this[kErrored] = error
      if (isUnseen) connection.destroy()
      else this.socket.destroy(error)
      return this
    }
  }
  // Held parts are lost, and with them the socket's cork: the parts before them are sent.
  if (this[kNative] === true && this[kHeld] !== null) connection?.uncork()
  leaveToCore(this)
  return cores.OutgoingMessage.destroy.call(this, error)
}

deferToCore(OutgoingMessage.prototype, 'OutgoingMessage', [
  'setHeader', 'appendHeader', 'getHeader', 'hasHeader', 'setTimeout', 'socket',
  'write', 'end', 'cork', 'uncork', '_storeHeader', '_send', '_writeRaw', '_flush', '_finish'
], ['writableFinished', 'writableLength', 'writableCorked', '_flushOutput'])

module.exports = { OutgoingMessage }

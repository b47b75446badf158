'use strict'

/**
 * OutgoingMessage: write() and end() of requests and responses alike; the header store and what a message tells of
 * itself are in files beside this one. Knows nothing of server or client. A message is carried by one of
 *  - a Connection (`this[kConnection]`): proto frames the body, one `send` per call of the user;
 *  - a foreign stream (`assignSocket(fake)`): framed here, in the calls core would make, since such streams look at them;
 *  - nothing yet: parts wait in `outputData` until `_flush()`.
 *
 * Subclasses may set `kHeadFlags` and `kLastFlags` (sendFlags to add to HEAD and to a closing END) and override
 * `kFinished`, called when the last byte was handed over, just before 'finish'.
 */

const { captureRejectionSymbol } = require('node:events')
const stream = require('node:stream')
const { process } = require('./host')
const { sendFlags } = require('./binding')
const { storeHead } = require('./outgoing-head')
const { headerMethods } = require('./outgoing-headers')
const { stateMembers, carrier, ownSocket } = require('./outgoing-state')
const { holdsBack, hold, releaseHeld, endHeld, dropHeld } = require('./outgoing-held')
const {
  PENDING_MAX, CORKED, nop, isCarried, isLost, noteBackpressure, takeHeadFlag, checkEncoding, afterNothing, sizeOf
} = require('./outgoing-transmit')
const { deliver, flushQueue } = require('./outgoing-queue')
const {
  baseEmit, isQuiet, isUntold, addEndCallback, failEndCallbacks, finishAnyway, finishLater, settled, drained
} = require('./outgoing-end')
const { _send, _writeRaw, isPlain, writePlain } = require('./outgoing-plain')
const { isForeign, writeForeign } = require('./outgoing-foreign')
const { checkChunk, report, isStrict, countStrictly } = require('./outgoing-checks')
const { endPlainly, endAgain, endDestroyed, endUncarried, isAllSent } = require('./outgoing-ended')
const { cores, isCores, leaveCores } = require('./core-messages')
const { quiet } = require('./quiet')
const { isInsecure } = require('./parser-config')
const { codes } = require('./errors')
const versions = require('./versions')
const {
  kConnection, kSettle, kOutHeaders, kNeedDrain, kCorked, kErrored, kBytesWritten, kHighWaterMark,
  kRejectNonStandardBodyWrites, kChunkedBuffer, kChunkedLength, kSocket, kWritableFinished, kEndCallbacks,
  kFlushError, kUniqueHeaders, kHead, kLines, kFraming, kUnusual, kHeadFlags, kLastFlags, kPlain, kDrained, kFinished, kCallbacks, kDrainScope, kAwaitsRoom, kValidation
} = require('./symbols')

const { HEAD, BODY, END, UNTIL_CLOSE, INFORMATIONAL, CORK, UNTOLD } = sendFlags

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

OutgoingMessage.prototype[kPlain] = false
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

OutgoingMessage.prototype._send = _send
OutgoingMessage.prototype._writeRaw = _writeRaw

// ------------------------------------------------------------------------------------------- write() and end()

/**
 * Sends a part of the body. Without a head so far it sends the implicit one.
 * @param {string|Uint8Array} chunk
 * @param {string} [encoding='utf8'] of a string
 * @param {Function} [callback] when the part was handed over
 * @returns {boolean} false: more than the high water mark waits; 'drain' follows
 */
OutgoingMessage.prototype.write = function write (chunk, encoding, callback) {
  if (isCores(this)) return cores.OutgoingMessage.write.apply(this, arguments)
  if (typeof encoding === 'function') {
    callback = encoding
    encoding = null
  }
  checkChunk(chunk)
  const hasCallback = typeof callback === 'function'

  if (this.finished || this.destroyed) {
    const error = this.finished ? new codes.ERR_STREAM_WRITE_AFTER_END() : new codes.ERR_STREAM_DESTROYED('write')
    if (!this.destroyed) report(this, error, hasCallback ? callback : nop)
    else if (hasCallback) process.nextTick(callback, error)
    this[kNeedDrain] = true
    return false
  }

  const size = sizeOf(chunk, encoding)
  if (this.strictContentLength) countStrictly(this, size, false)
  if (!this._header) this._implicitHeader()
  if (!this._hasBody) {
    if (this[kRejectNonStandardBodyWrites]) throw new codes.ERR_HTTP_BODY_NOT_ALLOWED()
    if (hasCallback) process.nextTick(callback)
    return true
  }
  if (isForeign(this)) return writeForeign(this, chunk, encoding, size, hasCallback ? callback : null)
  if (this._send !== _send && isPlain(this) && !(versions.corkMergesChunks && this.chunkedEncoding && holdsBack(this, size))) {
    return writePlain(this, chunk, encoding, size, hasCallback ? callback : null)
  }
  if (encoding && typeof chunk === 'string') checkEncoding(this, encoding, size)
  if (holdsBack(this, size)) return hold(this, chunk, encoding, size, hasCallback ? callback : null)

  let flags = takeHeadFlag(this)
  // A head that leaves with nothing waits for the end of the tick, too.
  flags |= size !== 0 ? BODY : flags && CORK
  if (hasCallback) flags |= CORKED
  else if (size >= LARGE && isUntold(this)) flags |= UNTOLD
  if (flags === 0 || flags === CORKED) {
    if (!isCarried(this)) return this._writeRaw(chunk, encoding, hasCallback ? callback : nop)
    if (hasCallback) afterNothing(this, callback, true)
    return !this[kNeedDrain]
  }
  return noteBackpressure(this, deliver(this, flags, flags & HEAD ? this._header : '', chunk, encoding, size, hasCallback ? callback : null))
}

/** Keeps what is written until uncork(); nests. */
OutgoingMessage.prototype.cork = function cork () {
  const foreign = isForeign(this)
  this[kCorked]++
  if (foreign) this[kSocket].cork?.()
}

OutgoingMessage.prototype.uncork = function uncork () {
  if (this[kCorked] !== 0) this[kCorked]--
  const foreign = isForeign(this)
  if (foreign && !versions.tickMergesChunks) this[kSocket].uncork?.()
  const releases = this[kCorked] === 0 && this[kChunkedBuffer] !== null
  if (releases) releaseHeld(this)
  // What was written before it leaves as well.
  if (this[kCorked] === 0) this[kConnection]?.uncork()
  if (foreign) {
    if (versions.tickMergesChunks) this[kSocket].uncork?.()
    if (releases && this[kNeedDrain] && !isLost(this) && this.writableLength === 0) {
      this[kNeedDrain] = false
      this.emit('drain')
    }
  }
}

/**
 * Ends the message, with a last part if given.
 * @param {string|Uint8Array} [chunk]
 * @param {string} [encoding='utf8']
 * @param {Function} [callback] when everything was handed over
 * @returns {this}
 */
OutgoingMessage.prototype.end = function end (chunk, encoding, callback) {
  if (isCores(this)) return cores.OutgoingMessage.end.apply(this, arguments)
  if (typeof chunk === 'function') {
    callback = chunk
    chunk = undefined
    encoding = null
  } else if (typeof encoding === 'function') {
    callback = encoding
    encoding = null
  }
  if (this.finished) return endAgain(this, chunk, callback)
  if (this.destroyed) return endDestroyed(this, chunk, callback)

  let flags = END
  let size = 0
  const foreign = isForeign(this)
  if (foreign && (chunk || !this._header)) this[kSocket].cork?.()
  if (chunk) {
    if (typeof chunk !== 'string') checkChunk(chunk)
    size = sizeOf(chunk, encoding)
    if (size !== 0) flags |= BODY
  }
  if (this.strictContentLength && (chunk || this._header)) countStrictly(this, size, true)
  if (!this._header) {
    this._contentLength = size
    this._implicitHeader()
    // What the implicit head declared is known to be right, unless another's writeHead set the length.
    if (this.strictContentLength && this[kBytesWritten] !== this._contentLength && isStrict(this)) {
      // As in core a part has left when the count is taken, with the head.
      if (chunk) deliver(this, takeHeadFlag(this) | flags & BODY, this._header, chunk, encoding, size, null)
      countStrictly(this, 0, true)
    }
  }
  if (!this._hasBody) {
    if (size !== 0 && this[kRejectNonStandardBodyWrites]) throw new codes.ERR_HTTP_BODY_NOT_ALLOWED()
    flags = END
  }
  if (encoding && (flags & BODY) !== 0 && typeof chunk === 'string') checkEncoding(this, encoding, size)
  if (this[kChunkedBuffer] !== null) {
    if (size !== 0 && versions.corkMergesChunks) {
      this[kChunkedBuffer].push({ data: chunk, encoding, callback: null, size })
      flags &= ~BODY
    }
    endHeld(this)
  }
  if (foreign || (this._send !== _send && isPlain(this))) {
    return endPlainly(this, flags & BODY ? chunk : undefined, encoding, size, Boolean(chunk), callback)
  }
  flags |= takeHeadFlag(this)
  if (typeof callback === 'function') addEndCallback(this, callback)

  if (size >= LARGE && isUntold(this)) flags |= UNTOLD
  const carried = this.outputData.length === 0 && isCarried(this)
  const isSent = flags === END && !chunk && isAllSent(this)
  const pending = carried || !isSent ? deliver(this, flags, flags & HEAD ? this._header : '', chunk, encoding, size, null) : 0
  this.finished = true
  if (carried) {
    this._finish()
    finishLater(this, this[kConnection], pending)
  } else {
    endUncarried(this, isSent)
  }
  this[kCorked] = 0
  return this
}

/** Everything is with the transport; 'finish' follows when it took it. */
OutgoingMessage.prototype._finish = function _finish () {
  if (isCores(this)) return cores.OutgoingMessage._finish.apply(this, arguments)
  if (this._events !== undefined || this.emit !== baseEmit) this.emit('prefinish')
}

/** The message has got a transport: what waited leaves. */
OutgoingMessage.prototype._flush = function _flush () {
  if (!isCarried(this)) return
  const ended = this.finished
  const ret = this._flushOutput(this[kSocket])
  if (ended) {
    this._finish()
    const connection = this[kConnection]
    if (connection !== null && connection !== undefined) finishLater(this, connection, connection.pending())
  } else if (this[kNeedDrain]) {
    if (!ret) return this[kConnection]?.notifyDrain()
    this[kNeedDrain] = false
    this.emit('drain')
  }
}

OutgoingMessage.prototype._flushOutput = function _flushOutput (socket) {
  return flushQueue(this, finishAnyway) < this[kHighWaterMark]
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
  this.destroyed = true
  this[kErrored] = error
  if (this[kChunkedBuffer] !== null && versions.tickMergesChunks) {
    dropHeld(this)
    if (isForeign(this)) this[kSocket].uncork?.()
    // What had left the message before is not lost.
    else this[kConnection]?.uncork()
  }
  const connection = this[kConnection]
  if (this[kSocket] === undefined && connection && connection.socket === null && !error) {
    connection.destroy()
    return this
  }
  const { socket } = this
  if (socket) {
    socket.destroy(error)
  } else if (versions.destroyClosesWithoutSocket) {
    process.nextTick(closeUnsent, this)
  } else {
    this.once('socket', (socket) => socket.destroy(error))
  }
  return this
}

/** A message that was destroyed before it had a socket. ClientRequest reports by itself. */
function closeUnsent (message) {
  if (message._closed || message[kHeadFlags] !== 0) return
  message._closed = true
  message.emit('close')
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
  'setHeader', 'getHeader', 'hasHeader', 'removeHeader', 'headersSent', 'writableEnded',
  'write', 'end', '_storeHeader', '_send', '_writeRaw', '_finish', '_implicitHeader'
])

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
  if (message._writeRaw !== _writeRaw || isForeign(message)) return message._writeRaw(block, 'ascii', callback)
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

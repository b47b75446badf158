'use strict'

/**
 * IncomingMessage: a request (server) or response (client) to be read. A Readable whose state is made at the first touch:
 * most requests are answered without a look at their body. Knows nothing of server or client; the connection calls
 * `kReceive` and `kComplete`.
 */

const { Readable, finished } = require('node:stream')
const { process } = require('../host')
const { addDistinct, fold } = require('./fold-headers')
const { cores, isCores, deferToCore } = require('../core/messages')
const { quiet } = require('./listeners')
const versions = require('../core/versions')
const {
  kConnection, kSocket, kText, kFieldsAt, kRawHeaders, kHeaders, kHeadersCount, kRawTrailers, kTrailers, kTrailersCount,
  kState, kProgress, kPaused, kAbortController, kReceive, kComplete, kDetachSignal
} = require('../core/symbols')

/** Values of kProgress. */
const READING = 0
const COMPLETE = 1
const OVER = 2
/** Discarded a moment ago: what listens now is still told of its end. */
const ENDING = 3
/** Discarded, and ended: what listens now is told of its close. */
const ENDED = 4
/** Discarded. */
const DUMPED = 5

/** Gives the httpVersion of `major << 8 | minor`. */
function versionText (version) {
  return `${version >> 8}.${version & 255}`
}

/**
 * @param {import('node:net').Socket} socket
 */
function IncomingMessage (socket) {
  // Without `new`, core's constructor throws here, before it writes to whatever `this` is.
  if (!(this instanceof IncomingMessage)) cores.IncomingMessage.constructor.call(this, socket)
  Arrival.call(this, socket?.[kConnection] ?? null)
  Object.defineProperties(this, own)
  Object.defineProperty(this, 'client', { __proto__: null, value: socket, writable: true, enumerable: true, configurable: true })
  Readable.call(this, socket ? { highWaterMark: socket.readableHighWaterMark } : undefined)
  this[kState].readingMore = true
  this[kSocket] = socket
  this[kRawHeaders] = []
}

/** Messages from a connection have here, as accessors, what core's have as own data properties. */
const shared = quiet(Readable.prototype)
/** The same accessors as own properties, for messages that other code constructs: it may rely on their keys. */
const own = {}
Object.setPrototypeOf(IncomingMessage.prototype, shared)
Object.setPrototypeOf(IncomingMessage, Readable)

/**
 * A message from a connection, without the Readable that it may never need; its prototype is IncomingMessage's. All
 * stores are here, in one order: V8 makes the object as large as the stores that it counts in a constructor, and gives
 * all requests one hidden class. Stacks show IncomingMessage, the name of its prototype's constructor:
 * it has none itself, which minifiers and bundlers could drop or change.
 */
const Arrival = Object(function (connection) {
  this._events = undefined
  this._eventsCount = 0
  this._maxListeners = undefined
  this[kState] = undefined
  this.httpVersionMajor = null
  this.httpVersionMinor = null
  this.httpVersion = null
  this.complete = false
  this.joinDuplicateHeaders = false
  this.aborted = false
  this.upgrade = null
  this.url = ''
  this.method = null
  this.statusCode = null
  this.statusMessage = null
  this._consuming = false
  this._dumped = false
  this[kText] = ''
  this[kFieldsAt] = 0
  this[kRawHeaders] = null
  this[kHeaders] = null
  this[kHeadersCount] = 0
  this[kRawTrailers] = ''
  this[kTrailers] = null
  this[kTrailersCount] = 0
  this[kProgress] = READING
  this[kPaused] = false
  this[kAbortController] = null
  this[kSocket] = undefined
  this[kConnection] = connection
})
Arrival.prototype = IncomingMessage.prototype

/**
 * Makes the message for a head that arrived.
 * @param {import('../connection/connection').Connection} connection
 * @param {Function} [Class=IncomingMessage] any other class is constructed with the socket, as in core
 */
function newMessage (connection, Class) {
  if (Class === undefined || Class === IncomingMessage) return new Arrival(connection)
  const message = new Class(connection.getSocket())
  if (message[kConnection] === undefined || message[kConnection] === null) message[kConnection] = connection
  return message
}

/** Fills in a request head. @param {number} count fields that `headers` takes (maxHeadersCount); `rawHeaders` has all */
function readRequest (message, method, version, targetLength, count, text) {
  message.httpVersionMajor = version >> 8
  message.httpVersionMinor = version & 255
  message.httpVersion = version === 0x101 ? '1.1' : versionText(version)
  message.method = method
  message.url = text.slice(0, targetLength)
  message[kText] = text
  message[kFieldsAt] = targetLength
  message[kHeadersCount] = 2 * count
  message[kRawHeaders] = null
}

/** Fills in a response head. */
function readResponse (message, status, version, reasonLength, count, text) {
  message.httpVersionMajor = version >> 8
  message.httpVersionMinor = version & 255
  message.httpVersion = version === 0x101 ? '1.1' : versionText(version)
  message.statusCode = status
  message.statusMessage = text.slice(0, reasonLength)
  message[kText] = text
  message[kFieldsAt] = reasonLength
  message[kHeadersCount] = 2 * count
  message[kRawHeaders] = null
}

/** `name\nvalue\nname\nvalue…` -> [name, value, name, value…]. */
function splitFields (text) {
  return text === '' ? [] : text.split('\n')
}

// ------------------------------------------------------------------------------------------------ properties

function accessor (name, get, set, object = IncomingMessage.prototype) {
  Object.defineProperty(object, name, { __proto__: null, get, set, configurable: true, enumerable: false })
}

/** Defines an accessor for what is an own data property in core. */
function lazily (name, get, set) {
  accessor(name, get, set, shared)
  own[name] = { __proto__: null, get, set, configurable: true, enumerable: true }
}

/**
 * The Readable's state, made when core's stream code reads it for the first time. Undefined on objects that are no
 * messages of a connection (bare prototypes, mocks).
 */
lazily('_readableState', function () {
  const state = this[kState]
  if (state !== undefined) return state
  if (this[kConnection] === undefined || this[kProgress] === undefined) return undefined
  return materialise(this)
}, function (state) { this[kState] = state })

function materialise (message) {
  Readable.call(message, { highWaterMark: message[kConnection].highWaterMark })
  const state = message[kState]
  // Nothing is read ahead before the first read: see _read.
  state.readingMore = true
  const progress = message[kProgress]
  if (progress === COMPLETE) {
    message.push(null)
  } else if (progress === ENDING) {
    message.push(null)
    message._dumped = false
    cores.IncomingMessage._dump.call(message)
  } else if (progress === ENDED) {
    state.ended = state.endEmitted = true
    message.destroy()
  } else if (progress === OVER || progress === DUMPED) {
    close(state)
    if (progress === DUMPED && !versions.dumpEndsAtOnce) state.flowing = true
  }
  return state
}

/** Marks a state as read to its end and closed, without an event. */
function close (state) {
  state.ended = true
  state.endEmitted = true
  state.destroyed = true
  state.closed = true
  state.closeEmitted = true
}

lazily('socket', function () {
  const socket = this[kSocket]
  if (socket !== undefined) return socket
  const connection = this[kConnection]
  if (connection === undefined || connection === null) return undefined
  return (this[kSocket] = connection.getSocket())
}, function (socket) { this[kSocket] = socket })

/** Core sets `client` to the socket and never touches it again. */
const kClient = Symbol('kClient')

accessor('client', function () {
  if (this[kClient] !== undefined) return this[kClient]
  return this[kConnection]?.getSocket() ?? this[kSocket]
}, function (socket) { this[kClient] = socket }, shared)

lazily('rawHeaders', function () {
  const raw = this[kRawHeaders]
  if (raw !== null && raw !== undefined) return raw
  const text = this[kText]
  if (text === undefined) return raw
  return (this[kRawHeaders] = splitFields(text.slice(this[kFieldsAt])))
}, function (raw) {
  this[kRawHeaders] = raw
  this[kText] = undefined
})

lazily('rawTrailers', function () {
  const raw = this[kRawTrailers]
  return raw === '' ? (this[kRawTrailers] = []) : raw
}, function (raw) { this[kRawTrailers] = raw })

/** Lower-case names -> values. As core's, which takes twice as long up to Node 24. */
accessor('headers', function () {
  return this[kHeaders] ?? (this[kHeaders] = fold(this.rawHeaders, this[kHeadersCount], this.joinDuplicateHeaders))
}, function (headers) { this[kHeaders] = headers })

if (versions.messageSignal) {
  /** Aborts when the message is destroyed before it was read, or its socket closes before its exchange is over. */
  accessor('signal', function () {
    const { [kAbortController]: found } = this
    if (found) return found.controller.signal
    const holder = this[kAbortController] = { controller: new AbortController(), socket: null, listener: null }
    if (this.destroyed && !(this.readableEnded && this.complete)) holder.controller.abort()
    else if (found === null) watchSocket(this, holder)
    return holder.controller.signal
  }, undefined)
}

function watchSocket (message, holder) {
  const { socket } = message
  if (!socket) return
  if (socket.destroyed) {
    holder.controller.abort()
    return
  }
  holder.socket = socket
  holder.listener = () => abortSignal(message)
  socket.once('close', holder.listener)
}

function abortSignal (message) {
  message[kDetachSignal]()
  message[kAbortController]?.controller.abort()
}

/** Detaches the signal from the socket, also if the signal is made only later. */
IncomingMessage.prototype[kDetachSignal] = function () {
  const holder = this[kAbortController]
  if (!holder) {
    this[kAbortController] = undefined
  } else if (holder.listener !== null) {
    holder.socket.removeListener('close', holder.listener)
    holder.socket = holder.listener = null
  }
}

// --------------------------------------------------------------------------------------------------- reading

IncomingMessage.prototype._read = function _read () {
  if (isCores(this)) return cores.IncomingMessage._read.apply(this, arguments)
  if (!this._consuming) {
    this._readableState.readingMore = false
    this._consuming = true
  }
  if (this[kPaused]) {
    this[kPaused] = false
    this[kConnection].goOn()
  } else if (this[kConnection] === null) {
    const socket = this[kSocket]
    if (socket?.readable && !socket._paused) socket.resume?.()
  } else if (isStill(this[kConnection].socket)) {
    this[kConnection].goOn()
  }
}

/** True if there is a socket and it is not flowing: reading the message makes it flow, as core's _read does (readStart). */
function isStill (socket) {
  return socket !== null && socket.readableFlowing !== true
}

/** Takes a part of the body; pauses the connection when the message's buffer is full. */
IncomingMessage.prototype[kReceive] = function (chunk) {
  if (this._dumped) return
  if (!this.push(chunk) && !this[kPaused]) {
    this[kPaused] = true
    this[kConnection].holdBack()
  }
}

/** Completes the message. @param {string|undefined} trailers raw fields */
IncomingMessage.prototype[kComplete] = function (trailers) {
  this.complete = true
  if (this[kPaused]) {
    // The connection has other messages to carry while the buffer of this one is read.
    this[kPaused] = false
    this[kConnection].goOn()
  }
  if (trailers !== undefined) {
    const raw = splitFields(trailers)
    this._addHeaderLines(raw, raw.length)
  }
  if (this[kState] !== undefined) this.push(null)
  else this[kProgress] = COMPLETE
  // The end of a message makes a paused socket flow, as reading does.
  const connection = this[kConnection]
  if (connection !== null && connection.socket !== null && connection.socket.readableFlowing === false) connection.goOn()
}

/** True if the message's stream state was read. If not, no listener can miss an event of it. */
function isTouched (message) {
  return message[kState] !== undefined
}

/** Discards what is left of the body. */
IncomingMessage.prototype._dump = function _dump () {
  if (!this._dumped && this[kProgress] === COMPLETE && this[kState] === undefined) {
    this._dumped = true
    this[kProgress] = DUMPED
    return
  }
  cores.IncomingMessage._dump.call(this)
}

/**
 * A message that was discarded without a look at it is at its end some ticks later in core: what listens to it until then is told
 * of that.
 * @param {object} message
 * @param {boolean} isLeft its response has finished, but has not closed
 */
function linger (message, isLeft) {
  const progress = message[kProgress]
  if (isLeft && progress === DUMPED) message[kProgress] = ENDING
  else if (!isLeft && (progress === ENDING || progress === ENDED)) message[kProgress] = DUMPED
}

/** Core's response closes behind the end of its request, where discarding ends that at once. */
function lingerOn (message) {
  if (versions.dumpEndsAtOnce && message[kProgress] === ENDING) message[kProgress] = ENDED
}

if (versions.optimizeEmptyRequests) {
  IncomingMessage.prototype._dumpAndCloseReadable = function _dumpAndCloseReadable () {
    this._dumped = true
    if (this[kState] === undefined) this[kProgress] = OVER
    else close(this[kState])
  }
}

/**
 * Destroys the socket with a message that was not read to its end; 'error' is emitted only if there are listeners. As
 * core's _destroy.
 */
IncomingMessage.prototype._destroy = function _destroy (error, callback) {
  if (isCores(this)) return cores.IncomingMessage._destroy.apply(this, arguments)
  if (!this.readableEnded || !this.complete) {
    this.aborted = true
    this.emit('aborted')
    if (versions.messageSignal) abortSignal(this)
  }
  if (this.aborted) {
    const { socket } = this
    if (socket && !socket.destroyed) {
      socket.destroy(error)
      const cleanUp = finished(socket, (reason) => {
        if (reason?.code === 'ERR_STREAM_PREMATURE_CLOSE') reason = null
        cleanUp()
        process.nextTick(answer, this, reason || error, callback)
      })
      return
    }
  } else if (versions.destroyCompletesAtOnce && !error) {
    callback()
    return
  }
  process.nextTick(answer, this, error, callback)
}

function answer (message, error, callback) {
  if (message.listenerCount('error') === 0) callback()
  else callback(error)
}

if (versions.distinctHasPrototype) {
  IncomingMessage.prototype._addHeaderLineDistinct = function _addHeaderLineDistinct (name, value, into) {
    addDistinct(name, value, into)
  }
}

deferToCore(IncomingMessage.prototype, 'IncomingMessage', ['_read', '_dump', '_destroy'])

module.exports = { IncomingMessage, newMessage, readRequest, readResponse, isTouched, linger, lingerOn }

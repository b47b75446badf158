'use strict'

/**
 * A client's way to its server: holds what is sent before there is a connection, calls the callbacks of writes when a
 * connection takes them, and watches idle time where the connection is. Knows of the request under way how it is framed;
 * what comes back is for connection.js.
 */

// Taken when the module is loaded: mocked clocks stop the global ones, but not core's sockets.
const { setTimeout: startTimer, clearTimeout } = require('node:timers')
const { Buffer, process } = require('../host')
const { native, sendFlags, connections, touch, atClosePhase } = require('../binding')
const { Connection } = require('../connection/connection')
const { codes, coded } = require('../core/errors')
const { call, failBuffered, failWaiting } = require('../message/write-callbacks')
const { PENDING_MAX, failEndCallbacks } = require('../message/outgoing')
const { kCallbacks, kHeadFlags, kNeedDrain } = require('../core/symbols')

const { HEAD, BODY, BODY_UTF8, END, CHUNKED, UNTIL_CLOSE } = sendFlags

/**
 * @param {number} id of the native connection, -1 while there is none yet
 * @param {import('node:stream').Duplex|null} stream the JS stream that carries it (driver two); null for a native connection
 */
function ClientTransport (id, stream) {
  Connection.call(this, id, stream)
  /** The request of the exchange under way; `current` also names the last one until the agent takes the socket back. */
  this.request = null
  /** The attempts to connect (lib/client/dial.js); null once there is a connection. */
  this.attempts = null
  /** The async resource that hooks take for the socket's, until the first exchange is over. */
  this.context = null
  /** The resource that it has left. */
  this.lastContext = null
  /** Held until there is a connection: arguments of `send` and `writeRaw`. */
  this.held = null
  this.heldSize = 0
  /** Takes the listeners for held writes off the socket. */
  this.leaveSocket = null
  /** Our address in the attempt that failed. */
  this.triedFrom = undefined
  /**
   * The cork (`corks`) under which the first write to the socket was made: the others wait behind it. And the one under
   * which the request ended.
   */
  this.firstWrite = 0
  this.lastWrite = -1
  this.drainWanted = false
  /** True while a request is flushed, which asks whether it was handed over. */
  this.flushing = false
  /** True once the native side knows of the request under way. */
  this.isExpected = false
  /** True once there was a request: from then on the native side knows which bytes are unasked. */
  this.hasAsked = false
  /** True if the response was the connection's last. */
  this.closing = false
  /** What was asked of the socket before there was a connection: 'shutdown' or 'close'; null if nothing. */
  this.ending = null
  /** Idle time wanted and, once applied, in force; ms. */
  this.idle = 0
  this.idleInForce = 0
  this.idleTimer = null
  this.idleQueued = false
}
Object.setPrototypeOf(ClientTransport.prototype, Connection.prototype)

// ------------------------------------------------------------------------------------------------ connecting

/** Takes the id of a connection attempt. */
ClientTransport.prototype.adopt = function adopt (id) {
  this.id = id
  connections[id] = this
}

/** Takes the socket out of the async context that it was made in: it is idle, or closed. */
ClientTransport.prototype.leaveContext = function leaveContext () {
  if (this.context === null) return
  this.context.emitDestroy()
  this.lastContext = this.context
  this.context = null
}

/** Gives the attempt up; its events are ignored. */
ClientTransport.prototype.abandon = function abandon () {
  const { id } = this
  if (id === -1) return
  this.id = -1
  connections[id] = undefined
  native.destroy(id, false, false)
  touch()
}

ClientTransport.prototype.onConnected = function onConnected () {
  this.attempts.run(this.attempts.connected)
}

/** Sends what was held, and holds nothing from now on: there is a connection. */
ClientTransport.prototype.establish = function establish () {
  // Done with the first write, or a listener of 'connect' has destroyed the socket.
  if (this.attempts === null) return
  this.attempts = null
  this.stopIdleTimer()
  if (this.idle !== 0) applyIdle(this)
  const { held, request } = this
  if (held !== null) sendHeld(this, held)
  if (request?.socket) this.expect(request)
  else if (request === null) this.expectNothing()
  if (this.drainWanted) tellHandedOver(this, request)
  if (this.ending !== null) this[this.ending]()
}

function sendHeld (connection, held) {
  connection.held = null
  connection.heldSize = 0
  connection.leaveSocket()
  connection.flushing = true
  for (const parts of held) {
    if (parts.length === 5) connection.send(...parts)
    else connection.writeRaw(...parts)
  }
  connection.flushing = false
}

/** Calls the callbacks of held writes: as in core the first write's at once, and those that waited behind it in a later tick. */
function tellHandedOver (connection, request) {
  const callbacks = request?.[kCallbacks]
  const at = native.takes(connection.id, 0, false)
  if (at !== 0) {
    callbacks?.forEach((entry) => { entry.at = at })
    touch()
    return
  }
  const behind = callbacks ? callbacks.findIndex(({ write }) => write !== connection.firstWrite) : -1
  if (behind === -1) {
    connection.onDrain()
    return
  }
  request[kCallbacks] = callbacks.splice(behind)
  // A stream writes what is buffered before it calls back for the first write (Writable's onwrite).
  connection.notifyDrain()
  call(callbacks, null, true)
}

/** Reads our address of a failed attempt while the native side has it. */
ClientTransport.prototype.beforeRelease = function beforeRelease (errno) {
  if (this.attempts === null) Connection.prototype.beforeRelease.call(this, errno)
  else this.triedFrom = native.address(this.id, false)
}

function hold (connection, parts, size) {
  if (connection.held === null) {
    connection.held = []
    connection.firstWrite = connection.corks
    waitInSocket(connection)
  }
  connection.held.push(parts)
  connection.heldSize += size
  return connection.heldSize
}

/** Waits for the socket's 'connect' or 'close', as core's first write does. */
function waitInSocket (connection) {
  const { socket, request } = connection
  const fail = (error) => {
    if (request !== null) failHeld(connection, request, error)
    connection.heldSize = 0
  }
  const connected = () => {
    connection.leaveSocket()
    // An earlier listener may have destroyed it.
    if (connection.attempts !== null) connection.establish()
    else fail(new codes.ERR_SOCKET_CLOSED())
  }
  const closed = () => {
    const error = coded(Error, 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION', 'Socket closed before the connection was established')
    // As any failed write does (Writable's onwrite).
    for (const state of [socket._writableState, socket._readableState]) if (!state.errored) state.errored = error
    fail(error)
  }
  connection.leaveSocket = () => {
    socket.off('connect', connected)
    socket.off('close', closed)
  }
  socket.once('connect', connected)
  socket.once('close', closed)
}

/** Fails what was held: there will be no connection. In core the first write waits in the socket, the others in the stream. */
function failHeld ({ socket, firstWrite, lastWrite }, request, first) {
  const later = socket.errored ?? first
  const callbacks = request[kCallbacks]
  request[kCallbacks] = null
  if (callbacks !== null) {
    const isFirst = ({ write }) => write === firstWrite
    call(callbacks.filter(isFirst), first, true)
    call(callbacks.filter((entry) => !isFirst(entry)), later, true)
  }
  // An end that was not held reports nothing.
  if (lastWrite !== -1) failEndCallbacks(request, lastWrite === firstWrite ? first : later)
}

function sizeOf (chunk, utf8) {
  if (typeof chunk !== 'string') return chunk.byteLength
  return utf8 ? Buffer.byteLength(chunk) : chunk.length
}

/** Gives the bytes that proto will make of a part. */
function sizeOfMessage (request, flags, head, body) {
  const isChunked = request !== null && request.chunkedEncoding && request._hasBody
  let size = head.length
  if (body !== undefined) {
    const length = sizeOf(body, (flags & BODY_UTF8) !== 0)
    size += length
    if (isChunked) size += length.toString(16).length + 4
  }
  return isChunked && (flags & END) !== 0 ? size + 5 : size
}

// -------------------------------------------------------------------------------------------------- commands

ClientTransport.prototype.send = function send (flags, head, lines, body, length) {
  // The response was the connection's last: the rest of the request is not sent, for it would not be read.
  if (this.closing) return PENDING_MAX
  // A request cannot end with its connection: a body without framing is sent as it is.
  if ((flags & HEAD) !== 0 && (flags & UNTIL_CLOSE) === UNTIL_CLOSE) flags &= ~CHUNKED
  if ((flags & (BODY | END)) === BODY && !this.flushing && this.attempts !== null) this.cork()
  if (this.attempts !== null) {
    if ((flags & END) !== 0) {
      // A write of its own, unless it uncorks what was written before.
      if (!this.corked && !this.flushing) this.corks++
      this.lastWrite = this.corks
    }
    const size = hold(this, [flags, head, lines, body, length], sizeOfMessage(this.request, flags, head, body))
    if ((flags & END) !== 0) this.uncork()
    // Not handed over before there is a connection to take it.
    return this.flushing || (flags & END) !== 0 ? Math.max(size, PENDING_MAX) : size
  }
  if ((flags & HEAD) !== 0) this.isExpected = this.hasAsked = true
  return Connection.prototype.send.call(this, flags, head, lines, body, length)
}

ClientTransport.prototype.writeRaw = function writeRaw (chunk, utf8) {
  if (this.attempts !== null) {
    if (!this.corked && !this.flushing) this.corks++
    return hold(this, [chunk, utf8], sizeOf(chunk, utf8))
  }
  return Connection.prototype.writeRaw.call(this, chunk, utf8)
}

/** True while the connection is being made. */
ClientTransport.prototype.isConnecting = function isConnecting () {
  return this.attempts !== null
}

ClientTransport.prototype.isPipe = function isPipe () {
  return this.attempts === null ? Connection.prototype.isPipe.call(this) : this.attempts.isPipe()
}

/** Gives the bytes not taken yet. While there is no connection, enough for a flushed request to count as not handed over. */
ClientTransport.prototype.pending = function pending () {
  if (this.heldSize !== 0) return this.flushing ? Math.max(this.heldSize, PENDING_MAX) : this.heldSize
  return Connection.prototype.pending.call(this)
}

ClientTransport.prototype.shownPending = function shownPending () {
  return this.heldSize !== 0 ? this.counted(this.heldSize) : Connection.prototype.shownPending.call(this)
}

ClientTransport.prototype.takes = function takes () {
  if (this.closing) return 1
  if (this.attempts === null) {
    const at = Connection.prototype.takes.call(this)
    if (at !== 0) this.drainWanted = true
    return at
  }
  this.drainWanted = true
  return 1
}

ClientTransport.prototype.notifyDrain = function notifyDrain () {
  if (this.closing) return
  this.drainWanted = true
  if (this.attempts === null) Connection.prototype.notifyDrain.call(this)
}

/** Emits 'drain' on a request that core sends, since the socket has drained. As core's ondrain. */
ClientTransport.prototype.tellDrained = function tellDrained (request) {
  if (request.finished || !request[kNeedDrain]) return
  request[kNeedDrain] = false
  request.emit('drain')
}

ClientTransport.prototype.shutdown = function shutdown () {
  if (this.attempts !== null) this.ending ??= 'shutdown'
  else Connection.prototype.shutdown.call(this)
}

// ---------------------------------------------------------------------------------------------------- the end

ClientTransport.prototype.close = function close () {
  if (this.attempts !== null) {
    // What a destroyed socket holds need not be sent.
    if (this.socket.destroyed) this.destroy()
    else this.ending = 'close'
  } else Connection.prototype.close.call(this)
}

ClientTransport.prototype.destroy = function destroy (error) {
  const { attempts } = this
  if (attempts === null) {
    Connection.prototype.destroy.call(this, error)
    return
  }
  this.attempts = null
  this.held = null
  // Corked parts have not become a write, whose failure would be reported when the socket has closed.
  if (this.corked && this.firstWrite === this.corks) {
    this.firstWrite = -1
    this.leaveSocket?.()
  }
  attempts.cancel()
  this.abandon()
  // The socket's 'error', if there is one, comes first.
  atClosePhase(() => this.onClosed(0, 0))
}

/** Fails the writes that would be in the stream's buffer in core: the connection is given up. */
ClientTransport.prototype.failBufferedWrites = function failBufferedWrites () {
  const { request, socket } = this
  if (request === null) return
  if (this.heldSize === 0) {
    failBuffered(request)
  } else if (this.firstWrite === -1) {
    failHeld(this, request, socket.errored ?? new codes.ERR_STREAM_DESTROYED('write'))
    this.heldSize = 0
  }
}

/** Fails all other writes: the handle is closed. */
ClientTransport.prototype.failWrites = function () {
  this.unsent = 0
  if (this.request !== null && this.heldSize === 0) failWaiting(this.request, this.taken())
}

/** Sends what a request has queued. */
ClientTransport.prototype.flush = function flush (request) {
  this.flushing = true
  request._flush()
  this.flushing = false
}

/** Tells the native side of a request whose head is still to come, or is core's to send: its response may be here first. */
ClientTransport.prototype.expect = function expect (request) {
  if (this.isExpected || this.attempts !== null || this.id === -1) return
  this.isExpected = this.hasAsked = true
  native.expect(this.id, request[kHeadFlags])
  touch()
}

/** Tells the native side that no request is under way: the connection is idle, in an agent. */
ClientTransport.prototype.expectNothing = function expectNothing () {
  if (this.hasAsked || this.attempts !== null || this.id === -1) return
  native.expectNothing(this.id)
  touch()
}

// ------------------------------------------------------------------------------------------------- idle time

/**
 * Sets the idle time in milliseconds, 0 for none. Between two exchanges the agent sets it to and fro; only the result is
 * passed on to the I/O thread.
 */
ClientTransport.prototype.setTimeout = function (ms) {
  if (this.stream !== null) {
    Connection.prototype.setTimeout.call(this, ms)
    return
  }
  this.idle = ms
  this.stopIdleTimer()
  if (this.attempts !== null) {
    if (ms !== 0) this.idleTimer = startTimer(onIdle, ms, this).unref()
  } else if (ms !== this.idleInForce && !this.idleQueued) {
    this.idleQueued = true
    process.nextTick(applyIdle, this)
  }
}

ClientTransport.prototype.stopIdleTimer = function stopIdleTimer () {
  if (this.idleTimer === null) return
  clearTimeout(this.idleTimer)
  this.idleTimer = null
}

function onIdle (connection) {
  connection.idleTimer = null
  connection.socket.timedOut()
}

function applyIdle (connection) {
  connection.idleQueued = false
  if (connection.idle === connection.idleInForce) return
  connection.idleInForce = connection.idle
  Connection.prototype.setTimeout.call(connection, connection.idle)
}

/** Emits 'timeout' behind JavaScript's timers that ran out before it: in core the idle time is one of them. */
ClientTransport.prototype.onTimeout = function onTimeout () {
  // The same time set again is another.
  this.idleInForce = -1
  this.stopIdleTimer()
  this.idleTimer = startTimer(onIdle, 1, this).unref()
}

module.exports = { ClientTransport }

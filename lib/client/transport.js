'use strict'

/**
 * A client's way to its server: takes the connection over when it is made, and watches idle time where the connection is. Knows
 * of the request under way how it is framed; what comes back is for connection.js.
 */

const { process, setTimeout, clearTimeout } = require('../host')
const { native, sendFlags, connections, touch } = require('../binding')
const { Connection } = require('../connection/connection')
const { Handle } = require('../connection/handle')
const { DiallingHandle } = require('./dialling')
const { kAsyncId } = require('./pooled-socket')
const { systemError } = require('../core/errors')
const { tellOpened } = require('../stats/channels')
const { PENDING_MAX } = require('../message/finish')
const { failCorked } = require('../message/send')
const { failBuffered, failWaiting } = require('../message/write-callbacks')
const { kAttempt, kHeadFlags, kNeedDrain, kResource } = require('../core/symbols')

const { HEAD, CHUNKED, UNTIL_CLOSE } = sendFlags

/**
 * @param {number} id of the native connection, -1 while there is none yet
 * @param {import('node:stream').Duplex|null} stream the JS stream that carries it (driver two); null for a native connection
 */
function ClientTransport (id, stream) {
  Connection.call(this, id, stream)
  /** The request of the exchange under way; `current` also names the last one until the agent takes the socket back. */
  this.request = null
  /** The block that it is counted in (lib/stats/block.js). */
  this.stats = native.BLOCKS.AGENTS
  /** True while the socket connects: the connection is to be carried. */
  this.isConnecting = false
  /** Why it could not be carried. */
  this.fault = null
  /** The async resource that hooks take for the socket's, until the first exchange is over. */
  this.context = null
  /** The resource that it has left. */
  this.lastContext = null
  /** True once the native side knows of the request under way. */
  this.isExpected = false
  /** True once there was a request: from then on the native side knows which bytes are unasked. */
  this.hasAsked = false
  /** True if the response was the connection's last. */
  this.closing = false
  /** Idle time wanted and, once applied, in force; ms. */
  this.idle = 0
  this.idleInForce = 0
  this.idleTimer = null
  this.idleQueued = false
}
Object.setPrototypeOf(ClientTransport.prototype, Connection.prototype)

// ------------------------------------------------------------------------------------------------ connecting

/** Takes the connection over from the handle by which the socket has connected. */
ClientTransport.prototype.carry = function carry () {
  const { socket, request } = this
  const { _handle: handle } = socket
  this.isConnecting = false
  const isOurs = handle instanceof DiallingHandle
  const id = isOurs ? handle.carry(this.config, this.stats) : native.carry(handle.fd, this.config, this.stats)
  if (id < 0) {
    // Net still needs the handle that has just connected (afterConnect).
    this.fault = systemError(id, native.SYSCALLS.CONNECT)
    process.nextTick(() => socket.destroy(this.fault))
    return
  }
  this.id = id
  connections[id] = this
  if (isOurs) socket.watched()
  // The native side has a duplicate.
  else socket.carried(new Handle(this))
  tellOpened(this, 'client')
  socket[kAsyncId] = (this.context ?? request?.[kResource])?.asyncId() ?? -1
  if (this.tapped) this.tap()
  if (socket.isPaused()) this.pause()
  if (request?.socket) this.expect(request)
  else if (request === null) this.expectNothing()
  touch()
}

/** Takes the socket out of the async context that it was made in: it is idle, or closed. */
ClientTransport.prototype.leaveContext = function leaveContext () {
  if (this.context === null) return
  this.context.emitDestroy()
  this.lastContext = this.context
  this.context = null
}

// -------------------------------------------------------------------------------------------------- commands

ClientTransport.prototype.send = function send (flags, head, lines, body, length) {
  // The response was the connection's last: the rest of the request is not sent, for it would not be read.
  if (this.closing) return PENDING_MAX
  this.request?.[kAttempt]?.keep(flags, head, lines, body, length)
  // A request cannot end with its connection: a body without framing is sent as it is.
  if ((flags & HEAD) !== 0) {
    if ((flags & UNTIL_CLOSE) === UNTIL_CLOSE) flags &= ~CHUNKED
    this.isExpected = this.hasAsked = true
  }
  return Connection.prototype.send.call(this, flags, head, lines, body, length)
}

ClientTransport.prototype.takes = function takes () {
  return this.closing ? 1 : Connection.prototype.takes.call(this)
}

ClientTransport.prototype.notifyDrain = function notifyDrain () {
  if (!this.closing) Connection.prototype.notifyDrain.call(this)
}

/** Emits 'drain' on a request that core sends, since the socket has drained. As core's ondrain. */
ClientTransport.prototype.tellDrained = function tellDrained (request) {
  if (request.finished || !request[kNeedDrain]) return
  request[kNeedDrain] = false
  request.emit('drain')
}

/** Fails the writes that would be in the stream's buffer in core: the connection is given up. */
ClientTransport.prototype.failBufferedWrites = function failBufferedWrites () {
  failCorked(this)
  if (this.request !== null) failBuffered(this.request)
}

/** Gives the request whose output may be on its way: a connection that has left HTTP has let go of it. */
ClientTransport.prototype.sending = function sending () {
  return this.detached ? this.current : this.request
}

/** Fails all other writes: the handle is closed. */
ClientTransport.prototype.failWrites = function () {
  const request = this.sending()
  this.unsent = 0
  if (request !== null) failWaiting(request, this.taken())
}

/** Tells the native side of a request whose head is still to come, or is core's to send: its response may be here first. */
ClientTransport.prototype.expect = function expect (request) {
  if (this.isExpected || this.id === -1) return
  this.isExpected = this.hasAsked = true
  native.expect(this.id, request[kHeadFlags], request.method)
  if (this.stream === null) touch()
}

/** Tells the native side that no request is under way: the connection is idle, in an agent. */
ClientTransport.prototype.expectNothing = function expectNothing () {
  if (this.hasAsked || this.id === -1) return
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
  if (ms !== this.idleInForce && !this.idleQueued) {
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
  this.idleTimer = setTimeout(onIdle, 1, this).unref()
}

module.exports = { ClientTransport }

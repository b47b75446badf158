'use strict'

/**
 * A native connection in the shape of net.Socket: net's own class over a handle that passes on to the Connection. While
 * the connection speaks HTTP no data passes through the socket, unless it has listeners for data: then the connection is
 * tapped, and the bytes pass through the socket to the parser. Once detached (upgrade, CONNECT) the socket carries the raw
 * stream, or becomes Node's own (lib/connection/detach.js): then it has no connection, and its methods are net's.
 * Knows nothing of server or client: both call, from their `on…` methods,
 *
 *   socket.carried(handle) · received(chunk) · ended() · drained() · finished() · timedOut() · disconnected(errno, syscall)
 *
 * and `socket.detached(isKnown)` when the connection has left HTTP.
 */

const net = require('node:net')
const { Readable } = require('node:stream')
const { native } = require('../binding')
const { Buffer } = require('../host')
const { codes, systemError, errnoOf } = require('../core/errors')
const { Socket, socketMethods } = require('../core/originals')
const { kReinitializeHandle } = require('./detach')
const { Handle, keepProcess } = require('./handle')
const { isTaken, wait, takenBy, tellTaken, failWaiting } = require('./socket-writes')
const { isStandIn } = require('./stand-in')
const { isDelay } = require('../core/delays')
const { kConnection, kRequest, kWaiting } = require('../core/symbols')

const ECONNRESET = errnoOf('ECONNRESET')

/** net's own methods, of which our sockets have their own: applications, mocks and tracers replace them. */
const { setTimeout: netSetTimeout, resetAndDestroy: netResetAndDestroy } = socketMethods

/**
 * Without a handle among its options it is to connect, by net's methods; the connection carries it when it has (`carried`). Stacks show
 * Socket, the name of its prototype's constructor: it has none itself, which minifiers and bundlers could drop or change.
 * @param {import('./connection').Connection} connection
 * @param {object} options of net.Socket: allowHalfOpen, highWaterMark
 */
const NativeSocket = Object(function (connection, options) {
  this[kConnection] = connection
  this[kWaiting] = null
  Socket.call(this, options)
})
Object.setPrototypeOf(NativeSocket.prototype, Socket.prototype)
Object.setPrototypeOf(NativeSocket, Socket)
// Applications see a Socket.
Object.defineProperty(NativeSocket.prototype, 'constructor', { value: Socket, writable: true, configurable: true })

/**
 * Makes a socket for a connection that is up, or was.
 * @returns {net.Socket} a destroyed one if the connection is closed
 */
function acceptedSocket (connection, options) {
  const socket = new NativeSocket(connection, { allowHalfOpen: true, ...options, handle: new Handle(connection), manualStart: true })
  if (connection.id === -1) {
    // Made too late: the connection is gone, and its socket is made destroyed.
    socket._handle = null
    socket._readableState.destroyed = socket._readableState.closed = socket._readableState.closeEmitted = true
    socket._writableState.destroyed = socket._writableState.closed = socket._writableState.closeEmitted = true
    // Net would have destroyed it with the error of its transport.
    socket._readableState.errored = socket._writableState.errored = connection.fault
    return socket
  }
  // In HTTP mode only the end is read, and it must come through.
  if (!connection.detached) {
    // Behind the first request a 'resume' event would be one that core does not emit.
    if (connection.incoming) socket._readableState.flowing = true
    else Readable.prototype.resume.call(socket)
  }
  return socket
}

/**
 * Gives the connection behind the socket: null if the socket is Node's own by now, and may carry HTTP of another
 * connection like any stream. Its prototype stays ours even then: in V8 of Node 20 and 22, objects whose prototype was
 * changed share no shape any more, which readers of many sockets, as ws, would pay for with each message.
 */
function ownConnection (socket) {
  const connection = socket[kConnection]
  return connection === undefined || connection.stream !== null ? null : connection
}

/** True if the socket's bytes are no connection's of ours any more (`surrender` in detach.js). */
function isSurrendered (socket) {
  return ownConnection(socket) === null
}

/** The response (server) or request (client) that the connection carries. */
Object.defineProperty(NativeSocket.prototype, '_httpMessage', {
  get () { return ownConnection(this)?.current },
  set (message) {
    if (isSurrendered(this)) {
      Object.defineProperty(this, '_httpMessage', { value: message, writable: true, enumerable: true, configurable: true })
      return
    }
    this[kConnection].current = message
    // A response that core's assignSocket() brings was not made for an exchange of ours.
    if (message?.req !== undefined) message[kRequest] ??= message.req
  },
  enumerable: true,
  configurable: true
})

Object.defineProperty(NativeSocket.prototype, 'writableLength', {
  get () {
    const own = Reflect.get(net.Socket.prototype, 'writableLength', this)
    if (own === undefined) return own
    // What waits here was counted by the stream.
    return this[kWaiting] === null ? own + (ownConnection(this)?.shownPending() ?? 0) : own
  },
  configurable: true
})

/** Writes one chunk, or all that have gathered, to the connection. As net.Socket's _writeGeneric. */
NativeSocket.prototype._writeGeneric = function _writeGeneric (writev, data, encoding, callback) {
  if (this.connecting || isSurrendered(this)) return net.Socket.prototype._writeGeneric.call(this, writev, data, encoding, callback)
  this._pendingData = null
  this._pendingEncoding = ''
  const connection = this[kConnection]
  if (!this._handle || connection.id === -1) {
    callback(connection.fault ?? new codes.ERR_SOCKET_CLOSED())
    return false
  }
  // The stream writes: whatever corked it is over.
  if (connection.corked) connection.endCork()
  if (writev) {
    for (let i = 0; i < data.length; i++) writeChunk(connection, data[i].chunk, data[i].encoding, i === data.length - 1)
  } else {
    writeChunk(connection, data, encoding, true)
  }
  if (this[kWaiting] === null && (isTaken(connection) || connection.writesAtOnce())) {
    callback()
    // Behind the 'drain' of the stream, which the callback brings about.
    connection.tellNext()
  } else {
    wait(connection, callback)
  }
}

/** Sends the parts that a message has written in this tick, too: core's message has corked the socket for them. */
NativeSocket.prototype.uncork = function uncork () {
  const connection = ownConnection(this)
  if (connection !== null && connection.corked && this._writableState.corked === 0) connection.uncork()
  else net.Socket.prototype.uncork.call(this)
}

/** @param {boolean} isLast true if it is the last of its write */
function writeChunk (connection, chunk, encoding, isLast) {
  if (isStandIn(connection, chunk)) return isLast ? connection.writeRaw('', false, true) : undefined
  if (typeof chunk !== 'string') return connection.writeRaw(chunk, false, isLast)
  if (encoding === 'latin1' || encoding === 'binary') return connection.writeRaw(chunk, false, isLast)
  if (!encoding || encoding === 'utf8' || encoding === 'utf-8') return connection.writeRaw(chunk, true, isLast)
  return connection.writeRaw(Buffer.from(chunk, encoding), false, isLast)
}

/**
 * Sets the idle time after which 'timeout' is emitted; the native side watches.
 * @param {number} ms 0 for never
 */
NativeSocket.prototype.setTimeout = function setTimeout (ms, callback) {
  const connection = ownConnection(this)
  // Until there is a connection net watches.
  if (connection === null || connection.id === -1) return net.Socket.prototype.setTimeout.apply(this, arguments)
  if (net.Socket.prototype.setTimeout !== netSetTimeout || !isDelay(ms) || (callback !== undefined && typeof callback !== 'function')) return setTimeoutThrough(this, arguments)
  if (this.destroyed) return this
  this.timeout = ms
  if (ms === 0) {
    if (callback !== undefined) this.removeListener('timeout', callback)
  } else if (callback !== undefined) {
    this.once('timeout', callback)
  }
  connection.setTimeout(ms)
  return this
}

/**
 * Calls net's setTimeout(), which was replaced or refuses what it is called with, and has the native side watch the time that it
 * set in place of net's timer.
 */
function setTimeoutThrough (socket, args) {
  const result = net.Socket.prototype.setTimeout.apply(socket, args)
  const { timeout } = socket
  if (socket.destroyed || timeout === undefined) return result
  netSetTimeout.call(socket, 0)
  socket.timeout = timeout
  socket[kConnection].setTimeout(timeout)
  return result
}

NativeSocket.prototype.pause = function pause () {
  const connection = ownConnection(this)
  // In HTTP mode a paused socket stops the messages, too; see core's http.Server (onSocketPause).
  // One whose bytes pass through it is read until its buffer is full, and so hears that its peer has gone: as net.Socket's.
  if (connection !== null && !connection.detached && !connection.tapped && !this.connecting && !isUndone(this, connection)) connection.pause()
  return net.Socket.prototype.pause.call(this)
}

/**
 * True if core's server reads on in spite of pause(): it stops at 'pause', which a socket that does not flow does not emit again,
 * and reads at the 'resume' that an earlier resume() has still to emit (onSocketPause, onSocketResume).
 */
function isUndone ({ _readableState: state }, connection) {
  return !connection.readsOn && (state.flowing === false || state.resumeScheduled)
}

NativeSocket.prototype.resume = function resume () {
  const connection = ownConnection(this)
  if (connection !== null && !connection.detached && !this.connecting) connection.resume()
  return net.Socket.prototype.resume.call(this)
}

/** Taps the connection for listeners of bytes; HTTP gets them, too. */
for (const name of ['on', 'addListener', 'prependListener']) {
  NativeSocket.prototype[name] = {
    [name] (event, listener) {
      if (event === 'data' || event === 'readable') tap(this)
      return net.Socket.prototype[name].call(this, event, listener)
    }
  }[name]
}

/** Has the parser hear what the application emits, as core's listeners do: bytes, and an end before the connection's own. */
function emit (event) {
  if (event === 'data' || (event === 'end' && !this._readableState.ended)) tap(this)
  return net.Socket.prototype.emit.apply(this, arguments)
}

Object.defineProperty(NativeSocket.prototype, 'emit', {
  get () { return emit },
  set (value) {
    Object.defineProperty(this, 'emit', { value, writable: true, enumerable: true, configurable: true })
    showBytes(this)
  },
  configurable: true
})

/**
 * Has the bytes pass through a client's socket if its `emit` was replaced, which sees them in core. (Of a server's, core's parser reads
 * them from the handle.)
 */
function showBytes (socket) {
  if (socket.emit !== emit && ownConnection(socket)?.readsOn === true) tap(socket)
}

/** Adds bytes to what is parsed. */
for (const name of ['push', 'unshift']) {
  NativeSocket.prototype[name] = {
    [name] (chunk, encoding) {
      if (chunk !== null) tap(this)
      return net.Socket.prototype[name].call(this, chunk, encoding)
    }
  }[name]
}

/**
 * Removes the parser's listener with the others, as in core: the bytes are for the listeners that are added next, whose socket it is
 * then. A client's connection gets another with its next request.
 */
NativeSocket.prototype.removeAllListeners = function removeAllListeners (event) {
  const loses = (event === undefined || event === 'data') && ownConnection(this)?.losesParser() === true
  if (loses) showParser(this)
  const result = net.Socket.prototype.removeAllListeners.apply(this, arguments)
  if (loses) this[kConnection].isTakenOver = true
  return result
}

for (const name of ['removeListener', 'off']) {
  NativeSocket.prototype[name] = {
    [name] (event, listener) {
      const loses = event === 'data' && listener === onTapped && ownConnection(this)?.losesParser() === true
      if (loses) showParser(this)
      net.Socket.prototype[name].call(this, event, listener)
      if (loses) this[kConnection].isTakenOver = true
      return this
    }
  }[name]
}

/**
 * Adds the parser's listener, to be removed: a client's socket reads on then, though nothing listens. A server's parser reads by itself
 * until something does.
 */
function showParser (socket) {
  if (socket[kConnection].readsOn) tap(socket)
}

function tap (socket) {
  const connection = ownConnection(socket)
  if (connection === null || connection.tapped || connection.detached || socket.destroyed) return
  connection.tapped = true
  if (!connection.isTakenOver) net.Socket.prototype.on.call(socket, 'data', onTapped)
  if (!socket.connecting) connection.tap()
  // A flow that began without bytes to come has not asked for any.
  if (socket._readableState.flowing) socket.read(0)
}

/** Has the parser get the bytes again, whose listener had been removed: another exchange begins. */
NativeSocket.prototype.regainParser = function regainParser () {
  const connection = this[kConnection]
  connection.isTakenOver = false
  if (!connection.tapped) return
  if (!net.Socket.prototype.listeners.call(this, 'data').includes(onTapped)) net.Socket.prototype.on.call(this, 'data', onTapped)
}

/** Gives the bytes to the parser. Shown as its listener also where the bytes do not pass through the socket. */
function onTapped (chunk) {
  this[kConnection].receive(chunk)
}

/** @throws ERR_HTTP_SOCKET_ENCODING in HTTP mode: the bytes belong to the messages. */
NativeSocket.prototype.setEncoding = function setEncoding (encoding) {
  if (!isSurrendered(this) && !this[kConnection].detached) throw new codes.ERR_HTTP_SOCKET_ENCODING()
  return net.Socket.prototype.setEncoding.call(this, encoding)
}

/** Gives the listeners that core has: a connection may listen in fewer places than core, or for longer. */
NativeSocket.prototype.listeners = function listeners (event) {
  const found = net.Socket.prototype.listeners.call(this, event)
  return ownConnection(this)?.listenersShown?.(event, found) ?? found
}

NativeSocket.prototype.listenerCount = function listenerCount (event, listener) {
  if (isSurrendered(this)) return net.Socket.prototype.listenerCount.call(this, event, listener)
  const found = this.listeners(event)
  return listener ? found.filter((one) => one === listener).length : found.length
}

/** Closes with RST. net's own method can reset handles of its own only. */
NativeSocket.prototype.resetAndDestroy = function resetAndDestroy () {
  const connection = ownConnection(this)
  if (this.connecting && this._handle instanceof Handle) {
    this.once('connect', () => this._reset())
    return this
  }
  if (connection === null || this.connecting || !this._handle || connection.isPipe()) return net.Socket.prototype.resetAndDestroy.call(this)
  if (net.Socket.prototype.resetAndDestroy !== netResetAndDestroy) resetThrough(this)
  else this._reset()
  return this
}

/** Calls the replaced resetAndDestroy() without a handle: net's own method resets its own handles only, or else destroys. */
function resetThrough (socket) {
  const { _handle: handle } = socket
  let isMeant = false
  socket._handle = null
  socket.destroy = () => {
    isMeant = true
    return socket
  }
  try {
    net.Socket.prototype.resetAndDestroy.call(socket)
  } finally {
    delete socket.destroy
    socket._handle = handle
    if (isMeant) socket._reset()
  }
}

// ------------------------------------------------------------------------------------- from the connection

/** Lets the connection carry the socket once it has connected: net calls this before 'connect' (afterConnect). */
NativeSocket.prototype._unrefTimer = function _unrefTimer () {
  const connection = ownConnection(this)
  if (connection?.isConnecting === true && !this.connecting) connection.carry()
  net.Socket.prototype._unrefTimer.call(this)
}

/** Called with a handle of ours, by which the connection carries the socket from now on. */
NativeSocket.prototype.carried = function carried (handle) {
  const { _handle: before } = this
  if (!before.hasRef()) handle.unref()
  before.unref()
  const { ending, ended } = this._writableState
  // Closes the one before, and makes the streams anew (net's _undestroy): an end() that waits for the connection would be lost.
  this[kReinitializeHandle](handle)
  if (ending) this._writableState.ending = ending
  if (ended) this._writableState.ended = ended
  this.watched()
}

/** Has the native side watch the idle time, which net has watched. */
NativeSocket.prototype.watched = function watched () {
  const { timeout } = this
  if (!timeout) return
  net.Socket.prototype.setTimeout.call(this, 0)
  this.timeout = timeout
  this[kConnection].setTimeout(timeout)
}

/**
 * Called when the bytes are no longer HTTP: from now on the socket is read like any stream.
 * @param {boolean} isKnown true if the application reads it already, or has paused it
 */
NativeSocket.prototype.detached = function detached (isKnown) {
  this.removeListener('data', onTapped)
  if (isKnown) return
  const state = this._readableState
  state.flowing = null
  state.resumeScheduled = false
}

/** Called if the raw stream stays with the connection. A paused socket is read once it resumes. */
NativeSocket.prototype.staysNative = function staysNative () {
  if (!this.isPaused()) return
  this._handle.reading = false
  keepProcess(this[kConnection], this._handle, false)
}

/** Called with bytes of the raw stream. */
NativeSocket.prototype.received = function received (chunk) {
  if (this.destroyed) return
  if (chunk.length === 0) {
    // What waited to be parsed when the socket was tapped has its turn.
    takeWaiting(this[kConnection], chunk)
    return
  }
  // A listener may have taken the connection out of HTTP, and the socket be Node's own by now.
  if (this.push(chunk) || isSurrendered(this)) return
  if (this._handle) this._handle.reading = false
  this[kConnection].pause()
}

/** Has what waits parsed, or gives it to the listeners that have taken the socket from the parser. @param {Uint8Array} nothing */
function takeWaiting (connection, nothing) {
  if (!connection.isTakenOver) return connection.receive(nothing)
  const waiting = connection.id === -1 ? nothing : native.takeHead(connection.id)
  if (waiting.length !== 0) connection.socket.received(waiting)
}

/** Called when the peer sent FIN. */
NativeSocket.prototype.ended = function ended () {
  if (this.destroyed || this._readableState.ended) return
  const connection = this[kConnection]
  if (connection.detached && this.writableLength === 0 && !this.writableEnded) keepProcess(connection, this._handle, false)
  this.push(null)
  this.read(0)
}

/** Called when more bytes are taken. */
NativeSocket.prototype.drained = function drained () {
  if (this[kWaiting] !== null) tellTaken(this, takenBy(this[kConnection]))
}

NativeSocket.prototype.destroySoon = function destroySoon () {
  this[kConnection]?.closesSoon()
  return net.Socket.prototype.destroySoon.call(this)
}

/** Called when our FIN was sent, behind what was read before. */
NativeSocket.prototype.finished = function finished () {
  tellTaken(this, Infinity)
}

/** Called when the connection was idle for the time set. */
NativeSocket.prototype.timedOut = function timedOut () {
  this.emit('timeout')
}

/**
 * Called when the connection is closed.
 * @param {number} errno negative as libuv's, 0 for an orderly end
 * @param {number} syscall as in docs/BOUNDARY.md
 */
NativeSocket.prototype.disconnected = function disconnected (errno, syscall) {
  // Its handle is closed, and tells of writes where libuv does, which may be later.
  if (this.destroyed && this._handle === null) return
  const error = errno === 0 ? undefined : systemError(errno, syscall)
  tellTaken(this, takenBy(this[kConnection]))
  // Our side has ended before the connection has, also where the pending phase, which tells of that, comes later.
  this._handle?.endShutdown?.()
  // A peer that resets fails the read in libuv, which looks before it writes, but for writes in the call; the handle cancels
  // the writes when it is closed.
  if (errno !== ECONNRESET || syscall === native.SYSCALLS.WRITE) failWaiting(this, () => error ?? new codes.ERR_SOCKET_CLOSED())
  // Both sides have ended, and something is still to be read: the stream closes behind its 'end'.
  if (errno === 0 && this[kConnection].detached && this.readableLength !== 0) return this.ended()
  // The handle finds the connection closed, and brings about 'close'.
  if (!this.destroyed) this.destroy(error)
}

module.exports = { NativeSocket, acceptedSocket, onTapped, showBytes }

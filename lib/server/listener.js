'use strict'

/**
 * Accepts for a server. Node makes and binds the handle, as for any net.Server, or the server was given one: by
 * `listen(handle)`, or by a cluster's primary. The listener takes the handle's place in accepting: if it is a socket,
 * it listens on a duplicate of it; if others accept for it (a cluster with round robin), it adopts the connections that
 * the handle is given.
 */

const { AsyncResource } = require('node:async_hooks')
const diagnostics = require('node:diagnostics_channel')
const { isIP } = require('node:net')
const { native, connections, listeners, takeAccepted, touch } = require('../binding')
const { Connection } = require('../connection/connection')
const { ServerConnection } = require('./connection')
const { classFor } = require('./hardening')
const { isOwnAlone, offer } = require('./offer')
const { errnoOf } = require('../core/errors')
const versions = require('../core/versions')
const { differ } = require('../connection/parser-options')
const { faultOf, keepAliveTime } = require('./idle-timeout')
const { wholeTime } = require('../core/delays')
const { hidden } = require('../core/reflection')
const { tellOpened } = require('../stats/channels')
const { kConnection, kConnections, kListener, kParserConfig } = require('../core/symbols')

const socketChannel = diagnostics.channel('net.server.socket')

/** The methods of a handle that are replaced. */
const methods = hidden({
  listen (backlog) { return this[kListener].listen(backlog) },
  close (callback) { this[kListener].close(callback) },
  ref () { this[kListener].ref() },
  unref () { this[kListener].unref() }
})
const names = Object.keys(methods)

/**
 * The context of a listener's connections: to hooks one of the handle's, which stands for them all. It is there for as long as the
 * listener or one of them is, and keeps the process running as any of them does.
 */
class ConnectionsScope extends AsyncResource {
  constructor (type, listener, triggerAsyncId) {
    super(type, { requireManualDestroy: true, triggerAsyncId })
    this.listener = listener
  }

  // Hooks may call it while the constructor runs.
  hasRef () { return this.listener?.isKeptRunning() === true }
}

/**
 * Takes a handle of Node's over, until it is closed or another server takes it over.
 * @param {import('./server').Server} server
 * @param {object} handle bound; a TCP, a Pipe, or what stands for the primary's in a cluster's worker
 * @param {boolean} isGiven true if the handle is not the server's own: others may accept from it, too
 */
function Listener (server, handle, isGiven) {
  handle[kListener]?.leave()
  this.server = server
  this.handle = handle
  this.isGiven = isGiven
  // Pipes have no addresses, and no such options.
  const isTcp = handle.getsockname !== undefined
  /** Native listener, or a negative errno. */
  this.id = native.openListener({
    noDelay: isTcp && Boolean(server.noDelay),
    keepAlive: isTcp && Boolean(server.keepAlive),
    keepAliveInitialDelay: server.keepAliveInitialDelay || 0
  }, server[kParserConfig](), server[kConnections].stats)
  const { maxHeadersCount, maxHeaderSize, insecureHTTPParser, httpValidation } = server
  /** The server's options that its parsers were made for. */
  this.assumed = { maxHeadersCount, maxHeaderSize, insecureHTTPParser, httpValidation }
  this.keepAlive = -1
  this.idle = -1
  /** The server's times that `keepAlive` and `idle` (ms) were computed from. */
  this.times = { timeout: NaN, keepAliveTimeout: NaN, keepAliveTimeoutBuffer: NaN }
  /** The errors with which a timer would refuse them, or null. */
  this.idleFault = this.keepAliveFault = null
  /** True if connections come paused. They do at first: listeners for them may still be added. */
  this.holds = true
  /** True while connections come from a socket of ours. */
  this.isListening = false
  /** Its connections that have not been closed. */
  this.open = 0
  /** The context in which listen() was called, and which connections inherit. Those that others accept come in their own. */
  this.resource = handle.fd >= 0 ? new ConnectionsScope(isTcp ? 'TCPWRAP' : 'PIPEWRAP', this, handle.getAsyncId?.()) : null
  /** The handle's own methods. */
  this.original = {}
  this.own = {}
  for (const name of names) {
    this.original[name] = handle[name]
    this.own[name] = Object.getOwnPropertyDescriptor(handle, name)
  }
  // Inspecting a server shows its handle as it was.
  Object.defineProperties(handle, methods)
  Object.defineProperty(handle, kListener, { __proto__: null, value: this, enumerable: false, configurable: true })
  /** net.Server's callback for a connection. */
  this.onconnection = null
}

/** @returns {number} 0 or an errno, as of a handle's listen() */
Listener.prototype.listen = function listen (backlog) {
  const { id, handle } = this
  if (id < 0) return id
  this.refresh()
  if (!(handle.fd >= 0)) return this.original.listen.call(handle, backlog)
  // An error of bind() that libuv reports only in listen(), which is not called here.
  const delayed = handle.getsockname?.({}) ?? 0
  if (delayed !== 0) return delayed
  const status = native.listen(id, handle.fd, backlog | 0, this.isGiven)
  if (status === 0) {
    this.isListening = true
    listeners.set(id, this)
    if (handle.hasRef?.() === false) native.unrefListener(id)
  }
  return status
}

/** Takes the connections that the handle is given. */
Listener.prototype.receive = function receive () {
  this.onconnection = this.handle.onconnection
  this.handle.onconnection = (error, client) => { this.adopt(error, client) }
}

Listener.prototype.close = function close (callback) {
  if (this.isGiven && this.isListening) this.receiveLast()
  this.stop()
  this.original.close.call(this.handle, callback)
}

/**
 * Takes the connections that are on their way here: others may be listening on the same socket, and what we have taken
 * off its queue would have been theirs, and must not be lost.
 * @param {boolean} [takes] true: also those that the kernel has, and we have not taken
 */
Listener.prototype.receiveLast = function receiveLast (takes = false) {
  const { id, handle } = this
  // First: as long as the handle is open the kernel would take more, and reset them in the end. Ours is closed behind the last look.
  if (takes) this.original.close.call(handle)
  const later = native.endAccepting(id, takes)
  // Whether they are paused is not known, and resuming does no harm.
  for (const accepted of [...takeAccepted(id), ...later]) connections[accepted] = this.accept(accepted, true)
}

/** Accepts no more, and takes the connections that wait to be accepted. */
Listener.prototype.receiveWaiting = function receiveWaiting () {
  if (!this.isListening) return
  this.receiveLast(true)
  this.stop()
}

/** Accepts no more. */
Listener.prototype.stop = function stop () {
  const { id } = this
  if (id < 0) return
  this.id = -1
  this.isListening = false
  listeners.delete(id)
  native.closeListener(id)
  touch()
  if (this.open === 0) this.resource?.emitDestroy()
}

/** Called when one of its connections is closed, or is libuv's from now on. */
Listener.prototype.hasLost = function hasLost () {
  this.open--
  if (this.open === 0 && this.id < 0) this.resource?.emitDestroy()
}

/** True if one of its connections keeps the process running. */
Listener.prototype.isKeptRunning = function isKeptRunning () {
  if (this.open === 0) return false
  const carries = ({ socket }) => socket?._handle?.hasRef?.() !== false
  const list = this.server[kConnections]
  const left = list.upgraded().map((socket) => socket[kConnection])
  return [...list, ...left].some((connection) => connection?.listener === this && carries(connection))
}

/** Gives the handle back as it was found. */
Listener.prototype.leave = function leave () {
  const { handle, own } = this
  if (this.isListening) this.receiveLast()
  this.stop()
  for (const [name, descriptor] of Object.entries(own)) {
    if (descriptor === undefined) delete handle[name]
    else Object.defineProperty(handle, name, descriptor)
  }
  delete handle[kListener]
}

Listener.prototype.ref = function ref () {
  this.original.ref.call(this.handle)
  if (this.isListening) native.refListener(this.id)
}

Listener.prototype.unref = function unref () {
  this.original.unref.call(this.handle)
  if (this.isListening) native.unrefListener(this.id)
}

/** Has connections report EXPIRED whose message takes longer to arrive. @param {number} headers ms @param {number} request ms */
Listener.prototype.expire = function expire (headers, request) {
  if (this.id >= 0) native.expire(this.id, headers, request)
}

/** Gives the native side the idle times, if they have changed. */
Listener.prototype.refresh = function refresh () {
  const { timeout, keepAliveTimeout, keepAliveTimeoutBuffer } = this.server
  const { times } = this
  if (timeout === times.timeout && keepAliveTimeout === times.keepAliveTimeout && keepAliveTimeoutBuffer === times.keepAliveTimeoutBuffer) return
  this.times = { timeout, keepAliveTimeout, keepAliveTimeoutBuffer }
  this.idleFault = faultOf(timeout)
  const idle = timeout && this.idleFault === null ? wholeTime(timeout) : 0
  const kept = keepAliveTime(this.server)
  this.keepAliveFault = faultOf(kept)
  const keepAlive = kept && this.keepAliveFault === null ? wholeTime(kept) : idle
  if (keepAlive === this.keepAlive && idle === this.idle) return
  this.keepAlive = keepAlive
  this.idle = idle
  this.configure()
}

/** True if application code can see a connection before its first request: then nothing is read from it before. */
Listener.prototype.isWatched = function isWatched () {
  const { server } = this
  return !isOwnAlone(server) || socketChannel.hasSubscribers ||
    server.pauseOnConnect || differ(server, this.assumed)
}

Listener.prototype.watch = function watch () {
  const holds = this.isWatched()
  if (holds === this.holds) return
  this.holds = holds
  this.configure()
}

Listener.prototype.configure = function configure () {
  if (this.id >= 0) native.configureListener(this.id, this.keepAlive, this.idle, this.holds)
}

/** True if there are maxConnections connections. */
Listener.prototype.isFull = function isFull () {
  const { maxConnections, _connections: connections } = this.server
  const isLimited = versions.zeroConnectionsRefuses ? maxConnections !== undefined && maxConnections !== null : maxConnections
  return isLimited && connections >= maxConnections
}

/**
 * Called by lib/binding for each connection that came to our socket.
 * @param {boolean} isPaused true: nothing is read from it before it is resumed
 * @returns {Connection|undefined} undefined if its socket is Node's by now
 */
Listener.prototype.accept = function accept (id, isPaused) {
  const { server } = this
  if (this.isFull()) return this.drop(id)
  if (server.blockList && this.isBlocked(id)) return this.refuse(id)
  const assumed = this.idle
  this.refresh()
  if (this.idleFault !== null) this.leaveUnserved(id)
  this.watch()
  const connection = this.begin(id, isPaused, assumed)
  // What still comes of one that was handed out is nobody's.
  return connection.id === -1 ? undefined : connection
}

/** Throws for a server.timeout that no timer takes, where core would serve the connection; the connection stays open, unread. */
Listener.prototype.leaveUnserved = function leaveUnserved (id) {
  new Refused(id).pause()
  throw this.idleFault
}

/**
 * Adopts a connection that others accepted, if it is a socket; anything else goes to net.Server, and its stream is served.
 * @param {number} error an errno, or 0
 * @param {object} [client] the connection's handle, which is not being read
 */
Listener.prototype.adopt = function adopt (error, client) {
  const { server, handle } = this
  if (!error && this.id >= 0 && client.fd >= 0 && !server.blockList && !this.isFull()) {
    this.refresh()
    this.watch()
    if (this.idleFault !== null) throw this.idleFault
    const id = native.adopt(this.id, client.fd)
    if (id >= 0) {
      // The descriptor was duplicated: nothing is lost, and the peer does not notice.
      client.close()
      this.begin(id, this.holds, this.idle)
      touch()
      return
    }
    // The limits let it not in, and have answered it if they do.
    if (id === errnoOf('ECONNREFUSED')) {
      client.close()
      return
    }
  }
  this.onconnection.call(handle, error, client)
}

/**
 * Makes a connection the server's.
 * @param {number} assumed ms: the idle time that the native side began with; server.timeout may have been set meanwhile
 */
Listener.prototype.begin = function begin (id, isPaused, assumed) {
  const { server } = this
  const connection = new (classFor(ServerConnection, server))(id, null, server, this)
  this.open++
  if (this.idle !== 0 || assumed !== 0) connection.resetTimeout(this.idle)
  if (differ(server, this.assumed)) native.configure(id, server[kParserConfig]())
  server._connections++
  connection.isOffered = connection.detached = !isOwnAlone(server)
  tellOpened(connection, 'server', server)
  if (server.pauseOnConnect) connection.getSocket().pause()
  try {
    if (connection.isOffered) offer(connection, isPaused)
    if (socketChannel.hasSubscribers) socketChannel.publish({ socket: connection.getSocket() })
  } finally {
    if (!connection.detached) {
      // Core reads on though a listener has paused the socket, and though one has thrown: it has begun to, and 'resume' is to come.
      if (server.pauseOnConnect && connection.getSocket().isPaused()) connection.pause()
      else if (isPaused || connection.paused) connection.resume()
    }
  }
  return connection
}

/** Closes a connection beyond maxConnections; net.Server emits 'drop'. */
Listener.prototype.drop = function drop (id) {
  const asked = (peer) => (out) => Object.assign(out, native.address(id, peer))
  // Pipes have no addresses to show.
  const addresses = this.handle.getsockname === undefined ? {} : { getsockname: asked(false), getpeername: asked(true) }
  this.onconnection.call(this.handle, 0, { ...addresses, close () {} })
  return this.refuse(id)
}

/** True if the server's `blockList` has the peer. */
Listener.prototype.isBlocked = function isBlocked (id) {
  const { address } = native.address(id, true) ?? {}
  const version = isIP(address)
  return version !== 0 && this.server.blockList.check(address, `ipv${version}`)
}

/** Closes a connection that is not served. */
Listener.prototype.refuse = function refuse (id) {
  const connection = new Refused(id)
  native.noteClose(id, native.CLOSES.LIMIT, 0)
  connection.destroy()
  return connection
}

/** A connection that is not served: its events are ignored. */
function Refused (id) {
  Connection.call(this, id, null)
}
Object.setPrototypeOf(Refused.prototype, Connection.prototype)
for (const name of ['Request', 'Data', 'End', 'ParseError', 'Raw', 'Eof', 'Closed', 'Drain', 'Timeout', 'Expired', 'Cut']) {
  Refused.prototype[`on${name}`] = function () {}
}

module.exports = { Listener }

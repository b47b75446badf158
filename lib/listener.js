'use strict'

/**
 * The handle that net.Server gets instead of libuv's: listens natively, and turns accepted connections into
 * ServerConnections. Has the methods that net.Server calls on a handle, and nothing else.
 */

const { AsyncResource } = require('node:async_hooks')
const diagnostics = require('node:diagnostics_channel')
const { native, listeners, touch } = require('./binding')
const { Connection } = require('./connection')
const { ServerConnection } = require('./server-connection')
const { baseEmit } = require('./outgoing')
const versions = require('./versions')
const { kLimits, kParserConfig } = require('./symbols')

const socketChannel = diagnostics.channel('net.server.socket')

/** libuv's flags for listen(). */
const IPV6_ONLY = 1
const REUSE_PORT = 2

/** libuv delays this one from bind to listen. */
const EADDRINUSE = -require('node:os').constants.errno.EADDRINUSE

/**
 * @param {import('./server').Server} server
 */
function Listener (server) {
  this.server = server
  /** Native listener, or a negative errno. */
  this.id = -1
  this.keepAlive = -1
  this.idle = -1
  /** Connections come paused. At first they do: who wants to see them may still come. */
  this.holds = true
  this.isReferenced = true
  this.reading = false
  /** The context in which listen() was called: connections inherit it. */
  this.resource = new AsyncResource('TCPSERVERWRAP', { requireManualDestroy: true })
  this.onconnection = null
}

/**
 * Binds and listens at once: errors come with `listen()`, as net.Server expects them.
 * @param {string|null} address an IP, or the path of a unix socket if addressType is -1
 * @returns {{address: string|null, addressType: number}} what was bound, for messages
 */
Listener.prototype.bind = function bind (address, port, addressType, backlog, fd, flags) {
  const { server } = this
  const common = {
    backlog: backlog || 511,
    noDelay: Boolean(server.noDelay),
    keepAlive: Boolean(server.keepAlive),
    keepAliveInitialDelay: server.keepAliveInitialDelay || 0
  }
  const listen = (where) => {
    this.id = native.listen({ ...common, ...where }, server[kParserConfig]())
    this.limits = server[kLimits]()
  }
  if (typeof fd === 'number' && fd >= 0) {
    listen({ fd })
  } else if (addressType === -1) {
    listen({ path: address })
  } else {
    const options = { port: Number(port), ipv6Only: (flags & IPV6_ONLY) !== 0, reusePort: (flags & REUSE_PORT) !== 0 }
    if (address) {
      listen({ ...options, address })
    } else {
      address = '::'
      addressType = 6
      listen({ ...options, address })
      if (this.id < 0 && this.id !== EADDRINUSE) {
        address = '0.0.0.0'
        addressType = 4
        listen({ ...options, address })
      }
    }
  }
  if (this.id >= 0) {
    listeners.set(this.id, this)
    this.refresh()
    // Core's pipes lack the method, and net.Server.address() goes by that.
    if (native.listenerAddress(this.id)?.path !== undefined) this.getsockname = undefined
  }
  return { address, addressType }
}

/** Gives the native side the idle times, if they changed. */
Listener.prototype.refresh = function refresh () {
  const { server } = this
  const idle = server.timeout || 0
  const keepAlive = server.keepAliveTimeout ? server.keepAliveTimeout + (server.keepAliveTimeoutBuffer ?? 1000) : idle
  if (keepAlive === this.keepAlive && idle === this.idle) return
  this.keepAlive = keepAlive
  this.idle = idle
  this.configure()
}

/** Does anybody look at a connection before its first request? Then nothing is read from it before. */
Listener.prototype.isWatched = function isWatched () {
  const { server } = this
  return server.emit !== baseEmit || server.listenerCount('connection') > 1 || socketChannel.hasSubscribers
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

/**
 * Called by the binding for each new connection.
 * @param {boolean} isPaused nothing is read from it before it is resumed
 * @returns {Connection}
 */
Listener.prototype.accept = function accept (id, isPaused) {
  const { server } = this
  const { maxConnections } = server
  const isLimited = versions.zeroConnectionsRefuses ? maxConnections !== undefined && maxConnections !== null : maxConnections
  if (isLimited && server._connections >= maxConnections) {
    return this.refuse(id)
  }
  const assumed = this.idle
  this.refresh()
  this.watch()
  const connection = new ServerConnection(id, null, server, this)
  // The native side began with the idle time that it knew of; server.timeout may have been set meanwhile.
  if (this.idle !== 0 || assumed !== 0) connection.setTimeout(this.idle)
  if (server[kLimits]() !== this.limits) native.configure(id, server[kParserConfig]())
  server._connections++
  if (socketChannel.hasSubscribers) socketChannel.publish({ socket: connection.getSocket() })
  if (server.emit !== baseEmit || server.listenerCount('connection') > 1) {
    connection.isOffered = true
    this.resource.runInAsyncScope(server.emit, server, 'connection', connection.getSocket())
    connection.isOffered = false
  }
  if (isPaused && !connection.socket?.isPaused()) connection.resume()
  return connection
}

/** A connection beyond maxConnections. */
Listener.prototype.refuse = function refuse (id) {
  const local = native.address(id, false) ?? {}
  const remote = native.address(id, true) ?? {}
  const connection = new Refused(id)
  this.server.emit('drop', {
    localAddress: local.address,
    localPort: local.port,
    localFamily: local.family,
    remoteAddress: remote.address,
    remotePort: remote.port,
    remoteFamily: remote.family
  })
  connection.destroy()
  return connection
}

Listener.prototype.listen = function listen (backlog) {
  return this.id < 0 ? this.id : 0
}

Listener.prototype.close = function close (callback) {
  const { id } = this
  if (id >= 0) {
    listeners.delete(id)
    native.closeListener(id)
    touch()
    this.id = -1
  }
  this.resource.emitDestroy()
  if (typeof callback === 'function') setImmediate(callback)
}

/** headersTimeout and requestTimeout, in milliseconds: connections that are over it get EXPIRED. */
Listener.prototype.expire = function expire (headers, request) {
  if (this.id >= 0) native.expire(this.id, headers, request)
}

Listener.prototype.ref = function ref () {
  this.isReferenced = true
  if (this.id >= 0) native.refListener(this.id)
}

Listener.prototype.unref = function unref () {
  this.isReferenced = false
  if (this.id >= 0) native.unrefListener(this.id)
}

Listener.prototype.hasRef = function hasRef () {
  return this.isReferenced
}

Listener.prototype.getsockname = function getsockname (out) {
  const bound = this.id < 0 ? null : native.listenerAddress(this.id)
  if (!bound || bound.address === undefined) return -1
  out.address = bound.address
  out.family = bound.family
  out.port = bound.port
  return 0
}

Object.defineProperty(Listener.prototype, 'fd', { get () { return -1 }, configurable: true })

/** A connection that nobody will serve: what is still on its way from it is ignored. */
function Refused (id) {
  Connection.call(this, id, null)
}
Object.setPrototypeOf(Refused.prototype, Connection.prototype)
for (const name of ['Request', 'Data', 'End', 'ParseError', 'Raw', 'Eof', 'Closed', 'Drain', 'Timeout', 'Expired']) {
  Refused.prototype[`on${name}`] = function () {}
}

module.exports = { Listener }

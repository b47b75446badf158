'use strict'

/**
 * Makes a native connection as net.connect would: finds the addresses, tries them in turn, words the errors. `canDial`
 * refuses what it cannot do exactly like net.connect; net.connect does that then.
 */

const { AsyncResource } = require('node:async_hooks')
const net = require('node:net')
const { getSystemErrorName } = require('node:util')
// Taken when the module is loaded: mocked clocks stop the global ones, but not core's sockets.
const { setTimeout: startTimer, clearTimeout } = require('node:timers')
const diagnostics = require('node:diagnostics_channel')
const { Buffer, process } = require('../host')
const { native, touch } = require('../binding')
const { Agent } = require('../core/classes')
const { coded, codes } = require('../core/errors')
const { ClientConnection } = require('./connection')
const { kAsyncId } = require('./pooled-socket')
const { connectingSocket } = require('../connection/socket')
const { own } = require('../core/symbols')

/** Mark of requests that a native connection can carry, and of the options of a connection made for one. */
const kDialable = own('kDialable')

// Mocks and tracers that watch or replace connections patch one of these.
const socketConnect = net.Socket.prototype.connect
const { connect: netConnect, createConnection: netCreateConnection } = net

/** Bytes of a Unix socket's path that fit into sockaddr_un, with its NUL. */
const UNIX_PATH_MAX = 107

const { ETIMEDOUT, EALREADY } = require('node:os').constants.errno

/** Number of the system call that says that connect() itself failed; see docs/BOUNDARY.md. */
const AT_ONCE = native.SYSCALLS.CONNECT_AT_ONCE

const MANUAL = Object.freeze({ requireManualDestroy: true })

const socketChannel = diagnostics.channel('net.client.socket')

/** True if core's Agent reads net.createConnection for each connection; before agents knew proxies, it was the method itself. */
const readsNet = Agent.prototype.createConnection !== netCreateConnection

/** True if they were patched before this file came (lib/register/wrappers.js). */
let wasPatched = false

function leaveToNet () {
  wasPatched = true
}

/** True if connecting was patched. @param {boolean} isProxied core asks net.connect for the way to a proxy */
function isPatched (isProxied) {
  if (wasPatched || net.Socket.prototype.connect !== socketConnect) return true
  return isProxied ? net.connect !== netConnect : readsNet && net.createConnection !== netCreateConnection
}

/** True if the permission model forbids net.connect; it must not be passed by. */
function isForbidden () {
  return process.permission !== undefined && !process.permission.has('net')
}

function isPort (port) {
  if (typeof port === 'string') return /^\d{1,5}$/.test(port) && Number(port) < 65536
  return Number.isInteger(port) && port >= 0 && port < 65536
}

/** Gives a family as dns.lookup has it. */
function familyOf (family) {
  if (family === 'IPv4') return 4
  if (family === 'IPv6') return 6
  return family
}

/**
 * True if a native connection can serve these options of net.connect. False also for options that are wrong: net.connect
 * then throws what it throws for them.
 * @param {object} options
 * @param {boolean} [isProxied] true if they lead to a proxy
 */
function canDial (options, isProxied = false) {
  if (isPatched(isProxied) || isForbidden()) return false
  if (options.fd !== undefined || options.handle || options.onread || options.blockList || options.localAddress ||
      options.localPort || options.allowHalfOpen || options.signal || options.typeOfService) return false
  const { path } = options
  if (path) return typeof path === 'string' && Buffer.byteLength(path) <= UNIX_PATH_MAX && !path.includes('\0')
  const { host, lookup, hints, autoSelectFamily, autoSelectFamilyAttemptTimeout: patience } = options
  const family = familyOf(options.family)
  return isPort(options.port) &&
    (host === undefined || typeof host === 'string') &&
    (lookup === undefined || typeof lookup === 'function') &&
    (hints === undefined || typeof hints === 'number') &&
    (family === undefined || family === 0 || family === 4 || family === 6) &&
    (autoSelectFamily === undefined || typeof autoSelectFamily === 'boolean') &&
    (patience === undefined || (Number.isInteger(patience) && patience > 0))
}

/**
 * Makes a connection, if `canDial`.
 * @param {object} options
 * @param {Function} [callback] once for 'connect'
 * @param {boolean} [isProxied]
 * @returns {net.Socket|undefined} still connecting
 */
function connect (options, callback, isProxied) {
  if (!canDial(options, isProxied)) return undefined
  const connection = new ClientConnection(-1, null)
  const socket = connectingSocket(connection, options)
  connection.socket = socket
  const attempts = new Attempts(connection, socket, options)
  connection.attempts = attempts
  connection.context = new AsyncResource(options.path ? 'PIPEWRAP' : 'TCPWRAP', MANUAL)
  socket[kAsyncId] = connection.context.asyncId()
  if (options.timeout) socket.setTimeout(options.timeout)
  if (socketChannel.hasSubscribers) socketChannel.publish({ socket })
  attempts.resolve()
  if (callback) socket.once('connect', callback)
  return socket
}

/**
 * The attempts to connect to the addresses of a name.
 * @param {ClientConnection} connection
 * @param {net.Socket} socket
 * @param {object} options
 */
function Attempts (connection, socket, options) {
  this.connection = connection
  this.socket = socket
  this.options = options
  this.host = options.host || 'localhost'
  this.port = Number(options.port)
  /** Addresses still to be tried, best first. */
  this.addresses = []
  /** The address that is being tried: { address, family }. */
  this.current = null
  this.errors = []
  /** Milliseconds that an address gets if there is another; 0 for as long as it takes. */
  this.patience = 0
  this.timer = null
  /** The async resource of the attempt: its events belong to the code that found the address. */
  this.resource = null
}

/** Finds the addresses. Errors, and the first attempt, come in a later tick. */
Attempts.prototype.resolve = function resolve () {
  const { socket, options, host } = this
  if (options.path) {
    this.later({ address: options.path, family: undefined })
    return
  }
  const literal = net.isIP(host)
  if (literal !== 0) {
    this.later({ address: host, family: literal })
    return
  }

  socket._host = host
  const family = familyOf(options.family) || 0
  const query = { family, hints: options.hints || 0 }
  if (family === 0) {
    // As net does: no AAAA answers for machines without IPv6.
    if (query.hints === 0) query.hints = require('node:dns').ADDRCONFIG
    if (options.autoSelectFamily ?? net.getDefaultAutoSelectFamily()) {
      query.all = true
      this.patience = Math.max(10,
        options.autoSelectFamilyAttemptTimeout ?? net.getDefaultAutoSelectFamilyAttemptTimeout())
    }
  }
  // The key is there in core even if it is undefined.
  if (options.family === undefined) query.family = undefined
  const lookup = options.lookup || require('node:dns').lookup
  if (query.all) lookup(host, query, (error, addresses) => this.resolvedAll(error, addresses))
  else lookup(host, query, (error, address, family) => this.resolvedOne(error, address, family))
}

Attempts.prototype.resolvedOne = function resolvedOne (error, address, family) {
  const { socket, host, port } = this
  socket.emit('lookup', error, address, family, host)
  if (this.isOver()) return
  if (error) this.failLater(error)
  else if (!net.isIP(address)) this.failLater(new codes.ERR_INVALID_IP_ADDRESS(address))
  else if (family !== 4 && family !== 6) this.failLater(invalidFamily(family, host, port))
  else this.try({ address, family })
}

Attempts.prototype.resolvedAll = function resolvedAll (error, found) {
  const { socket, host, port } = this
  if (this.isOver()) return
  if (error) {
    socket.emit('lookup', error, undefined, undefined, host)
    if (!this.isOver()) this.failLater(error)
    return
  }
  const groups = { 4: [], 6: [] }
  let first = 0
  this.addresses = []
  for (const { address, family } of found) {
    socket.emit('lookup', null, address, family, host)
    if (this.isOver()) return
    if (!net.isIP(address) || (family !== 4 && family !== 6)) continue
    first ||= family
    if (!groups[family].some((one) => one.address === address)) groups[family].push({ address, family })
  }
  if (first === 0) {
    const { address, family } = found[0]
    this.failLater(net.isIP(address) ? invalidFamily(family, host, port) : new codes.ERR_INVALID_IP_ADDRESS(address))
    return
  }
  // By turns, beginning with the family that the resolver put first (RFC 8305 §4).
  const preferred = groups[first]
  const other = groups[first === 4 ? 6 : 4]
  for (let i = 0; i < Math.max(preferred.length, other.length); i++) {
    if (i < preferred.length) this.addresses.push(preferred[i])
    if (i < other.length) this.addresses.push(other[i])
  }
  if (this.addresses.length > 1) socket.autoSelectFamilyAttemptedAddresses = []
  this.try(this.addresses.shift())
}

function invalidFamily (family, host, port) {
  const error = coded(RangeError, 'ERR_INVALID_ADDRESS_FAMILY', `Invalid address family: ${family} ${host}:${port}`,
    invalidFamily)
  error.host = host
  error.port = port
  return error
}

/** True if the socket was destroyed, or is connected. */
Attempts.prototype.isOver = function isOver () {
  return this.connection.attempts !== this || this.socket.destroyed
}

Attempts.prototype.later = function later (target) {
  process.nextTick(() => {
    if (!this.isOver()) this.try(target)
  })
}

Attempts.prototype.failLater = function failLater (error) {
  process.nextTick(() => {
    if (!this.isOver()) this.socket.destroy(error)
  })
}

Attempts.prototype.isPipe = function isPipe () {
  return Boolean(this.options.path)
}

/** Tries one address. */
Attempts.prototype.try = function (target) {
  const { connection, socket, options, port } = this
  this.current = target
  const isPath = target.family === undefined
  socket.emit('connectionAttempt', target.address, isPath ? undefined : port, target.family)
  if (this.isOver()) return
  // A `lookup` that has called back twice: the socket connects already.
  if (connection.id !== -1) {
    const { address, port } = native.address(connection.id, false)
    const error = this.errorOf(-EALREADY)
    error.message += ` - Local (${address}:${port})`
    socket.destroy(error)
    return
  }
  const id = native.dial({
    address: isPath ? undefined : target.address,
    port: isPath ? undefined : port,
    path: isPath ? target.address : undefined,
    noDelay: Boolean(options.noDelay),
    keepAlive: Boolean(options.keepAlive),
    keepAliveInitialDelay: options.keepAliveInitialDelay > 0 ? Number(options.keepAliveInitialDelay) : 0
  }, connection.config)
  connection.adopt(id)
  this.resource = new AsyncResource(isPath ? 'PIPECONNECTWRAP' : 'TCPCONNECTWRAP', MANUAL)
  touch()
  socket.autoSelectFamilyAttemptedAddresses?.push(`${target.address}:${port}`)
  if (this.addresses.length !== 0 && this.patience !== 0) {
    this.timer = startTimer(() => this.giveUp(), this.patience)
  }
}

/** Gives an attempt up that took too long, and tries the next address. */
Attempts.prototype.giveUp = function giveUp () {
  const { connection, socket, port } = this
  const { address, family } = this.current
  this.timer = null
  connection.abandon()
  this.errors.push(this.errorOf(-ETIMEDOUT))
  socket.emit('connectionAttemptTimeout', address, port, family)
  if (!this.isOver()) this.try(this.addresses.shift())
}

Attempts.prototype.connected = function connected () {
  clearTimeout(this.timer)
  this.socket.connected()
}

/** Handles the result of an attempt, in its context. */
Attempts.prototype.run = function run (method, a, b) {
  const { resource } = this
  resource.runInAsyncScope(method, this, a, b)
  resource.emitDestroy()
}

/**
 * Reports an attempt that failed, and tries the next address, or destroys the socket.
 * @param {number} errno negative as libuv's
 * @param {number} syscall as in docs/BOUNDARY.md
 */
Attempts.prototype.failed = function failed (errno, syscall) {
  clearTimeout(this.timer)
  this.timer = null
  if (this.isOver()) return
  const { socket, port } = this
  const { address, family } = this.current
  const error = this.errorOf(errno)
  if (syscall === AT_ONCE) error.message += ` - Local (${family === 6 ? '::' : '0.0.0.0'}:0)`
  this.errors.push(error)
  const isOnly = socket.autoSelectFamilyAttemptedAddresses === undefined
  // Core's connect() failed in the call, for the only address: then it emits no 'connectionAttemptFailed'.
  if (!isOnly || syscall !== AT_ONCE) {
    if (isOnly) {
      socket.connecting = false
      socket._sockname = null
    }
    socket.emit('connectionAttemptFailed', address, family === undefined ? undefined : port, family, error)
    if (this.isOver()) return
  }
  if (this.addresses.length !== 0) {
    this.try(this.addresses.shift())
    return
  }
  socket.destroy(this.errors.length === 1 ? error : allFailed(this.errors))
}

/** Ends all attempts: the socket was destroyed. */
Attempts.prototype.cancel = function cancel () {
  clearTimeout(this.timer)
  this.addresses = []
}

Attempts.prototype.errorOf = function errorOf (errno) {
  const code = getSystemErrorName(errno)
  const { address, family } = this.current
  const where = family === undefined ? address : `${address}:${this.port}`
  const error = new Error(`connect ${code} ${where}`)
  error.errno = errno
  error.code = code
  error.syscall = 'connect'
  error.address = address
  if (family !== undefined) error.port = this.port
  return error
}

function allFailed (errors) {
  const error = new AggregateError(errors)
  error.code = errors[0].code
  return error
}

module.exports = { connect, kDialable, leaveToNet }

'use strict'

/**
 * Server: core's own, whose constructor checks the options and whose methods close it, with two changes: it accepts through
 * lib/server/listener.js, and 'connection' is handled by lib/server/connection.js.
 */

const net = require('node:net')
const { process } = require('../host')
const core = require('../core/classes')
const { Listener } = require('./listener')
const { ConnectionsList } = require('./connections-list')
const { shutdown } = require('./shutdown')
const { connectionListener } = require('./offer')
const { ServerResponse } = require('./response')
const { serverStats } = require('../stats/snapshot')
const { IncomingMessage } = require('../message/incoming')
const { rebase } = require('../core/messages')
const { takeMembers, addHidden } = require('../core/reflection')
const { parserConfig } = require('../connection/parser-options')
const { fromEnvironment, limitsOf } = require('./limits')
const { assumed, modeOf, Ledger } = require('../connection/hardening')
const { native } = require('../binding')
const versions = require('../core/versions')
const { kConnections, kIncomingMessage, kServerResponse, kListener, kParserConfig } = require('../core/symbols')

const { OFF } = native.HARDENING

/** What is taken at most by servers that have no option for it; null for no limits. */
const assumedLimits = process.env.HTTP_NATIVE_LIMITS || process.env.HTTP_NATIVE_HEALTH_PATH ? fromEnvironment(process.env) : null

/**
 * A server: core's constructor makes it, and the seam makes it ours.
 * @param {object|Function} [options] see the documentation of http.createServer; a function is the listener
 * @param {Function} [requestListener] for 'request'
 */
function Server (options, requestListener) {
  if (!(this instanceof Server)) return new Server(options, requestListener)
  core.Server.call(this, options, requestListener)
  configure(this, options)
}
/** Between us and core's http.Server: what we override of net.Server's, which core's inherits. */
const seam = Object.create(core.Server.prototype)
Object.setPrototypeOf(Server.prototype, seam)
Object.setPrototypeOf(Server, net.Server)

/**
 * A server is ours once core's constructor gives it the listener by which it speaks HTTP: that becomes ours. A new 'connection'
 * listener sees the next connection before anything is read from it; an application of express gets our messages.
 */
for (const name of ['on', 'addListener', 'prependListener']) {
  seam[name] = {
    [name] (event, listener) {
      if (listener === core._connectionListener) {
        adopt(this)
        listener = connectionListener
      }
      net.Server.prototype[name].call(this, event, listener)
      if (event === 'request') rebaseApplication(listener)
      if (event === 'connection') this._handle?.[kListener]?.watch()
      return this
    }
  }[name]
}

/** Without its own listener a server does not speak HTTP: it sees the next connection before anything is read from it. */
for (const name of ['removeListener', 'off', 'removeAllListeners']) {
  seam[name] = {
    [name] (event, listener) {
      net.Server.prototype[name].apply(this, arguments)
      if (event === 'connection' || event === undefined) this._handle?.[kListener]?.watch()
      return this
    }
  }[name]
}

/** What servers have that core's have not. They are not members of Server.prototype itself, which has the members of core's. */
const additions = {
  shutdown (options) { return shutdown.call(this, options) },

  /** What the server has counted (docs/STATS.md). */
  stats () { return serverStats(this[kConnections].stats) },

  /** @returns {{[row: string]: number}} how often each row of docs/HARDENING.md was met; nothing of it is counted in mode 'off' */
  hardeningCounts () { return this[kConnections].hardening?.ledger.counts() ?? {} }
}

addHidden(seam, additions)

/**
 * Takes the options that core's servers have not: what becomes of what the RFCs forbid, and what is taken at most. Without them it is
 * what the environment says, as `adopt` has set it.
 */
function configure (server, options) {
  const { hardening, limits } = options ?? {}
  if (hardening !== undefined) server[kConnections].hardening = hardeningOf(server, modeOf(hardening))
  if (limits !== undefined) server[kConnections].limits = limitsOf(server, limits, null)
}

function hardeningOf (server, mode) {
  return mode === OFF ? null : { mode, ledger: new Ledger(server) }
}

function rebaseApplication ({ request, response }) {
  rebase(request ?? null, 'IncomingMessage', IncomingMessage)
  rebase(response ?? null, 'ServerResponse', ServerResponse)
}

/** Gives the class of messages in the place of one that is derived of core's. */
let derived = (Class) => Class

/** @param {(Class: Function) => Function} derive makes a class that is derived of core's one that is derived of ours */
function deriveWith (derive) {
  derived = derive
}

/** Called with each server that is made, if anything asks. */
let observer = null

/** @param {(server: net.Server) => void} observe called with each server that is made from now on */
function observeServers (observe) {
  observer = observe
}

/** Makes a server that core's constructor makes, or core's storeHTTPOptions() has prepared, speak HTTP by our parts. */
function adopt (server) {
  if (server[kConnections] !== undefined) return
  server[kConnections] = new ConnectionsList(server)
  server[kConnections].hardening = hardeningOf(server, assumed)
  server[kConnections].limits = assumedLimits === null ? null : limitsOf(server, undefined, assumedLimits)
  observer?.(server)
  const { [kIncomingMessage]: Request, [kServerResponse]: Response } = server
  server[kIncomingMessage] = Request === core.IncomingMessage ? IncomingMessage : derived(Request)
  server[kServerResponse] = Response === core.ServerResponse ? ServerResponse : derived(Response)
}

/** Gives the configuration of this server's parsers. */
Server.prototype[kParserConfig] = function () {
  return parserConfig(this, versions.headerOverflowRejects, this[kConnections].hardening?.mode ?? OFF)
}

/** As net.Server's _listen2: makes the handle, unless there is one, and listens. */
seam._listen2 = function _listen2 (address, port, addressType, backlog, fd, flags) {
  const listen = net.Server.prototype._listen2
  // Where the permission model forbids the network, core throws.
  if (process.permission !== undefined && versions.permissionGuardsNet && !process.permission.has('net')) {
    return listen.call(this, address, port, addressType, backlog, fd, flags)
  }
  // A descriptor is given, too.
  const isGiven = Boolean(this._handle) || typeof fd === 'number'
  if (!this._handle) {
    // As net.Server: on all addresses, those of IPv6 among them if there are any.
    if (!address && typeof fd !== 'number') {
      this._handle = bind('::', port, 6, fd, flags)
      address = this._handle === null ? '0.0.0.0' : '::'
      addressType = this._handle === null ? 4 : 6
    }
    this._handle ??= bind(address, port, addressType, fd, flags)
    // It fails in the same way once more, and core reports it.
    if (this._handle === null) return listen.call(this, address, port, addressType, backlog, fd, flags)
  }
  const listener = new Listener(this, this._handle, isGiven)
  listen.call(this, address, port, addressType, backlog, fd, flags)
  if (this._handle !== null) listener.receive()
}

/** @returns {object|null} a bound handle; null if that failed */
function bind (address, port, addressType, fd, flags) {
  const handle = net._createServerHandle(address, port, addressType, fd, flags)
  return typeof handle === 'number' ? null : handle
}

/** Gives the handle back before the server is sent to another thread. */
const kTransfer = Object.getOwnPropertySymbols(net.Server.prototype)
  .find((symbol) => symbol.description === 'messaging_transfer_symbol')
if (kTransfer !== undefined) {
  seam[kTransfer] = function () {
    this._handle?.[kListener]?.leave()
    return net.Server.prototype[kTransfer].call(this)
  }
}

/** @returns {Server} */
function createServer (options, requestListener) {
  return new Server(options, requestListener)
}

takeMembers(Server.prototype, core.Server.prototype)

module.exports = { Server, createServer, adopt, deriveWith, observeServers, additions, configure, _connectionListener: connectionListener }

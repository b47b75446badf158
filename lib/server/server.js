'use strict'

/**
 * Server: a net.Server that accepts through lib/server/listener.js. Options, timeouts, and the list of connections; what
 * happens on one of them is lib/server/connection.js.
 */

const net = require('node:net')
const { captureRejectionSymbol } = require('node:events')
const { promisify } = require('node:util')
const { process, setInterval, clearInterval } = require('../host')
const core = require('../core/classes')
const { Listener } = require('./listener')
const { limit } = require('./timeouts')
const { serveStream } = require('./stream')
const { ServerResponse } = require('./response')
const { IncomingMessage } = require('../message/incoming')
const { parseUniqueHeadersOption } = require('../message/outgoing')
const { codes } = require('../core/errors')
const { rebase } = require('../core/messages')
const { parserConfig } = require('../connection/parser-options')
const versions = require('../core/versions')
const {
  kConnection, kConnections, kIncomingMessage, kServerResponse, kUniqueHeaders, kOptimizeEmptyRequests, kSweep, kListener, kParserConfig
} = require('../core/symbols')
const { validateBoolean, validateFunction, validateInteger, validateObject, validateOneOf } = require('../core/validators')

/**
 * @param {object|Function} [options] see the documentation of http.createServer; a function is the listener
 * @param {Function} [requestListener] for 'request'
 */
function Server (options, requestListener) {
  if (!(this instanceof Server)) return new Server(options, requestListener)
  if (typeof options === 'function') {
    requestListener = options
    options = {}
  } else if (options === undefined || options === null) {
    options = {}
  } else {
    validateObject(options, 'options')
  }
  storeOptions(this, options)
  net.Server.call(this, {
    allowHalfOpen: true,
    noDelay: options.noDelay ?? true,
    keepAlive: options.keepAlive,
    keepAliveInitialDelay: options.keepAliveInitialDelay,
    highWaterMark: options.highWaterMark
  })
  if (requestListener) this.on('request', requestListener)
  this.on('connection', connectionListener)
  this.on('listening', startSweep)

  /** True if a client may end its side and still get its responses. */
  this.httpAllowHalfOpen = false
  /** Idle time of connections, ms; 0 for none. */
  this.timeout = 0
  this.maxHeadersCount = null
  this.maxRequestsPerSocket = 0
  this[kUniqueHeaders] = parseUniqueHeadersOption(options.uniqueHeaders)
  this[kConnections] = new Set()
  this[kSweep] = null
}
/** Between us and net.Server: what we override of it and core's http.Server inherits. */
const seam = Object.create(net.Server.prototype)
Object.setPrototypeOf(Server.prototype, seam)
Object.setPrototypeOf(Server, net.Server)

/** A new 'connection' listener sees the next connection before anything is read from it; an application of express gets our messages. */
for (const name of ['on', 'addListener', 'prependListener']) {
  seam[name] = {
    [name] (event, listener) {
      net.Server.prototype[name].call(this, event, listener)
      if (event === 'request') rebaseApplication(listener)
      if (event === 'connection') this._handle?.[kListener]?.watch()
      return this
    }
  }[name]
}

function rebaseApplication ({ request, response }) {
  rebase(request ?? null, 'IncomingMessage', IncomingMessage)
  rebase(response ?? null, 'ServerResponse', ServerResponse)
}

/** Gives the class of messages that an option names. */
let rebased = (Class) => Class

/** @param {(Class: Function) => Function} rebase makes a class that is derived of core's one that is derived of ours */
function rebaseWith (rebase) {
  rebased = rebase
}

/** Checks the options and stores them where core does: in public properties of the same names. */
function storeOptions (server, options) {
  server[kIncomingMessage] = rebased(options.IncomingMessage || IncomingMessage)
  server[kServerResponse] = rebased(options.ServerResponse || ServerResponse)

  const { maxHeaderSize, insecureHTTPParser, requestTimeout, headersTimeout } = options
  if (maxHeaderSize !== undefined) validateInteger(maxHeaderSize, 'maxHeaderSize', 0)
  server.maxHeaderSize = maxHeaderSize

  if (insecureHTTPParser !== undefined) validateBoolean(insecureHTTPParser, 'options.insecureHTTPParser')
  server.insecureHTTPParser = insecureHTTPParser
  if (versions.httpValidation) {
    const { httpValidation } = options
    if (httpValidation !== undefined) {
      validateOneOf(httpValidation, 'options.httpValidation', ['strict', 'relaxed', 'insecure'])
      if (insecureHTTPParser !== undefined) {
        throw new codes.ERR_INVALID_ARG_VALUE('options.httpValidation', httpValidation,
          'cannot be used together with options.insecureHTTPParser')
      }
    }
    server.httpValidation = httpValidation
  }

  server.requestTimeout = 300_000
  if (requestTimeout !== undefined) {
    validateInteger(requestTimeout, 'requestTimeout', 0)
    server.requestTimeout = requestTimeout
  }
  server.headersTimeout = Math.min(60_000, server.requestTimeout)
  if (headersTimeout !== undefined) {
    validateInteger(headersTimeout, 'headersTimeout', 0)
    server.headersTimeout = headersTimeout
  }
  if (server.requestTimeout > 0 && server.headersTimeout > server.requestTimeout) {
    throw new codes.ERR_OUT_OF_RANGE('headersTimeout', '<= requestTimeout', headersTimeout)
  }
  storeInteger(server, options, 'keepAliveTimeout', 5_000)
  if (versions.keepAliveTimeoutBuffer) storeInteger(server, options, 'keepAliveTimeoutBuffer', 1_000)
  storeInteger(server, options, 'connectionsCheckingInterval', 30_000)
  storeBoolean(server, options, 'requireHostHeader', true)
  storeBoolean(server, options, 'joinDuplicateHeaders', undefined)
  storeBoolean(server, options, 'rejectNonStandardBodyWrites', false)

  if (versions.shouldUpgradeCallback) {
    const { shouldUpgradeCallback } = options
    if (shouldUpgradeCallback !== undefined) validateFunction(shouldUpgradeCallback, 'options.shouldUpgradeCallback')
    server.shouldUpgradeCallback = shouldUpgradeCallback ?? function () { return this.listenerCount('upgrade') > 0 }
  }
  if (versions.optimizeEmptyRequests) {
    const { optimizeEmptyRequests } = options
    if (optimizeEmptyRequests !== undefined) validateBoolean(optimizeEmptyRequests, 'options.optimizeEmptyRequests')
    server[kOptimizeEmptyRequests] = optimizeEmptyRequests || false
  }
}

function storeInteger (server, options, name, preset) {
  if (options[name] !== undefined) validateInteger(options[name], name, 0)
  server[name] = options[name] ?? preset
}

function storeBoolean (server, options, name, preset) {
  if (options[name] !== undefined) validateBoolean(options[name], `options.${name}`)
  server[name] = options[name] ?? preset
}

/** Gives the configuration of this server's parsers. */
Server.prototype[kParserConfig] = function () {
  return parserConfig(this, versions.headerOverflowRejects)
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

/** Serves HTTP on a connection: `this` is the server, `socket` any Duplex. Ours are being served already. */
function connectionListener (socket) {
  const connection = socket[kConnection]
  if (connection?.server === this) {
    connection.isOffered = false
    return
  }
  // A server of core's: http2 has one for clients that speak HTTP/1.
  if (typeof this[kParserConfig] !== 'function') core._connectionListener.call(this, socket)
  else serveStream(this, socket)
}

/** Starts to look for requests that take too long. As core's setupConnectionsTracking. */
function startSweep () {
  if (this[kSweep] !== null) clearInterval(this[kSweep])
  this[kSweep] = setInterval(sweep, this.connectionsCheckingInterval, this).unref()
}

function sweep (server) {
  const headersTimeout = limit(server.headersTimeout)
  const requestTimeout = limit(server.requestTimeout)
  if (headersTimeout === 0 && requestTimeout === 0) return
  server._handle?.[kListener]?.expire(headersTimeout, requestTimeout)
  for (const connection of server[kConnections]) {
    if (connection.stream !== null) connection.expire(headersTimeout, requestTimeout)
  }
}

/**
 * Stops listening; idle connections are closed, busy ones are served to their end.
 * @param {Function} [callback] once the last connection is closed; gets ERR_SERVER_NOT_RUNNING
 */
Server.prototype.close = function close (...args) {
  this.closeIdleConnections()
  clearInterval(this[kSweep])
  net.Server.prototype.close.apply(this, args)
  return this
}

Server.prototype[Symbol.asyncDispose] = {
  async [Symbol.asyncDispose] () {
    await promisify(this.close).call(this)
  }
}[Symbol.asyncDispose]
if (!versions.namesAsyncDispose) Object.defineProperty(Server.prototype[Symbol.asyncDispose], 'name', { value: '' })

/** Destroys every connection that speaks HTTP. */
Server.prototype.closeAllConnections = function closeAllConnections () {
  for (const connection of [...this[kConnections] ?? []]) connection.terminate()
}

/** Destroys the connections without an exchange under way. */
Server.prototype.closeIdleConnections = function closeIdleConnections () {
  for (const connection of [...this[kConnections] ?? []]) {
    const idleness = connection.idleness()
    if (idleness === 1 || (idleness === 2 && versions.closesVirginConnections)) connection.terminate()
  }
}

/**
 * Sets the idle time of later connections.
 * @param {number} [ms=0] 0 for none
 * @param {Function} [callback] for 'timeout'
 */
Server.prototype.setTimeout = function setTimeout (ms, callback) {
  this.timeout = ms
  if (callback) this.on('timeout', callback)
  return this
}

/** Answers a rejected promise of a 'request' listener with 500, or cuts the response off. */
Server.prototype[captureRejectionSymbol] = function (error, event, ...args) {
  if (event !== 'request') {
    net.Server.prototype[captureRejectionSymbol].call(this, error, event, ...args)
    return
  }
  const response = args[1]
  if (response.headersSent || response.writableEnded) {
    response.destroy()
    return
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name)
  response.statusCode = 500
  response.end(STATUS_500)
}

const STATUS_500 = require('../message/syntax').STATUS_CODES[500]

/** @returns {Server} */
function createServer (options, requestListener) {
  return new Server(options, requestListener)
}

module.exports = { Server, createServer, storeOptions, rebaseWith, startSweep, _connectionListener: connectionListener }

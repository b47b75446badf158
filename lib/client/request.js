'use strict'

/**
 * ClientRequest: a request on its way, from the options to the response. Gets its connection through an agent
 * (or the caller's createConnection) and leaves the exchange itself to ClientConnection.
 */

const diagnostics = require('node:diagnostics_channel')
const { finished } = require('node:stream')
const { process } = require('../host')
const { native, sendFlags, flush } = require('../binding')
const { OutgoingMessage } = require('../message/outgoing')
const agents = require('./agent')
const { connectionOf } = require('./connection')
const { emitError, emitClose } = require('./outcome')
const { awaitTimeout, armTimeout, disarmTimeout } = require('./socket-events')
const { prepare: prepareRetry, sendAgain } = require('./retry')
const { harden, renderHead } = require('./hardening')
const { assumed } = require('../connection/hardening')
const { tellAnswered } = require('../message/delegate')
const { sortArguments, isUrl, isPlain, hostField } = require('./options')
const core = require('../core/classes')
const { connectionReset } = require('../core/errors')
const { takeMembers } = require('../core/reflection')
const measure = require('../core/performance-entries')
const versions = require('../core/versions')
const {
  ofCore, kAnsweredEarly, kDialable, kError, kFinished, kHeadFlags, kConnection, kMode, kNative, kNeedDrain, kRenderHead, kResource, kResponseEnded
} = require('../core/symbols')

/** Core's slot of a request's target, where `path` is an accessor over it. */
const kTarget = ofCore('kPath') ?? 'path'

const knowsProxies = ofCore('kProxyConfig') !== undefined

/** Methods whose requests seldom have a body: none is announced unless the caller does. */
const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'])

const { OFF } = native.HARDENING

const startChannel = diagnostics.channel('http.client.request.start')
const createdChannel = diagnostics.channel('http.client.request.created')

/**
 * A request whose options are those that most have is made here. Any other is made by core's constructor, on our prototype: it
 * checks and reads the options, and asks for a connection.
 * @param {string|URL|object} input url or options, see options.js
 * @param {object|Function} [options]
 * @param {Function} [callback] once for 'response'
 * @throws what core's throws
 */
function ClientRequest (input, options, callback) {
  OutgoingMessage.call(this)
  this[kResource] = null
  this[kError] = null
  const args = sortArguments(input, options, callback)
  const { options: own } = args
  const defaultAgent = own._defaultAgent || agents.globalAgent
  const agent = own.agent === false ? agents.agentForOne(defaultAgent) : own.agent ?? defaultAgent
  const { hardening = agent?.options?.hardening } = own
  if (hardening !== undefined || assumed !== OFF) harden(this, hardening)
  if (isPlain(own, agent, defaultAgent)) {
    prepare(this, own, agent, own.protocol || defaultAgent.protocol, args.callback)
    agent.addRequest(this, own)
    if (versions.createdChannels && createdChannel.hasSubscribers) createdChannel.publish({ request: this })
  } else {
    core.ClientRequest.apply(this, withDefaultAgent(defaultAgent, input, options, callback))
  }
}
Object.setPrototypeOf(ClientRequest.prototype, OutgoingMessage.prototype)
Object.setPrototypeOf(ClientRequest, OutgoingMessage)

/** Native connections can carry it. */
ClientRequest.prototype[kDialable] = true

ClientRequest.prototype[kMode] = OFF

const { [kRenderHead]: render } = OutgoingMessage.prototype

ClientRequest.prototype[kRenderHead] = function (firstLine, headers) {
  return (this[kMode] ?? OFF) === OFF ? render.call(this, firstLine, headers) : renderHead.call(this, firstLine, headers)
}

/** Has core's constructor take our agent for the global one. */
function withDefaultAgent (agent, input, options, callback) {
  const args = [input, options, callback]
  const at = typeof input === 'string' || isUrl(input) ? 1 : 0
  if (typeof args[at] === 'function') args.splice(at, 0, undefined)
  args[at] = { ...args[at], _defaultAgent: agent }
  return args
}

/** Makes `request` one that has everything but a connection. */
function prepare (request, options, agent, protocol, callback) {
  const { path: target, timeout } = options
  request.agent = agent
  const defaultPort = options.defaultPort || agent.defaultPort
  const port = options.port = options.port || defaultPort || 80
  const host = options.host = options.hostname || options.host || 'localhost'

  request.socketPath = options.socketPath
  if (timeout !== undefined) request.timeout = timeout
  const method = request.method = options.method ? options.method.toUpperCase() : 'GET'
  request.maxHeaderSize = undefined
  request.insecureHTTPParser = undefined
  if (versions.httpValidation) request.httpValidation = undefined
  request.joinDuplicateHeaders = undefined
  request[kTarget] = target || '/'
  if (callback) request.once('response', callback)
  if (BODILESS.has(method)) request.useChunkedEncodingByDefault = false

  request._ended = false
  request.res = null
  request.aborted = false
  request.timeoutCb = null
  request.upgradeOrConnect = false
  request.parser = null
  request.maxHeadersCount = null
  request.reusedSocket = false
  request.host = host
  request.protocol = protocol
  if (measure.isObserved()) measure.noteAuthority(request, hostField(host, port, defaultPort))
  // An agent that never uses a connection twice has no use for one that stays.
  request.shouldKeepAlive = Boolean(agent.keepAlive) || Number.isFinite(agent.maxSockets)
  request._last = !request.shouldKeepAlive

  const { headers } = options
  if (headers) {
    for (const name of Object.keys(headers)) request.setHeader(name, headers[name])
  }
  if (!request.getHeader('host')) request.setHeader('Host', hostField(host, port, defaultPort))
  if (request.getHeader('expect')) request._implicitHeader()
}

/** Flags of the head: how a response ends depends on the method. */
Object.defineProperty(ClientRequest.prototype, kHeadFlags, {
  get () {
    const { method } = this
    return method === 'HEAD' ? sendFlags.REQUEST_HEAD : method === 'CONNECT' ? sendFlags.REQUEST_CONNECT : 0
  }
})

/** Called when all of the request is with the transport. */
ClientRequest.prototype._finish = function _finish () {
  // The transport belongs to the application.
  if (this.upgradeOrConnect) return
  OutgoingMessage.prototype._finish.call(this)
  if (measure.isObserved()) {
    measure.begin(this, 'HttpClient', { method: this.method, url: measure.urlOf(this), headers: this.getHeaders() })
  }
  if (startChannel.hasSubscribers) startChannel.publish({ request: this })
}

// ---------------------------------------------------------------------------------------------- the connection

/**
 * Called by the agent with a connection, or with the error why there is none; acts in the next tick.
 * @param {import('node:stream').Duplex|null} socket
 * @param {Error} [error]
 */
ClientRequest.prototype.onSocket = function onSocket (socket, error) {
  if (socket && !error) {
    if (versions.promiseNamesRequest) socket._httpMessage = this
    if (!this.destroyed) connectionOf(socket, this.agent).reserve(this)
  }
  process.nextTick(takeSocket, this, socket, error)
}

function takeSocket (request, socket, error) {
  // The socket closed meanwhile, and the request with it.
  if (request._closed) return
  if (request.destroyed || error) {
    refuseSocket(request, socket, error)
    return
  }
  const connection = connectionOf(socket)
  connection.begin(request)
  request.socket = socket
  if (request.timeoutCb !== null || request.timeout !== undefined || request.agent?.options?.timeout) {
    awaitTimeout(request)
    armTimeout(connection)
  }
  // The response may be on the stream already, and the stream not writable: that of a proxy that refused. What core sends
  // is sent by the listeners, too, and is no head for the native side.
  if (connection.stream !== null || request[kNative] !== true) connection.expect(request)
  prepareRetry(connection, request)
  request.emit('socket', socket)
  connection.heedEmit()
  if (!socket.writable) return
  if (sendAgain(connection, request)) return
  connection.flushing = true
  request._flush()
  connection.flushing = false
  connection.expect(request)
  if (request[kNative] === true && request[kNeedDrain] && !request.finished) connection.notifyDrain()
}

/** Fails a request that was destroyed before it had a connection, or that gets none. */
function refuseSocket (request, socket, error) {
  const reason = error || request[kError]
  if (!socket) {
    fail(request, reason)
    return
  }
  const connection = socket[kConnection]
  if (connection?.request === request) connection.end()
  if (!error && request.agent && !socket.destroyed) {
    socket.emit('free')
    fail(request, reason)
    return
  }
  finished(socket.destroy(reason ?? undefined), (later) => {
    if (later?.code === 'ERR_STREAM_PREMATURE_CLOSE') later = null
    fail(request, later || reason)
  })
}

function fail (request, error) {
  if (request._closed) return
  request.destroyed = true
  // The agent has reported that the tunnel could not be made.
  if (error?.code === 'ERR_PROXY_TUNNEL' && knowsProxies) return emitClose(request)
  if (error) emitError(request, error)
  else if (!request.aborted) emitError(request, connectionReset('socket hang up'))
  emitClose(request)
}

/** Gives the connection back at 'finish', if the response has ended before. As core's requestOnFinish. */
ClientRequest.prototype[kAnsweredEarly] = function () {
  if (this._ended && this.shouldKeepAlive && !this.destroyed) giveBack(this)
}

/** Ends the exchange when the response was read to its end. As core's responseOnEnd. */
ClientRequest.prototype[kResponseEnded] = function (response) {
  const { socket } = this
  // A stream that has closed has none.
  const connection = socket[kConnection]
  if (connection !== undefined) disarmTimeout(connection)
  this._ended = true
  if (!this.shouldKeepAlive) {
    if (connection !== undefined) connection.closing = true
    if (!socket.writable) return
    if (typeof socket.destroySoon === 'function') socket.destroySoon()
    else socket.end()
  } else if (this.writableFinished && !response.aborted) {
    giveBack(this)
  }
}

/** Gives the connection back: the exchange is over, and it can carry another. As core's responseKeepAlive. */
function giveBack (request) {
  // The connection was lost behind the response.
  if (request._closed) return
  const { socket } = request
  const connection = connectionOf(socket)
  if (request.timeoutCb !== null) {
    request.timeoutCb = null
    socket.setTimeout?.(0)
  }
  connection.end()
  process.nextTick(emitFree, request)
  request.destroyed = true
  // Destroying the message must not touch the connection any more.
  request.res.socket = null
}

function emitFree (request) {
  emitClose(request)
  request.socket?.emit('free')
}

/** Ends a request that began here and ended in raw bytes: the connection is between two messages again. */
ClientRequest.prototype[kFinished] = function () {
  if (this[kNative] !== true && this[kConnection] !== null) tellAnswered(this[kConnection])
}

// -------------------------------------------------------------------------------------------------- giving up

/**
 * Gives the request up, and its connection with it.
 * @param {Error} [error] for 'error'; default ECONNRESET "socket hang up"
 */
ClientRequest.prototype.destroy = function destroy (error) {
  if (this.destroyed) return this
  core.ClientRequest.prototype.destroy.call(this, error)
  // The peer learns of it before any command given on other connections from now on, as where sockets close at once.
  flush()
  return this
}

/**
 * Emits 'timeout' after the socket was idle for this long; the request goes on.
 * @param {number} ms from the connection on
 * @param {Function} [callback] once for 'timeout'
 */
ClientRequest.prototype.setTimeout = function setTimeout (ms, callback) {
  if (!this._ended && this.timeoutCb === null) {
    awaitTimeout(this)
    const connection = this.socket?.[kConnection]
    if (connection?.request === this) armTimeout(connection)
  }
  return core.ClientRequest.prototype.setTimeout.call(this, ms, callback)
}

takeMembers(ClientRequest.prototype, core.ClientRequest.prototype)

/**
 * Makes a request.
 * @param {string|URL|object} url
 * @param {object} [options]
 * @param {Function} [callback] once for 'response'
 * @returns {ClientRequest} to be ended by the caller
 */
function request (url, options, callback) {
  return new ClientRequest(url, options, callback)
}

/** Makes a request without a body, and ends it. */
function get (url, options, callback) {
  const message = request(url, options, callback)
  message.end()
  return message
}

module.exports = { ClientRequest, request, get }

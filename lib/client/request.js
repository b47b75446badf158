'use strict'

/**
 * ClientRequest: a request on its way, from the options to the response. Gets its connection through an agent
 * (or the caller's createConnection) and leaves the exchange itself to ClientConnection.
 */

const net = require('node:net')
const diagnostics = require('node:diagnostics_channel')
const { addAbortSignal, finished } = require('node:stream')
const { Buffer, process } = require('../host')
const { sendFlags, flush } = require('../binding')
const { OutgoingMessage } = require('../message/outgoing')
const agents = require('./agent')
const { connectionOf } = require('./connection')
const { kError, kResource, kResponseEnded, kAnsweredEarly, emitError, emitClose } = require('./outcome')
const { armTimeout, disarmTimeout, emitRequestTimeout } = require('./socket-events')
const { kDialable } = require('./dial')
const { kProxyConfig, turnToProxy } = require('./proxy')
const {
  sortArguments, checkHost, checkTarget, chooseAgent, checkProtocol, chooseMethod, checkParserOptions, hostField
} = require('./options')
const { codes, connectionReset } = require('../core/errors')
const { timerDuration } = require('../core/validators')
const measure = require('../core/performance-entries')
const { parseUniqueHeadersOption } = require('../core/classes')
const versions = require('../core/versions')
const { kOutHeaders, kUniqueHeaders, kHeadFlags, kConnection, kNative, kNeedDrain } = require('../core/symbols')

/** The target; `path` is an accessor over it where Node checks assignments. */
const kTarget = Symbol('kPath')
/** Host and port for a measurement, while requests are measured. */
const kAuthority = Symbol('kAuthority')

/** Methods whose requests seldom have a body: none is announced unless the caller does. */
const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'])

const startChannel = diagnostics.channel('http.client.request.start')
const createdChannel = diagnostics.channel('http.client.request.created')

/**
 * @param {string|URL|object} input url or options, see options.js
 * @param {object|Function} [options]
 * @param {Function} [callback] once for 'response'
 * @throws ERR_INVALID_URL, ERR_INVALID_ARG_TYPE, ERR_INVALID_PROTOCOL, ERR_UNESCAPED_CHARACTERS,
 *   ERR_INVALID_HTTP_TOKEN, ERR_INVALID_CHAR, ERR_OUT_OF_RANGE
 */
function ClientRequest (input, options, callback) {
  const args = sortArguments(input, options, callback)
  prepare.call(this, args.options, args.callback)
  connect(this, args.options)
  if (versions.createdChannels && createdChannel.hasSubscribers) createdChannel.publish({ request: this })
}
Object.setPrototypeOf(ClientRequest.prototype, OutgoingMessage.prototype)
Object.setPrototypeOf(ClientRequest, OutgoingMessage)

/** Native connections can carry it. */
ClientRequest.prototype[kDialable] = true

/** Makes `this` a request that has everything but a connection. */
function prepare (options, callback) {
  const { path: target } = options
  OutgoingMessage.call(this, versions.httpValidation && options.highWaterMark !== undefined ? options : undefined)

  const defaultAgent = options._defaultAgent || agents.globalAgent
  const agent = chooseAgent(options, defaultAgent)
  this.agent = agent
  if (target) checkTarget(String(target))
  const protocol = options.protocol || defaultAgent.protocol
  checkProtocol(protocol, agent?.protocol || defaultAgent.protocol)

  const defaultPort = options.defaultPort || agent?.defaultPort
  const port = options.port = options.port || defaultPort || 80
  const host = options.host = checkHost(options.hostname, 'hostname') || checkHost(options.host, 'host') || 'localhost'
  const bare = versions.createdChannels && options.setDefaultHeaders === false
  const setHost = options.setHost === undefined ? !bare : Boolean(options.setHost)
  if (bare) this._removedConnection = this._removedContLen = this._removedTE = true

  this.socketPath = options.socketPath
  if (options.timeout !== undefined) this.timeout = timerDuration(options.timeout, 'timeout')
  this[kResource] = null
  this[kError] = null
  const { signal } = options
  if (signal) addAbortSignal(signal, this)

  const method = this.method = chooseMethod(options.method)
  checkParserOptions(options)
  this.maxHeaderSize = options.maxHeaderSize
  this.insecureHTTPParser = options.insecureHTTPParser
  if (versions.httpValidation) this.httpValidation = options.httpValidation
  this.joinDuplicateHeaders = options.joinDuplicateHeaders

  if (versions.pathIsChecked) this[kTarget] = target || '/'
  else this.path = target || '/'
  if (callback) this.once('response', callback)
  if (BODILESS.has(method)) this.useChunkedEncodingByDefault = false

  this._ended = false
  this.res = null
  this.aborted = false
  this.timeoutCb = null
  this.upgradeOrConnect = false
  this.parser = null
  this.maxHeadersCount = null
  this.reusedSocket = false
  this.host = host
  if (versions.perfUrlHasPort && measure.isObserved()) this[kAuthority] = hostField(host, port, defaultPort)
  this.protocol = protocol
  if (method === 'HEAD') this[kHeadFlags] = sendFlags.REQUEST_HEAD
  else if (method === 'CONNECT') this[kHeadFlags] = sendFlags.REQUEST_CONNECT

  if (agent) {
    // An agent that never uses a connection twice has no use for one that stays.
    this.shouldKeepAlive = Boolean(agent.keepAlive) || Number.isFinite(agent.maxSockets)
    this._last = !this.shouldKeepAlive
  }
  const unique = options.uniqueHeaders
  if (unique !== undefined) this[kUniqueHeaders] = parseUniqueHeadersOption(unique)
  setFields(this, options, setHost, host, port, defaultPort)
  if (!agent) {
    // Core sets these only now: a head that is rendered already says otherwise.
    this.shouldKeepAlive = false
    this._last = true
  }
}

/** Sets the caller's fields, and Host and Authorization where they are not given. */
function setFields (request, options, setHost, host, port, defaultPort) {
  const { headers } = options
  const isList = Array.isArray(headers)
  if (request.agent?.[kProxyConfig]) {
    turnToProxy(request, options)
  } else if (!isList) {
    if (headers) {
      for (const name of Object.keys(headers)) request.setHeader(name, headers[name])
    }
    if (setHost && host && !request.getHeader('host')) {
      const named = versions.major >= 26 && request.method === 'CONNECT' && options.path
      request.setHeader('Host', named ? options.path : hostField(host, port, defaultPort))
    }
    if (options.auth && !request.getHeader('Authorization')) {
      request.setHeader('Authorization', 'Basic ' + Buffer.from(options.auth).toString('base64'))
    }
  }
  // A list of headers is sent as given: nothing is added but Connection and framing.
  if (isList) {
    request._storeHeader(startLine(request), headers)
  } else if (request.getHeader('expect')) {
    if (request._header) throw new codes.ERR_HTTP_HEADERS_SENT('render')
    request._storeHeader(startLine(request), request[kOutHeaders])
  }
}

function startLine (request) {
  return `${request.method} ${request.path} HTTP/1.1\r\n`
}

/** Asks for a connection. */
function connect (request, options) {
  if (options.signal) {
    // The request handles the signal; net would destroy the socket with it as well.
    options = { ...options }
    delete options.signal
  }
  if (request.agent) {
    request.agent.addRequest(request, options)
    return
  }
  // The target is not the path of a Unix socket.
  if (options.path || options.socketPath) options = { ...options, path: options.socketPath || undefined }
  if (typeof options.createConnection !== 'function') {
    request.onSocket(net.createConnection(options))
    return
  }
  let created = false
  const onCreated = (error, socket) => {
    if (created) return
    created = true
    if (error) process.nextTick(emitError, request, error)
    else request.onSocket(socket)
  }
  try {
    const socket = options.createConnection(options, onCreated)
    if (socket) onCreated(null, socket)
  } catch (error) {
    onCreated(error)
  }
}

if (versions.pathIsChecked) {
  Object.defineProperty(ClientRequest.prototype, 'path', {
    __proto__: null,
    get () { return this[kTarget] },
    set (target) {
      checkTarget(String(target))
      this[kTarget] = target
    },
    enumerable: true,
    configurable: true
  })
}

/** Called when all of the request is with the transport. */
ClientRequest.prototype._finish = function _finish () {
  // The transport belongs to the application.
  if (this.upgradeOrConnect) return
  OutgoingMessage.prototype._finish.call(this)
  if (measure.isObserved()) {
    const url = `${this.protocol}//${this[kAuthority] ?? this.host}${this.path}`
    measure.begin(this, 'HttpClient', { method: this.method, url, headers: this.getHeaders() })
  }
  if (startChannel.hasSubscribers) startChannel.publish({ request: this })
}

ClientRequest.prototype._implicitHeader = function _implicitHeader () {
  if (this._header) throw new codes.ERR_HTTP_HEADERS_SENT('render')
  this._storeHeader(startLine(this), this[kOutHeaders])
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
    if (!this.destroyed) connectionOf(socket).reserve(this)
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
    request.timeoutCb = emitRequestTimeout
    armTimeout(connection)
  }
  // The response may be on the stream already, and the stream not writable: that of a proxy that refused.
  if (connection.stream !== null) connection.expect(request)
  request.emit('socket', socket)
  if (!socket.writable) return
  if (request[kNative] !== true) connection.expect(request)
  connection.flush(request)
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
  if (error?.code === 'ERR_PROXY_TUNNEL' && versions.envProxies) return emitClose(request)
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

// -------------------------------------------------------------------------------------------------- giving up

/** Deprecated: `destroy()`, with an 'abort' event. */
ClientRequest.prototype.abort = function abort () {
  if (this.aborted) return
  this.aborted = true
  process.nextTick(emitAbort, this)
  this.destroy()
}

function emitAbort (request) {
  request.emit('abort')
}

/**
 * Gives the request up, and its connection with it.
 * @param {Error} [error] for 'error'; default ECONNRESET "socket hang up"
 */
ClientRequest.prototype.destroy = function destroy (error) {
  if (this.destroyed) return this
  this.destroyed = true
  // The rest of the response is discarded.
  this.res?._dump()
  // Nothing is left to be given up, and the connection may already be the agent's.
  if (versions.destroySparesConnection && this.writableFinished && this.res?.complete) return this
  this[kError] = error ?? null
  if (this.socket) {
    this.socket.destroy(error)
    // The peer learns of it before any command given on other connections from now on, as where sockets close at once.
    flush()
  }
  return this
}

// ------------------------------------------------------------------------------------------ the socket's options

/** Calls a method of the socket once the socket is connected. */
ClientRequest.prototype._deferToConnect = function _deferToConnect (method, args) {
  const act = () => this.socket[method](...args)
  const onSocket = () => {
    if (this.socket.writable) act()
    else this.socket.once('connect', act)
  }
  if (this.socket) onSocket()
  else this.once('socket', onSocket)
}

/**
 * Emits 'timeout' after the socket was idle for this long; the request goes on.
 * @param {number} ms from the connection on
 * @param {Function} [callback] once for 'timeout'
 */
ClientRequest.prototype.setTimeout = function setTimeout (ms, callback) {
  if (this._ended) return this
  if (this.timeoutCb === null) {
    this.timeoutCb = emitRequestTimeout
    const connection = this.socket?.[kConnection]
    if (connection?.request === this) armTimeout(connection)
  }
  ms = timerDuration(ms, 'msecs')
  if (callback) this.once('timeout', callback)
  if (this.socket) setIdle(this.socket, ms)
  else this.once('socket', (socket) => setIdle(socket, ms))
  return this
}

function setIdle (socket, ms) {
  if (socket.connecting) socket.once('connect', () => socket.setTimeout(ms))
  else socket.setTimeout(ms)
}

ClientRequest.prototype.setNoDelay = function setNoDelay (noDelay) {
  this._deferToConnect('setNoDelay', [noDelay])
}

ClientRequest.prototype.setSocketKeepAlive = function setSocketKeepAlive (enable, initialDelay) {
  this._deferToConnect('setKeepAlive', [enable, initialDelay])
}

ClientRequest.prototype.clearTimeout = function clearTimeout (callback) {
  this.setTimeout(0, callback)
}

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

module.exports = { ClientRequest, prepare, request, get }

'use strict'

/**
 * One connection to a server: which exchange is under way on it, and what the transport's events mean for that exchange.
 * The same for native connections and JS streams. Knows nothing of agents beyond the socket's 'free' event.
 */

const { AsyncResource } = require('node:async_hooks')
const stream = require('node:stream')
const diagnostics = require('node:diagnostics_channel')
const { native, headFlags, touch, isSamePacket } = require('../binding')
const { ClientTransport } = require('./transport')
const { leaveMessage, surrender } = require('../connection/detach')
const { showBytes } = require('../connection/socket')
const { parseError } = require('../core/errors')
const { emitError, emitClose } = require('./outcome')
const { ALL, watch, watchAgain, hear, hush, hushAll, unhear, unwatch, hearResponseTimeout, listenersShown } = require('./socket-events')
const { countNoted, meet, switchError } = require('./hardening')
const { blockFor, isAgent } = require('./pool-stats')
const { tellOpened } = require('../stats/channels')
const { newMessage, readResponse } = require('../message/incoming')
const measure = require('../core/performance-entries')
const { Parser } = require('../connection/parser-facade')
const { kAsyncId } = require('./pooled-socket')
const { parserConfig } = require('../connection/parser-options')
const versions = require('../core/versions')
const {
  kAnsweredEarly, kAttempt, kConnection, kWritableFinished, kDrained, kMeasure, kMode, kReceive, kRequest, kResource, kResponseEnded, kComplete
} = require('../core/symbols')

const { OFF } = native.HARDENING

const { BLOCKS: { AGENTS }, CLOSES } = native

const RESOURCE_OPTIONS = { requireManualDestroy: true }

const finishChannel = diagnostics.channel('http.client.response.finish')

/** The parser's configurations for requests without options of their own, by the mode of hardening; shared, never changed. */
const plain = []

function plainConfig (mode) {
  return (plain[mode] ??= Object.freeze(parserConfig({}, false, mode)))
}

/**
 * @param {number} id of the native connection, -1 while there is none yet
 * @param {import('node:stream').Duplex|null} stream the JS stream that carries it (driver two); null for a native connection
 */
function ClientConnection (id, stream) {
  ClientTransport.call(this, id, stream)
  this.config = plainConfig(OFF)
  /** The agent for which rows of hardening are counted; null if none are. */
  this.hardenedFor = null
  /** The response whose body is arriving; null between bodies. */
  this.response = null
  /** True if that body ends with the connection, however the connection ends. */
  this.untilClose = false
  this.inputEnded = false
  /** The object that `socket.parser` and `request.parser` show. */
  this.parser = null
  /** True while the socket's own events are listened to; see socket-events.js. */
  this.watching = false
  /** The listeners there are for the exchange under way: a value of socket-events.js. */
  this.heard = 0
  /** True if the socket's next 'timeout' is the request's. */
  this.timeoutArmed = false
  /** True while each 'timeout' of the socket is the response's. */
  this.responseTimed = false
  /** True if it was closed under an exchange. */
  this.isLost = false
  /** True once an error was reported for this exchange; what follows from it is not reported. */
  this.failed = false
  /** True once bytes were dropped that came behind a response: it carries no other exchange. */
  this.isSpoiled = false
  /** Driver two: true once the stream is the application's. */
  this.isUpgraded = false
}
Object.setPrototypeOf(ClientConnection.prototype, ClientTransport.prototype)

/** See `isApart` in lib/binding/deliver.js. */
ClientConnection.prototype.ticksAwaitPacket = true

ClientConnection.prototype.readsOn = true

/** Bytes that a message from this connection buffers before it stops reading. */
Object.defineProperty(ClientConnection.prototype, 'highWaterMark', {
  __proto__: null,
  get () { return this.socket?.readableHighWaterMark ?? stream.getDefaultHighWaterMark(false) },
  configurable: true
})

/** The response that is under way: `parser.incoming`. */
Object.defineProperty(ClientConnection.prototype, 'incoming', {
  __proto__: null,
  get () { return this.request?.res ?? null },
  set () {},
  configurable: true
})

// ------------------------------------------------------------------------------------------------- exchanges

/**
 * Promises the connection to a request: what happens to the socket from now on happens to the request.
 * @param {import('./request').ClientRequest} request
 */
ClientConnection.prototype.reserve = function reserve (request) {
  this.request = request
  this.response = null
  this.failed = false
  const resource = request[kResource] = new AsyncResource('HTTPCLIENTREQUEST', RESOURCE_OPTIONS)
  if (this.socket[kAsyncId] === -1) this.socket[kAsyncId] = resource.asyncId()
  if (this.watching) watchAgain(this)
  else watch(this)
}

/** Begins the exchange. As core's tickOnSocket. */
ClientConnection.prototype.begin = function begin (request) {
  this.socket._httpMessage = request
  this.isExpected = false
  this.stopIdleTimer()
  const config = configOf(request)
  if (config !== this.config && this.id !== -1) native.configure(this.id, config)
  this.config = config
  this.hardenedFor = config.hardening !== OFF && request.agent ? request.agent : null
  Parser.take(this, request)
  hear(this)
  // As if its bytes were listened for.
  if (this.stream === null && this.socket.readableFlowing === null) stream.Readable.prototype.resume.call(this.socket)
}

function configOf (request) {
  const { maxHeaderSize: size, maxHeadersCount: count, insecureHTTPParser: insecure, httpValidation } = request
  if (size === undefined && insecure === undefined && httpValidation === undefined && typeof count !== 'number') {
    return plainConfig(request[kMode] ?? OFF)
  }
  return parserConfig(request, false, request[kMode] ?? OFF)
}

/** True if the peer has ended an idle connection, or has sent bytes on it. Asks the kernel. */
ClientConnection.prototype.isStale = function isStale () {
  // What becomes of a connection that is being made is for the request that gets it.
  if (this.socket.connecting) return false
  return this.id === -1 || this.isSpoiled || (this.kept !== null && this.kept.length !== 0) || native.isStale(this.id) !== 0
}

/** Frees the connection: the exchange is over, and the transport may carry another. */
ClientConnection.prototype.end = function end () {
  unhear(this)
  this.clearExchange()
  if (this.stream?.closed) this.releaseStream()
}

/** Ends the exchange of a connection that was closed: the listeners stay where they are, as in core. */
ClientConnection.prototype.lose = function lose () {
  this.isLost = true
  this.clearExchange()
}

ClientConnection.prototype.clearExchange = function clearExchange () {
  if (this.request !== null) {
    this.lastContext = this.request[kResource]
    this.freeParser()
    // It was promised, but the exchange never began.
    if (!this.request.socket) this.request[kResource].emitDestroy()
  }
  this.request = null
  this.response = null
}

/** Frees the parser: nothing more is to be parsed for the exchange. */
ClientConnection.prototype.freeParser = function freeParser () {
  if (Parser.freeFrom(this)) this.request[kResource].emitDestroy()
}

ClientConnection.prototype.listenersShown = listenersShown

/** Lets an `emit` that stands in the place of the socket's own see its bytes. */
ClientConnection.prototype.heedEmit = function heedEmit () {
  if (this.stream === null) showBytes(this.socket)
}

ClientConnection.prototype.losesParser = function losesParser () {
  return !this.detached && (this.tapped || this.heard === ALL)
}

ClientConnection.prototype.onResponse = function onResponse (flags, status, version, reasonLength, fieldCount, text) {
  const { request } = this
  // A response that no request asked for would be taken for the next request's (response queue poisoning).
  if (request === null || request.res !== null) {
    if (!this.dropsUnheard()) this.refuse()
    return
  }
  if ((flags & headFlags.NOTED) !== 0) countNoted(this, request)
  const response = newMessage(this)
  readResponse(response, status, version, reasonLength, fieldCount, text)
  response.joinDuplicateHeaders = request.joinDuplicateHeaders
  response.upgrade = (flags & headFlags.UPGRADE) !== 0
  request[kResource].runInAsyncScope(takeResponse, this, request, response, flags)
}

function takeResponse (request, response, flags) {
  if ((flags & headFlags.UPGRADE) !== 0) {
    detach(this, request, response)
    return
  }
  if ((flags & headFlags.INFORMATIONAL) !== 0) {
    inform(request, response)
    return
  }
  if ((flags & headFlags.KEEP_ALIVE) === 0 && !request.upgradeOrConnect) request.shouldKeepAlive = false
  request.res = response
  response.req = response[kRequest] = request
  request[kAttempt]?.giveUp()
  if (request[kMeasure] !== undefined) {
    measure.end(request, response.statusCode, response.statusMessage, response.headers)
  }
  if (finishChannel.hasSubscribers) finishChannel.publish({ request, response })
  // First of its listeners: the connection is given back before the application asks for the next.
  response.on('end', onResponseEnd)
  if (!request[kWritableFinished]) request.on('finish', request[kAnsweredEarly])
  hearResponseTimeout(this)
  const hasBody = (flags & headFlags.BODY) !== 0
  if (hasBody) {
    this.response = response
    this.untilClose = (flags & headFlags.UNTIL_CLOSE) !== 0
  }
  // Without a listener, or on an aborted request, the response is not going to be read.
  if (request.aborted || !request.emit('response', response)) response._dump()
  if (!hasBody) {
    this.freeParser()
    if (this.stream === null) hushAll(this)
    response[kComplete](undefined)
  }
}

function onResponseEnd () {
  this[kRequest][kResponseEnded](this)
}

/** Emits 'continue' and 'information' for a 1xx block. */
function inform (request, response) {
  if (response.statusCode === 100) request.emit('continue')
  if (request.listenerCount('information') === 0) return
  const { statusCode, statusMessage, httpVersion, httpVersionMajor, httpVersionMinor, headers, rawHeaders } = response
  request.emit('information', {
    statusCode, statusMessage, httpVersion, httpVersionMajor, httpVersionMinor, headers, rawHeaders
  })
}

/** Gives the application the stream with what came behind the head: the server left HTTP as asked. */
function detach (connection, request, response) {
  const { socket } = connection
  const event = request.method === 'CONNECT' ? 'connect' : 'upgrade'
  request.res = response
  response.req = request
  response[kComplete](undefined)
  if (request.listenerCount(event) === 0) {
    socket.destroy(switchError(request))
    return
  }
  request.upgradeOrConnect = true
  socket.emit('agentRemove')
  if (connection.stream === null) leaveMessage(connection)
  unwatch(connection)
  connection.end()
  // First: it is freed with the connection.
  const head = native.takeHead(connection.id)
  let isOver = false
  if (connection.stream === null) {
    connection.detached = true
    socket.detached(false)
    isOver = surrender(connection)
  }
  if (!isOver) {
    native.upgrade(connection.id, true)
    touch()
  }
  if (connection.stream !== null) {
    connection.isUpgraded = true
    connection.releaseStream()
  } else {
    socket.read(0)
  }
  socket._httpMessage = null
  socket.readableFlowing = null
  request.emit(event, response, socket, head)
  request.destroyed = true
  emitClose(request)
}

/** Driver two: lets go of the stream: it has closed, or belongs to the application. */
ClientConnection.prototype.releaseStream = function releaseStream () {
  if (this.id === -1) return
  this.noteEnd()
  this.release()
  this.stream[kConnection] = undefined
}

/** Driver two: notes what has ended the stream, for the stats. */
ClientConnection.prototype.noteEnd = function noteEnd () {
  const { stream } = this
  if (stream.errored?.errno < 0 || stream.errored?.library !== undefined) this.noteClose(CLOSES.ERROR, stream.errored.errno)
  else if (this.isUpgraded) this.noteClose(CLOSES.UPGRADED)
  else if (stream.readableEnded || stream._readableState?.ended) this.noteClose(CLOSES.PEER)
}

ClientConnection.prototype.onData = function onData (chunk) {
  const { request, response } = this
  if (response !== null) request[kResource].runInAsyncScope(response[kReceive], response, chunk)
}

ClientConnection.prototype.onEnd = function onEnd (text, isNoted) {
  const { request, response } = this
  if (response === null) return
  if (isNoted) countNoted(this, request)
  // A body that ends with the connection is over at the socket's 'end', which is next.
  if (this.untilClose && this.stream === null && !this.tapped && !this.inputEnded) return
  this.response = null
  this.freeParser()
  if (this.stream === null && !this.inputEnded) hushAll(this)
  request[kResource].runInAsyncScope(response[kComplete], response, text)
}

/**
 * Drops a packet that nothing listens for, as core does: all of the response came with those before, and the exchange is not over,
 * for the response is still to be read. True if it is one; the connection is not used again then.
 */
ClientConnection.prototype.dropsUnheard = function dropsUnheard () {
  if (!this.request?.res || this.heard === ALL || isSamePacket()) return false
  return (this.isSpoiled = true)
}

/** Destroys the socket for an answer that nobody has asked for: in core within the parser, whose context is the request's. */
ClientConnection.prototype.refuse = function refuse () {
  if (this.request === null) this.runForSocket(this.socket.destroy)
  else this.request[kResource].runInAsyncScope(this.socket.destroy, this.socket)
}

ClientConnection.prototype.onParseError = function onParseError (kind, bytesParsed, rawPacket) {
  const { request, socket } = this
  // The end of the stream in the middle of a message: `onEof` and the socket's 'close' report it.
  if (rawPacket === undefined || this.dropsUnheard()) return
  const isUnasked = meet(this, request, kind)
  this.response = null
  if (request !== null) this.freeParser()
  hush(this)
  // For what core has no error: it destroys the socket.
  if (isUnasked) this.refuse()
  else this.runForSocket(socket.destroy)
  // Bytes behind the last response are no error of its request; a request that has the connection meanwhile has lost it.
  if (request === null || isUnasked) return
  this.failed = true
  socket._hadError = true
  request[kResource].runInAsyncScope(emitError, null, request, parseError(kind, bytesParsed, rawPacket))
}

ClientConnection.prototype.onDrain = function onDrain () {
  const request = this.sending()
  if (this.stream === null) this.socket.drained()
  if (request !== null) request[kResource].runInAsyncScope(request[kDrained], request)
}

ClientConnection.prototype.onEof = function onEof () {
  if (this.stream !== null) return
  // A socket in the pool emits nothing, not even 'end'.
  if (versions.unsolicitedDataDestroys && this.socket[kAsyncId] === -1) this.socket.destroy()
  else this.runForSocket(this.socket.ended)
}

/**
 * Runs in the context that the connection was made in, or in that of the exchange under way or the last one; on a stream of the
 * application in that of now, which is the stream's.
 */
ClientConnection.prototype.runForSocket = function runForSocket (method, a, b) {
  const resource = this.stream !== null ? null : this.context ?? this.request?.[kResource] ?? this.lastContext
  if (resource === null) method.call(this.socket, a, b)
  else resource.runInAsyncScope(method, this.socket, a, b)
}

ClientConnection.prototype.onClosed = function onClosed (errno, syscall) {
  this.errno = errno
  this.stopIdleTimer()
  if (this.stream === null) {
    // Nor does a socket in the pool report an error; see onEof.
    if (versions.unsolicitedDataDestroys && this.socket[kAsyncId] === -1) this.socket.disconnected(0, 0)
    else this.runForSocket(this.socket.disconnected, errno, syscall)
  }
  this.leaveContext()
}

/** True for a client's connection, of any copy of lib/. */
function isClients (connection) {
  return connection?.ticksAwaitPacket === true
}

/**
 * Gives the connection that carries a socket's exchanges: ours, or for any other Duplex one made now.
 * @param {import('node:stream').Duplex} socket
 * @param {object} [agent] of the request that it is for
 */
function connectionOf (socket, agent) {
  const known = socket[kConnection]
  if (isClients(known) && (known.stream === null || known.id !== -1)) return known
  const connection = new ClientConnection(native.open(1, plainConfig(OFF), isAgent(agent) ? blockFor(agent) : AGENTS), socket)
  tellOpened(connection, 'client')
  return connection
}

module.exports = { ClientConnection, connectionOf }

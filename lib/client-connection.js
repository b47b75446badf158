'use strict'

/**
 * One connection to a server: which exchange is under way on it, and what the transport's events mean for that
 * exchange. Carried by tokio or by a JS stream alike. Knows nothing of agents beyond the socket's 'free' event.
 */

const { AsyncResource } = require('node:async_hooks')
const { maxHeaderSize } = require('node:http')
const stream = require('node:stream')
const diagnostics = require('node:diagnostics_channel')
// Those of the module's load: mocked clocks stop the global ones, and not core's sockets.
const { setTimeout: startTimer, clearTimeout } = require('node:timers')
const { native, headFlags, sendFlags, connections, touch } = require('./binding')
const { Connection } = require('./connection')
const { handOver } = require('./handover')
const { parseError } = require('./errors')
const { kResource, kResponseEnded, emitError, emitClose, failWrites } = require('./client-outcome')
const { watch, hear, hush, leave, unwatch, hearResponseTimeout, shown } = require('./client-listeners')
const { newMessage, readResponse } = require('./incoming')
const measure = require('./measure')
const { Parser } = require('./parser')
const { PENDING_MAX } = require('./outgoing')
const { kAsyncId } = require('./idle-socket')
const { leniencyOf } = require('./leniency')
const parseErrors = require('./parse-errors')
const versions = require('./versions')
const { kConnection, kDrained, kReceive, kComplete } = require('./symbols')

const { HEAD, BODY, END, CHUNKED, UNTIL_CLOSE } = sendFlags

/** The parse error that core does not have: bytes behind the last response, for which it destroys the socket. */
const UNASKED = parseErrors.length - 1

const RESOURCE_OPTIONS = { requireManualDestroy: true }

/** Fields of a head, and again of its trailers. */
const MAX_HEADERS = 1000

const finishChannel = diagnostics.channel('http.client.response.finish')

/** Limits and leniencies of a request that asks for nothing special; shared, never changed. */
const plainConfig = Object.freeze({
  maxHeaderSize,
  maxHeaders: MAX_HEADERS,
  truncateHeaders: !versions.headerOverflowRejects,
  leniency: leniencyOf()
})

/**
 * @param {number} id of the native connection, -1 while there is none yet
 * @param {import('node:stream').Duplex|null} stream the JS stream that carries it, null for tokio
 */
function ClientConnection (id, stream) {
  Connection.call(this, id, stream)
  this.config = plainConfig
  /** The request of the exchange under way; `current` also names the last one until the agent takes the socket back. */
  this.request = null
  /** Its response, until that is complete. */
  this.response = null
  /** That one's body ends with the connection, however that ends. */
  this.untilClose = false
  /** The way to the connection while there is none (lib/dial.js). */
  this.attempts = null
  /** The async resource that its socket is to hooks, until the first exchange is over. */
  this.context = null
  /** What is to be done as soon as there is one: arguments of `send` and `writeRaw`. */
  this.held = null
  this.heldSize = 0
  this.drainWanted = false
  /** A request is being flushed: it asks whether it was handed over. */
  this.flushing = false
  /** Driver two: writes that the stream has not called back for. */
  this.unwritten = 0
  /** The response was the connection's last. */
  this.closing = false
  /** What was asked of the socket before there was one: 'shutdown', 'close'. */
  this.ending = null
  /** Idle time wanted and, once applied, in force; ms. */
  this.idle = 0
  this.idleInForce = 0
  this.idleTimer = null
  this.idleQueued = false
  this.inputEnded = false
  /** What `socket.parser` and `request.parser` show. */
  this.parser = null
  /** The socket's own events are listened to; see client-listeners.js. */
  this.watching = false
  /** Driver two: the stream's bytes, too. */
  this.hearing = false
  /** The socket's next 'timeout' is the request's. */
  this.timeoutArmed = false
  /** An error was reported for this exchange; what follows from it is not another. */
  this.failed = false
}
Object.setPrototypeOf(ClientConnection.prototype, Connection.prototype)

/** See `isApart` in binding.js. */
ClientConnection.prototype.ticksAwaitPacket = true

/** What a message that is read from here buffers. */
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

ClientConnection.prototype.getSocket = function getSocket () {
  return this.socket
}

// ------------------------------------------------------------------------------------------------ connecting

/** Takes the id of a connection attempt. */
ClientConnection.prototype.adopt = function adopt (id) {
  this.id = id
  connections[id] = this
}

/** The socket has left the async context that it was made in: idle, or closed. */
ClientConnection.prototype.leaveContext = function leaveContext () {
  this.context?.emitDestroy()
  this.context = null
}

/** Gives the attempt up; nothing is heard of it any more. */
ClientConnection.prototype.abandon = function abandon () {
  const { id } = this
  if (id === -1) return
  this.id = -1
  connections[id] = undefined
  native.destroy(id)
  touch()
}

ClientConnection.prototype.onConnected = function onConnected () {
  const { held, socket } = this
  this.attempts.connected()
  this.attempts = null
  this.stopIdleTimer()
  if (this.idle !== 0) applyIdle(this)
  if (held !== null) {
    this.held = null
    this.heldSize = 0
    for (const parts of held) {
      if (parts.length === 5) this.send(...parts)
      else this.writeRaw(...parts)
    }
  }
  if (this.drainWanted) this.notifyDrain()
  if (this.ending !== null) this[this.ending]()
  socket.connected()
}

function hold (connection, parts, size) {
  if (connection.held === null) connection.held = []
  connection.held.push(parts)
  connection.heldSize += size
  return connection.heldSize
}

function sizeOf (chunk) {
  return typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.byteLength
}

/** Bytes that proto will make of it. */
function sizeOfMessage (request, flags, head, body) {
  const isChunked = request !== null && request.chunkedEncoding && request._hasBody
  let size = head.length
  if (body !== undefined) {
    const length = sizeOf(body)
    size += length
    if (isChunked) size += length.toString(16).length + 4
  }
  return isChunked && (flags & END) !== 0 ? size + 5 : size
}

// -------------------------------------------------------------------------------------------------- commands

ClientConnection.prototype.send = function send (flags, head, lines, body, length) {
  // The response said that it was the last; what the request still has to say, nobody will read.
  if (this.closing) return PENDING_MAX
  // A request cannot end with its connection: what has no framing goes out as it is.
  if ((flags & HEAD) !== 0 && (flags & UNTIL_CLOSE) === UNTIL_CLOSE) flags &= ~CHUNKED
  if ((flags & (BODY | END)) === BODY && !this.flushing && (this.stream !== null || this.attempts !== null)) this.cork()
  if (this.attempts !== null) {
    const size = hold(this, [flags, head, lines, body, length], sizeOfMessage(this.request, flags, head, body))
    // Not handed over before there is somebody to take it.
    return this.flushing || (flags & END) !== 0 ? Math.max(size, PENDING_MAX) : size
  }
  const pending = Connection.prototype.send.call(this, flags, head, lines, body, length)
  if (this.stream !== null && (flags & END) !== 0) {
    if (this.request !== null) tellEnd(this, flags)
    this.uncork()
  }
  return this.unwritten !== 0 && (flags & END) !== 0 ? Math.max(pending, PENDING_MAX) : pending
}

ClientConnection.prototype.writeRaw = function writeRaw (chunk, utf8) {
  if (this.attempts !== null) return hold(this, [chunk, utf8], sizeOf(chunk))
  return Connection.prototype.writeRaw.call(this, chunk, utf8)
}

/** Driver two: writes what the protocol produced. The stream's callbacks tell when it was handed over. */
ClientConnection.prototype.forward = function forward () {
  const chunk = native.take(this.id)
  if (chunk !== undefined) writeTo(this, chunk)
  return this.stream.writableLength ?? 0
}

function writeTo (connection, chunk) {
  const { stream, request } = connection
  if (stream.writable === false) return
  connection.unwritten++
  stream.write(chunk, (error) => {
    connection.unwritten--
    if (error) failWrites(request, error)
    else if (connection.unwritten === 0 && connection.drainWanted) connection.onDrain()
  })
}

/** Driver two: core tells of the end with an empty write of its own, where the last part does not tell of it. */
function tellEnd (connection, flags) {
  const { request } = connection
  if (request.chunkedEncoding && request._hasBody) return
  const isApart = (flags & BODY) !== 0
    ? !versions.endCallbackGetsError || request.strictContentLength
    : (flags & HEAD) === 0 && connection.unwritten !== 0
  if (isApart) writeTo(connection, '')
}

/** Is the way to the server still being found? */
ClientConnection.prototype.isConnecting = function isConnecting () {
  return this.attempts !== null
}

/** Bytes not taken yet. Before there is somebody to take them it is plenty for a request that asks whether it was handed over. */
ClientConnection.prototype.pending = function pending () {
  if (this.heldSize !== 0) return this.flushing ? Math.max(this.heldSize, PENDING_MAX) : this.heldSize
  const pending = Connection.prototype.pending.call(this)
  return this.unwritten !== 0 && this.flushing ? Math.max(pending, PENDING_MAX) : pending
}

ClientConnection.prototype.notifyDrain = function notifyDrain () {
  if (this.closing) return
  this.drainWanted = true
  if (this.attempts !== null || this.unwritten !== 0) return
  if (this.stream !== null) process.nextTick(drainNow, this)
  else Connection.prototype.notifyDrain.call(this)
}

function drainNow (connection) {
  if (connection.drainWanted && connection.unwritten === 0) connection.onDrain()
}

ClientConnection.prototype.shutdown = function shutdown () {
  if (this.attempts !== null) this.ending ??= 'shutdown'
  else Connection.prototype.shutdown.call(this)
}

ClientConnection.prototype.close = function close () {
  if (this.attempts !== null) {
    // What waits for a destroyed socket's connection need not be sent.
    if (this.socket.destroyed) this.destroy()
    else this.ending = 'close'
  } else Connection.prototype.close.call(this)
}

ClientConnection.prototype.destroy = function destroy (error) {
  const { attempts } = this
  if (attempts === null) {
    Connection.prototype.destroy.call(this, error)
    return
  }
  this.attempts = null
  this.held = null
  attempts.cancel()
  this.abandon()
  // As late as libuv tells of a closed handle: what 'error' there is goes first.
  setImmediate(closeUnconnected, this)
}

function closeUnconnected (connection) {
  connection.onClosed(0, 0)
}

/**
 * Idle time in milliseconds, 0 for none. Between two exchanges the agent sets it to and fro; only what it comes
 * down to is said to the I/O thread.
 */
ClientConnection.prototype.setTimeout = function (ms) {
  if (this.stream !== null) {
    Connection.prototype.setTimeout.call(this, ms)
    return
  }
  this.idle = ms
  this.stopIdleTimer()
  if (this.attempts !== null) {
    if (ms !== 0) this.idleTimer = startTimer(onIdle, ms, this).unref()
  } else if (ms !== this.idleInForce && !this.idleQueued) {
    this.idleQueued = true
    process.nextTick(applyIdle, this)
  }
}

ClientConnection.prototype.stopIdleTimer = function stopIdleTimer () {
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

// ------------------------------------------------------------------------------------------------- exchanges

/**
 * Promises the connection to a request. What befalls the socket from now on befalls the request.
 * @param {import('./client').ClientRequest} request
 */
ClientConnection.prototype.reserve = function reserve (request) {
  this.request = request
  this.response = null
  this.failed = false
  const resource = request[kResource] = new AsyncResource('HTTPCLIENTREQUEST', RESOURCE_OPTIONS)
  if (this.socket[kAsyncId] === -1) this.socket[kAsyncId] = resource.asyncId()
  if (!this.watching || this.stream !== null) watch(this)
}

/** Begins the exchange. */
ClientConnection.prototype.begin = function begin (request) {
  this.socket._httpMessage = request
  this.stopIdleTimer()
  const config = configOf(request)
  if (config !== this.config && this.id !== -1) native.configure(this.id, config)
  this.config = config
  Parser.take(this, request)
  if (this.stream !== null) hear(this)
}

/** Sends what the request has said before it had a connection. */
ClientConnection.prototype.flush = function flush (request) {
  const { stream } = this
  this.flushing = true
  stream?.cork?.()
  request._flush()
  stream?.uncork?.()
  this.flushing = false
}

function configOf (request) {
  const { maxHeaderSize: size, maxHeadersCount: count, insecureHTTPParser: insecure, httpValidation } = request
  if (size === undefined && insecure === undefined && httpValidation === undefined && typeof count !== 'number') {
    return plainConfig
  }
  return {
    maxHeaderSize: size || plainConfig.maxHeaderSize,
    maxHeaders: typeof count === 'number' && count >= 0 ? count : MAX_HEADERS,
    truncateHeaders: plainConfig.truncateHeaders,
    leniency: leniencyOf(insecure, httpValidation)
  }
}

/** Idle since the last exchange: did the peer end it since, or say what nobody asked for? Asks the kernel. */
ClientConnection.prototype.isStale = function isStale () {
  return this.id === -1 || (this.attempts === null && native.isStale(this.id) !== 0)
}

/** Gives the connection free: the exchange is over and the transport may carry another. */
ClientConnection.prototype.end = function end () {
  leave(this)
  if (this.request !== null) {
    freeParser(this)
    // Promised, but it never came to an exchange.
    if (!this.request.socket) this.request[kResource].emitDestroy()
  }
  this.request = null
  this.response = null
}

/** Nothing more is to be parsed for the exchange. */
function freeParser (connection) {
  if (Parser.leave(connection)) connection.request[kResource].emitDestroy()
}

/** The listeners of its socket as core has them. */
ClientConnection.prototype.listenersShown = function listenersShown (event, listeners) {
  return shown(this, event, listeners)
}

ClientConnection.prototype.onResponse = function onResponse (flags, status, version, reasonLength, fieldCount, text) {
  const { request } = this
  // Nobody asked: an answer that waits here would be taken for the next request's (response queue poisoning).
  if (request === null || request.res !== null) {
    this.socket.destroy()
    return
  }
  const response = newMessage(this)
  readResponse(response, status, version, reasonLength, text)
  response.joinDuplicateHeaders = request.joinDuplicateHeaders
  response.upgrade = (flags & headFlags.UPGRADE) !== 0
  request[kResource].runInAsyncScope(deliver, this, request, response, flags)
}

function deliver (request, response, flags) {
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
  response.req = request
  if (request[measure.kMeasure] !== undefined) {
    measure.end(request, response.statusCode, response.statusMessage, response.headers)
  }
  if (finishChannel.hasSubscribers) finishChannel.publish({ request, response })
  // First of its listeners: the connection is given back before anybody asks for the next.
  response.on('end', onResponseEnd)
  hearResponseTimeout(this)
  const hasBody = (flags & headFlags.BODY) !== 0
  if (hasBody) {
    this.response = response
    this.untilClose = (flags & headFlags.UNTIL_CLOSE) !== 0
  }
  // Nobody listens for it, or it is not wanted any more: then nobody will read it either.
  if (request.aborted || !request.emit('response', response)) response._dump()
  if (!hasBody) {
    freeParser(this)
    response[kComplete](undefined)
  }
}

function onResponseEnd () {
  this.req[kResponseEnded](this)
}

/** 1xx: news before the response. */
function inform (request, response) {
  if (response.statusCode === 100) request.emit('continue')
  if (request.listenerCount('information') === 0) return
  const { statusCode, statusMessage, httpVersion, httpVersionMajor, httpVersionMinor, headers, rawHeaders } = response
  request.emit('information', {
    statusCode, statusMessage, httpVersion, httpVersionMajor, httpVersionMinor, headers, rawHeaders
  })
}

/** The server left HTTP as asked: the stream is handed over, with what came behind the head. */
function detach (connection, request, response) {
  const { socket } = connection
  const event = request.method === 'CONNECT' ? 'connect' : 'upgrade'
  request.res = response
  response.req = request
  if (request.listenerCount(event) === 0) {
    socket.destroy()
    return
  }
  request.upgradeOrConnect = true
  socket.emit('agentRemove')
  unwatch(connection)
  connection.end()
  // Before anything else: it goes with the connection.
  const head = native.takeHead(connection.id)
  let isOver = false
  if (connection.stream === null) {
    connection.detached = true
    socket.detached()
    isOver = handOver(connection)
  }
  if (!isOver) {
    native.upgrade(connection.id, true)
    touch()
  }
  if (connection.stream !== null) connection.leave()
  else socket.read(0)
  socket._httpMessage = null
  socket.readableFlowing = null
  request.emit(event, response, socket, head)
  request.destroyed = true
  emitClose(request)
}

/** Driver two: the stream is somebody else's now. */
ClientConnection.prototype.leave = function leave () {
  const { id, stream } = this
  if (id === -1) return
  this.id = -1
  connections[id] = undefined
  native.release(id)
  stream[kConnection] = undefined
}

ClientConnection.prototype.onData = function onData (chunk) {
  const { request, response } = this
  if (response !== null) request[kResource].runInAsyncScope(response[kReceive], response, chunk)
}

ClientConnection.prototype.onEnd = function onEnd (fieldCount, text) {
  const { request, response } = this
  if (response === null) return
  // A body that ends with the connection is over when the socket's 'end' says so, which is next.
  if (this.untilClose && this.stream === null && !this.tapped && !this.inputEnded) return
  this.response = null
  freeParser(this)
  request[kResource].runInAsyncScope(response[kComplete], response, text)
}

ClientConnection.prototype.onParseError = function onParseError (kind, bytesParsed, rawPacket) {
  const { request, socket } = this
  // The end of the stream in the middle of a message: `onEof` and the socket's 'close' say more.
  if (rawPacket === undefined) return
  this.failed = true
  this.response = null
  hush(this)
  socket.destroy()
  if (request !== null && kind !== UNASKED) {
    socket._hadError = true
    request[kResource].runInAsyncScope(emitError, null, request, parseError(kind, bytesParsed, rawPacket))
  }
}

ClientConnection.prototype.onDrain = function onDrain () {
  this.drainWanted = false
  const { request } = this
  if (this.stream === null) this.socket.drained()
  if (request !== null) request[kResource].runInAsyncScope(request[kDrained], request)
}

ClientConnection.prototype.onEof = function onEof () {
  if (this.stream !== null) return
  // Nothing may come to a socket in the pool, not even its end.
  if (versions.unsolicitedDataDestroys && this.socket[kAsyncId] === -1) this.socket.destroy()
  else this.socket.ended()
}

/** In core the idle time is one of JavaScript's timers: those that ran out before it have their say before it. */
ClientConnection.prototype.onTimeout = function onTimeout () {
  // The same time again would be another.
  this.idleInForce = -1
  this.stopIdleTimer()
  this.idleTimer = startTimer(onIdle, 1, this).unref()
}

ClientConnection.prototype.onRaw = function onRaw (chunk) {
  this.socket.received(chunk)
}

ClientConnection.prototype.onClosed = function onClosed (errno, syscall) {
  this.errno = errno
  if (this.attempts !== null) {
    this.attempts.failed(errno)
    return
  }
  this.stopIdleTimer()
  this.leaveContext()
  this.held = null
  if (this.stream !== null) return
  // Nor is what becomes of a socket in the pool an error to anybody; see onEof.
  if (versions.unsolicitedDataDestroys && this.socket[kAsyncId] === -1) this.socket.disconnected(0, 0)
  else this.socket.disconnected(errno, syscall)
}

/**
 * The connection that carries a socket's exchanges: ours, or for any other Duplex one made now.
 * @param {import('node:stream').Duplex} socket
 */
function connectionOf (socket) {
  const known = socket[kConnection]
  if (known instanceof ClientConnection && (known.stream === null || known.id !== -1)) return known
  return new ClientConnection(native.open(1, plainConfig), socket)
}

module.exports = { ClientConnection, connectionOf }

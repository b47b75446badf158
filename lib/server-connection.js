'use strict'

/**
 * One connection to a client: its exchanges, strictly in order, and what the transport's events mean for them.
 * Carried by tokio or by a JS stream alike. Where core reacts to the events of its socket, we react to those of the
 * connection: the socket itself exists only if somebody looked.
 */

const { AsyncResource } = require('node:async_hooks')
const diagnostics = require('node:diagnostics_channel')
const { constants } = require('node:os')
const { native, headFlags } = require('./binding')
const { Connection } = require('./connection')
const { newMessage, readRequest, isTouched } = require('./incoming')
const { ServerResponse, closeResponse, originalAssignSocket } = require('./response')
const { isQuiet, baseEmit, failEndCallbacks } = require('./outgoing')
const { acceptedSocket } = require('./socket')
const { codes, connectionReset, parseError, systemError } = require('./errors')
const versions = require('./versions')
const {
  kConnection, kSocket, kNeedDrain, kUniqueHeaders, kReceive, kComplete, kDrained, kDetachSignal,
  kIncomingMessage, kServerResponse, kConnections, kOptimizeEmptyRequests
} = require('./symbols')

const { KEEP_ALIVE, BODY, UPGRADE, HAS_EXPECT, HAS_HOST, FRAMED } = headFlags
const { METHODS } = native

/** What became of output that will not be written. */
const ECANCELED = -constants.errno.ECANCELED
const WRITE = 2

const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i

const startChannel = diagnostics.channel('http.server.request.start')
const finishChannel = diagnostics.channel('http.server.response.finish')

function nothing () {}

/** What the connection answers by itself when nobody listens to 'clientError'. */
const ANSWERS = {
  HPE_HEADER_OVERFLOW: 'HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\n\r\n',
  ERR_HTTP_REQUEST_TIMEOUT: 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n'
}
const BAD_REQUEST = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'

/**
 * @param {number} id of the native connection
 * @param {import('node:stream').Duplex|null} stream driver two
 * @param {import('./server').Server} server
 * @param {import('./listener').Listener|null} listener that accepted it
 */
function ServerConnection (id, stream, server, listener) {
  Connection.call(this, id, stream)
  this.server = server
  this.listener = listener
  /** Bytes that messages and sockets buffer. */
  this.highWaterMark = server.highWaterMark
  /** Responses behind `current`, in the order of their requests; null until there was one. */
  this.queue = null
  /** The request whose body is arriving. */
  this.receiving = null
  /** The async context of everything that happens here; made with the first request. */
  this.resource = null
  /** Requests so far, counted while maxRequestsPerSocket is set. */
  this.requests = 0
  /** Bytes that queued responses hold back. */
  this.outgoingData = 0
  /** Reading is stopped because of them. */
  this.heldBack = false
  /** An error was reported; what follows from it is not another. */
  this.failed = false
  /** The client ended in the middle of a message; the error is on its way. */
  this.ending = false
  /** Driver two: the keep-alive time runs on the stream. */
  this.keepAliveSet = false
  /** Driver two: when the message that is arriving began, performance.now(); 0 between messages. */
  this.began = stream === null ? 0 : performance.now()
  server[kConnections].add(this)
}
Object.setPrototypeOf(ServerConnection.prototype, Connection.prototype)

/** The socket, as core's servers dress it. Made when somebody looks. */
ServerConnection.prototype.getSocket = function getSocket () {
  if (this.socket !== null) return this.socket
  const { server } = this
  const socket = this.socket = acceptedSocket(this, { highWaterMark: server.highWaterMark })
  socket.server = server
  // net.Socket counts itself out when it is destroyed; a connection that is gone was counted already.
  socket._server = this.id === -1 ? null : server
  socket.parser = this.detached ? null : { socket, incoming: this.receiving }
  socket._paused = false
  if (server.timeout) socket.timeout = server.timeout
  if (!this.detached) {
    socket.on('error', onSocketError)
    socket.on('close', onSocketClose)
  }
  return socket
}

/** First of the listeners: requests learn of it before anybody else does. The responses follow in `afterClose`. */
function onSocketClose () {
  this[kConnection].abort()
}

/** An error on the socket's face that did not come from the connection: somebody destroyed it with one. */
function onSocketError (error) {
  this[kConnection].fail(error)
}

/** Runs a step of an exchange in the connection's async context. */
ServerConnection.prototype.run = function run (step, self, a, b) {
  let { resource } = this
  if (resource === null) {
    resource = this.resource = this.listener === null
      ? newResource()
      : this.listener.resource.runInAsyncScope(newResource)
  }
  return resource.runInAsyncScope(step, self, a, b)
}

function newResource () {
  return new AsyncResource('HTTPINCOMINGMESSAGE', { requireManualDestroy: true })
}

// ------------------------------------------------------------------------------------------------- exchanges

ServerConnection.prototype.onRequest = function onRequest (flags, method, version, targetLength, fieldCount, text) {
  const { server, listener } = this
  if (listener !== null) listener.refresh()
  else if (this.keepAliveSet) {
    this.keepAliveSet = false
    this.stream.setTimeout?.(server.timeout || 0)
  }
  const request = newMessage(this, server[kIncomingMessage])
  readRequest(request, METHODS[method], version, targetLength, text)
  request.joinDuplicateHeaders = server.joinDuplicateHeaders
  request.upgrade = (flags & UPGRADE) !== 0
  const hasBody = (flags & BODY) !== 0
  if (!hasBody) this.began = 0
  if (hasBody) {
    this.receiving = request
    if (this.socket?.parser) this.socket.parser.incoming = request
  }
  let detached = false
  try {
    detached = this.run(this.exchange, this, request, flags)
  } finally {
    // As in core: complete when the handler's first turn is over, not before.
    if (!hasBody && detached !== true && !request.complete) request[kComplete](undefined)
  }
}

/** Begins an exchange. @returns {boolean} whether the connection left HTTP instead */
ServerConnection.prototype.exchange = function exchange (request, flags) {
  const { server } = this
  if ((flags & UPGRADE) !== 0) {
    request.upgrade = request.method === 'CONNECT' || Boolean(server.shouldUpgradeCallback(request))
    if (request.upgrade) {
      this.detach(request)
      return true
    }
    this.upgrade(false)
  }

  const Class = server[kServerResponse]
  const response = new Class(request, {
    highWaterMark: server.highWaterMark,
    rejectNonStandardBodyWrites: server.rejectNonStandardBodyWrites
  })
  response._keepAliveTimeout = server.keepAliveTimeout
  response._maxRequestsPerSocket = server.maxRequestsPerSocket
  response.shouldKeepAlive = (flags & KEEP_ALIVE) !== 0
  if (server[kUniqueHeaders] !== null) response[kUniqueHeaders] = server[kUniqueHeaders]

  if (startChannel.hasSubscribers) startChannel.publish({ request, response, socket: this.getSocket(), server })

  if (this.current === null) this.attach(response)
  else this.enqueue(response)

  if (request.httpVersionMajor === 1 && request.httpVersionMinor === 1) {
    if (server.requireHostHeader && (flags & HAS_HOST) === 0) {
      response.writeHead(400, ['Connection', 'close'])
      response.end()
      return false
    }
    if (server.maxRequestsPerSocket > 0) {
      this.requests++
      response.maxRequestsOnConnectionReached = server.maxRequestsPerSocket <= this.requests
      if (server.maxRequestsPerSocket < this.requests) {
        server.emit('dropRequest', request, this.getSocket())
        response.writeHead(503)
        response.end()
        return false
      }
    }
    if ((flags & HAS_EXPECT) !== 0 && !expect(server, request, response)) return false
  }

  if (versions.optimizeEmptyRequests && server[kOptimizeEmptyRequests] && (flags & FRAMED) === 0) {
    request._dumpAndCloseReadable()
  }
  server.emit('request', request, response)
  return false
}

/** Answers Expect. @returns {boolean} whether 'request' is still to be emitted */
function expect (server, request, response) {
  if (CONTINUE.test(request.headers.expect)) {
    response._expect_continue = true
    if (server.listenerCount('checkContinue') > 0) {
      server.emit('checkContinue', request, response)
      return false
    }
    response.writeContinue()
    return true
  }
  if (server.listenerCount('checkExpectation') > 0) {
    server.emit('checkExpectation', request, response)
  } else {
    response.writeHead(417)
    response.end()
  }
  return false
}

/** Gives the connection to a response whose turn it is. */
ServerConnection.prototype.attach = function attach (response) {
  if (this.stream !== null || response.assignSocket !== originalAssignSocket) {
    response.assignSocket(this.getSocket())
    this.current = response
    if (this.stream !== null) this.stream.on('close', onStreamClosed)
    return
  }
  this.current = response
  response[kConnection] = this
  response[kSocket] = this.socket === null ? undefined : this.socket
  if (!isQuiet(response)) response.emit('socket', this.getSocket())
  if (response.outputData.length !== 0) response._flush()
  else if (response[kNeedDrain]) response._flush()
}

/** Lets a response wait for those before it. */
ServerConnection.prototype.enqueue = function enqueue (response) {
  if (this.queue === null) this.queue = []
  this.queue.push(response)
  response._onPendingData = (amount) => {
    this.outgoingData += amount
    if (this.heldBack && this.outgoingData < this.highWaterMark) {
      this.heldBack = false
      this.resume()
    }
  }
  // A client that asks faster than it reads is not read from.
  if (!this.heldBack && this.outgoingData >= this.highWaterMark) {
    this.heldBack = true
    this.pause()
  }
}

/** The last byte of a response was handed over: the next takes its place. */
ServerConnection.prototype.finishExchange = function finishExchange (response) {
  if (response !== this.current) return
  const request = response.req
  if (finishChannel.hasSubscribers) {
    finishChannel.publish({ request, response, socket: this.getSocket(), server: this.server })
  }
  if (!request._consuming) {
    request._dump()
    // An empty request ends at once there, without waiting for the flow to begin.
    if (versions.requestEndsFirst && isTouched(request) && request.complete && request.readableLength === 0) request.read(0)
  }
  if (versions.messageSignal) request[kDetachSignal]?.()

  this.current = null
  if (this.stream !== null) this.stream.removeListener('close', onStreamClosed)
  if (this.stream !== null || response.assignSocket !== originalAssignSocket) response.detachSocket(this.getSocket())
  response[kConnection] = null
  response[kSocket] = null

  if (response._events === undefined && response.emit === baseEmit) {
    response.destroyed = true
    response._closed = true
  } else {
    process.nextTick(closeResponse, response)
  }

  if (response._last) {
    // The end of the message said so to the native side. Whoever wrote the last bytes raw, or set `_last` late, did not.
    this.close()
  } else if (this.queue !== null && this.queue.length !== 0) {
    this.attach(this.queue.shift())
  } else if (this.stream !== null && this.server.keepAliveTimeout && typeof this.stream.setTimeout === 'function') {
    this.stream.setTimeout(this.server.keepAliveTimeout + (this.server.keepAliveTimeoutBuffer ?? 1000))
    this.keepAliveSet = true
  }
}

/** Upgrade or CONNECT: hands the raw stream over. */
ServerConnection.prototype.detach = function detach (request) {
  const { server, stream } = this
  const event = request.method === 'CONNECT' ? 'connect' : 'upgrade'
  this.detached = true
  server[kConnections].delete(this)
  native.upgrade(this.id, true)
  const head = native.takeHead(this.id)
  const socket = this.getSocket()
  if (stream === null) {
    socket.removeListener('error', onSocketError)
    socket.removeListener('close', onSocketClose)
    socket.detached()
    socket.parser = null
    this.setTimeout(server.timeout || 0)
  } else {
    this.leave()
  }
  request[kComplete](undefined)
  // A socket that nobody takes is closed.
  if (server.listenerCount(event) === 0) socket.destroy()
  else server.emit(event, request, socket, head)
}

/** Driver two: the stream is somebody else's now. */
ServerConnection.prototype.leave = function leave () {
  const { id, stream } = this
  stopListening(this)
  stream.parser = null
  stream[kConnection] = undefined
  stream.readableFlowing = null
  this.forget(id)
}

// ----------------------------------------------------------------------------------------------- bodies, errors

function receive (chunk) {
  this[kReceive](chunk)
}

ServerConnection.prototype.onData = function onData (chunk) {
  const { receiving } = this
  if (receiving !== null) this.run(receive, receiving, chunk)
}

function complete (trailers) {
  this[kComplete](trailers)
}

ServerConnection.prototype.onEnd = function onEnd (fieldCount, text) {
  const { receiving } = this
  if (receiving === null) return
  this.receiving = null
  this.began = 0
  if (this.socket?.parser) this.socket.parser.incoming = null
  this.run(complete, receiving, text)
}

ServerConnection.prototype.onParseError = function onParseError (kind, bytesParsed, rawPacket) {
  const error = parseError(kind, bytesParsed, rawPacket)
  if (rawPacket === undefined && this.socket !== null && this.stream === null) {
    // The client left in the middle of a message. Its socket ends first, as it does in core.
    this.ending = true
    this.socket.ended()
    process.nextTick(failLater, this, error)
  } else {
    this.fail(error)
  }
}

function failLater (connection, error) {
  connection.fail(error)
}

/** Does anybody but us hear this event of the server? */
function isHeard (server, event) {
  return server.listenerCount(event) !== 0 || server.emit !== baseEmit
}

/** Something is wrong with the client: tells 'clientError', or answers and closes. */
ServerConnection.prototype.fail = function fail (error) {
  if (this.failed) return
  this.failed = true
  const { server } = this
  if (isHeard(server, 'clientError') && server.emit('clientError', error, this.getSocket())) return
  const { current } = this
  if (this.isWritable() && (current === null || !current._headerSent)) {
    this.writeRaw(ANSWERS[error.code] ?? BAD_REQUEST, false)
  }
  if (this.socket !== null) this.socket.destroy(error)
  else this.close()
}

ServerConnection.prototype.isWritable = function isWritable () {
  if (this.id === -1) return false
  return this.socket === null || this.socket.writable === true
}

/** headersTimeout or requestTimeout is over. */
ServerConnection.prototype.onExpired = function onExpired (which) {
  this.fail(new codes.ERR_HTTP_REQUEST_TIMEOUT())
}

/** Driver two: does the message that is arriving take too long? Milliseconds, 0 for no limit. */
ServerConnection.prototype.expire = function expire (headers, request) {
  if (this.began === 0) return
  const elapsed = performance.now() - this.began
  if (headers > 0 && this.receiving === null && elapsed >= headers) this.onExpired(1)
  else if (request > 0 && elapsed >= request) this.onExpired(2)
}

/** The connection was idle for the time set. */
ServerConnection.prototype.onTimeout = function onTimeout () {
  const { server, current, receiving, socket } = this
  if (this.detached) {
    socket.timedOut()
    return
  }
  let heard = false
  if (receiving !== null && isTouched(receiving)) heard = receiving.emit('timeout', this.getSocket())
  else if (receiving === null && current !== null && !current.req.complete) heard = current.req.emit('timeout', this.getSocket())
  if (current !== null && !isQuiet(current)) heard = current.emit('timeout', this.getSocket()) || heard
  if (isHeard(server, 'timeout')) heard = server.emit('timeout', this.getSocket()) || heard
  if (socket !== null && this.stream === null) socket.timedOut()
  if (heard) return
  if (socket !== null) socket.destroy()
  else this.destroy()
}

ServerConnection.prototype.onDrain = function onDrain () {
  const { current, socket } = this
  if (current !== null) this.run(current[kDrained], current)
  if (socket !== null && this.stream === null) socket.drained()
}

ServerConnection.prototype.onRaw = function onRaw (chunk) {
  this.getSocket().received(chunk)
}

// ------------------------------------------------------------------------------------------------------- the end

/** The client sent FIN. Unless httpAllowHalfOpen is set our side ends too, and with it the exchanges under way. */
ServerConnection.prototype.onEof = function onEof () {
  const { server, socket, current, queue } = this
  if (socket !== null && this.stream === null) socket.ended()
  if (this.detached || this.ending) return
  if (!server.httpAllowHalfOpen) {
    this.endOutput()
  } else if (queue !== null && queue.length !== 0) {
    queue[queue.length - 1]._last = true
  } else if (current !== null) {
    current._last = true
  } else {
    this.endOutput()
  }
}

ServerConnection.prototype.endOutput = function endOutput () {
  if (this.socket !== null) this.socket.end()
  else this.shutdown()
}

/** Every request without a finished response is lost. */
ServerConnection.prototype.abort = function abort () {
  const { current, queue } = this
  if (current !== null) abortRequest(current.req)
  if (queue !== null) for (const response of queue) abortRequest(response.req)
}

function abortRequest (request) {
  if (!request.destroyed) request.destroy(connectionReset('aborted'))
}

ServerConnection.prototype.onClosed = function onClosed (errno, syscall) {
  const { server, socket, stream } = this
  this.errno = errno
  if (!this.detached) server[kConnections].delete(this)
  if (stream === null && socket !== null) {
    // Its 'close' leads to the rest, in core's order.
    socket.disconnected(errno, syscall)
    return
  }
  if (errno !== 0) this.fail(systemError(errno, syscall))
  if (stream === null) {
    server._connections--
    server._emitCloseIfDrained()
  }
  this.abort()
  this.afterClose()
}

/** Everybody knows that the connection is closed. */
ServerConnection.prototype.afterClose = function afterClose () {
  if (!this.detached) this.closeResponses()
  this.receiving = null
  if (this.resource !== null) this.resource.emitDestroy()
}

ServerConnection.prototype.closeResponses = function closeResponses () {
  const { current, queue } = this
  this.current = null
  if (current !== null) {
    failEndCallbacks(current, systemError(ECANCELED, WRITE))
    closeResponse(current)
    detachFrom(current)
  }
  if (queue === null) return
  this.queue = null
  if (!versions.closesQueuedResponses) return
  for (const response of queue) closeResponse(response)
}

/** The response keeps its socket's face but has no connection to send to. */
function detachFrom (response) {
  if (response[kSocket] === undefined) response[kSocket] = null
  response[kConnection] = null
}

/** Driver two: the native side is done with. */
ServerConnection.prototype.forget = function forget (id) {
  if (id === -1) return
  this.server[kConnections].delete(this)
  this.id = -1
  require('./binding').connections[id] = undefined
  native.release(id)
}

/** Closes the connection: server.closeAllConnections(). */
ServerConnection.prototype.terminate = function terminate () {
  if (this.socket !== null) this.socket.destroy()
  else this.destroy()
}

/** 0 busy, 1 between exchanges, 2 no byte ever received. */
ServerConnection.prototype.idleness = function idleness () {
  if (this.id === -1 || this.current !== null) return 0
  return native.isIdle(this.id)
}

// -------------------------------------------------------------------------------------------------- driver two

/** Serves HTTP over a JS stream. */
function serveStream (server, stream) {
  const id = native.open(0, server.parserConfig())
  const connection = new ServerConnection(id, stream, server, null)
  stream.server = server
  if (stream._server === undefined) stream._server = null
  stream.parser = { socket: stream, incoming: null }
  stream._paused = false
  stream._httpMessage = null
  if (server.timeout && typeof stream.setTimeout === 'function') stream.setTimeout(server.timeout)
  stream.setEncoding = refuseEncoding
  stream.on('data', onStreamData)
  stream.on('end', onStreamEnd)
  stream.on('close', onStreamClose)
  stream.on('error', onStreamError)
  stream.on('timeout', onStreamTimeout)
  return connection
}

/** The bytes belong to the messages; nobody may change how they are read. */
function refuseEncoding () {
  throw new codes.ERR_HTTP_SOCKET_ENCODING()
}

function stopListening ({ stream }) {
  delete stream.setEncoding
  stream.removeListener('data', onStreamData)
  stream.removeListener('end', onStreamEnd)
  stream.removeListener('close', onStreamClose)
  stream.removeListener('error', onStreamError)
  stream.removeListener('timeout', onStreamTimeout)
  stream.removeListener('close', onStreamClosed)
}

function onStreamData (chunk) {
  const connection = this[kConnection]
  if (connection.began === 0) connection.began = performance.now()
  connection.receive(chunk)
}

function onStreamEnd () {
  const connection = this[kConnection]
  connection.receive(null)
}

function onStreamClose () {
  const connection = this[kConnection]
  connection.forget(connection.id)
  connection.abort()
  // A response that has the stream hears of it last, behind the listeners of others.
  if (connection.current === null) connection.afterClose()
}

function onStreamClosed () {
  this[kConnection].afterClose()
}

function onStreamError (error) {
  this.removeListener('error', onStreamError)
  // Errors behind the first are its consequences.
  if (this.listenerCount('error') === 0) this.on('error', nothing)
  this[kConnection].fail(error)
}

function onStreamTimeout () {
  this[kConnection].onTimeout()
}

module.exports = { ServerConnection, serveStream, ServerResponse }

'use strict'

/**
 * One connection to a client: its exchanges, strictly in order, and what the transport's events mean for them.
 * Carried by tokio or by a JS stream alike. Where core reacts to the events of its socket, we react to those of the
 * connection: the socket itself exists only if somebody looked.
 */

const diagnostics = require('node:diagnostics_channel')
const { process, elapsed } = require('../host')
const { native, headFlags } = require('../binding')
const { Connection } = require('../connection/connection')
const { newMessage, readRequest, foldFirst, isTouched } = require('../message/incoming')
const { closeResponse, originalAssignSocket, originalDetachSocket } = require('./response')
const { isQuiet, baseEmit } = require('../message/outgoing')
const { acceptedSocket } = require('../connection/socket')
const { exchange, newResource } = require('./exchange')
const { beginUpgraded } = require('./upgrade')
const { failureMembers } = require('./client-error')
const { endMembers } = require('./close')
const { idleMembers } = require('./idle-timeout')
const { Parser } = require('../connection/parser-facade')
const { tellAnswered, onDrain } = require('../message/delegate')
const versions = require('../core/versions')
const {
  kConnection, kNative, kSocket, kNeedDrain, kReceive, kComplete, kDrained, kDetachSignal, kIncomingMessage, kConnections
} = require('../core/symbols')

const { BODY, UPGRADE, SURPLUS } = headFlags
const { METHODS } = native

const finishChannel = diagnostics.channel('http.server.response.finish')

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
  this.highWaterMark = stream === null ? server.highWaterMark : stream.writableHighWaterMark
  /** Responses behind `current`, in the order of their requests; null until there was one. */
  this.queue = null
  /** Requests whose response was taken from its socket before it was over; null until there was one. */
  this.dismissed = null
  /** The request whose body is arriving. */
  this.receiving = null
  /** The last request, until it was read and its response sent: `socket.parser.incoming`. */
  this.incoming = null
  /** The async context of everything that happens here; made with the first request. */
  this.resource = null
  /** The body of a request is arriving behind which the connection leaves HTTP (lib/server/upgrade.js). */
  this.switching = null
  /** 'connection' is being emitted, and its listeners that come before the server's own are called. */
  this.isOffered = false
  /** It has left HTTP, but owes answers to requests from before. */
  this.isAnswering = false
  /** Requests so far, counted while maxRequestsPerSocket is set. */
  this.requests = 0
  /** Bytes that queued responses hold back. */
  this.outgoingData = 0
  /** The transport took less than it was given, and will say when it took the rest. */
  this.needDrain = false
  /** Reading is stopped because of that. */
  this.heldBack = false
  /** An error was reported; what follows from it is not another. */
  this.failed = false
  /** A listener threw at a request: that, and what was to answer it (lib/server/client-error.js). */
  this.thrown = null
  /** Something came behind the request that was to be the last: no other begins, and what waits for none is idle. */
  this.isClosing = false
  /** The client ended in the middle of a message: what is wrong with that. */
  this.endError = null
  /** What the end of the client's side means was seen to. */
  this.inputEnded = false
  /** Everybody was told that the connection is closed; what is still on its way up comes too late. */
  this.isGone = false
  /** Idle time while an exchange is under way, ms; 0 for none. */
  this.idle = listener === null ? 0 : listener.idle
  /** Runs a function in the context in which the application set that, null if it did not. */
  this.timerScope = null
  /** server._connections counts it, and nobody but us will count it out. */
  this.isCounted = stream === null
  /** Driver two: the keep-alive time runs on the stream. */
  this.keepAliveSet = false
  /** Driver two: when the message that is arriving began, ms; 0 between messages. */
  this.began = stream === null ? 0 : elapsed()
  server[kConnections].add(this)
}
Object.setPrototypeOf(ServerConnection.prototype, Connection.prototype)
Object.assign(ServerConnection.prototype, failureMembers, endMembers, idleMembers)

/** The socket, as core's servers dress it. Made when somebody looks. */
ServerConnection.prototype.getSocket = function getSocket () {
  if (this.socket !== null) return this.socket
  const { server } = this
  const socket = this.socket = acceptedSocket(this, { highWaterMark: server.highWaterMark })
  socket.server = server
  // net.Socket counts itself out when it is destroyed.
  socket._server = this.isCounted ? server : null
  socket.parser = this.detached || this.id === -1 ? null : Parser.of(this, socket)
  socket._paused = this.heldBack
  if (server.timeout) socket.timeout = server.timeout
  if (!this.detached) {
    socket.on('error', onSocketError)
    socket.on('end', onSocketEnd)
    socket.on('close', onSocketClose)
  }
  if (this.current !== null) socket.on('close', onCarrierClose)
  if (this.givenUp && this.id !== -1) socket.destroy()
  // Our side was ended before there was a socket to be ended.
  else if (this.outputEnded) socket._writableState.ending = socket._writableState.ended = true
  return socket
}

/** Only to be shown: what core hears from its socket the connection is told of. */
function onSocketEvent () {}

/** The listeners of the socket as core has them. */
ServerConnection.prototype.listenersShown = function listenersShown (event, listeners) {
  if (this.detached) return listeners
  switch (event) {
    case 'data':
      return this.tapped ? listeners : [onSocketEvent, ...listeners]
    case 'drain':
      return [onSocketEvent, ...listeners.filter((listener) => listener !== onDrain)]
    case 'timeout':
    case 'pause':
    case 'resume':
      return [onSocketEvent, ...listeners]
    default:
      return listeners
  }
}

/** First of the listeners: requests learn of it before anybody else does. */
function onSocketClose () {
  const connection = this[kConnection]
  Parser.free(this)
  connection.isGone = true
  connection.abort()
}

/**
 * The response's own: there while it has the socket, from when it got it. So whoever listened before hears first, and
 * whoever listens in the handler hears after the response.
 */
function onCarrierClose () {
  const connection = this[kConnection]
  if (connection.stream === null || connection.detached) connection.closeResponses()
  else connection.afterClose()
}

/** First of the listeners, too. */
function onSocketEnd () {
  const connection = this[kConnection]
  if (connection.tapped) connection.receive(null)
  connection.endInput()
}

/** An error on the socket's face that did not come from the connection: somebody destroyed it with one. */
function onSocketError (error) {
  this[kConnection].failOnce(error)
}

/** Runs a step of an exchange in the connection's async context. */
ServerConnection.prototype.run = function run (step, self, a, b) {
  let { resource } = this
  if (resource === null) {
    const context = this.listener?.resource ?? null
    resource = this.resource = context === null ? newResource(this) : context.runInAsyncScope(newResource, undefined, this)
  }
  return resource.runInAsyncScope(step, self, a, b)
}

// ------------------------------------------------------------------------------------------------- exchanges

ServerConnection.prototype.onRequest = function onRequest (flags, method, version, targetLength, fieldCount, text) {
  const { server, listener } = this
  if (this.isGone || (this.thrown !== null && this.isSpoilt(undefined))) return
  if (listener !== null) {
    listener.refresh()
    if (this.timerScope !== null && this.current === null) this.timerScope = null
    if (this.idle !== listener.idle && this.resource !== null) {
      // The native side began with the idle time that it knew of when the request came.
      this.idle = listener.idle
      this.resetTimeout(this.idle)
    }
  } else if (this.keepAliveSet) {
    this.keepAliveSet = false
    this.stream.setTimeout?.(server.timeout || 0)
  }
  const request = newMessage(this, server[kIncomingMessage])
  readRequest(request, METHODS[method], version, targetLength, text)
  request.joinDuplicateHeaders = server.joinDuplicateHeaders || null
  if ((flags & SURPLUS) !== 0) foldFirst(request, fieldCount)
  request.upgrade = (flags & UPGRADE) !== 0
  const hasBody = (flags & BODY) !== 0
  if (!hasBody) this.began = 0
  if (hasBody) this.receiving = request
  this.incoming = request
  if (this.needDrain || this.outgoingData !== 0 || this.socket !== null) this.throttle()
  let detached = false
  try {
    detached = this.run(exchange, this, request, flags)
  } catch (error) {
    if (!this.detached) this.threw(request)
    throw error
  } finally {
    // As in core: complete when the handler's first turn is over, not before.
    if (!hasBody && detached !== true && !request.complete && this.thrown === null) {
      // Its events come of the parser's, unless nobody can hear any.
      if (isTouched(request)) this.run(complete, request, undefined)
      else request[kComplete](undefined)
    }
  }
}

/** Does somebody want to see how the response gets its socket and loses it? */
function isPatched (response) {
  return response.assignSocket !== originalAssignSocket || response.detachSocket !== originalDetachSocket
}

/** Gives the connection to a response whose turn it is. */
ServerConnection.prototype.attach = function attach (response) {
  if (this.stream !== null || isPatched(response) || response[kNative] !== true) {
    response.assignSocket(this.getSocket())
    this.current = response
    this.socket.on('close', onCarrierClose)
    return
  }
  const { socket } = this
  this.current = response
  response[kConnection] = this
  if (socket === null) {
    response[kSocket] = undefined
  } else {
    response[kSocket] = socket
    socket.on('close', onCarrierClose)
  }
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
    this.slacken()
    this.tellDrained()
  }
}

/** Core looks whether the current response may go on whenever another's parts come or go. */
ServerConnection.prototype.tellDrained = function tellDrained () {
  const { current } = this
  if (current === null || current.finished || !current[kNeedDrain]) return
  if (versions.drainedMeansEmpty && current.writableLength !== 0) return
  current[kNeedDrain] = false
  current.emit('drain')
}

/** A client that asks faster than it reads is not read from. */
ServerConnection.prototype.throttle = function throttle () {
  const isFull = this.needDrain || this.socket?.writableNeedDrain === true
  if (this.heldBack || (!isFull && this.outgoingData < this.highWaterMark)) return
  this.heldBack = true
  if (this.socket !== null) this.socket._paused = true
  this.holdBack()
}

/** It has read enough. */
ServerConnection.prototype.slacken = function slacken () {
  if (!this.heldBack || this.outgoingData > this.highWaterMark) return
  this.heldBack = false
  if (this.socket !== null) this.socket._paused = false
  this.goOn()
}

ServerConnection.prototype.isReceiving = function isReceiving () {
  return this.receiving !== null
}

ServerConnection.prototype.takes = function takes () {
  const at = Connection.prototype.takes.call(this)
  if (at !== 0) this.needDrain = true
  return at
}

ServerConnection.prototype.notifyDrain = function notifyDrain () {
  this.needDrain = true
  Connection.prototype.notifyDrain.call(this)
}

/** The last byte of a response was handed over: the next takes its place. */
ServerConnection.prototype.finishExchange = function finishExchange (response) {
  if (response !== this.current) return
  if (response[kNative] !== true) tellAnswered(this)
  const request = response.req
  if (finishChannel.hasSubscribers) {
    finishChannel.publish({ request, response, socket: this.getSocket(), server: this.server })
  }
  // Whether it is read after all shows in the next tick, which core's responses are finished behind.
  if (isAboutToFlow(request)) process.nextTick(dumpUnread, request)
  else if (!request._consuming) request._dump()
  if (versions.messageSignal) request[kDetachSignal]?.()

  this.current = null
  if (this.incoming === request) {
    // Nobody can hear the end of a request that nobody has touched.
    if (isTouched(request) && !request.readableEnded) request.on('end', clearIncoming)
    else this.incoming = null
  }
  const { socket } = this
  if (socket !== null) socket.removeListener('close', onCarrierClose)
  if (this.stream !== null || isPatched(response)) response.detachSocket(this.getSocket())
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
    this.outputEnded = true
    if (socket !== null && this.stream === null) socket.destroySoon()
    else this.close()
  } else if (this.queue !== null && this.queue.length !== 0) {
    this.attach(this.queue.shift())
  } else if (this.stream !== null || this.listener.keepAliveFault !== null) {
    this.keepForNext()
  }
  if (this.isAnswering && this.current === null) this.owesNothing()
}

function isAboutToFlow (request) {
  return !request._consuming && isTouched(request) && request._readableState.resumeScheduled
}

/** Nobody reads the request: what there is of its body must not keep the next from being read. */
function dumpUnread (request) {
  if (!request._consuming && !isAboutToFlow(request)) request._dump()
}

/** Somebody has taken the connection from a response that is not over: its request is told when the connection closes. */
ServerConnection.prototype.dismiss = function dismiss (response) {
  this.current = null
  this.dismissed ??= []
  this.dismissed.push(response.req)
  this.socket?.removeListener('close', onCarrierClose)
}

/** It has left HTTP, and the last answer from before is sent. */
ServerConnection.prototype.owesNothing = function owesNothing () {
  this.isAnswering = false
}

/** A request was read after its response had been sent. */
function clearIncoming () {
  const connection = this[kConnection]
  if (connection.incoming === this) connection.incoming = null
}

/** HTTP is over here: what the socket says is no longer the server's business. */
ServerConnection.prototype.stopListening = function stopListening () {
  const { socket } = this
  socket.removeListener('drain', onDrain)
  socket.removeListener('error', onSocketError)
  socket.removeListener('end', onSocketEnd)
  socket.removeListener('close', onSocketClose)
}

// ----------------------------------------------------------------------------------------------------- bodies

function receive (chunk) {
  this[kReceive](chunk)
}

ServerConnection.prototype.onData = function onData (chunk) {
  const { receiving } = this
  if (this.thrown !== null && this.isSpoilt(chunk)) return
  if (receiving !== null) this.run(receive, receiving, chunk)
}

function complete (trailers) {
  this[kComplete](trailers)
}

ServerConnection.prototype.onEnd = function onEnd (fieldCount, text) {
  const { receiving } = this
  if (receiving === null || (this.thrown !== null && this.isSpoilt(undefined))) return
  this.receiving = null
  this.began = 0
  this.run(complete, receiving, text)
  if (this.switching !== null && this.switching.stream !== null) this.run(beginUpgraded, undefined, this)
}

ServerConnection.prototype.onDrain = function onDrain () {
  const { current, socket } = this
  this.needDrain = false
  this.slacken()
  if (current !== null && !this.givenUp) this.run(current[kDrained], current)
  if (socket !== null && this.stream === null) socket.drained()
}

ServerConnection.prototype.onRaw = function onRaw (chunk) {
  this.getSocket().received(chunk)
}

module.exports = { ServerConnection, onCarrierClose }

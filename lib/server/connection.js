'use strict'

/**
 * One connection to a client: its exchanges, and what the transport's events mean for them. The same
 * for native connections and JS streams. Reacts to the connection's events where core reacts to its socket's: the socket
 * itself is made only when it is read.
 */

const { Readable } = require('node:stream')
const { elapsed } = require('../host')
const { native, headFlags } = require('../binding')
const { Connection } = require('../connection/connection')
const { IncomingMessage, newMessage, readRequest, isTouched } = require('../message/incoming')
const { ServerResponse } = require('./response')
const { rebase } = require('../core/messages')
const { acceptedSocket, onTapped } = require('../connection/socket')
const { limitMembers } = require('./limits')
const { exchange, newResource } = require('./exchange')
const { beginUpgraded } = require('./upgrade')
const { failureMembers } = require('./client-error')
const { endMembers } = require('./close')
const { idleMembers } = require('./idle-timeout')
const { orderMembers } = require('./response-order')
const { Parser } = require('../connection/parser-facade')
const { leaveToCore, onDrain } = require('../message/delegate')
const { kConnection, kReceive, kComplete, kDrained, kIncomingMessage, kConnections } = require('../core/symbols')

const { BODY, UPGRADE } = headFlags
const { METHODS } = native

/**
 * @param {number} id of the native connection
 * @param {import('node:stream').Duplex|null} stream of driver two; null for a native connection
 * @param {import('./server').Server} server
 * @param {import('./listener').Listener|null} listener that accepted it; null for driver two
 */
function ServerConnection (id, stream, server, listener) {
  Connection.call(this, id, stream)
  this.server = server
  this.listener = listener
  /** Bytes that messages and sockets buffer before they stop reading. */
  this.highWaterMark = stream === null ? server.highWaterMark : stream.writableHighWaterMark
  /** Responses behind `current`, in the order of their requests; null until the first. */
  this.queue = null
  /** Requests whose responses were detached from the socket before they were over; null until the first. */
  this.dismissed = null
  /** The last request, until it was read and its response sent: `socket.parser.incoming`. */
  this.incoming = null
  /** The async context of everything that happens here; made with the first request. */
  this.resource = null
  /** What follows the arriving body, if the connection leaves HTTP behind it (a Switch, lib/server/upgrade.js); null if nothing. */
  this.switching = null
  /** True while 'connection' is emitted to the listeners before the server's own: then it counts as detached (lib/server/offer.js). */
  this.isOffered = false
  /** True while a connection that has left HTTP owes answers to requests from before. */
  this.isAnswering = false
  /** The listeners of its socket then, if that is core's own by now; null before. */
  this.left = null
  /** Requests so far, counted while maxRequestsPerSocket is set. */
  this.requests = 0
  /** Bytes that the queued responses have gathered: core's socketState.outgoingData. */
  this.outgoingData = 0
  /** Counts what they gather; null until the first. */
  this.onPending = null
  /** True if the transport has not taken all; `onDrain` follows. */
  this.needDrain = false
  /** True while reading is stopped because of the output. */
  this.heldBack = false
  /** True once an error was reported; what follows from it is not reported. */
  this.failed = false
  /** The error with which the transport was lost before there was a socket to have it; null for none. */
  this.fault = null
  /** The request at which a listener threw, with its response (lib/server/client-error.js); null if none. */
  this.thrown = null
  /** True if bytes came behind a request that was to be the last: no other request begins, and without one it counts as idle. */
  this.isClosing = false
  /** The parser's error about the client's FIN in the middle of a message; null if there is none. */
  this.endError = null
  /** True once the end of the client's side was handled. */
  this.inputEnded = false
  /** True once the close was reported to requests and responses; events that arrive later are ignored. */
  this.isGone = false
  /** Idle time while an exchange is under way, ms; 0 for none. */
  this.idle = listener === null ? 0 : listener.idle
  /** Runs a function in the context in which the application set the idle time; null if the application did not. */
  this.timerScope = null
  /** True if server._connections counts it and this connection has to count itself out. */
  this.isCounted = stream === null
  /** Driver two: true while the keep-alive time runs on the stream. */
  this.keepAliveSet = false
  /** Driver two: when the message that is arriving began, ms of `elapsed()`; 0 between messages. */
  this.began = stream === null ? 0 : elapsed()
  server[kConnections].add(this)
}
Object.setPrototypeOf(ServerConnection.prototype, Connection.prototype)
Object.assign(ServerConnection.prototype, failureMembers, endMembers, idleMembers, orderMembers, limitMembers)

/** Gives the socket, with the properties that core's server gives it. Made at the first call. */
ServerConnection.prototype.getSocket = function getSocket () {
  if (this.socket !== null) return this.socket
  const { server } = this
  const socket = this.socket = acceptedSocket(this, { highWaterMark: server.highWaterMark })
  socket.server = server
  // net.Socket counts itself out when it is destroyed.
  socket._server = this.isCounted ? server : null
  if (!this.isOffered) this.equip(socket)
  return socket
}

/** Gives the socket what core's connectionListener gives it. */
ServerConnection.prototype.equip = function equip (socket) {
  const { server } = this
  socket.parser = this.detached || this.id === -1 ? null : Parser.of(this, socket)
  socket._paused = this.heldBack
  if (server.timeout) socket.timeout = server.timeout
  if (!this.detached) {
    socket.on('error', onSocketError)
    socket.on('timeout', onSocketTimeout)
    socket.on('end', onSocketEnd)
    socket.on('close', onSocketClose)
  }
  if (this.current !== null) socket.on('close', this.closeListener())
  if (this.givenUp && this.id !== -1) socket.destroy()
  // Our side was ended before there was a socket to be ended.
  else if (this.outputEnded) socket._writableState.ending = socket._writableState.ended = true
}

/** Begins HTTP: the server's own listener was called with the socket. In core the parser takes the bytes from earlier listeners of it. */
ServerConnection.prototype.beginHttp = function beginHttp () {
  const { server, socket } = this
  this.isOffered = this.detached = false
  if (server.timeout && socket.timeout) this.resetTimeout(this.idle)
  this.equip(socket)
  if (socket.readableFlowing !== false) Readable.prototype.resume.call(socket)
}

/** Only shown as a listener: the connection hears from the addon what core hears from its socket. */
function onSocketEvent () {}

/** Gives the listeners of the socket as core has them. */
ServerConnection.prototype.listenersShown = function listenersShown (event, listeners) {
  if (this.detached) return listeners
  switch (event) {
    case 'data':
      return this.tapped || this.isTakenOver ? listeners : [onTapped, ...listeners]
    case 'drain':
      return [onSocketEvent, ...listeners.filter((listener) => listener !== onDrain)]
    case 'pause':
    case 'resume':
      return [onSocketEvent, ...listeners]
    default:
      return listeners
  }
}

/** The socket's first 'close' listener: requests hear of the close before listeners of the application do. */
function onSocketClose () {
  const connection = this[kConnection]
  Parser.free(this)
  connection.isGone = true
  connection.abort()
}

/** The socket's first 'end' listener. */
function onSocketEnd () {
  const connection = this[kConnection]
  if (connection.tapped) connection.receive(null)
  connection.endInput()
}

/** The socket's first 'timeout' listener. */
function onSocketTimeout () {
  this[kConnection].tellTimeout()
}

/** Reports an error of the socket that did not come from the connection: the socket was destroyed with it. */
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
  if (this.isGone || (this.thrown !== null && this.dropsBehindException(undefined))) return
  if (listener !== null) {
    listener.refresh()
    if (this.timerScope !== null && this.current === null) this.timerScope = null
    if (this.idle !== listener.idle && this.resource !== null) {
      // The native side applied the idle time that was set when the request came.
      this.idle = listener.idle
      this.resetTimeout(this.idle)
    }
  } else if (this.keepAliveSet) {
    this.keepAliveSet = false
    this.stream.setTimeout?.(server.timeout || 0)
  }
  const request = newMessage(this, server[kIncomingMessage])
  readRequest(request, METHODS[method], version, targetLength, fieldCount, text)
  request.joinDuplicateHeaders = server.joinDuplicateHeaders || null
  request.upgrade = (flags & UPGRADE) !== 0
  const hasBody = (flags & BODY) !== 0
  if (!hasBody) this.began = 0
  if (hasBody) this.receiving = request
  this.incoming = request
  let detached = false
  try {
    detached = this.run(exchange, this, request, flags)
  } catch (error) {
    if (!this.detached) this.threw(request)
    throw error
  } finally {
    const { current } = this
    // The client has another connection next, to which what the handler has changed applies.
    if (current !== null && current._last && listener !== null) listener.watch()
    if (request[kComplete] === undefined) regain(request, this.queue?.at(-1) ?? this.current ?? null)
    // As in core: complete when the handler's first turn is over, not before.
    if (!hasBody && detached !== true && !request.complete && this.thrown === null) {
      // The events come within the parser's context, unless no listener can hear any.
      if (isTouched(request)) this.run(request[kComplete], request, undefined)
      else request[kComplete](undefined)
    }
  }
}

/**
 * Gives messages our methods again, if the listener passed them on to an application of express (lib/core/messages.js), and
 * sends what core's methods have made of this one.
 */
function regain (request, response) {
  rebase(request, 'IncomingMessage', IncomingMessage)
  if (response === null) return
  rebase(response, 'ServerResponse', ServerResponse)
  if (response.outputData.length === 0) return
  leaveToCore(response)
  response._flush()
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

/** Removes the server's listeners from the socket: HTTP is over. */
ServerConnection.prototype.stopListening = function stopListening () {
  const { socket } = this
  socket.removeListener('drain', onDrain)
  socket.removeListener('error', onSocketError)
  socket.removeListener('timeout', onSocketTimeout)
  socket.removeListener('end', onSocketEnd)
  socket.removeListener('close', onSocketClose)
}

// ----------------------------------------------------------------------------------------------------- bodies

ServerConnection.prototype.onData = function onData (chunk) {
  const { receiving } = this
  if (this.thrown !== null && this.dropsBehindException(chunk)) return
  if (receiving !== null) this.run(receiving[kReceive], receiving, chunk)
}

ServerConnection.prototype.onEnd = function onEnd (text) {
  const { receiving } = this
  if (receiving === null || (this.thrown !== null && this.dropsBehindException(undefined))) return
  this.receiving = null
  this.began = 0
  this.run(receiving[kComplete], receiving, text)
  if (this.switching !== null && this.switching.stream !== null) this.run(beginUpgraded, undefined, this)
}

ServerConnection.prototype.onDrain = function onDrain () {
  const { current, socket } = this
  this.needDrain = false
  this.slacken()
  if (current !== null && !this.givenUp) this.run(current[kDrained], current)
  if (socket !== null && this.stream === null) socket.drained()
}

module.exports = { ServerConnection }

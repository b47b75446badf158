'use strict'

/**
 * Upgrade and CONNECT: how a connection of a server leaves HTTP, and who gets its stream.
 */

const { Buffer } = require('../host')
const { native, headFlags, receiveBody } = require('../binding')
const { handOver } = require('../connection/detach')
const { Parser } = require('../connection/parser-facade')
const { UpgradeStream } = require('./upgrade-stream')
const versions = require('../core/versions')
const { kComplete, kConnections } = require('../core/symbols')

const { BODY } = headFlags

function eventOf (request) {
  return request.method === 'CONNECT' ? 'connect' : 'upgrade'
}

/** What is to be done when the body is complete that stands before the other protocol. */
class Switch {
  /** What 'upgrade' got meanwhile. */
  stream = null
  /** The bytes behind an error in the body: the body will never be complete, and nobody is told, as in core. */
  rest = undefined
}

/**
 * A request gets the switch that it asks for.
 * @param {import('./connection').ServerConnection} connection
 * @param {number} flags of its head
 */
function leaveHttp (connection, request, flags) {
  if (versions.upgradeParsesBody && (flags & BODY) !== 0 && request.method !== 'CONNECT') {
    connection.switching = new Switch()
    receiveBody(connection.id)
    if (!request.complete) {
      waitForBody(connection, request)
      return
    }
    connection.switching = null
  }
  const head = detach(connection, false)
  if (!request.complete) request[kComplete](undefined)
  announce(connection, request, connection.socket, head)
}

function announce ({ server, socket }, request, stream, head) {
  // A socket that nobody takes is closed.
  if (server.listenerCount(eventOf(request)) === 0) socket.destroy()
  else server.emit(eventOf(request), request, stream, head)
}

/** The body is not complete: until it is, the stream can be written to, and the connection speaks HTTP. */
function waitForBody (connection, request) {
  const { switching } = connection
  const socket = connection.getSocket()
  const head = isConsumed(connection) ? undefined : switching.rest
  switching.stream = new UpgradeStream(socket, request)
  socket.readableFlowing = null
  announce(connection, request, switching.stream, head ?? Buffer.alloc(0))
}

/** Does core's parser read from the socket's handle itself, without the packets being seen by JavaScript? */
function isConsumed ({ stream, tapped }) {
  if (stream === null) return !tapped
  return Boolean(stream._handle?.isStreamBase) && stream.listenerCount('data') === 1
}

/** The body that `waitForBody` waits for is complete. */
function beginUpgraded (connection) {
  const { server, socket, incoming, switching } = connection
  connection.switching = null
  if (socket.destroyed) return
  const head = detach(connection, true)
  if (server.listenerCount(eventOf(incoming)) === 0) socket.destroy()
  else switching.stream.begin(head)
}

/**
 * Ends HTTP on a connection: its socket is a raw stream from now on.
 * @param {boolean} isKnown somebody reads from the socket already, or has decided not to
 * @returns {Buffer} what has come behind the last message
 */
function detach (connection, isKnown) {
  const { server, stream, current, queue } = connection
  connection.detached = true
  server[kConnections].delete(connection)
  const socket = connection.getSocket()
  // Before anything else: it goes with the connection.
  const head = native.takeHead(connection.id)
  // Answers to earlier requests that are still under way need the connection.
  connection.isAnswering = current !== null || (queue !== null && queue.length !== 0)
  let isOver = false
  if (stream === null) {
    connection.stopListening()
    socket.detached(isKnown)
    Parser.free(socket)
    if (!connection.isAnswering) isOver = handOver(connection)
    if (!isOver) {
      socket.staysNative()
      connection.resetTimeout(isKnown ? socket.timeout || 0 : connection.listener.idle)
    }
  }
  if (!isOver) native.upgrade(connection.id, true)
  else connection.resource.emitDestroy()
  if (stream !== null) connection.leave(isKnown)
  else if (!socket.isPaused()) socket.read(0)
  return head
}

module.exports = { leaveHttp, beginUpgraded }

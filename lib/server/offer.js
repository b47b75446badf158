'use strict'

/**
 * What a new connection is until the server's own 'connection' listener is called with its socket: a stream that nothing reads, with
 * nothing of HTTP. That listener begins HTTP. If it is not called while the event is emitted, the socket becomes Node's own, and
 * the application's; the listener may be called with it later, as with any stream.
 */

const core = require('../core/classes')
const { baseEmit } = require('../core/originals')
const { surrender } = require('../connection/detach')
const { offerHandle } = require('../connection/offered-handle')
const { serveStream } = require('./stream')
const { native } = require('../binding')
const { kConnection, kConnections, kParserConfig } = require('../core/symbols')

/** The server's own listener: serves HTTP on a connection. `this` is the server, `socket` any Duplex. */
function connectionListener (socket) {
  const connection = socket[kConnection]
  if (connection?.isOffered) {
    if (connection.server === this && isUntouched(socket)) {
      connection.beginHttp()
      return
    }
    handOut(connection)
  } else if (connection !== undefined && (connection.server === this || speaksHttp(connection))) {
    // As in core the parser that reads from the handle goes on, and its server with it.
    return
  }
  // A server of core's: http2 has one for clients that speak HTTP/1.
  if (typeof this[kParserConfig] !== 'function') core._connectionListener.call(this, socket)
  else serveStream(this, socket)
}

/** True of a server's connection whose bytes are read for its parser. */
function speaksHttp ({ server, stream, detached }) {
  return server !== undefined && stream === null && !detached
}

/** True if the socket's buffer has nothing that was put there: what is to be parsed comes from the connection alone. */
function isUntouched ({ destroyed, readableLength }) {
  return destroyed || readableLength === 0
}

/** True if nothing but the server's own listener can hear of 'connection'. */
function isOwnAlone (server) {
  return server.emit === baseEmit && server._events.connection === connectionListener
}

function hasOwn ({ _events: { connection: listeners } }) {
  return listeners === connectionListener || (Array.isArray(listeners) && listeners.includes(connectionListener))
}

/**
 * Emits 'connection' with the socket of a connection, which is the application's afterwards unless the server's own listener has had it.
 * @param {import('./connection').ServerConnection} connection
 * @param {boolean} isHeld true if nothing was read from it, nor is
 */
function offer (connection, isHeld) {
  const { server, listener: { handle, resource } } = connection
  const socket = connection.getSocket()
  let endHandle = null
  if (isHeld && !hasOwn(server)) handOut(connection)
  else if (isHeld && server.emit !== baseEmit && handle.fd >= 0 && !socket.destroyed) {
    // One that others accept for has no class of core's.
    endHandle = offerHandle(connection, handle.constructor, () => { if (connection.isOffered) handOut(connection) })
  }
  try {
    if (resource === null) server.emit('connection', socket)
    else resource.runInAsyncScope(server.emit, server, 'connection', socket)
  } finally {
    endHandle?.()
    if (connection.isOffered) {
      // What was read was parsed.
      if (isHeld) handOut(connection)
      else connection.beginHttp()
    }
  }
}

/** Makes the socket of a connection that does not speak HTTP the application's, and reads from it, as net.Server does. */
function handOut (connection) {
  const { server, socket } = connection
  connection.isOffered = false
  connection.detached = true
  if (socket.destroyed) {
    server[kConnections].delete(connection)
    return
  }
  server[kConnections].leave(connection)
  if (surrender(connection)) {
    connection.listener.hasLost()
  } else {
    native.leaveHttp(connection.id)
    connection.resume()
  }
  if (server.pauseOnConnect) return
  socket.read(0)
  if (socket._handle?.reading === false) socket._read(0)
}

module.exports = { connectionListener, isOwnAlone, offer }

'use strict'

/**
 * Makes the socket of a connection that has left HTTP Node's own: its descriptor goes to libuv, and the net.Socket that
 * the application holds becomes a plain one over it, whose methods are net's (lib/connection/socket.js). So TLS, child
 * processes and other code that asks for a socket's handle find one.
 */

const net = require('node:net')
const { process } = require('../host')
const { native, connections, touch, readAhead, takeKept } = require('../binding')
const { closeSync, Socket, socketMethods } = require('../core/originals')
const { tellTaken, failWaiting } = require('./socket-writes')
const versions = require('../core/versions')
const { kConnection, kLeaveToCore, kWaiting } = require('../core/symbols')

const kRead = Symbol('bytes read before')
const kWritten = Symbol('bytes written before')

/** net's slot for the method that gives a socket another handle. */
const kReinitializeHandle = Object.getOwnPropertySymbols(Socket.prototype)
  .find((symbol) => symbol.description === 'kReinitializeHandle')

/** Not one that was replaced. */
const { write } = socketMethods

/** Has core send what is still to come of the message under way: through the socket, whatever handle that has. */
function leaveMessage (connection) {
  const { corked, corkedWith, current, socket } = connection
  connection.endCork()
  current?.[kLeaveToCore]?.()
  if (!corked || corkedWith !== null || current === null) return
  // Core has corked it for parts of this tick (carryThrough in lib/message/delegate.js).
  connection.corkedWith = versions.tickMergesChunks ? current : socket
  connection.corkedWith.cork()
}

/**
 * Gives the socket's descriptor to libuv, with what of the answers before the kernel has not taken yet. What has passed through the
 * socket was read ahead of the parser: the rest waits in the socket for its new reader.
 * @param {import('./connection').Connection} connection whose last head asked to leave HTTP, and was not answered yet
 * @returns {boolean} false: the socket stays as it is
 */
function surrender (connection) {
  const { id, socket } = connection
  if (kReinitializeHandle === undefined || socket.destroyed || socket.writableEnded) return false
  // What stands in the stream for parts of this tick would be written.
  if (connection.standIn !== null) return false
  const written = native.bytesWritten(id)
  const given = native.surrender(id)
  touch()
  if (given === undefined) return false
  const [fd, rest, unread] = given
  const { _handle: { isReferenced, becomeCores = handleOf } } = socket
  const handle = becomeCores(fd)
  // There is no memory for another handle. The connection is as good as lost, and its events will report that.
  if (handle === null) return false
  const chunks = [...takeKept(connection), ...readAhead(id), unread]
  countFrom(handle, native.bytesRead(id), written - rest.length)
  connections[id] = undefined
  connection.id = -1
  if (!isReferenced) handle.unref()

  socket._handle = null
  socket[kConnection] = undefined
  // Each write and read of the raw stream goes straight to net's method.
  socket._writeGeneric = net.Socket.prototype._writeGeneric
  socket.push = net.Socket.prototype.push
  socket[kReinitializeHandle](handle)
  if (socket.timeout) socket.setTimeout(socket.timeout)
  for (const chunk of chunks) if (chunk.length !== 0) socket.push(chunk)
  connection.takenAtEnd = written - rest.length
  if (rest.length !== 0) writeRest(connection, rest, written)
  else if (connection.current !== null || socket[kWaiting] !== null) process.nextTick(told, connection)
  return true
}

/** Writes what the kernel has not taken, before anything else that is written to the socket. @param {number} written bytes, of all ever sent */
function writeRest (connection, rest, written) {
  const { socket } = connection
  const { _writableState: { length, corked } } = socket
  connection.restAt = written
  const done = (error) => {
    connection.restAt = 0
    if (error || socket.destroyed) {
      failWaiting(socket, () => error)
      connection.failWrites()
    } else {
      told(connection)
    }
  }
  // Other writes wait in the stream, which are behind these bytes, or whose callbacks wait for them.
  if (length !== 0 || corked !== 0) net.Socket.prototype._writeGeneric.call(socket, false, rest, 'buffer', done)
  else write.call(socket, rest, done)
}

/** Tells what waits for it that all is taken. */
function told (connection) {
  connection.takenAtEnd = Infinity
  tellTaken(connection.socket, Infinity)
  connection.onDrain()
}

/** Gives a handle of Node's for a descriptor; null if there can be none: then it is closed. */
function handleOf (fd) {
  try {
    const owner = new net.Socket({ fd, manualStart: true })
    const handle = owner._handle
    owner._handle = null
    return handle
  } catch {
    closeSync(fd)
    return null
  }
}

/** Prototypes of handles whose counts begin above 0: one for each of libuv's, so that all look alike to V8. */
const counting = new Map()

/** Adds what the socket carried before to the handle's counts. @param {number} read bytes @param {number} written bytes */
function countFrom (handle, read, written) {
  const libuv = Object.getPrototypeOf(handle)
  let prototype = counting.get(libuv)
  if (prototype === undefined) {
    prototype = Object.create(libuv, {
      bytesRead: {
        get () { return this[kRead] + Reflect.get(libuv, 'bytesRead', this) },
        configurable: true
      },
      bytesWritten: {
        get () { return this[kWritten] + Reflect.get(libuv, 'bytesWritten', this) },
        configurable: true
      }
    })
    counting.set(libuv, prototype)
  }
  Object.setPrototypeOf(handle, prototype)
  handle[kRead] = read
  handle[kWritten] = written
}

module.exports = { leaveMessage, surrender, handleOf, kReinitializeHandle }

'use strict'

/**
 * Makes the socket of a connection that has left HTTP Node's own: its descriptor goes to libuv, and the net.Socket that
 * the application holds becomes a plain one over it, whose methods are net's (lib/connection/socket.js). So TLS, child
 * processes and other code that asks for a socket's handle find one.
 */

const { closeSync } = require('node:fs')
const net = require('node:net')
const { native, connections, touch } = require('../binding')
const { kConnection } = require('../core/symbols')

const kRead = Symbol('bytes read before')
const kWritten = Symbol('bytes written before')

/** net's slot for the method that gives a socket another handle. */
const kReinitializeHandle = Object.getOwnPropertySymbols(net.Socket.prototype)
  .find((symbol) => symbol.description === 'kReinitializeHandle')

/**
 * Gives the socket's descriptor to libuv, if nothing is on its way in either direction.
 * @param {import('./connection').Connection} connection whose last head asked to leave HTTP, and was not answered yet
 * @returns {boolean} false: the socket stays as it is
 */
function surrender (connection) {
  const { id, socket } = connection
  if (kReinitializeHandle === undefined || socket.destroyed || socket.writableEnded || socket.writableLength !== 0) return false
  const read = native.bytesRead(id)
  const written = native.bytesWritten(id)
  const fd = native.surrender(id)
  if (fd < 0) return false
  const { isReferenced } = socket._handle
  const handle = handleOf(fd)
  // There is no memory for another handle. The connection is as good as lost, and its events will report that.
  if (handle === null) return false
  connections[id] = undefined
  connection.id = -1
  touch()
  countFrom(handle, read, written)
  if (!isReferenced) handle.unref()

  socket._handle = null
  socket[kConnection] = undefined
  // Each write and read of the raw stream goes straight to net's method.
  socket._writeGeneric = net.Socket.prototype._writeGeneric
  socket.push = net.Socket.prototype.push
  socket[kReinitializeHandle](handle)
  if (socket.timeout) socket.setTimeout(socket.timeout)
  return true
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

module.exports = { surrender, handleOf, kReinitializeHandle }

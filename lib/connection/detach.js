'use strict'

/**
 * The socket of a connection that has left HTTP becomes Node's own: its descriptor goes to libuv, and the face that
 * everybody holds becomes a plain net.Socket over it, whose methods do what net's do (lib/connection/socket.js). So TLS, child
 * processes, and whoever else looks for the handle of a socket finds what it looks for.
 */

const { closeSync } = require('node:fs')
const net = require('node:net')
const { native, connections, touch } = require('../binding')
const { kConnection } = require('../core/symbols')

const kRead = Symbol('bytes read before')
const kWritten = Symbol('bytes written before')

/** net's own way to give a socket another handle. */
const kReinitializeHandle = Object.getOwnPropertySymbols(net.Socket.prototype)
  .find((symbol) => symbol.description === 'kReinitializeHandle')

/**
 * Hands the socket over, if HTTP is over on it and nothing is on its way in either direction.
 * @param {import('./connection').Connection} connection whose last head asked to leave HTTP, and got no answer yet
 * @returns {boolean} false: the socket stays where it is
 */
function handOver (connection) {
  const { id, socket } = connection
  if (kReinitializeHandle === undefined || socket.destroyed || socket.writableEnded || socket.writableLength !== 0) return false
  const read = native.bytesRead(id)
  const written = native.bytesWritten(id)
  const fd = native.surrender(id)
  if (fd < 0) return false
  const { isReferenced } = socket._handle
  const handle = adopt(fd)
  // There is no memory for another handle. The connection is as good as lost, and will say so.
  if (handle === null) return false
  connections[id] = undefined
  connection.id = -1
  touch()
  countFrom(handle, read, written)
  if (!isReferenced) handle.unref()

  socket._handle = null
  socket[kConnection] = undefined
  // What each message goes through spares itself the question whose socket it is.
  socket._writeGeneric = net.Socket.prototype._writeGeneric
  socket.push = net.Socket.prototype.push
  socket[kReinitializeHandle](handle)
  if (socket.timeout) socket.setTimeout(socket.timeout)
  return true
}

/** A handle of Node's for a descriptor. */
function adopt (fd) {
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

/** Handles of sockets that carried something before: one class for each of libuv's, so that all look alike to V8. */
const counting = new Map()

/** What the socket carried before counts, too. */
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

module.exports = { handOver }

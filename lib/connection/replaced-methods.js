'use strict'

/**
 * Methods of net.Socket that applications, mocks and tracers have replaced, and of which our sockets have their own: the
 * replacement is called, and its effect is applied to the connection.
 */

const net = require('node:net')
const { kConnection } = require('../core/symbols')

const { setTimeout, resetAndDestroy } = net.Socket.prototype

/** net's own methods. */
const core = { setTimeout, resetAndDestroy }

/** True if the method of net.Socket was replaced. @param {'setTimeout'|'resetAndDestroy'} name */
function isReplaced (name) {
  return net.Socket.prototype[name] !== core[name]
}

/**
 * Calls net's setTimeout(), which was replaced or refuses what it is called with, and has the native side watch the time that it
 * set in place of net's timer.
 */
function setTimeoutThrough (socket, args) {
  const result = net.Socket.prototype.setTimeout.apply(socket, args)
  const { timeout } = socket
  if (socket.destroyed || timeout === undefined) return result
  core.setTimeout.call(socket, 0)
  socket.timeout = timeout
  socket[kConnection].setTimeout(timeout)
  return result
}

/** Calls the replaced resetAndDestroy() without a handle: net's own method resets its own handles only, or else destroys. */
function resetThrough (socket, reset) {
  const { _handle: handle } = socket
  let isMeant = false
  socket._handle = null
  socket.destroy = () => {
    isMeant = true
    return socket
  }
  try {
    net.Socket.prototype.resetAndDestroy.call(socket)
  } finally {
    delete socket.destroy
    socket._handle = handle
    if (isMeant) reset(socket)
  }
}

module.exports = { isReplaced, setTimeoutThrough, resetThrough }

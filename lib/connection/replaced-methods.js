'use strict'

/**
 * Methods of net.Socket that applications, mocks and tracers have replaced, and for which our sockets have their own: what
 * took their place has its say, and what it comes down to is done by us.
 */

const net = require('node:net')
const { kConnection } = require('../core/symbols')

const { setTimeout, resetAndDestroy } = net.Socket.prototype

/** net's own. */
const core = { setTimeout, resetAndDestroy }

/** @param {'setTimeout'|'resetAndDestroy'} name */
function isReplaced (name) {
  return net.Socket.prototype[name] !== core[name]
}

/** The timer of net's own method is not the one that counts. */
function setTimeoutThrough (socket, args) {
  const result = net.Socket.prototype.setTimeout.apply(socket, args)
  const { timeout } = socket
  if (socket.destroyed || timeout === undefined) return result
  core.setTimeout.call(socket, 0)
  socket.timeout = timeout
  socket[kConnection].setTimeout(timeout)
  return result
}

/** net's own method resets handles of its own only, and destroys a socket without one. */
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

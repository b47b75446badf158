'use strict'

/**
 * What keeps the process alive, for those who ask: libuv knows of our listeners' sockets, but not of our connections. They
 * are added to what `process` tells, when it is asked.
 */

const { process } = require('../host')
const { native, connections, common } = require('.')

/** Those that libuv would have, and that are not unreferenced. */
function active () {
  return connections.filter((connection) => connection !== undefined && connection.id !== -1 && connection.stream === null && isHeld(connection))
}

function isHeld ({ socket, givenUp }) {
  if (socket === null) return !givenUp
  return Boolean(socket._handle?.isReferenced)
}

/** As libuv's handles are called; of a connection that is being made it is known where to. */
function nameOf ({ id, attempts }) {
  const isPipe = attempts ? attempts.current.family === undefined : native.isPipe(id) === 1
  return isPipe ? 'PipeWrap' : 'TCPSocketWrap'
}

/** Puts a method in the place of one of the process's, of the same name. */
function extend (name, more) {
  const original = process[name]
  if (typeof original !== 'function') return
  const method = { [name] () { return [...original.call(this), ...active().map(more)] } }[name]
  Object.defineProperty(process, name, { ...Object.getOwnPropertyDescriptor(process, name), value: method })
}

common.isActiveShown ??= (() => {
  extend('_getActiveHandles', (connection) => connection.getSocket?.() ?? connection.socket)
  extend('getActiveResourcesInfo', nameOf)
  return true
})()

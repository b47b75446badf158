'use strict'

/**
 * Adds our connections to what `process` lists as keeping it alive: libuv knows of our listeners' sockets, but not of
 * connections.
 */

const { process } = require('../host')
const { native, connections, common } = require('.')

/** Gives the connections that would be handles of libuv, less the unreferenced ones. */
function active () {
  return connections.filter((connection) => connection !== undefined && connection.id !== -1 && connection.stream === null && keepsRunning(connection))
}

/** True if the connection keeps the process running. */
function keepsRunning ({ socket, givenUp }) {
  if (socket === null) return !givenUp
  return Boolean(socket._handle?.isReferenced)
}

/** Gives the name that libuv's handle would have. */
function nameOf ({ id }) {
  return native.isPipe(id) === 1 ? 'PipeWrap' : 'TCPSocketWrap'
}

/** Gives the handles by which sockets connect (lib/client/dialling.js). */
function dialling () {
  return [...common.dialling ?? []]
}

/** Gives those of them that libuv would list as handles; all of them have requests. */
function referenced () {
  return dialling().filter((handle) => handle.isReferenced && !handle.isCarried)
}

/** Replaces a method of `process` by one of the same name. */
function extend (name, more) {
  const original = process[name]
  if (typeof original !== 'function') return
  const method = { [name] () { return [...original.call(this), ...more()] } }[name]
  Object.defineProperty(process, name, { ...Object.getOwnPropertyDescriptor(process, name), value: method })
}

common.isActiveShown ??= (() => {
  extend('_getActiveHandles', () => [
    ...active().map((connection) => connection.getSocket?.() ?? connection.socket),
    ...referenced().map(({ connection }) => connection.socket)
  ])
  extend('_getActiveRequests', () => dialling().map(({ request }) => request))
  extend('getActiveResourcesInfo', () => [
    ...dialling().map(() => 'ConnectWrap'), ...active().map(nameOf), ...referenced().map(() => 'TCPSocketWrap')
  ])
  return true
})()

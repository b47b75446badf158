'use strict'

/**
 * An agent's socket between two exchanges: moves it from one async context to another for hooks, and finds a peer that
 * has sent unasked bytes, or its end, before the next exchange begins.
 */

const net = require('node:net')
const { kConnection } = require('../core/symbols')
const versions = require('../core/versions')

/** Socket -> the id of its async context: core's own, to be found on any socket. */
const kAsyncId = Object.getOwnPropertySymbols(new net.Socket())
  .find(({ description }) => description === 'async_id_symbol') ?? Symbol('async_id_symbol')

/** Socket -> what its handle calls with bytes, while the guard is in its place. */
const kOnRead = Symbol('kOnRead')
/** Socket -> the guard that waits for 'connect'. */
const kOnConnect = Symbol('kOnConnect')

/** The resource that async hooks see when a handle enters another context. As core's asyncResetHandle. */
class ReusedHandle {
  constructor (type, handle) {
    this.type = type
    this.handle = handle
  }
}

/** True for a connection of ours: its parser guards it (see UNASKED in connection.js). */
function isNative (socket) {
  const connection = socket[kConnection]
  return connection !== undefined && connection.stream === null
}

/** Guards the socket: it is idle from now on. */
function setFree (socket) {
  socket[kAsyncId] = -1
  if (!isNative(socket)) {
    guard(socket)
    return
  }
  const connection = socket[kConnection]
  connection.leaveContext()
  connection.expectNothing()
}

/**
 * True if the socket must not be given to a request, and destroys it then. One whose peer has ended, or has sent unasked
 * bytes, looks alive until its events have come.
 */
function isStale (socket) {
  if (socket.destroyed) return true
  const isDead = isNative(socket) ? socket[kConnection].isStale() : !socket.connecting && hasUnread(socket._handle)
  if (isDead) socket.destroy()
  return isDead
}

/** Asks a handle of core's whether bytes wait to be read, where handles can tell. */
function hasUnread (handle) {
  return typeof handle?.hasPendingRead === 'function' && handle.hasPendingRead() === true
}

/** Gives the socket to a request, in whose async context this is called. A native one enters it with the exchange. */
function setReused (socket) {
  if (isNative(socket)) {
    socket[kAsyncId] = -1
    socket[kConnection].leaveContext()
    return
  }
  unguard(socket)
  const handle = socket._handle
  if (typeof handle?.asyncReset !== 'function') return
  handle.asyncReset(new ReusedHandle(handle.getProviderType(), handle))
  socket[kAsyncId] = handle.getAsyncId()
}

/** Destroys the socket if bytes come: they would be taken for the next response, as in some versions of core (deliberate). */
function guard (socket) {
  if (socket.readableLength > 0) {
    socket.destroy()
    return
  }
  const handle = socket._handle
  if (!handle) return
  if (socket.connecting) {
    socket[kOnConnect] = () => guard(socket)
    socket.once('connect', socket[kOnConnect])
    return
  }
  socket[kOnRead] = handle.onread
  handle.onread = function (bytes) {
    // An end is no response.
    if (bytes || versions.unsolicitedDataDestroys) socket.destroy()
    else socket[kOnRead].call(this, bytes)
  }
  if (handle.reading) return
  handle.reading = true
  if (handle.readStart()) socket.destroy()
}

function unguard (socket) {
  if (socket[kOnConnect]) {
    socket.removeListener('connect', socket[kOnConnect])
    socket[kOnConnect] = undefined
  }
  if (socket[kOnRead] && socket._handle) socket._handle.onread = socket[kOnRead]
  socket[kOnRead] = undefined
}

module.exports = { kAsyncId, setFree, isStale, setReused }

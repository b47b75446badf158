'use strict'

/**
 * An agent's socket between two exchanges: hooks see it leave one async context and enter another, and a peer that
 * says what nobody asked for, or leaves, is found out before the next exchange begins.
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

/** The resource that async hooks are told of when a handle enters another context. */
class ReusedHandle {
  constructor (type, handle) {
    this.type = type
    this.handle = handle
  }
}

/** A connection of ours is guarded by its parser (see UNASKED in client-connection.js). */
function isNative (socket) {
  const connection = socket[kConnection]
  return connection !== undefined && connection.stream === null
}

/** The socket waits for a request. */
function setFree (socket) {
  socket[kAsyncId] = -1
  if (isNative(socket)) socket[kConnection].leaveContext()
  else guard(socket)
}

/**
 * May the socket not be given to a request? One that the peer has left, or spoken on unasked, looks alive until its
 * events have come; it is destroyed.
 */
function isStale (socket) {
  if (socket.destroyed) return true
  const isDead = isNative(socket) ? socket[kConnection].isStale() : !socket.connecting && hasUnread(socket._handle)
  if (isDead) socket.destroy()
  return isDead
}

/** What core asks its handles, where it does. */
function hasUnread (handle) {
  return typeof handle?.hasPendingRead === 'function' && handle.hasPendingRead() === true
}

/** The socket is given to a request, in whose async context this is called. A native one enters it with the exchange. */
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

/** Bytes that come now would be taken for the answer to the next request, as core still does in some versions (deliberate). */
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
    // Its end is no answer.
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

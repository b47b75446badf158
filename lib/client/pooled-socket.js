'use strict'

/**
 * An agent's socket between two exchanges: takes it out of its async context, and finds a peer that has sent unasked bytes,
 * or its end, before the next exchange begins.
 */

const { Server } = require('../core/originals')
const { kConnection } = require('../core/symbols')

/** Socket -> the id of its async context: net's own, to be found on any socket, and on its servers. */
const kAsyncId = Object.getOwnPropertySymbols(new Server()).find(({ description }) => description === 'async_id_symbol') ?? Symbol('async_id_symbol')

/** Socket -> what its handle calls with bytes, while the guard is in its place. */
const kOnRead = Symbol('kOnRead')

/** True for a connection of ours: its parser guards it (see UNASKED in connection.js). */
function isNative (socket) {
  const connection = socket[kConnection]
  return connection !== undefined && connection.stream === null
}

/** Takes a connection of ours out of the context of its last exchange. It enters that of the next with the exchange. */
function leaveContext (socket) {
  socket[kAsyncId] = -1
  socket[kConnection].leaveContext()
}

/**
 * Destroys a socket that must not be given to a request. True if it is one. One of ours whose peer has ended, or has sent
 * unasked bytes, looks alive until its events have come; of others core asks the handle.
 */
function dropIfStale (socket) {
  if (socket.destroyed) return true
  if (!isNative(socket) || !socket[kConnection].isStale()) return false
  socket.destroy()
  return true
}

/**
 * Destroys an idle socket of core's if bytes come: they would be taken for the next response, as in releases of core that
 * have no such guard (deliberate).
 */
function guard (socket) {
  const handle = socket._handle
  if (socket.readableLength > 0) socket.destroy()
  if (socket.connecting || socket.destroyed || !handle) return
  const before = socket[kOnRead] = handle.onread
  handle.onread = function (bytes) {
    // An end is no response.
    if (bytes) socket.destroy()
    else before.call(this, bytes)
  }
  if (handle.reading) return
  handle.reading = true
  if (handle.readStart()) socket.destroy()
}

/** Takes the guard away: the socket is given to a request. */
function unguard (socket) {
  if (socket[kOnRead] === undefined) return
  if (socket._handle) socket._handle.onread = socket[kOnRead]
  socket[kOnRead] = undefined
}

module.exports = { kAsyncId, isNative, leaveContext, dropIfStale, guard, unguard }

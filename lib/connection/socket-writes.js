'use strict'

/**
 * Callbacks of a socket's own writes, until what they are for counts as taken: `socket[kWaiting]`, in the order of what they
 * are for, each with the number of bytes of its connection that must be taken before. (Of messages: lib/message/write-callbacks.js.)
 */

const { AsyncResource } = require('node:async_hooks')
const { Connection } = require('./connection')
const { kWaiting } = require('../core/symbols')

/** Does all that was said count as taken? Asked of the connection itself: what its message still has to say is another matter. */
function isTaken (connection) {
  return Connection.prototype.takes.call(connection) === 0
}

/** Calls back when all that was said is taken: in the async context of now, as core's write requests do. */
function wait (connection, callback) {
  const { socket } = connection
  socket[kWaiting] ??= []
  socket[kWaiting].push({ at: Connection.prototype.takes.call(connection), callback, resource: new AsyncResource('WRITEWRAP') })
}

/** Bytes that count as taken; the end of our side is behind all of them. */
function takenBy (connection) {
  return Math.min(connection.taken(), Number.MAX_SAFE_INTEGER)
}

/** Tells those whose bytes are taken. */
function tellTaken (socket, taken) {
  const waiting = socket[kWaiting]
  if (waiting === null) return
  const first = waiting.findIndex(({ at }) => at > taken)
  socket[kWaiting] = first === -1 ? null : waiting.slice(first)
  const due = first === -1 ? waiting : waiting.slice(0, first)
  for (const { callback, resource } of due) resource.runInAsyncScope(callback, undefined, null)
}

/** Tells the others what became of their bytes. */
function failWaiting (socket, error) {
  const waiting = socket[kWaiting]
  if (waiting === null) return
  socket[kWaiting] = null
  for (const { callback, resource } of waiting) resource.runInAsyncScope(callback, undefined, error)
}

module.exports = { isTaken, wait, takenBy, tellTaken, failWaiting }

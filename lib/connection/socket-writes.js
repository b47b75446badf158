'use strict'

/**
 * Keeps the callbacks of a socket's own writes until their bytes count as taken: `socket[kWaiting]`, in the order of the
 * writes, each with the number of bytes of its connection that must be taken before. (Of messages:
 * lib/message/write-callbacks.js.)
 */

const { AsyncResource } = require('node:async_hooks')
const { Connection } = require('./connection')
const { kWaiting } = require('../core/symbols')

/** True if all that was sent counts as taken. Calls Connection's own method: the subclasses' are about their message. */
function isTaken (connection) {
  return Connection.prototype.takes.call(connection) === 0
}

/** Calls back when all that was sent is taken: in the async context of now, as core's write requests do. */
function wait (connection, callback) {
  const { socket } = connection
  socket[kWaiting] ??= []
  socket[kWaiting].push({ at: Connection.prototype.takes.call(connection), callback, resource: new AsyncResource('WRITEWRAP') })
}

/** Gives the bytes that count as taken; less than the end of our side, which Infinity stands for. */
function takenBy (connection) {
  return Math.min(connection.taken(), Number.MAX_SAFE_INTEGER)
}

/** Calls back in the write's own context, which is over then, as that of libuv's request. */
function complete ({ callback, resource }, error) {
  resource.runInAsyncScope(callback, undefined, error)
  resource.emitDestroy()
}

/** Calls the callbacks of writes that are taken. */
function tellTaken (socket, taken) {
  const waiting = socket[kWaiting]
  if (waiting === null) return
  const first = waiting.findIndex(({ at }) => at > taken)
  socket[kWaiting] = first === -1 ? null : waiting.slice(first)
  const due = first === -1 ? waiting : waiting.slice(0, first)
  for (const entry of due) complete(entry, null)
}

/** Fails the callbacks of all other writes. @param {() => Error | null} reason is asked only if there are any */
function failWaiting (socket, reason) {
  const waiting = socket[kWaiting]
  if (waiting === null) return
  socket[kWaiting] = null
  const error = reason()
  for (const entry of waiting) complete(entry, error)
}

module.exports = { isTaken, wait, takenBy, tellTaken, failWaiting }

'use strict'

/**
 * What a message has sent in a tick is on its way to the native side when cork() is called behind it, and waits in the
 * socket's stream in core. There a stand-in waits in its place, of the same length, with its callbacks, and is not written again: so
 * lengths, results of later writes, 'drain' and the order of callbacks are core's.
 */

const { native } = require('../binding')
const { Buffer } = require('../host')
const { socketMethods } = require('../core/originals')

/** Not one that was replaced. */
const { write } = socketMethods

/**
 * Puts a stand-in for what the connection has sent in this tick into its socket's stream, which is corked and can still be written to.
 * @param {import('./connection').Connection} connection
 * @param {Function[]} callbacks
 */
function putStandIn (connection, callbacks) {
  const { id, socket } = connection
  connection.stoodFor = id === -1 ? 0 : native.waiting(id, true)
  if (connection.stoodFor === 0 && callbacks.length === 0) return
  const standIn = connection.standIn = Buffer.alloc(connection.counted(connection.stoodFor))
  write.call(socket, standIn, callbacks[0])
  for (const callback of callbacks.slice(1)) write.call(socket, '', callback)
}

/** True if a chunk that the stream writes is a stand-in, whose bytes were sent: they do not wait there any more. */
function isStandIn (connection, chunk) {
  if (chunk !== connection.standIn) return false
  connection.standIn = null
  connection.stoodFor = 0
  return true
}

module.exports = { putStandIn, isStandIn }

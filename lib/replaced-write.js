'use strict'

/**
 * A response of ours does not go through its socket, unless somebody has put a write() of his own there: he sees the
 * pieces that core would write. From then on the message is carried by the socket as by any stream; what leaves that
 * comes to the connection as raw bytes, and the native side is told when the response is over.
 */

const { native, touch } = require('./binding')
const { kConnection, kCorked, kDrained, kNeedDrain, kSocket } = require('./symbols')

/**
 * Lets a message be carried by the socket of its connection.
 * @param {import('./outgoing').OutgoingMessage} message
 */
function carryThrough (message) {
  const connection = message[kConnection]
  const { socket } = connection
  message[kConnection] = null
  message[kSocket] = socket
  for (let i = 0; i < message[kCorked]; i++) socket.cork?.()
  if (connection.isThrough) return
  connection.isThrough = true
  socket.prependListener('drain', onDrain)
}

/** The message wants to hear of it first, as it does in core. */
function onDrain () {
  const connection = this[kConnection]
  if (connection === undefined) return
  connection.slacken()
  const { current } = connection
  if (current !== null && current[kConnection] === null && !current.finished && current[kNeedDrain]) current[kDrained]()
}

/** A response is over that the native side knows nothing of. */
function tellAnswered ({ id }) {
  if (id === -1) return
  native.answered(id)
  touch()
}

module.exports = { carryThrough, tellAnswered, onDrain }

'use strict'

/**
 * What an outgoing message tells about itself, in the words of stream.Writable, and its socket;
 * `lib/outgoing.js` puts these accessors on its prototype.
 */

const { heldLength } = require('./outgoing-held')
const { heldBy } = require('./outgoing-transmit')
const versions = require('./versions')
const {
  kConnection, kSocket, kErrored, kWritableFinished, kChunkedBuffer, kHighWaterMark, kCorked, kNeedDrain
} = require('./symbols')

const members = {}

function getter (name, get, extra) {
  Object.defineProperty(members, name, { __proto__: null, get, configurable: true, enumerable: false, ...extra })
}

getter('errored', function () { return this[kErrored] })

getter('closed', function () { return this._closed })

getter('writableFinished', function () {
  if (versions.endCallbackGetsError) return this[kWritableFinished]
  return this.finished && this.outputSize === 0 && shownBytes(this) === 0
})

getter('writableObjectMode', function () { return false })

getter('writableLength', function () {
  return this.outputSize + heldLength(this) + shownBytes(this)
})

getter('writableHighWaterMark', function () {
  const socket = this[kSocket]
  return socket ? socket.writableHighWaterMark : this[kHighWaterMark]
})

getter('writableCorked', function () {
  const socket = this[kSocket]
  const connection = this[kConnection]
  if (!versions.largeHighWaterMark && socket && (!connection || connection.stream !== null)) {
    // What is corked for a stream that our protocol writes to is kept here.
    return connection ? Math.max(socket.writableCorked, this[kCorked]) : socket.writableCorked
  }
  const corked = this[kCorked]
  if (corked !== 0 || !versions.writeShowsCork || this.finished) return corked
  // There, writes cork until the end of their tick. Ours are held by the connection for that long.
  return this[kChunkedBuffer] || connection?.corked ? 1 : 0
})

getter('headersSent', function () { return !!this._header }, { enumerable: true })

getter('writableEnded', function () { return this.finished })

getter('writableNeedDrain', function () { return !this.destroyed && !this.finished && this[kNeedDrain] })

/**
 * The net.Socket (or what was assigned) that carries the message; made when somebody looks.
 * Assignable: stream.pipeline sets `socket = null`.
 */
const carrier = {
  __proto__: null,
  get () {
    const socket = this[kSocket]
    if (socket !== undefined) return socket
    const connection = this[kConnection]
    if (connection === undefined || connection === null) return undefined
    return (this[kSocket] = connection.getSocket())
  },
  set (socket) {
    this[kSocket] = socket
    const connection = socket?.[kConnection]
    // A detached connection carries bytes, not messages: such a socket is as good as any other stream.
    this[kConnection] = connection && (!connection.detached || connection.isAnswering) ? connection : null
    for (let i = 0; i < this[kCorked]; i++) socket?.cork?.()
  },
  configurable: true,
  enumerable: false
}

/** As core's own data property, for messages that no connection makes. */
function ownSocket (message) {
  Object.defineProperty(message, 'socket', { ...carrier, enumerable: true })
}

getter('connection', function () { return this.socket }, { set (socket) { this.socket = socket } })

/** Bytes that were sent and that the transport still holds, as far as that is shown. */
function shownBytes (message) {
  const connection = message[kConnection]
  if (connection) return connection.shownPending()
  const socket = message[kSocket]
  return socket ? heldBy(socket) : 0
}

module.exports = { stateMembers: members, carrier, ownSocket }

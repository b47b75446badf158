'use strict'

/**
 * The state that an outgoing message shows and that hangs on its connection: its socket, and those of stream.Writable's accessors.
 * `lib/message/outgoing.js` puts them on its prototype.
 */

const { cores } = require('../core/messages')
const { hearDrain, leaveToCore } = require('./delegate')
const { heldLength } = require('./one-chunk-a-tick')
const versions = require('../core/versions')
const {
  kConnection, kSocket, kWritableFinished, kHeld, kNative
} = require('../core/symbols')

const members = {}

function getter (name, get, set) {
  Object.defineProperty(members, name, { __proto__: null, get, set, configurable: true, enumerable: false })
}

getter('writableFinished', function () {
  if (versions.endCallbackGetsError) return this[kWritableFinished]
  if (!this.finished || this.outputSize !== 0) return false
  // Core has written all that the kernel takes by now.
  this[kConnection]?.writeWaiting()
  return shownBytes(this) === 0
})

getter('writableLength', function () {
  return this.outputSize + heldLength(this) + shownBytes(this)
})

getter('writableCorked', function () {
  if (!versions.writeShowsCork) return 0
  // There, writes cork until the end of their tick. The connection corks ours for as long.
  const own = !this.finished && (this[kHeld] || this[kConnection]?.corked) ? 1 : 0
  return versions.tickMergesChunks ? own : own + socketCorks(this)
})

/** Gives how often the socket of a carried message is corked, by the application or core's messages. */
function socketCorks (message) {
  return message[kConnection]?.socket?.writableCorked ?? 0
}

/** Core's accessor, where `socket` is one: its setter corks the new socket. */
const cored = Object.getOwnPropertyDescriptor(cores.OutgoingMessage, 'socket')

/**
 * The net.Socket (or what was assigned) that carries the message; made when it is read first.
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
    const connection = socket?.[kConnection]
    // A detached connection carries bytes, not messages: its socket is like any other stream.
    this[kConnection] = connection && (!connection.detached || connection.isAnswering) ? connection : null
    // On a stream core writes.
    if (socket && (this[kConnection] === null || connection.stream !== null)) leaveToCore(this)
    if (cored !== undefined) cored.set.call(this, socket)
    else this[kSocket] = socket
    if (this[kNative] !== true && this[kConnection] !== null) hearDrain(connection)
  },
  configurable: true,
  enumerable: false
}

/** Defines `socket` as an own property, as in core, for messages that no connection makes. */
function ownSocket (message) {
  Object.defineProperty(message, 'socket', { ...carrier, enumerable: true })
}

getter('connection', function () { return this.socket }, function (socket) { this.socket = socket })

/** Gives the bytes that were sent and that the transport still holds, as far as core shows them. */
function shownBytes (message) {
  return message[kConnection]?.shownPending() ?? 0
}

module.exports = { stateMembers: members, carrier, ownSocket, socketCorks }

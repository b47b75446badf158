'use strict'

/**
 * Messages that core sends. A message is ours as long as it is sent as most are: whole parts, on a native connection
 * whose socket is left alone. At its first unusual act (cork(), a replaced `_send` or socket.write(), a stream that it is
 * assigned to, a destroyed socket, ...) `leaveToCore` makes it core's: from then on the methods of core's own
 * OutgoingMessage run on it, and write to its socket what core would write there.
 *
 * What core writes to a socket of ours reaches the connection as raw bytes; the native side is told when the message
 * is over (`tellAnswered`) and, for a request, that its response is to come (`expect`).
 */

const { Stream } = require('node:stream')
const { native, touch } = require('../binding')
const { cores } = require('../core/messages')
const { socketMethods } = require('../core/originals')
const { Scope } = require('../core/scope')
const { putStandIn } = require('../connection/stand-in')
const { finishAnyway } = require('./finish')
const { ended } = require('./output-data')
const { nop, tellFinished } = require('./listeners')
const versions = require('../core/versions')
const { kChunkedBuffer, kConnection, kCorked, kFresh, kHeld, kNative, kNeedDrain, kSocket, kTurn } = require('../core/symbols')

/** A message of core's, with the slots that core's constructor sets; and those of them that ours does not, once they are known. */
const pristine = new cores.OutgoingMessage.constructor()
let slots

/** Finds the slots that our constructor does not set. @param {object} fresh a message that it has just made */
function compareSlots (fresh) {
  const streams = Object.getOwnPropertySymbols(new Stream())
  return Object.getOwnPropertySymbols(pristine).filter((slot) => {
    return !streams.includes(slot) && !Object.hasOwn(fresh, slot) && fresh[slot] !== pristine[slot]
  })
}

const { write: socketWrite } = socketMethods

/** Makes a message core's. Does nothing if it is already, or if its end is with the connection. */
function leaveToCore (message) {
  if (message[kNative] !== true || (message.finished && message[kConnection] !== null && message.outputData.length === 0)) return
  message[kNative] = false
  if (message[kTurn] === null) message[kTurn] = new Scope('HTTPTURN')
  slots ??= compareSlots(message[kFresh]())
  // What it has or inherits already keeps its hidden class.
  for (const slot of slots) if (!Object.hasOwn(message, slot)) message[slot] = pristine[slot]
  let isEnded = false
  for (const entry of message.outputData) {
    if (entry.callback !== ended) continue
    entry.callback = (error) => finishAnyway(message, error)
    isEnded = true
  }
  // An end that is queued is told of without 'finish'.
  if (!isEnded && !message.rawListeners('finish').includes(tellFinished)) message.prependListener('finish', tellFinished)
  const connection = message[kConnection]
  if (connection !== null) carryThrough(message, connection)
  if (versions.corkMergesChunks) giveHeld(message)
}

/** Gives core the parts held for the end of the tick (lib/message/one-chunk-a-tick.js): they are a corked chunk in core. */
function giveHeld (message) {
  const held = message[kHeld]
  message[kHeld] = null
  message[kChunkedBuffer] = held === null ? [] : held.flatMap(({ data, encoding, callback }) => [data, encoding, callback ?? nop])
  if (held === null) return
  message[kCorked]++
  message[kSocket]?.cork()
}

/** Makes a carried message write to its connection's socket. */
function carryThrough (message, connection) {
  const socket = connection.getSocket()
  message[kSocket] = socket
  // A request is told of before its bytes, which the native side does not know for a head.
  connection.expect?.(message)
  hearDrain(connection)
  // What waits in a message although it has its socket: that has ended.
  connection.countPending?.(message)
  if (!connection.corked || message[kHeld] !== null) return
  // Core has corked it for the parts that the message has sent in this tick (connectionCorkNT).
  connection.corkedWith = versions.tickMergesChunks ? message : socket
  connection.corkedWith.cork()
  // It may be corked for longer than this tick.
  if (!socket.writable) return
  if (message[kNeedDrain]) socket._writableState.needDrain = true
  if (connection.corkCallbacks?.message === message) connection.corkCallbacks.passTo(socket)
  else putStandIn(connection, [])
}

/** Adds the listener for the socket's 'drain', before all others, as in core. */
function hearDrain (connection) {
  const { socket } = connection
  if (connection.stream === null && !socket.rawListeners('drain').includes(onDrain)) socket.prependListener('drain', onDrain)
}

/** Core's socketOnDrain (server) and ondrain (client). */
function onDrain () {
  const connection = this[kConnection]
  if (connection === undefined) return
  connection.slacken?.()
  const message = this._httpMessage
  if (message && message[kNative] === false) connection.tellDrained(message)
}

/** Tells the native side that core has begun to send a message, for the stats. */
function tellBegun (message) {
  const { statusCode } = message
  const connection = message[kSocket]?.[kConnection]
  if (statusCode !== undefined && connection?.current === message && connection.id !== -1) native.answers(connection.id, statusCode | 0)
}

/** Tells the native side that a message is over: core sent it, or the rest of it, as raw bytes. */
function tellAnswered ({ id, stream }, status = 0) {
  if (id === -1) return
  native.answered(id, stream?.bytesWritten, status)
  if (stream === null) touch()
}

/**
 * True if the connection and its socket carry a message as most are carried: nothing but messages writes to the socket,
 * and no listener but ours waits for its 'drain'.
 */
function carriesPlainly (connection) {
  if (connection.stream !== null || connection.outputEnded || connection.id === -1) return false
  const { socket } = connection
  if (socket === null) return true
  const { _writableState: state, _events: { drain } } = socket
  return socket.writable && socket.write === socketWrite && state.length === 0 && state.corked === 0 &&
    (drain === undefined || drain === onDrain)
}

/** True if core has to send the message's next part, because of the state of the message or of its transport. */
function isUnusual (message) {
  if (message.destroyed || message.strictContentLength) return true
  const connection = message[kConnection]
  return connection !== null && !carriesPlainly(connection)
}

module.exports = { leaveToCore, hearDrain, isUnusual, onDrain, tellAnswered, tellBegun }

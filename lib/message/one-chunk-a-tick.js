'use strict'

/**
 * Holds the parts that a message writes in one tick, and sends them as one chunk behind it, where core does so (Node 26).
 */

const { Buffer, process } = require('../host')
const { sendFlags } = require('../binding')
const { memoryGone, sendOrQueue } = require('./output-data')
const { leaveToCore, isUnusual } = require('./delegate')
const { awaitDrain, isLost, takeHeadFlag } = require('./send')
const versions = require('../core/versions')
const { kConnection, kHeld, kChunkedLength, kCorked, kDrainScope, kNative, kNeedDrain } = require('../core/symbols')

const { HEAD, BODY } = sendFlags

/** True if a part of this size (bytes) is held until the end of the tick. */
function holdsPart (message, size) {
  if (!versions.tickMergesChunks || !message.chunkedEncoding || message.outputData.length !== 0) return false
  // What was begun before the socket was taken away goes on.
  if (message[kConnection] === null && message[kHeld] === null) return false
  // An empty part makes no chunk: it is held only behind others.
  return size !== 0 || (message[kHeld] !== null && message[kHeld].length !== 0)
}

function beginChunk (message) {
  if (message[kHeld] !== null) return
  message[kHeld] = []
  process.nextTick(endChunk, message, true)
}

/** Begins the chunk to which the tick's later parts belong, with a part that is empty. */
function holdNothing (message) {
  if (holdsPart(message, 1)) beginChunk(message)
}

/** Holds a part. @returns {boolean} as write() */
function hold (message, chunk, encoding, size, callback) {
  beginChunk(message)
  message[kHeld].push({ data: ofFixedLength(chunk), encoding, callback, size })
  message[kChunkedLength] += size
  if (message.writableLength < message.writableHighWaterMark) return true
  // The chunk grows as large as the tick makes it; the writer is asked to wait until it was sent.
  awaitDrain(message)
  return false
}

/** Gives the same bytes as they are now: an array over a resizable ArrayBuffer may grow before it is sent. As core's write(), which makes it a Buffer. */
function ofFixedLength (chunk) {
  return typeof chunk === 'string' || chunk instanceof Buffer ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
}

/** Gives the size of what is held, with the chunk's frame and the head that goes with it; bytes. */
function heldLength (message) {
  const held = message[kChunkedLength]
  if (held === 0) return 0
  return held + held.toString(16).length + 4 + (message._headerSent || message._header === null ? 0 : message._header.length)
}

/** True if the memory of a part was given away, or made smaller, since it was written. */
function isGone ({ data, size }) {
  return typeof data !== 'string' && data.byteLength !== size
}

/** Destroys the message if the memory of a held part is gone: core sends the size of the chunk, and less than that. */
function failIfGone (message) {
  if (message[kHeld].some(isGone)) message.destroy(memoryGone())
}

/** Sends what is held, when the tick is over or at an earlier uncork(). As core's connectionCorkNT. If the message was destroyed meanwhile, core fails its parts. */
function endChunk (message, isTickOver = false) {
  if (message[kNative] === true && message[kHeld] !== null) failIfGone(message)
  if (message[kNative] === true && message[kHeld] !== null && (isLost(message) || isUnusual(message))) leaveToCore(message)
  if (message[kNative] === true) releaseHeld(message, isTickOver)
  else if (message[kCorked]) message.uncork()
}

/** Gives all held parts as one, and holds none from then on; undefined if there are none. */
function takeHeld (message) {
  const parts = message[kHeld]
  if (parts === null) return undefined
  message[kHeld] = null
  message[kChunkedLength] = 0
  if (parts.length === 0) return undefined
  if (parts.length === 1) return parts[0]
  const data = Buffer.concat(parts.map(({ data, encoding }) => (typeof data === 'string' ? Buffer.from(data, encoding || 'utf8') : data)))
  return { data, encoding: null, size: data.length, callback: calling(parts) }
}

/** Makes one callback of those of all parts. */
function calling (parts) {
  const callbacks = parts.filter((part) => part.callback !== null)
  return callbacks.length === 0 ? null : (error) => { for (const part of callbacks) part.callback(error) }
}

/** Sends what is held. @returns {number} bytes that the transport has not taken */
function sendHeld (message) {
  const part = takeHeld(message)
  if (part === undefined) return 0
  const flags = takeHeadFlag(message) | BODY
  return sendOrQueue(message, flags, flags & HEAD ? message._header : '', part.data, part.encoding, part.size, part.callback)
}

/**
 * Sends what is held. As core's uncork(): if the kernel takes all, 'drain' comes at once, also for
 * earlier parts, and the callbacks in the next tick; else they come behind 'drain'.
 */
function releaseHeld (message, isTickOver) {
  if (message[kHeld] === null) return
  const awaitsDrain = message[kNeedDrain]
  message[kNeedDrain] = false
  sendHeld(message)
  message[kNeedDrain] = awaitsDrain
  const connection = message[kConnection]
  if (connection === null) return
  // The parts have waited: they are written even if the connection is destroyed in this tick.
  connection.uncork(isTickOver)
  if (!awaitsDrain) return
  if (!connection.isTakenAtOnce()) {
    connection.notifyDrain()
    return
  }
  message[kNeedDrain] = false
  message[kDrainScope] = null
  message.emit('drain')
}

module.exports = { heldLength, holdsPart, hold, holdNothing, sendHeld, endChunk, failIfGone }

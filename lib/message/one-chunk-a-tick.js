'use strict'

/**
 * Where all that a message writes in one tick becomes one chunk (Node 26), its parts are held until the tick is over.
 */

const { Buffer, process } = require('../host')
const { sendFlags } = require('../binding')
const { deliver } = require('./queue')
const { leaveToCore, isUnusual } = require('./delegate')
const { awaitDrain, encode, isCarried, isLost, noteBackpressure, takeHeadFlag } = require('./send')
const versions = require('../core/versions')
const { kConnection, kChunkedBuffer, kChunkedLength, kCorked, kHighWaterMark, kNative } = require('../core/symbols')

const { HEAD, BODY } = sendFlags

/** True if the rest of this tick keeps a body part of this size in the message. */
function holdsBack (message, size) {
  if (!versions.tickMergesChunks || !message.chunkedEncoding || message.outputData.length !== 0 || !isCarried(message)) return false
  // What makes no chunk waits only behind others.
  return size !== 0 || message[kChunkedBuffer] !== null
}

/** @returns {boolean} as write() */
function hold (message, chunk, encoding, size, callback) {
  if (message[kChunkedBuffer] === null) {
    message[kChunkedBuffer] = []
    process.nextTick(endOfTick, message)
  }
  message[kChunkedBuffer].push({ data: chunk, encoding, callback, size })
  message[kChunkedLength] += size
  if (heldLength(message) < message[kHighWaterMark]) return true
  // One chunk it will be, however large; the writer is asked to wait until it left.
  awaitDrain(message)
  return false
}

/** What is held back, with the chunk's frame and the head that leaves with it; bytes. */
function heldLength (message) {
  const held = message[kChunkedLength]
  if (held === 0) return 0
  return held + held.toString(16).length + 4 + (message._headerSent || message._header === null ? 0 : message._header.length)
}

/** Core's connectionCorkNT. What has been given up meanwhile is core's to fail. */
function endOfTick (message) {
  if (message[kNative] === true && message[kChunkedBuffer] !== null && (isLost(message) || isUnusual(message))) leaveToCore(message)
  if (message[kNative] === true) releaseHeld(message)
  else if (message[kCorked]) message.uncork()
}

/** Takes all parts held back, as one. Returns undefined if there are none. */
function takeHeld (message) {
  const parts = message[kChunkedBuffer]
  if (parts === null) return undefined
  message[kChunkedBuffer] = null
  message[kChunkedLength] = 0
  if (parts.length === 1) return parts[0]
  const data = Buffer.concat(parts.map(({ data, encoding }) => (typeof data === 'string' ? encode(data, encoding || 'utf8') : data)))
  return { data, encoding: null, size: data.length, callback: calling(parts) }
}

/** One callback for those of all parts. */
function calling (parts) {
  const callbacks = parts.filter((part) => part.callback !== null)
  return callbacks.length === 0 ? null : (error) => { for (const part of callbacks) part.callback(error) }
}

/** @returns {number} bytes that the transport has not taken */
function sendHeld (message) {
  const part = takeHeld(message)
  if (part === undefined) return 0
  const flags = takeHeadFlag(message) | BODY
  return deliver(message, flags, flags & HEAD ? message._header : '', part.data, part.encoding, part.size, part.callback)
}

/** The parts held back leave. */
function releaseHeld (message) {
  if (message[kChunkedBuffer] === null) return
  const pending = sendHeld(message)
  // They have waited: what destroys the connection in this tick comes too late for them.
  message[kConnection]?.uncork()
  noteBackpressure(message, pending)
}

module.exports = { heldLength, holdsBack, hold, sendHeld }

'use strict'

/** Parts of a body that wait in their message: for uncork(), or for the end of the tick that wrote them. */

const { Buffer, process } = require('./host')
const { sendFlags } = require('./binding')
const { isPlain, sendChunk } = require('./outgoing-plain')
const { deliver } = require('./outgoing-queue')
const { awaitDrain, encode, isForeign, isLost, nop, noteBackpressure, takeHeadFlag, whyLost, afterNothing } = require('./outgoing-transmit')
const versions = require('./versions')
const { kConnection, kChunkedBuffer, kChunkedLength, kCorked, kHighWaterMark, kNeedDrain, kSocket } = require('./symbols')

const { HEAD, BODY } = sendFlags

/** Does cork(), or the rest of this tick, keep a body part of this size in the message? */
function holdsBack (message, size) {
  if (versions.tickMergesChunks) {
    // What makes no chunk waits only behind others.
    if (size === 0 && message.chunkedEncoding && message[kChunkedBuffer] === null) return false
    if (message[kCorked] !== 0) return message.chunkedEncoding || hasTransport(message)
    return message.chunkedEncoding && message.outputData.length === 0 && hasTransport(message)
  }
  return message[kCorked] !== 0 && message._headerSent && message[kConnection] !== null
}

/** One that may be of no use any more. */
function hasTransport (message) {
  return Boolean(message[kConnection] || message[kSocket])
}

function frameLength (size) {
  return size.toString(16).length + 4
}

function hold (message, chunk, encoding, size, callback) {
  if (message[kChunkedBuffer] === null) {
    message[kChunkedBuffer] = []
    if (message[kCorked] === 0) process.nextTick(endOfTick, message)
  }
  message[kChunkedBuffer].push({ data: chunk, encoding, callback, size })
  message[kChunkedLength] += size
  // Where chunks are not merged, each has a frame of its own.
  if (!versions.corkMergesChunks && message.chunkedEncoding && size !== 0) message[kChunkedLength] += frameLength(size)
  if (isRoomy(message)) return !(message[kNeedDrain] && message[kConnection])
  if (!versions.tickMergesChunks && message[kConnection]) return releaseHeld(message)
  // One chunk it will be, however large; the writer is asked to wait until it left.
  awaitDrain(message)
  return false
}

/** What is held back, with the chunk's frame and the head that leaves with it where those count. */
function heldLength (message) {
  const held = message[kChunkedLength]
  if (held === 0 || !versions.tickMergesChunks) return held
  return held + frameLength(held) + (message._headerSent || message._header === null ? 0 : message._header.length)
}

/** May there be more? */
function isRoomy (message) {
  if (message[kConnection] || !versions.tickMergesChunks) return heldLength(message) < message[kHighWaterMark]
  return message.writableLength < message.writableHighWaterMark
}

function endOfTick (message) {
  if (message[kCorked] === 0) releaseHeld(message)
}

/** Takes all parts held back, as one where chunks are merged. Returns undefined if there are none. */
function takeHeld (message) {
  const parts = message[kChunkedBuffer]
  if (parts === null || parts.length === 0) return undefined
  message[kChunkedBuffer] = null
  message[kChunkedLength] = 0
  if (isPlain(message) || (!message[kConnection] && message.chunkedEncoding)) {
    sendChunk(message, parts, parts.reduce((sum, { size }) => sum + size, 0), calling(parts) ?? nop)
    return []
  }
  if (!versions.corkMergesChunks || !message.chunkedEncoding || parts.length === 1) return parts
  const data = Buffer.concat(parts.map(({ data, encoding }) => (typeof data === 'string' ? encode(data, encoding || 'utf8') : data)))
  return [{
    data,
    encoding: null,
    size: data.length,
    callback: calling(parts)
  }]
}

/** One callback for those of all parts. */
function calling (parts) {
  const callbacks = parts.filter((part) => part.callback !== null)
  return callbacks.length === 0 ? null : (error) => { for (const part of callbacks) part.callback(error) }
}

function releaseHeld (message) {
  if (versions.tickMergesChunks && message[kChunkedBuffer] !== null && (message.destroyed || isLost(message))) return dropHeld(message)
  const parts = takeHeld(message)
  if (parts === undefined) return !message[kNeedDrain]
  let pending = 0
  for (const part of parts) {
    let flags = takeHeadFlag(message)
    if (part.size !== 0) flags |= BODY
    if (flags !== 0) {
      pending = deliver(message, flags, flags & HEAD ? message._header : '', part.data, part.encoding, part.size, part.callback)
    } else if (part.callback !== null) afterNothing(message, part.callback, false)
  }
  // They have waited: what destroys the connection in this tick comes too late for them.
  message[kConnection]?.uncork()
  return noteBackpressure(message, pending)
}

/** The message was destroyed: what it kept is lost. */
function dropHeld (message) {
  const parts = message[kChunkedBuffer]
  message[kChunkedBuffer] = null
  message[kChunkedLength] = 0
  message[kCorked] = 0
  const error = whyLost(message)
  for (const { callback } of parts) if (callback !== null) process.nextTick(callback, error)
  return false
}

/** The parts held back leave before the end does. */
function endHeld (message) {
  const foreign = isForeign(message)
  if (foreign) message[kSocket].cork?.()
  const parts = versions.tickMergesChunks && (message.destroyed || isLost(message)) ? dropHeld(message) : takeHeld(message)
  if (foreign) message[kSocket].uncork?.()
  if (!parts) return
  for (const part of parts) {
    const flags = takeHeadFlag(message) | (part.size === 0 ? 0 : BODY)
    if (flags !== 0) deliver(message, flags, flags & HEAD ? message._header : '', part.data, part.encoding, part.size, part.callback)
    else if (part.callback !== null) afterNothing(message, part.callback, false)
  }
}

module.exports = { heldLength, holdsBack, hold, releaseHeld, endHeld, dropHeld }

'use strict'

/** Parts of a body that wait in their message: for uncork(), or for the end of the tick that wrote them. */

const { sendFlags } = require('./binding')
const { isPlain, sendChunk } = require('./outgoing-plain')
const { deliver } = require('./outgoing-queue')
const { encode, isCarried, nop, noteBackpressure, takeHeadFlag, written } = require('./outgoing-transmit')
const versions = require('./versions')
const { kConnection, kChunkedBuffer, kChunkedLength, kCorked, kHighWaterMark, kNeedDrain } = require('./symbols')

const { HEAD, BODY } = sendFlags

/** Does cork(), or the rest of this tick, keep body parts in the message? */
function holdsBack (message) {
  if (versions.tickMergesChunks) {
    // Without chunks it is the stream that is corked.
    if (!message.chunkedEncoding && !message[kConnection]) return false
    return message[kCorked] !== 0 || (message.chunkedEncoding && message.outputData.length === 0 && isCarried(message))
  }
  if (message[kCorked] === 0 || !message._headerSent) return false
  return Boolean(message[kConnection]) || (versions.corkMergesChunks && message.chunkedEncoding)
}

function hold (message, chunk, encoding, size, callback) {
  if (message[kChunkedBuffer] === null) {
    message[kChunkedBuffer] = []
    if (message[kCorked] === 0) process.nextTick(endOfTick, message)
  }
  message[kChunkedBuffer].push({ data: chunk, encoding, callback, size })
  message[kChunkedLength] += size
  if (message[kChunkedLength] < message[kHighWaterMark]) return !message[kNeedDrain]
  if (!versions.tickMergesChunks) return releaseHeld(message)
  // One chunk it will be, however large; the writer is asked to wait until it left.
  message[kNeedDrain] = true
  return false
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
  return callbacks.length === 0 ? null : (...args) => { for (const part of callbacks) part.callback(...args) }
}

function releaseHeld (message) {
  const parts = takeHeld(message)
  if (parts === undefined) return !message[kNeedDrain]
  let pending = 0
  for (const part of parts) {
    let flags = takeHeadFlag(message)
    if (part.size !== 0) flags |= BODY
    if (flags !== 0) {
      pending = deliver(message, flags, flags & HEAD ? message._header : '', part.data, part.encoding, part.size, part.callback)
    } else if (part.callback !== null) process.nextTick(written, message, part.callback)
  }
  const more = noteBackpressure(message, pending)
  if (!more || !message[kNeedDrain]) return more
  // Somebody was asked to wait while it was held.
  if (message[kConnection]) message[kConnection].notifyDrain()
  else if (isCarried(message)) process.nextTick(drained, message)
  return false
}

function drained (message) {
  if (!message[kNeedDrain] || message.destroyed) return
  message[kNeedDrain] = false
  message.emit('drain')
}

/** The parts held back leave before the end does. */
function endHeld (message) {
  const parts = takeHeld(message)
  if (parts === undefined) return
  for (const part of parts) {
    const flags = takeHeadFlag(message) | (part.size === 0 ? 0 : BODY)
    if (flags !== 0) deliver(message, flags, flags & HEAD ? message._header : '', part.data, part.encoding, part.size, part.callback)
    else if (part.callback !== null) process.nextTick(written, message, part.callback)
  }
}

module.exports = { holdsBack, hold, releaseHeld, endHeld }

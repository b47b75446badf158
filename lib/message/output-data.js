'use strict'

/**
 * A message's queue, `outputData`: the writes that core would make, while the message is not carried. Once it is, the
 * parts are put together from them again, since proto frames by itself.
 */

const { sendFlags } = require('../binding')
const { nop } = require('./listeners')
const { CRLF, sizeOf, transmit } = require('./send')
const { codes } = require('../core/errors')
const { Scope } = require('../core/scope')
const versions = require('../core/versions')
const { kConnection, kTurn } = require('../core/symbols')

const { HEAD, BODY, END, HEAD_UTF8, INFORMATIONAL } = sendFlags

/**
 * The flags of an entry of which nothing is sent: the size or a CRLF of a chunk, which proto makes anew, or an empty string. HEAD is
 * set besides if a head stands before it.
 */
const NONE = 0

const LAST_CHUNK = '0\r\n'

/** Stands in the queue for core's callback that ends the message. */
function ended () {}

/** Queues a part. `data`, `encoding` and `callback` are what core shows. @returns {number} `outputSize` */
function enqueue (message, flags, data, encoding, callback) {
  const size = data === undefined ? 0 : data.length
  message.outputData.push({ data, encoding, callback, flags })
  message.outputSize += size
  message._onPendingData(size)
  return message.outputSize
}

/** True if core's _send glues a head to such a part. */
function isGluable (data, encoding) {
  return typeof data === 'string' && (!encoding || encoding === 'utf8' || encoding === 'latin1')
}

/** Queues a part with a head before it. */
function enqueueGlued (message, head, headFlags, flags, data, encoding, callback) {
  if (headFlags === 0) return enqueue(message, flags, data, encoding, callback)
  if (isGluable(data, encoding)) {
    return enqueue(message, flags | headFlags, head + data, encoding, callback)
  }
  enqueue(message, headFlags, head, 'latin1', null)
  return enqueue(message, flags, data, encoding, callback)
}

function enqueueParts (message, flags, head, body, encoding, size, callback) {
  if (message[kTurn] === null) message[kTurn] = new Scope('HTTPTURN')
  if ((flags & INFORMATIONAL) !== 0) return enqueue(message, INFORMATIONAL, head, 'ascii', callback ?? undefined)
  const isEnd = (flags & END) !== 0
  const isChunked = message.chunkedEncoding && message._hasBody
  let headFlags = flags & (HEAD | HEAD_UTF8)
  if ((flags & BODY) !== 0) {
    if (isChunked) {
      const length = size === -1 ? sizeOf(body, encoding) : size
      enqueueGlued(message, head, headFlags, NONE, length.toString(16), 'latin1', null)
      enqueue(message, NONE, CRLF, null, null)
      enqueue(message, BODY, body, encoding, null)
      enqueue(message, NONE, CRLF, null, callback ?? nop)
    } else if (isEnd && versions.endCallbackGetsError) {
      return enqueueGlued(message, head, headFlags, BODY | END, body, encoding, ended)
    } else {
      enqueueGlued(message, head, headFlags, BODY, body, encoding, callback ?? nop)
    }
    headFlags = 0
  }
  if (isEnd) {
    return enqueueGlued(message, head, headFlags, END, isChunked ? `${LAST_CHUNK}${message._trailer}\r\n` : '', 'latin1', ended)
  }
  if (headFlags !== 0) return enqueueGlued(message, head, headFlags, NONE, '', undefined, callback ?? undefined)
  return message.outputSize
}

/** Sends a part, behind what is queued (core's _writeRaw), or queues it. Takes transmit's arguments. */
function sendOrQueue (message, flags, head, body, encoding, size, callback, isWrite) {
  if (message[kConnection] !== null) {
    if (message.outputData.length === 0) return transmit(message, flags, head, body, encoding, size, callback, isWrite)
    if (isOurs(message)) return transmitBehind(message, message[kConnection], flags, head, body, encoding, size, callback, isWrite)
  }
  return enqueueParts(message, flags, head, body, encoding, size, callback)
}

/** Sends what is queued under one cork, as core's _flushOutput; a last part behind it goes under the same (core's end). */
function transmitBehind (message, connection, flags, head, body, encoding, size, callback, isWrite) {
  flushQueue(message)
  connection.flushing = (flags & BODY) !== 0 && (flags & END) !== 0
  const pending = transmit(message, flags, head, body, encoding, size, callback, isWrite)
  connection.flushing = false
  connection.tellNext()
  return pending
}

/** True if the memory of a part that waits was given away since it was written: none that is queued is empty. */
function isGone ({ outputData }) {
  return outputData.some(({ data, flags }) => (flags & BODY) !== 0 && data.length === 0)
}

/** Gives the error with which a message is destroyed whose parts have lost their memory. */
function memoryGone () {
  return new codes.ERR_INVALID_STATE('The memory of a chunk that was written has been given away')
}

/** True if all entries are `sendOrQueue`'s: the array is public. */
function isOurs (message) {
  return message.outputData.every(({ flags }) => flags !== undefined)
}

/**
 * Gives everything that is queued to the connection: written at once, and not corked until the end of the tick.
 * @returns {number} bytes that waited for that, in the message or in the connection: core's last write is told of all of them
 */
function flushQueue (message) {
  const entries = message.outputData
  if (entries.length === 0) return 0
  const size = message.outputSize
  message.outputData = []
  const connection = message[kConnection]
  connection.flushing = true
  const pending = assemble(message, entries)
  connection.flushing = false
  connection.tellNext()
  // In this order, in which 'drain' does not come here where it means that nothing is left.
  message._onPendingData(-size)
  message.outputSize = 0
  return Math.max(size, pending)
}

/** Sends the entries; what follows a head goes with it, in one `send`. @returns {number} bytes not taken */
function assemble (message, entries) {
  let pending = 0
  let head = ''
  let headFlags = 0
  for (let i = 0; i < entries.length; i++) {
    const { data, encoding, callback, flags } = entries[i]
    if ((flags & INFORMATIONAL) !== 0) {
      pending = transmit(message, INFORMATIONAL, data, undefined, null, -1, callback ?? null)
      continue
    }
    let body = data
    if ((flags & HEAD) !== 0) {
      head = headOf(message, data)
      headFlags = flags & (HEAD | HEAD_UTF8)
      body = data.length === head.length ? '' : data.slice(head.length)
    }
    const content = flags & (BODY | END)
    if (content === 0) {
      const next = entries[i + 1]
      const isNextFramed = next !== undefined && (next.flags === NONE || (next.flags & (BODY | END)) !== 0)
      if (headFlags === 0 || (isNextFramed && !callback)) continue
    }
    const isBody = (content & BODY) !== 0
    // The trailers are those that there were at the end.
    if ((content & END) !== 0 && message.chunkedEncoding && !isBody) message._trailer = body.slice(LAST_CHUNK.length, -CRLF.length)
    // A chunk's callback is with the CRLF behind it.
    const told = isBody && callback === null ? entries[i + 1]?.callback : callback
    pending = transmit(message, content | headFlags, head, isBody ? body : undefined, encoding, -1,
      !told || told === ended || told === nop ? null : told)
    head = ''
    headFlags = 0
  }
  return pending
}

/** Gives the head at the beginning of an entry; `_header` is public and can have been replaced. */
function headOf (message, data) {
  const head = message._header
  return data === head || data.startsWith(head) ? head : data.slice(0, data.indexOf('\r\n\r\n') + 4)
}

module.exports = { ended, sendOrQueue, isGluable, isGone, isOurs, memoryGone, flushQueue }

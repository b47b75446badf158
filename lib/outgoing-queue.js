'use strict'

/**
 * A message's own queue, `outputData`: the writes that core would make, while there is nothing to write to. A foreign
 * stream gets them as they are; for a Connection they are put together again, since proto frames by itself.
 */

const { sendFlags } = require('./binding')
const { CRLF, LOST, nop, isCarried, isLost, sizeOf, transmit, writeRaw } = require('./outgoing-transmit')
const versions = require('./versions')
const { kConnection, kHighWaterMark, kPlain, kSocket } = require('./symbols')

const { HEAD, BODY, END, HEAD_UTF8, INFORMATIONAL } = sendFlags

/** Flags of entries only. Bytes outside of any framing; what frames a chunk; nothing but what a head is glued to. */
const RAW = 1 << 30
const FRAME = 1 << 29
const EMPTY = 1 << 28

/** In place of the callback that ends the message: who it is for knows by itself. */
function ended () {}

/** Keeps a part until the message has a transport. `data`, `encoding` and `callback` are what core shows. */
function enqueue (message, flags, data, encoding, callback) {
  const size = data === undefined ? 0 : data.length
  message.outputData.push({ data, encoding, callback, flags })
  message.outputSize += size
  message._onPendingData(size)
  return message.outputSize
}

/** A head that goes apart from what it is for. */
function enqueueFirst (message, head) {
  message.outputData.unshift({ data: head, encoding: 'latin1', callback: null, flags: RAW })
  message.outputSize += head.length
  message._onPendingData(head.length)
}

/** Core sends a head and such a part behind it as one string. */
function isGluable (data, encoding) {
  return typeof data === 'string' && (!encoding || encoding === 'utf8' || encoding === 'latin1')
}

/** The same with a head before it. */
function enqueueGlued (message, head, headFlags, flags, data, encoding, callback) {
  if (headFlags === 0) return enqueue(message, flags, data, encoding, callback)
  if (isGluable(data, encoding)) {
    return enqueue(message, flags | headFlags, head + data, encoding, callback)
  }
  enqueue(message, headFlags | EMPTY, head, 'latin1', null)
  return enqueue(message, flags, data, encoding, callback)
}

function enqueueParts (message, flags, head, body, encoding, size, callback) {
  if ((flags & INFORMATIONAL) !== 0) return enqueue(message, INFORMATIONAL, head, 'ascii', callback ?? undefined)
  const isEnd = (flags & END) !== 0
  const isChunked = message.chunkedEncoding && message._hasBody && !message[kPlain]
  let headFlags = flags & (HEAD | HEAD_UTF8)
  if ((flags & BODY) !== 0) {
    if (isChunked) {
      const length = size === -1 ? sizeOf(body, encoding) : size
      enqueueGlued(message, head, headFlags, FRAME, length.toString(16), 'latin1', null)
      enqueue(message, FRAME, CRLF, null, null)
      enqueue(message, BODY, body, encoding, null)
      enqueue(message, FRAME, CRLF, null, callback ?? nop)
    } else if (isEnd && versions.endCallbackGetsError && !message.strictContentLength) {
      return enqueueGlued(message, head, headFlags, BODY | END, body, encoding, ended)
    } else {
      enqueueGlued(message, head, headFlags, BODY, body, encoding, callback ?? nop)
    }
    headFlags = 0
  }
  if (isEnd) {
    return enqueueGlued(message, head, headFlags, END, isChunked ? `0\r\n${message._trailer}\r\n` : '', 'latin1', ended)
  }
  if (headFlags !== 0) return enqueueGlued(message, head, headFlags, EMPTY, '', undefined, callback ?? undefined)
  return message.outputSize
}

/** Does core queue the head before it learns that the part behind it is lost? (`_send` of what it cannot glue to it.) */
function leavesHead (message, body, encoding) {
  if (body === undefined || !message._hasBody || isGluable(body, encoding)) return false
  return !message.chunkedEncoding || body.length === 0
}

/** Sends a part, or queues it. Takes transmit's arguments. */
function deliver (message, flags, head, body, encoding, size, callback) {
  if (message.outputData.length === 0 && isCarried(message)) {
    return transmit(message, flags, head, body, encoding, size, callback)
  }
  if (isLost(message)) {
    if ((flags & HEAD) !== 0 && leavesHead(message, body, encoding)) enqueueFirst(message, head)
    return LOST
  }
  return enqueueParts(message, flags, head, body, encoding, size, callback)
}

/**
 * Gives everything that waits to the transport.
 * @param {Function} finish(message) when the end is with a foreign stream
 * @returns {number} bytes the transport has not taken
 */
function flushQueue (message, finish) {
  const entries = message.outputData
  if (entries.length === 0) return 0
  const size = message.outputSize
  message.outputData = []
  message.outputSize = 0
  const pending = message[kConnection] ? assemble(message, entries) : write(message, entries, finish)
  message._onPendingData(-size)
  return pending
}

function write (message, entries, finish) {
  const socket = message[kSocket]
  socket.cork?.()
  let taken = true
  for (const { data, encoding, callback } of entries) {
    taken = socket.write(data, encoding, callback === ended ? (error) => finish(message, error) : callback)
  }
  socket.uncork?.()
  return taken === false ? Math.max(message[kHighWaterMark], socket.writableLength ?? 0) : 0
}

/** What follows a head at once leaves with it, in one piece. */
function assemble (message, entries) {
  let pending = 0
  let head = ''
  let headFlags = 0
  for (let i = 0; i < entries.length; i++) {
    const { data, encoding, callback, flags } = entries[i]
    if (flags === undefined || (flags & RAW) !== 0) {
      writeRaw(message, data, encoding, callback ?? null)
      continue
    }
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
      const isNextFramed = next !== undefined && (next.flags & (BODY | END | FRAME)) !== 0
      if (headFlags === 0 || (isNextFramed && !callback)) continue
    }
    const isBody = (content & BODY) !== 0
    // A chunk's callback is with the line end behind it.
    const told = isBody && callback === null ? entries[i + 1]?.callback : callback
    pending = transmit(message, content | headFlags, head, isBody ? body : undefined, encoding, -1,
      !told || told === ended || told === nop ? null : told)
    head = ''
    headFlags = 0
  }
  return pending
}

/** Somebody may have replaced it. */
function headOf (message, data) {
  const head = message._header
  return data === head || data.startsWith(head) ? head : data.slice(0, data.indexOf('\r\n\r\n') + 4)
}

module.exports = { RAW, isGluable, enqueue, enqueueFirst, deliver, flushQueue }

'use strict'

/**
 * `_send` and `_writeRaw`: output beside the message's framing, kept for those who call them, and for those who put their
 * own in the place of `_send`. Theirs is called as core calls it, with every piece of the framing, and what it passes on
 * leaves as it is: the native side is told of the head and of the end only.
 */

const { isUint8Array } = require('node:util/types')
const { sendFlags } = require('./binding')
const { RAW, deliver, enqueue, isGluable } = require('./outgoing-queue')
const { CRLF, isCarried, isStreamed, isUtf8, nop, noteBackpressure, takeHeadFlag, writeRaw } = require('./outgoing-transmit')
const versions = require('./versions')
const { kHighWaterMark, kPlain, kSocket, kUnusual } = require('./symbols')

const { END, HEAD_UTF8 } = sendFlags

/** Raw output. Sends the head first if need be. */
function _send (data, encoding, callback, byteLength) {
  let pending = 0
  if (!this._headerSent) {
    if (this._send !== _send) this[kPlain] = true
    if (isStreamed(this) && isGluable(data, encoding) && this._header !== null && isCarried(this)) {
      this._headerSent = true
      return this._writeRaw(this._header + data, encoding, callback, byteLength)
    }
    const bare = data === '' || data === undefined
    let flags = takeHeadFlag(this)
    // Core glues what it is given to the head and writes both as one string, in the encoding of what it was given.
    if (this[kUnusual] && isUtf8(encoding) && !isUint8Array(data)) flags |= HEAD_UTF8
    pending = deliver(this, flags, this._header, undefined, null, -1, bare && callback ? callback : null)
    if (bare) return noteBackpressure(this, pending)
  }
  return this._writeRaw(data, encoding, callback, byteLength)
}

function _writeRaw (data, encoding, callback, size) {
  if (typeof encoding === 'function') {
    callback = encoding
    encoding = null
  }
  if (this[kSocket]?.destroyed) return false
  if (this.outputData.length === 0 && isCarried(this)) return writeRaw(this, data, encoding, callback)
  return enqueue(this, RAW, data, encoding, callback ?? null) < this[kHighWaterMark]
}

/** Does somebody else send this message? Whoever comes when the head has left comes too late. */
function isPlain (message) {
  return message._send !== _send && (message[kPlain] || !message._headerSent)
}

/** One chunk, of one piece or more; without chunks the pieces alone. */
function sendChunk (message, parts, size, callback) {
  if (!message.chunkedEncoding || size === 0) {
    let ret = true
    for (const { data, encoding, size } of parts) ret = message._send(data, encoding, callback, size)
    return ret
  }
  message._send(size.toString(16), 'latin1', null)
  message._send(CRLF, null, null)
  for (const { data, encoding, size } of parts) message._send(data, encoding, null, size)
  return message._send(CRLF, null, callback)
}

/** write() */
function writePlain (message, data, encoding, size, callback) {
  return sendChunk(message, [{ data, encoding, size }], size, callback ?? nop) !== false || noteBackpressure(message, Infinity)
}

/**
 * end()
 * @param {string|Uint8Array|undefined} data last part
 * @param {Function} finish what follows when the transport took all
 */
function endPlain (message, data, encoding, size, finish) {
  const isChunked = message._hasBody && message.chunkedEncoding
  const hasPart = Boolean(data)
  const endsWithPart = hasPart && !isChunked && versions.endCallbackGetsError && !message.strictContentLength
  if (hasPart) sendChunk(message, [{ data, encoding, size }], size, endsWithPart ? finish : nop)
  if (isChunked) message._send('0\r\n' + message._trailer + '\r\n', 'latin1', finish)
  else if (!endsWithPart && (!message._headerSent || message.writableLength || hasPart)) message._send('', 'latin1', finish)
  else if (!endsWithPart) process.nextTick(finish)
  if (message[kPlain]) deliver(message, END, '', undefined, null, -1, null)
}

module.exports = { _send, _writeRaw, isPlain, sendChunk, writePlain, endPlain }

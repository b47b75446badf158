'use strict'

/**
 * `_send` and `_writeRaw`: output beside the message's framing, kept for those who call them, and for those who put their
 * own in the place of `_send`. Theirs is called as core calls it, with every piece of the framing, and what it passes on
 * leaves as it is: the native side is told of the head and of the end only.
 */

const { isUint8Array } = require('node:util/types')
const { process } = require('./host')
const { sendFlags } = require('./binding')
const { RAW, deliver, enqueue, enqueueFirst, isGluable } = require('./outgoing-queue')
const { CRLF, isCarried, isForeign, isLost, isUtf8, nop, noteBackpressure, takeHeadFlag, writeRaw } = require('./outgoing-transmit')
const { cores, isCores } = require('./core-messages')
const versions = require('./versions')
const { kChunkedBuffer, kCorked, kHighWaterMark, kPlain, kSocket, kUnusual } = require('./symbols')

const { END, HEAD_UTF8, CORK } = sendFlags

/** Raw output. Sends the head first if need be. */
function _send (data, encoding, callback, byteLength) {
  if (isCores(this)) return cores.OutgoingMessage._send.apply(this, arguments)
  if (!this._headerSent && this._send !== _send) this[kPlain] = true
  if (!this._headerSent && this._header !== null) {
    if (isForeign(this)) {
      this._headerSent = true
      if (isGluable(data, encoding)) data = this._header + data
      else enqueueFirst(this, this._header)
    } else {
      const bare = data === '' || data === undefined
      let flags = takeHeadFlag(this)
      // Core glues what it is given to the head and writes both as one string, in the encoding of what it was given.
      if (this[kUnusual] && isUtf8(encoding) && !isUint8Array(data)) flags |= HEAD_UTF8
      if (isCorked(this)) flags |= CORK
      const pending = deliver(this, flags, this._header, undefined, null, -1, bare && callback ? callback : null)
      if (bare) return pending < this[kHighWaterMark]
    }
  }
  return this._writeRaw(data, encoding, callback, byteLength)
}

function _writeRaw (data, encoding, callback, size) {
  if (isCores(this)) return cores.OutgoingMessage._writeRaw.apply(this, arguments)
  if (typeof encoding === 'function') {
    callback = encoding
    encoding = null
  }
  if (isLost(this)) return false
  if (isCarried(this)) {
    if (this.outputData.length !== 0) this._flushOutput(this[kSocket])
    return isForeign(this) ? this[kSocket].write(data, encoding, callback) : writeRaw(this, data, encoding, typeof callback === 'function' ? callback : null)
  }
  return enqueue(this, RAW, data, encoding, callback) < this[kHighWaterMark]
}

/** Do parts of the message wait for uncork(), or for the end of the tick? Then what is sent now does, too. */
function isCorked (message) {
  return message[kChunkedBuffer] !== null || message[kCorked] !== 0
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
 * @param {boolean} hadPart whether there was one, sent or not
 * @param {Function} finish what follows when the transport took all
 */
function endPlain (message, data, encoding, size, hadPart, finish) {
  const isChunked = message._hasBody && message.chunkedEncoding
  const hasPart = Boolean(data)
  const endsWithPart = hasPart && !isChunked && versions.endCallbackGetsError && !message.strictContentLength &&
    !message.destroyed && Boolean(message._header)
  if (hasPart) sendChunk(message, [{ data, encoding, size }], size, endsWithPart ? finish : nop)
  if (isChunked) message._send('0\r\n' + message._trailer + '\r\n', 'latin1', finish)
  else if (!endsWithPart && (!message._headerSent || message.writableLength || hadPart)) message._send('', 'latin1', finish)
  else if (!endsWithPart) process.nextTick(finish)
  if (message[kPlain] && !isForeign(message)) deliver(message, END, '', undefined, null, -1, null)
}

module.exports = { _send, _writeRaw, isPlain, sendChunk, writePlain, endPlain }

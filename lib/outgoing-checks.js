'use strict'

/** What may be wrong with a part of a body: its type, its time, its size. */

const { isUint8Array } = require('node:util/types')
const { process } = require('./host')
const { codes } = require('./errors')
const { kBytesWritten } = require('./symbols')

function checkChunk (chunk) {
  if (chunk === null) throw new codes.ERR_STREAM_NULL_VALUES()
  if (typeof chunk !== 'string' && !isUint8Array(chunk)) {
    throw new codes.ERR_INVALID_ARG_TYPE('chunk', ['string', 'Buffer', 'Uint8Array'], chunk)
  }
}

/** A mistake that is reported, not thrown: to the callback, then as 'error'; to nobody if the message is destroyed. */
function report (message, error, callback) {
  if (message.destroyed) return
  // From now on there is somebody to hear of it: its end takes its time, too.
  message._events ??= { __proto__: null }
  process.nextTick(emitError, message, error, callback)
}

function emitError (message, error, callback) {
  callback(error)
  if (typeof message.emit === 'function' && !message.destroyed) message.emit('error', error)
}

/** Does strictContentLength hold this message to its word? */
function isStrict (message) {
  return message.strictContentLength && message._contentLength !== null && message._hasBody &&
    !message._removedContLen && !message.chunkedEncoding && !message.hasHeader('transfer-encoding')
}

function countStrictly (message, size, isEnd) {
  if (isStrict(message)) {
    const total = message[kBytesWritten] + size
    if (isEnd ? total !== message._contentLength : total > message._contentLength) {
      throw new codes.ERR_HTTP_CONTENT_LENGTH_MISMATCH(total, message._contentLength)
    }
  }
  message[kBytesWritten] += size
}

module.exports = { checkChunk, report, isStrict, countStrictly }

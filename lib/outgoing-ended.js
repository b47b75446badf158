'use strict'

/**
 * end() of a message that does not end as most do: it frames itself, was ended before, was destroyed, or its end cannot
 * leave now or ever.
 */

const { process } = require('./host')
const { sendFlags } = require('./binding')
const { checkChunk, isStrict, report } = require('./outgoing-checks')
const { addEndCallback, finishAnyway } = require('./outgoing-end')
const { endForeign, isForeign } = require('./outgoing-foreign')
const { endHeld } = require('./outgoing-held')
const { endPlain } = require('./outgoing-plain')
const { deliver } = require('./outgoing-queue')
const { isLost, nop, takeHeadFlag } = require('./outgoing-transmit')
const { codes } = require('./errors')
const { kBytesWritten, kChunkedBuffer, kConnection, kCorked, kEndCallbacks, kSocket } = require('./symbols')

const { END, HEAD } = sendFlags

/** end() of a message that frames itself: somebody else sends it, or it is on a stream of somebody else. */
function endPlainly (message, chunk, encoding, size, hadPart, callback) {
  if (typeof callback === 'function') addEndCallback(message, callback)
  const end = isForeign(message) ? endForeign : endPlain
  end(message, chunk, encoding, size, hadPart, (error) => finishAnyway(message, error))
  message[kCorked] = 0
  message.finished = true
  if (message.outputData.length === 0 && isAttached(message)) message._finish()
  return message
}

/** Is it the transport's current message? */
function isAttached (message) {
  return Boolean(message[kConnection]) || message[kSocket]?._httpMessage === message
}

/** end() of a message that was ended before. */
function endAgain (message, chunk, callback) {
  if (chunk) report(message, new codes.ERR_STREAM_WRITE_AFTER_END(), typeof callback === 'function' ? callback : nop)
  else if (typeof callback === 'function') addEndCallback(message, callback)
  return message
}

/** end() of a message that was destroyed: it goes as far as it can, and a last part is ignored. */
function endDestroyed (message, chunk, callback) {
  if (isForeign(message) && (chunk || !message._header)) message[kSocket].cork?.()
  if (chunk) {
    if (typeof chunk !== 'string') checkChunk(chunk)
  } else if (!message._header) {
    message._contentLength = 0
    message._implicitHeader()
  }
  if (typeof callback === 'function') addEndCallback(message, callback)
  if (isStrict(message) && message[kBytesWritten] !== message._contentLength) {
    throw new codes.ERR_HTTP_CONTENT_LENGTH_MISMATCH(message[kBytesWritten], message._contentLength)
  }
  if (message[kChunkedBuffer] !== null) endHeld(message)
  if (isForeign(message)) return endPlainly(message, undefined, null, 0, Boolean(chunk), undefined)
  const isSent = !chunk && isAllSent(message)
  const flags = END | takeHeadFlag(message)
  if (!isSent && !isLost(message)) deliver(message, flags, flags & HEAD ? message._header : '', undefined, null, 0, null)
  message[kCorked] = 0
  message.finished = true
  endUncarried(message, isSent)
  return message
}

/** Is something of it corked, or does it wait for a connection that is still to come? */
function isWaiting (connection) {
  return connection !== null && connection !== undefined && (connection.corked || connection.heldSize > 0)
}

/** Does nothing have to follow what was sent? */
function isAllSent (message) {
  return message._headerSent && !(message._hasBody && message.chunkedEncoding) && message.outputSize === 0 && !isWaiting(message[kConnection])
}

/** The end could not leave: it waits for its turn, or is lost, of which nobody hears, unless it had nothing to send. */
function endUncarried (message, isSent) {
  if (isSent) process.nextTick(finishAnyway, message)
  else if (isLost(message)) message[kEndCallbacks] = undefined
  if (message.outputData.length === 0 && isAttached(message)) message._finish()
}

module.exports = { endPlainly, endAgain, endDestroyed, endUncarried, isAllSent }

'use strict'

/**
 * A message on a stream that is no connection of ours: one that somebody assigned. Such streams look at what is written
 * to them, so the message frames itself, in the calls that core would make.
 */

const { process } = require('./host')
const { checkEncoding, isForeign } = require('./outgoing-transmit')
const { hold } = require('./outgoing-held')
const { endPlain, writePlain } = require('./outgoing-plain')
const versions = require('./versions')
const { kChunkedBuffer, kCorked, kSocket } = require('./symbols')

/** The stream is corked for the rest of the tick that writes to it. */
function corkForTick (message) {
  const socket = message[kSocket]
  if (socket.writableCorked) return
  if (versions.tickMergesChunks) {
    message.cork()
    process.nextTick(uncorkMessage, message)
  } else {
    socket.cork?.()
    process.nextTick(uncorkStream, socket)
  }
}

function uncorkMessage (message) {
  if (message[kCorked] !== 0) message.uncork()
}

function uncorkStream (socket) {
  socket.uncork?.()
}

/** Does the message keep a part until it is uncorked? */
function keeps (message, size) {
  if (!versions.corkMergesChunks || !message.chunkedEncoding || message[kCorked] === 0) return false
  if (versions.tickMergesChunks) return size !== 0 || message[kChunkedBuffer] !== null
  return size !== 0 && message._headerSent
}

/** write() */
function writeForeign (message, chunk, encoding, size, callback) {
  if (encoding && typeof chunk === 'string') checkEncoding(message, encoding, size)
  corkForTick(message)
  return keeps(message, size)
    ? hold(message, chunk, encoding, size, callback)
    : writePlain(message, chunk, encoding, size, callback)
}

/**
 * end()
 * @param {string|Uint8Array|undefined} data last part, if it is to be sent
 * @param {boolean} hadPart whether there was one
 * @param {function(Error=): void} finish what follows when the stream took all
 */
function endForeign (message, data, encoding, size, hadPart, finish) {
  endPlain(message, data, encoding, size, hadPart, finish)
  const socket = message[kSocket]
  if (socket) {
    if (socket._writableState) socket._writableState.corked = 1
    socket.uncork?.()
  }
  if (versions.corkMergesChunks) {
    message[kCorked] = 1
    message.uncork()
  }
  message[kCorked] = 0
}

module.exports = { isForeign, writeForeign, endForeign }

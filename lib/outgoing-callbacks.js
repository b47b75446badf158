'use strict'

/**
 * Callbacks of a message's writes, and what is to follow its end, until what they are for counts as taken. What counts is
 * decided by the native side alone (`State::take` in src/net/state.rs): here they are kept in the order of what they are
 * for, each with the number of bytes, of all that was said on its connection, that must be taken before.
 */

const { AsyncResource } = require('node:async_hooks')
const { constants } = require('node:os')
const { codes, systemError } = require('./errors')
const versions = require('./versions')
const { kCallbacks } = require('./symbols')

/** What becomes of a write whose handle is closed: libuv's. */
const ECANCELED = -constants.errno.ECANCELED
const WRITE = 2

/**
 * Does nothing wait to be taken, and does all that was said count as taken? If not, the connection's `onDrain` follows.
 * @param {number} pending bytes that the transport has not taken
 * @returns {boolean}
 */
function isTaken (message, connection, pending) {
  return !isWaiting(message) && connection.takes(pending) === 0
}

function isWaiting (message) {
  return message[kCallbacks] !== null && message[kCallbacks].length !== 0
}

/**
 * Calls back, in the async context of now, when everything said so far is taken, or with the reason why it will not be.
 * @param {number} pending bytes that the transport has not taken
 */
function whenTaken (message, connection, pending, callback) {
  message[kCallbacks] ??= []
  message[kCallbacks].push({
    at: connection.takes(pending),
    write: connection.corks,
    call: AsyncResource.bind(callback)
  })
}

/**
 * As much is taken, of all that was ever said on the connection: calls those who waited for it.
 * @param {number} taken bytes
 */
function tellTaken (message, taken) {
  const waiting = message[kCallbacks]
  if (waiting === null) return
  let count = 0
  while (count < waiting.length && waiting[count].at <= taken) count++
  if (count === 0) return
  // In core the stream's next write is all that has gathered behind the one that was taken.
  for (let i = count; i < waiting.length; i++) waiting[i].write = 0
  call(message, waiting.splice(0, count), null)
}

/** What one of them throws costs the others nothing but a tick. */
function call (message, entries, error) {
  let called = 0
  try {
    while (called < entries.length) entries[called++].call(error)
  } finally {
    if (called < entries.length) process.nextTick(call, message, entries.slice(called), error)
  }
}

/**
 * The connection is given up, or was lost: nothing that is not taken will be. In core the writes behind the one that the
 * handle has are the stream's to tell of, and come first.
 */
function failBuffered (message) {
  const waiting = message[kCallbacks]
  if (waiting === null || waiting.length === 0) return
  const { write } = waiting[0]
  const first = waiting.findIndex((entry) => entry.write !== write)
  if (first !== -1) call(message, waiting.splice(first), new codes.ERR_STREAM_DESTROYED('write'))
}

/**
 * The connection is closed.
 * @param {number} taken bytes that counted as taken when it ended
 */
function failWaiting (message, taken) {
  tellTaken(message, taken)
  failBuffered(message)
  const waiting = message[kCallbacks]
  if (waiting === null || waiting.length === 0) return
  call(message, waiting.splice(0), versions.closedHandleTellsWrites ? systemError(ECANCELED, WRITE) : null)
}

module.exports = { isTaken, isWaiting, whenTaken, tellTaken, failBuffered, failWaiting }

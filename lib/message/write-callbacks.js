'use strict'

/**
 * Callbacks of a message's writes, and what is to follow its end, until what they are for counts as taken. What counts is
 * decided by the native side alone (`State::take` in src/net/state.rs): here they are kept in the order of what they are
 * for, each with the number of bytes, of all that was said on its connection, that must be taken before.
 */

const { AsyncResource } = require('node:async_hooks')
const { constants } = require('node:os')
const { process } = require('../host')
const { codes, systemError } = require('../core/errors')
const versions = require('../core/versions')
const { kCallbacks } = require('../core/symbols')

/** What becomes of a write whose handle is closed: libuv's. */
const ECANCELED = -constants.errno.ECANCELED
const WRITE = 2

/**
 * Does nothing wait to be taken, and does all that was said count as taken? If not, the connection's `onDrain` follows.
 * @returns {boolean}
 */
function isTaken (message, connection) {
  return !isWaiting(message) && connection.takes() === 0
}

function isWaiting (message) {
  return message[kCallbacks] !== null && message[kCallbacks].length !== 0
}

/**
 * Calls back when everything said so far is taken, or with the reason why it will not be: in the async context of now, or,
 * where there is no connection yet, in the one that this is made in, as core's socket writes then.
 */
function whenTaken (message, connection, callback) {
  message[kCallbacks] ??= []
  message[kCallbacks].push({
    at: connection.takes(),
    write: connection.corks,
    callback,
    resource: connection.isConnecting() ? null : new AsyncResource('HTTPWRITE')
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
  call(waiting.splice(0, count), null, true)
}

/**
 * Calls them, each in its own context or all in that of now. What one of them throws costs the others nothing but a tick.
 */
function call (entries, error, isOwn) {
  let called = 0
  try {
    while (called < entries.length) {
      const { callback, resource } = entries[called++]
      if (isOwn && resource !== null) resource.runInAsyncScope(callback, undefined, error)
      else callback(error)
    }
  } finally {
    if (called < entries.length) process.nextTick(call, entries.slice(called), error, isOwn)
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
  if (first !== -1) call(waiting.splice(first), new codes.ERR_STREAM_DESTROYED('write'), false)
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
  call(waiting.splice(0), versions.closedHandleTellsWrites ? systemError(ECANCELED, WRITE) : null, true)
}

module.exports = { isTaken, isWaiting, whenTaken, tellTaken, failBuffered, failWaiting, call }

'use strict'

/**
 * Keeps the callbacks of a message's writes, and what follows its end, until the parts they are for count as taken.
 * What counts as taken is decided by the native side alone (`State::take` in src/net/state.rs): here callbacks are in
 * the order of their parts, each with the number of bytes, of all ever sent on its connection, that must be taken before.
 */

const { process } = require('../host')
const { codes, canceledWrite } = require('../core/errors')
const { Scope } = require('../core/scope')
const versions = require('../core/versions')
const { kCallbacks, kConnection } = require('../core/symbols')

/**
 * True if no callback waits and all that was sent counts as taken. If false, the connection's `onDrain` follows.
 * @returns {boolean}
 */
function isTaken (message, connection) {
  return !isWaiting(message) && connection.takes() === 0
}

/** True if callbacks of the message's writes wait. */
function isWaiting (message) {
  return message[kCallbacks] !== null && message[kCallbacks].length !== 0
}

/**
 * Calls back once everything sent so far is taken, or with the error why it will not be: in the async context of now.
 */
function whenTaken (message, connection, callback) {
  message[kCallbacks] ??= []
  message[kCallbacks].push({
    at: connection.takes(),
    write: connection.corks,
    callback,
    resource: new Scope('HTTPWRITE')
  })
}

/**
 * Has callbacks of parts that are taken wait for later ones of their cork, with which they are one write in core, unless those are
 * taken, too, and nothing waits for that.
 * @returns {boolean} false: they do not wait
 */
function waitForRest (message, connection, callbacks) {
  const later = message[kCallbacks]?.find(({ write }) => write === connection.corks)
  const at = later === undefined ? connection.takes() : later.at
  if (at === 0) return false
  const resource = new Scope('HTTPWRITE')
  message[kCallbacks] ??= []
  message[kCallbacks].unshift(...callbacks.map((callback) => ({ at, write: connection.corks, callback, resource })))
  return true
}

/**
 * Calls the callbacks of all parts that are taken.
 * @param {number} taken bytes, of all ever sent on the connection
 * @param {number} [gathering] the cork whose parts are still to be written in core
 */
function tellTaken (message, taken, gathering = -1) {
  const waiting = message[kCallbacks]
  // A message that core has made has none.
  if (!waiting) return
  let count = 0
  while (count < waiting.length && waiting[count].at <= taken && waiting[count].write !== gathering) count++
  if (count === 0) return
  // In core the stream's next write is all that has gathered behind the one that was taken.
  for (let i = count; i < waiting.length; i++) waiting[i].write = 0
  call(waiting.splice(0, count), null, true)
}

/**
 * Calls callbacks, each in its own context or all in that of now. If one throws, the others follow in the next tick.
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
 * Fails the callbacks of writes that would still be in the stream's buffer in core, behind the one that the handle has:
 * they come first when the connection is given up or lost.
 */
function failBuffered (message) {
  const waiting = message[kCallbacks]
  if (!waiting || waiting.length === 0) return
  const { write } = waiting[0]
  // What was corked has not been given to the handle.
  const first = message[kConnection]?.cutAt === write ? 0 : waiting.findIndex((entry) => entry.write !== write)
  if (first !== -1) call(waiting.splice(first), message[kConnection]?.socket?.errored ?? new codes.ERR_STREAM_DESTROYED('write'), false)
}

/**
 * Calls all callbacks that are left: the connection is closed.
 * @param {number} taken bytes that counted as taken when it ended
 */
function failWaiting (message, taken) {
  tellTaken(message, taken)
  failBuffered(message)
  const waiting = message[kCallbacks]
  if (!waiting || waiting.length === 0) return
  call(waiting.splice(0), versions.closedHandleTellsWrites ? canceledWrite() : null, true)
}

module.exports = { isTaken, isWaiting, whenTaken, waitForRest, tellTaken, failBuffered, failWaiting, call }

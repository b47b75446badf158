'use strict'

/**
 * The end of an outgoing message: the callbacks of end(), and 'finish' once the transport has taken all.
 */

const { process } = require('../host')
const { settle, isDispatching } = require('../binding')
const { codes } = require('../core/errors')
const { baseEmit } = require('../core/originals')
const { isTaken, isWaiting, whenTaken, tellTaken } = require('./write-callbacks')
const { isTouched } = require('./incoming')
const { isLost, tellDue } = require('./send')
const versions = require('../core/versions')
const {
  kAwaitsRoom, kCallbacks, kConnection, kDrainScope, kEndCallbacks, kErrored, kFinished, kFlushError, kHeld, kNative, kNeedDrain, kRequest, kSettle, kSocket, kWritableFinished
} = require('../core/symbols')

/**
 * Bytes. A message that ends with less than this pending, and that nothing waits for, is over at once, as a small one is in core.
 * A decision of lib/ alone: the native side counts, and tells whether there is room for more.
 */
const PENDING_MAX = 64 * 1024

/** True if no listener can tell whether an event was emitted. */
function isQuiet (message) {
  return message._events === undefined && message.emit === baseEmit
}

/** True if no callback and no listener waits for the message's progress: large parts are not copied before they are written. */
function isUntold (message) {
  return message[kEndCallbacks] === null && message[kCallbacks] === null && isQuiet(message)
}

/** True if nothing waits for what becomes of the message, or of its request. */
function isUnheard (message) {
  return isUntold(message) && (message[kRequest] === undefined || !isTouched(message[kRequest]))
}

/** Adds a callback of end(). */
function addEndCallback (message, callback) {
  if (!versions.endCallbackGetsError) message.once('finish', callback)
  else if (message[kEndCallbacks] === null) message[kEndCallbacks] = [callback]
  else message[kEndCallbacks].push(callback)
}

/** True if the end of the message can be seen in its request: a response's end discards what is unread of that. */
function discardsSeen ({ [kRequest]: req }) {
  return req !== undefined && isTouched(req) && !req._consuming
}

/** True if nothing waits for the message's end: neither of its own nor of its request. */
function endsUntold (message) {
  return isUntold(message) && !discardsSeen(message)
}

/** Brings about 'finish', once the transport has taken everything. @param {number} pending bytes not taken yet */
function finishLater (message, connection, pending) {
  if (!endsUntold(message)) finishTaken(message, connection)
  else if (pending >= PENDING_MAX && !connection.hasRoom()) message[kAwaitsRoom] = true
  // Those behind it see when their turn comes: in a tick, as in core, and not behind all that this turn does.
  else if (pending >= PENDING_MAX || connection.isAwaited()) process.nextTick(settledInTick, message)
  else settle(message)
}

/** Emits 'finish' once all is taken, behind the callbacks of earlier writes. Events follow that later listeners hear. */
function finishTaken (message, connection) {
  message._events ??= { __proto__: null }
  if (isTaken(message, connection)) {
    process.nextTick(finish, message)
    return
  }
  whenTaken(message, connection, (error) => finish(message, error))
  // An end is written in the call, as its socket's stream does.
  connection.writeWaiting()
}

/**
 * Finishes a message behind the turn that ended it: in a tick, as in core, or before those of the dispatch. Then listeners that it
 * has got meanwhile hear 'finish' in a tick of their own.
 */
function settled () {
  if (!isDispatching()) settledInTick(this)
  else if (endsUntold(this)) finish(this)
  else if (this[kConnection]) finishTaken(this, this[kConnection])
  else process.nextTick(finish, this)
}

/** The same in a tick of its own. */
function settledInTick (message) {
  const connection = message[kConnection]
  const isUnseen = endsUntold(message)
  message._events ??= { __proto__: null }
  if (isUnseen || !connection || isTaken(message, connection)) finish(message)
  else finishTaken(message, connection)
}

/** Gives the bytes that count as taken; Infinity if all do, or if there is no transport. */
function takenOn (connection) {
  return connection?.taken() ?? Infinity
}

/** Handles progress of the transport: 'drain' if all is taken, and nothing held for the end of the tick, then callbacks of writes, then 'finish'. */
function drained () {
  const connection = this[kConnection]
  const taken = takenOn(connection)
  if (taken === Infinity && !this.finished && this[kNeedDrain] && this[kHeld] === null && isOpen(connection) && !isSocketFull(this)) {
    if (connection.isGathering()) connection.notifyDrain()
    else if (connection.mayDrain(this)) emitDrain(this)
  }
  try {
    if (isWaiting(this) && this[kConnection] !== null) tellDue(this[kConnection])
  } finally {
    // Also behind what a callback threw: no other event tells of what is taken by now. "All" is asked again: a listener of 'drain', or
    // a callback, may have written more, which a number of bytes does not reach.
    if (isWaiting(this)) tellSent(this, taken === Infinity ? takenOn(connection) : taken)
  }
  if (!this[kAwaitsRoom]) return
  this[kAwaitsRoom] = false
  this[kSettle]()
}

/** Calls the callbacks of what is taken; those of the tick's parts behind its end, when core has written them. */
function tellSent (message, taken) {
  const connection = message[kConnection]
  if (connection === null || !connection.isGathering() || !isOpen(connection)) {
    tellTaken(message, taken)
    return
  }
  tellTaken(message, taken, connection.corks)
  if (isWaiting(message) && taken === Infinity) connection.notifyDrain()
}

/** True if the connection's side is not ended. */
function isOpen (connection) {
  return connection !== null && !connection.outputEnded && (connection.socket === null || connection.socket.writable)
}

/**
 * True if core sends the message and its socket will emit 'drain', which the message hears (delegate.js): also if that holds later
 * parts, behind the ones that were too much.
 */
function isSocketFull (message) {
  if (message[kNative] === true) return false
  const { _writableState: state } = message[kSocket]
  if (state.length !== 0) state.needDrain = true
  return message[kSocket].writableNeedDrain
}

/** Emits 'drain' in the context of the write that returned false, as in core; for core's own message in its socket's. */
function emitDrain (message) {
  const scope = message[kDrainScope]
  message[kNeedDrain] = false
  message[kDrainScope] = null
  if (scope === null) message.emit('drain')
  else scope.runInAsyncScope(message.emit, message, 'drain')
}

/** Gives the error with which the end fails although the transport took it; null on Nodes whose end() has none. */
function flushError (message, error) {
  if (!versions.endCallbackGetsError) return null
  const socket = message[kConnection]?.socket ?? message[kSocket]
  return error || message[kErrored] || socket?.errored || (socket?._hadError ? new codes.ERR_STREAM_DESTROYED('end') : null)
}

/** Finishes the message: the transport took all, or never will. */
function finish (message, error) {
  if (!message._closed || !isLost(message)) finishAnyway(message, error)
}

/** The same, also if the message was closed before. */
function finishAnyway (message, error) {
  if (message[kWritableFinished]) return
  // A request whose connection has failed does not finish in core.
  if (!versions.endCallbackGetsError && message[kSocket]?._hadError) return
  const reason = flushError(message, error)
  if (reason) {
    fail(message, reason)
    return
  }
  message[kWritableFinished] = true
  const callbacks = message[kEndCallbacks]
  if (callbacks) {
    message[kEndCallbacks] = null
    for (const callback of callbacks) callback(null)
  }
  message[kFinished]()
  if (message._events !== undefined || message.emit !== baseEmit) message.emit('finish')
}

/** Fails the callbacks of end(). Called by subclasses when the transport is lost. */
function failEndCallbacks (message, error) {
  // An end that comes later than this reports nothing; core sees to the messages that it sends.
  if (message.finished && message[kNative] === true) fail(message, error)
}

function fail (message, error) {
  const callbacks = message[kEndCallbacks]
  // The first reason stays.
  message[kFlushError] ??= error
  if (callbacks === null) return
  message[kEndCallbacks] = null
  for (const callback of callbacks) callback(error)
}

module.exports = {
  PENDING_MAX, isQuiet, isUnheard, isUntold, endsUntold, addEndCallback, failEndCallbacks, finishAnyway, finishLater, settled, drained
}

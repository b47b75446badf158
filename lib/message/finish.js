'use strict'

/**
 * How an outgoing message comes to its end: the callbacks that wait for it, and 'finish' when the transport took all.
 */

const { EventEmitter } = require('node:events')
const { process } = require('../host')
const { settle } = require('../binding')
const { codes } = require('../core/errors')
const { isTaken, whenTaken, tellTaken } = require('./write-callbacks')
const { PENDING_MAX, isLost } = require('./send')
const versions = require('../core/versions')
const {
  kAwaitsRoom, kCallbacks, kConnection, kDrainScope, kEndCallbacks, kErrored, kFinished, kFlushError, kNative, kNeedDrain, kSettle, kSocket, kWritableFinished
} = require('../core/symbols')

const baseEmit = EventEmitter.prototype.emit

/** Nobody can tell whether an event was emitted. */
function isQuiet (message) {
  return message._events === undefined && message.emit === baseEmit
}

/** Is nobody told what becomes of the message? Then large parts of it stay where they are until they are written. */
function isUntold (message) {
  return message[kEndCallbacks] === null && message[kCallbacks] === null && isQuiet(message)
}

/** The callback of end(). */
function addEndCallback (message, callback) {
  if (!versions.endCallbackGetsError) message.once('finish', callback)
  else if (message[kEndCallbacks] === null) message[kEndCallbacks] = [callback]
  else message[kEndCallbacks].push(callback)
}

/** Everything was sent: lets the world know when the transport took it. */
function finishLater (message, connection, pending) {
  if (!isUntold(message)) finishTaken(message, connection)
  else if (pending < PENDING_MAX) settle(message)
  else if (connection.hasRoom()) process.nextTick(settleNow, message)
  else message[kAwaitsRoom] = true
}

/** 'finish' comes when all is taken, behind the callbacks of what was said before. */
function finishTaken (message, connection) {
  if (isTaken(message, connection)) process.nextTick(finish, message)
  else whenTaken(message, connection, (error) => finish(message, error))
}

/** The turn that ended the message is over. Nobody listened then; maybe there are listeners now. */
function settled () {
  const connection = this[kConnection]
  if (isUntold(this)) finish(this)
  else if (connection) finishTaken(this, connection)
  else process.nextTick(finish, this)
}

function settleNow (message) {
  message[kSettle]()
}

/** More is taken: 'drain' if that is all, then callbacks of writes, then 'finish'. */
function drained () {
  const taken = this[kConnection]?.taken() ?? Infinity
  if (taken === Infinity && !this.finished && this[kNeedDrain] && isOpen(this[kConnection]) && !isSocketFull(this)) emitDrain(this)
  tellTaken(this, taken)
  if (!this[kAwaitsRoom]) return
  this[kAwaitsRoom] = false
  this[kSettle]()
}

/** True if more may be written to it. */
function isOpen (connection) {
  return connection !== null && !connection.outputEnded && (connection.socket === null || connection.socket.writable)
}

/** True if the socket of a message that core sends has a 'drain' of its own to emit, which the message will hear. */
function isSocketFull (message) {
  return message[kNative] !== true && message[kSocket].writableNeedDrain
}

/** In the context of the write that returned false, as in core; that of core's own message is its socket's. */
function emitDrain (message) {
  const scope = message[kDrainScope]
  message[kNeedDrain] = false
  message[kDrainScope] = null
  if (scope === null || message[kNative] !== true) message.emit('drain')
  else scope.runInAsyncScope(message.emit, message, 'drain')
}

/** Why the end does not count although the transport took it, on those Nodes that tell. */
function flushError (message, error) {
  if (!versions.endCallbackGetsError) return null
  const socket = message[kConnection]?.socket ?? message[kSocket]
  return error || message[kErrored] || socket?.errored || (socket?._hadError ? new codes.ERR_STREAM_DESTROYED('end') : null)
}

/** The transport took all, or will never take it. */
function finish (message, error) {
  if (!message._closed || !isLost(message)) finishAnyway(message, error)
}

/** Even if the message was closed before. */
function finishAnyway (message, error) {
  if (message[kWritableFinished]) return
  // Of a request whose connection has failed core tells no end.
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

/** Tells those who wait for the end that it will not come. Called by subclasses when the transport is lost. */
function failEndCallbacks (message, error) {
  // Of an end that comes behind nobody will hear; core tells of those that it sends.
  if (message.finished && message[kNative] === true) fail(message, error)
}

function fail (message, error) {
  const callbacks = message[kEndCallbacks]
  message[kFlushError] = error
  if (callbacks === null) return
  message[kEndCallbacks] = null
  for (const callback of callbacks) callback(error)
}

module.exports = {
  baseEmit, isQuiet, isUntold, addEndCallback, failEndCallbacks, finish, finishAnyway, finishLater, settled, drained
}

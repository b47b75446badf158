'use strict'

/**
 * How an outgoing message comes to its end: the callbacks that wait for it, and 'finish' when the transport took all.
 */

const { AsyncResource } = require('node:async_hooks')
const { EventEmitter } = require('node:events')
const { process } = require('./host')
const { settle } = require('./binding')
const { PENDING_MAX, isCarried, isLost } = require('./outgoing-transmit')
const { codes } = require('./errors')
const versions = require('./versions')
const {
  kCallbacks, kConnection, kEndCallbacks, kErrored, kFinished, kFlushError, kNeedDrain, kSocket, kWritableFinished
} = require('./symbols')

const baseEmit = EventEmitter.prototype.emit

/** Nobody can tell whether an event was emitted. */
function isQuiet (message) {
  return message._events === undefined && message.emit === baseEmit
}

function addEndCallback (message, callback) {
  if (message.finished && message.writableFinished) {
    callback(new codes.ERR_STREAM_ALREADY_FINISHED('end'))
    return
  }
  if (!versions.endCallbackGetsError) {
    message.once('finish', callback)
    return
  }
  if (message[kFlushError] !== null) {
    process.nextTick(callback, message[kFlushError])
    return
  }
  // The end was lost: as in core nobody hears of that.
  if (message[kEndCallbacks] === undefined) return
  if (message[kEndCallbacks] === null) message[kEndCallbacks] = []
  message[kEndCallbacks].push(callback)
}

/** Everything was sent: lets the world know when the transport took it. */
function finishLater (message, connection, pending) {
  if (pending >= PENDING_MAX) {
    if (!isQuiet(message) || message[kEndCallbacks] !== null) {
      if (message[kCallbacks] === null) message[kCallbacks] = []
      message[kCallbacks].push(AsyncResource.bind((error) => finish(message, error)))
    }
    connection.notifyDrain()
  } else if (message[kEndCallbacks] === null && message[kCallbacks] === null && isQuiet(message)) {
    settle(message)
  } else {
    process.nextTick(finish, message)
  }
}

/** The turn that ended the message is over. Nobody listened then; maybe somebody does now. */
function settled () {
  if (this[kEndCallbacks] === null && isQuiet(this)) finish(this)
  else process.nextTick(finish, this)
}

/** The transport took all: 'drain', then callbacks of writes, then 'finish'. */
function drained () {
  const callbacks = this[kCallbacks]
  this[kCallbacks] = null
  if (!this.finished && this[kNeedDrain] && isCarried(this)) {
    this[kNeedDrain] = false
    this.emit('drain')
  }
  if (callbacks !== null) for (const callback of callbacks) callback(null)
  if (this.finished && !this[kWritableFinished] && this.outputData.length === 0) finish(this)
}

/** Why the end does not count although the transport took it, on those Nodes that tell. */
function flushError (message, error) {
  if (!versions.endCallbackGetsError) return null
  return error || message[kErrored] || (message[kConnection]?.socket ?? message[kSocket])?.errored
}

/** The transport took all, or will never take it. */
function finish (message, error) {
  if (!message._closed || !isLost(message)) finishAnyway(message, error)
}

/** Even if the message was closed before. */
function finishAnyway (message, error) {
  if (message[kWritableFinished]) return
  const reason = flushError(message, error)
  if (reason) {
    failEndCallbacks(message, reason)
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
  // Of an end that comes behind nobody will hear.
  if (!message.finished) return
  message[kFlushError] = error
  const callbacks = message[kEndCallbacks]
  if (callbacks === null || callbacks === undefined) return
  message[kEndCallbacks] = null
  for (const callback of callbacks) callback(error)
}

module.exports = { baseEmit, isQuiet, addEndCallback, failEndCallbacks, finish, finishAnyway, finishLater, settled, drained }

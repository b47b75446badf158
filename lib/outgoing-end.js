'use strict'

/**
 * How an outgoing message comes to its end: the callbacks that wait for it, and 'finish' when the transport took all.
 */

const { AsyncResource } = require('node:async_hooks')
const { EventEmitter } = require('node:events')
const { settle } = require('./binding')
const { PENDING_MAX } = require('./outgoing-transmit')
const { codes } = require('./errors')
const versions = require('./versions')
const { kCallbacks, kEndCallbacks, kErrored, kFinished, kNeedDrain, kWritableFinished } = require('./symbols')

const baseEmit = EventEmitter.prototype.emit

/** Nobody can tell whether an event was emitted. */
function isQuiet (message) {
  return message._events === undefined && message.emit === baseEmit
}

function addEndCallback (message, callback) {
  if (!versions.endCallbackGetsError) {
    message.once('finish', callback)
    return
  }
  if (message.destroyed && !message[kWritableFinished]) {
    process.nextTick(callback, message[kErrored] ?? new codes.ERR_STREAM_DESTROYED('end'))
    return
  }
  if (message[kEndCallbacks] === null) message[kEndCallbacks] = []
  message[kEndCallbacks].push(callback)
}

/** Everything was sent: lets the world know when the transport took it. */
function finishLater (message, connection, pending) {
  if (pending >= PENDING_MAX) {
    if (!isQuiet(message) || message[kEndCallbacks] !== null) {
      if (message[kCallbacks] === null) message[kCallbacks] = []
      message[kCallbacks].push(AsyncResource.bind(() => finish(message)))
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

/** The transport took all: 'drain', as streams have it before the callbacks of writes, or 'finish' behind them. */
function drained () {
  if (!this.finished && this[kNeedDrain]) {
    this[kNeedDrain] = false
    this.emit('drain')
  }
  const callbacks = this[kCallbacks]
  if (callbacks !== null) {
    this[kCallbacks] = null
    for (const callback of callbacks) callback(null)
  }
  if (this.finished && !this[kWritableFinished] && this.outputData.length === 0) finish(this)
}

function finish (message) {
  if (message[kWritableFinished] || message._closed) return
  message[kWritableFinished] = true
  const callbacks = message[kEndCallbacks]
  if (callbacks !== null) {
    message[kEndCallbacks] = null
    for (const callback of callbacks) callback(null)
  }
  message[kFinished]()
  if (message._events !== undefined || message.emit !== baseEmit) message.emit('finish')
}

/** Tells those who wait for the end that it will not come. Called by subclasses when the transport is lost. */
function failEndCallbacks (message, error) {
  const callbacks = message[kEndCallbacks]
  if (callbacks === null || callbacks === undefined) return
  message[kEndCallbacks] = null
  for (const callback of callbacks) callback(error)
}

module.exports = { baseEmit, isQuiet, addEndCallback, failEndCallbacks, finish, finishLater, settled, drained }

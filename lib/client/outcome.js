'use strict'

/**
 * Ends an exchange badly for its request: errors, 'close', and the callbacks that are left.
 */

const diagnostics = require('node:diagnostics_channel')
const { codes, connectionReset } = require('../core/errors')
const { failEndCallbacks } = require('../message/finish')
const { call } = require('../message/write-callbacks')
const { kCallbacks, kEndCallbacks, kError, kNative } = require('../core/symbols')

const errorChannel = diagnostics.channel('http.client.request.error')

/** Fails a request. */
function emitError (request, error) {
  if (errorChannel.hasSubscribers) errorChannel.publish({ request, error })
  request.emit('error', error)
}

/** Closes a request: nothing more will come of it. */
function emitClose (request) {
  request._closed = true
  // Core reports nothing of an end that never got to a transport.
  if (request[kEndCallbacks] !== null && request.outputData.length === 0) {
    failEndCallbacks(request, request[kError] ?? connectionReset('socket hang up'))
  }
  request.emit('close')
}

/** Ends the exchange of a connection that has closed. As core's socketCloseListener. */
function lose (connection, request, socket) {
  const response = request.res
  request.destroyed = true
  if (response !== null) {
    if (!response.complete) response.destroy(connectionReset('aborted'))
    emitClose(request)
    if (!response.aborted && response.readable) response.push(null)
  } else {
    if (!connection.failed && !socket._hadError) {
      connection.failed = true
      socket._hadError = true
      emitError(request, connectionReset('socket hang up'))
    }
    emitClose(request)
  }
  // An end that is queued in the message reports nothing.
  const isSent = request.outputData.length === 0
  request.outputData.length = 0
  // What core sends fails with core's write.
  if (isSent && request[kNative] === true) failWrites(request)
}

/** Fails the callbacks of writes that will never be taken. */
function failWrites (request) {
  const callbacks = request[kCallbacks]
  if (callbacks === null && request[kEndCallbacks] === null) return
  request[kCallbacks] = null
  const error = new codes.ERR_STREAM_DESTROYED('write')
  if (callbacks !== null) call(callbacks, error, true)
  failEndCallbacks(request, error)
}

module.exports = { emitError, emitClose, lose }

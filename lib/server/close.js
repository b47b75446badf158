'use strict'

/**
 * How a connection of a server ends, and what that means for the exchanges under way: the client's FIN, the transport's
 * end, the server's own wish. `lib/server/connection.js` puts these methods on its prototype.
 */

const { constants } = require('node:os')
const { native } = require('../binding')
const { connectionReset, systemError } = require('../core/errors')
const { failEndCallbacks } = require('../message/outgoing')
const { failBuffered, failWaiting } = require('../message/write-callbacks')
const { closeResponse } = require('./response')
const versions = require('../core/versions')
const { kConnections, kWritableFinished } = require('../core/symbols')

/** What became of output that will not be written. */
const ECANCELED = -constants.errno.ECANCELED
const WRITE = 2

const members = {}

/** The client sent FIN. */
members.onEof = function onEof () {
  const { socket } = this
  if (socket === null || this.stream !== null) this.endInput()
  // Its 'end' leads to the rest, in core's order.
  else socket.ended()
}

/** The client's side has ended. Unless httpAllowHalfOpen is set ours ends too, and with it the exchanges under way. */
members.endInput = function endInput () {
  if (this.detached || this.inputEnded) return
  this.inputEnded = true
  const { server, current, queue, endError } = this
  if (endError !== null) {
    this.fail(endError)
  } else if (!server.httpAllowHalfOpen) {
    this.endOutput()
  } else if (queue !== null && queue.length !== 0) {
    queue[queue.length - 1]._last = true
  } else if (current !== null) {
    current._last = true
  } else {
    this.endOutput()
  }
}

members.endOutput = function endOutput () {
  this.outputEnded = true
  if (this.socket !== null) this.socket.end()
  else this.shutdown()
}

/** Every request without a finished response is lost, and with it, where core has come to tell that, a response that waits. */
members.abort = function abort () {
  const { current, queue, dismissed } = this
  if (dismissed !== null) for (const request of dismissed) abortRequest(request)
  if (current !== null) abortRequest(current.req)
  if (queue === null) return
  for (const { req } of queue) abortRequest(req)
  if (!versions.closesQueuedResponses || this.detached) return
  this.queue = null
  for (const response of queue) response.destroy(connectionReset('aborted'))
}

function abortRequest (request) {
  if (!request.destroyed) request.destroy(connectionReset('aborted'))
}

members.onClosed = function onClosed (errno, syscall) {
  const { server, socket, stream } = this
  this.errno = errno
  if (!this.detached) server[kConnections].delete(this)
  if (stream === null && socket !== null) {
    // Its 'close' leads to the rest, in core's order.
    socket.disconnected(errno, syscall)
    return
  }
  if (errno !== 0) this.failOnce(systemError(errno, syscall))
  this.failWrites()
  this.countOut()
  this.abort()
  this.afterClose()
}

/** The connection is given up: of what waits in the stream core tells now. */
members.failBufferedWrites = function failBufferedWrites () {
  if (this.current !== null) failBuffered(this.current)
}

/** The handle is closed, and with it the writes that it had. */
members.failWrites = function failWrites () {
  this.unsent = 0
  if (this.current !== null) failWaiting(this.current, this.taken())
}

members.countOut = function countOut () {
  if (!this.isCounted) return
  this.isCounted = false
  this.server._connections--
  this.server._emitCloseIfDrained()
}

/** Everybody knows that the connection is closed. */
members.afterClose = function afterClose () {
  this.isGone = true
  if (!this.detached) this.closeResponses()
  this.receiving = null
  if (this.resource !== null) this.resource.emitDestroy()
}

members.closeResponses = function closeResponses () {
  const { current } = this
  // What would still be sent is lost; the response keeps its socket, to be looked at.
  this.outputEnded = true
  if (current !== null) {
    // Of an end that waits in the message nobody hears.
    if (current.finished && !current[kWritableFinished] && current.outputData.length === 0) failEndCallbacks(current, systemError(ECANCELED, WRITE))
    closeResponse(current)
  }
  this.queue = null
}

/** Closes the connection: server.closeAllConnections(). */
members.terminate = function terminate () {
  if (this.socket !== null) {
    this.socket.destroy()
  } else {
    this.destroy()
    // At once: the server may be closing.
    this.countOut()
  }
}

/** 0 busy, 1 between exchanges, 2 no byte ever received. */
members.idleness = function idleness () {
  if (this.id === -1) return 0
  const { current } = this
  if (this.isClosing) return this.receiving === null && (current === null || current.finished) ? 1 : 0
  if (current !== null) return 0
  return native.isIdle(this.id)
}

module.exports = { endMembers: members }

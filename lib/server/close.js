'use strict'

/**
 * The end of a server's connection, and what it means for the exchanges under way: the client's FIN, the transport's close,
 * the server's own methods. `lib/server/connection.js` puts these methods on its prototype.
 */

const { native, atClosePhase, isReadOn } = require('../binding')
const { connectionReset, canceledWrite, systemError } = require('../core/errors')
const { discardInput } = require('../connection/pause')
const { failEndCallbacks } = require('../message/finish')
const { failCorked } = require('../message/send')
const { failBuffered, failWaiting, tellTaken } = require('../message/write-callbacks')
const { closeResponse } = require('./response')
const versions = require('../core/versions')
const { process, setTimeout, clearTimeout } = require('../host')
const { kChunkedBuffer, kConnections, kHeld, kWritableFinished, kRequest } = require('../core/symbols')

/** Milliseconds for which the bytes that a client still sends are read and dropped, as of native connections (src/net/linger.rs). */
const LINGER = 1000

const members = {}

/** Called when the client sent FIN. */
members.onEof = function onEof () {
  const { socket } = this
  if (socket === null || this.stream !== null) this.endInput()
  // The socket's 'end' leads to the rest, in core's order.
  else socket.ended()
}

/** Ends the exchanges under way when the client's side has ended, and our side too, unless httpAllowHalfOpen is set. */
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

/** Aborts every request without a finished response (core's abortIncoming), and where core does so every queued response. */
members.abort = function abort () {
  const { current, queue, dismissed } = this
  if (dismissed !== null) for (const request of dismissed) abortRequest(request)
  if (current !== null) abortRequest(current[kRequest])
  if (queue === null) return
  for (const response of queue) abortRequest(response[kRequest])
  if (!versions.closesQueuedResponses || this.detached) return
  this.queue = null
  for (const response of queue) response.destroy(connectionReset('aborted'))
}

function abortRequest (request) {
  // What the application has set as `_httpMessage` may answer none.
  if (request?.destroyed === false) request.destroy(connectionReset('aborted'))
}

members.onClosed = function onClosed (errno, syscall) {
  const { server, socket, stream } = this
  this.errno = errno
  this.listener?.hasLost()
  if (!this.detached) server[kConnections].delete(this)
  if (stream === null && socket !== null) {
    // The socket's 'close' leads to the rest, in core's order.
    socket.disconnected(errno, syscall)
    return
  }
  if (errno !== 0) {
    this.fault = systemError(errno, syscall)
    this.failOnce(this.fault)
  }
  this.countOut()
  // Those of a connection that was given up are told there.
  if (this.givenUp || !this.hasExchanges()) this.endExchanges()
  else this.endInClosePhase()
}

/** True if there are messages to hear of the close. */
members.hasExchanges = function hasExchanges () {
  return this.current !== null || this.dismissed !== null || this.isAwaited()
}

/** Ends the exchanges where the callback of a closed handle comes, behind the immediates: server.close() may have called back by then. */
members.endInClosePhase = function endInClosePhase () {
  process.nextTick(() => this.failBufferedWrites())
  atClosePhase(() => this.endExchanges())
  atClosePhase(() => this.failWrites())
}

members.endExchanges = function endExchanges () {
  const { socket, fault } = this
  this.failWrites()
  if (socket !== null) {
    // Made since: its listeners lead to the rest.
    socket.emit('close', fault !== null)
    return
  }
  this.abort()
  this.afterClose()
}

/** Fails the writes that would be in the stream's buffer in core: the connection is given up. */
members.failBufferedWrites = function failBufferedWrites () {
  failCorked(this)
  if (this.current !== null) failBuffered(this.current)
}

members.tellWritten = function tellWritten (taken) {
  if (this.current !== null) this.run(tellTaken, undefined, this.current, taken)
}

/** Fails all other writes: the handle is closed. */
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

/** Ends what is left of the connection, once requests have heard of its close. */
members.afterClose = function afterClose () {
  this.isGone = true
  if (!this.detached) this.closeResponses()
  this.receiving = null
  // That of a connection that has left HTTP has ended with that.
  if (this.resource !== null && !this.detached) this.resource.emitDestroy()
}

members.closeResponses = function closeResponses () {
  const { current } = this
  // What would still be sent is lost; the response keeps its socket to show.
  this.outputEnded = true
  if (current !== null) {
    // An end that is queued in the message reports nothing.
    if (current.finished && !current[kWritableFinished] && current.outputData.length === 0) failEndCallbacks(current, canceledWrite())
    closeResponse(current)
  }
  this.queue = null
}

/** Closes the connection behind what was written: there will be no other exchange. */
members.endLast = function endLast () {
  this.outputEnded = true
  if (this.socket !== null && (this.stream === null || this.left !== null)) this.socket.destroySoon()
  else this.close()
}

/** With nothing to write core's socket closes before it reads again, unless its loop is reading. */
members.closesSoon = function closesSoon () {
  if (this.keeps && this.kept.length !== 0 && this.pending() === 0 && !isReadOn(this.id)) discardInput(this)
}

/**
 * Driver two: as `endLast`, but where bytes are left unread it is the client that closes, or does not for a while: a socket that is
 * closed with them resets the connection, and the answer may be lost.
 */
members.endBehindAnswer = function endBehindAnswer () {
  const { stream } = this
  this.outputEnded = true
  stream.end()
  const timer = setTimeout(() => stream.destroy(), LINGER)
  stream.once('close', () => clearTimeout(timer))
}

/** Closes the connection at once, with RST where there is such a thing: not on pipes and streams. */
members.resetAtOnce = function resetAtOnce () {
  if (this.stream !== null || this.socket === null) this.reset()
  else if (this.isPipe()) this.socket.destroy()
  else this.socket.resetAndDestroy()
}

/** Gives how many requests have no answer yet. */
members.unanswered = function unanswered () {
  const { current, queue } = this
  return (current === null || current[kWritableFinished] ? 0 : 1) + (queue?.length ?? 0)
}

/** Closes the connection at once: server.closeAllConnections(). */
members.terminate = function terminate () {
  if (this.socket !== null || this.hasExchanges()) {
    // The messages hear of it in the order that a socket's close has.
    this.getSocket().destroy()
  } else {
    this.destroy()
    // Not when the transport is closed: server.close() may be waiting.
    this.countOut()
  }
}

/** @returns {number} 0 busy, 1 between exchanges, 2 no byte received yet, 3 between exchanges once what waits is sent */
members.idleness = function idleness () {
  if (this.id === -1) return 0
  const { current } = this
  if (current !== null && !current.finished) return 0
  if (this.isClosing) return this.receiving === null ? 1 : 0
  if (current !== null) return this.isEnding(current) ? this.isSending() ? 3 : 1 : 0
  // The end of a body that is not read is still to be parsed in core.
  return this.receiving === null ? native.isIdle(this.id) : 0
}

/** True if a response that has ended, but has not finished, is all that is left of the exchanges, or that can be sent. */
members.isEnding = function isEnding (response) {
  return response[kRequest].complete && this.receiving === null && !(this.hasNext(response) && this.isWritable())
}

/** True if a response has its turn behind this one: not if either was destroyed, for what is behind that waits for ever. */
members.hasNext = function hasNext (response) {
  return !response.destroyed && this.queue?.[0]?.destroyed === false
}

/** Closes the connection behind the response that has ended: see `isEnding`. One that was destroyed never finishes. */
members.endBehindCurrent = function endBehindCurrent () {
  if (this.current.destroyed) this.endLast()
  else this.current._last = true
}

/** True if output waits that can still be sent. */
members.isSending = function isSending () {
  return this.isWritable() && (this.stream === null ? this.takes() !== 0 : this.stream.writableLength !== 0)
}

/** True if no exchange is under way, nor any request in the kernel, also if nothing has been received yet. */
members.isResting = function isResting () {
  const { id, stream, kept } = this
  // First: what an I/O thread takes from the kernel meanwhile is known to `isIdle`.
  if (stream === null && id !== -1 && (native.hasUnread(id) !== 0 || kept?.length > 0)) return false
  const idleness = this.idleness()
  return idleness === 1 || idleness === 2
}

/** True if a response has begun: no other answer can take its place. */
function hasBegun (response) {
  return response._headerSent || response[kHeld] !== null || response[kChunkedBuffer]?.length > 0
}

module.exports = { hasBegun, endMembers: members }

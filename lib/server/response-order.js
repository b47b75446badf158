'use strict'

/**
 * The order of the responses on a connection: that of their requests, which a client may send before it is answered. One response
 * has the connection, the others wait in its queue; reading stops while they hold too much. `lib/server/connection.js` puts these
 * methods on its prototype.
 */

const diagnostics = require('node:diagnostics_channel')
const { process } = require('../host')
const { closeResponse, originalAssignSocket, originalDetachSocket } = require('./response')
const { isTouched, linger, lingerOn } = require('../message/incoming')
const { baseEmit } = require('../core/originals')
const { isQuiet } = require('../message/finish')
const { tellAnswered } = require('../message/delegate')
const versions = require('../core/versions')
const { kConnection, kConnections, kCorked, kNative, kSocket, kNeedDrain, kDetachSignal, kTurn, kRequest } = require('../core/symbols')

const finishChannel = diagnostics.channel('http.server.response.finish')

const members = {}

/**
 * The response's 'close' listener: on the socket from when the response gets it until the response loses it. Earlier
 * listeners hear before the response does, and those of the handler after it. As core's onServerResponseClose.
 */
function onCarrierClose () {
  const connection = this[kConnection]
  if (connection.stream === null || connection.detached) connection.closeResponses()
  else connection.afterClose()
}

/** True if the application has replaced the methods by which a response gets its socket and loses it. */
function isPatched (response) {
  return response.assignSocket !== originalAssignSocket || response.detachSocket !== originalDetachSocket
}

/** Gives the listener by which the response that has the connection hears of the socket's close. */
members.closeListener = function closeListener () {
  return this.left === null ? onCarrierClose : this.left.onClose
}

/** Gives the connection to a response whose turn it is. */
members.attach = function attach (response) {
  if (this.stream !== null || isPatched(response) || response[kNative] !== true) {
    this.countPending(response)
    response.assignSocket(this.getSocket())
    this.current = response
    if (this.left !== null) response[kConnection] = this
    this.socket.on('close', this.closeListener())
    return
  }
  const { socket } = this
  this.current = response
  response[kConnection] = this
  response[kSocket] = socket ?? undefined
  socket?.on('close', this.closeListener())
  if (!isQuiet(response)) response.emit('socket', this.getSocket())
  if (response.outputData.length !== 0 || response[kNeedDrain]) response._flush()
}

/** Gives the connection to a response that has waited for it. What it has queued belongs to its exchange, and so do the events that follow. */
members.attachNext = function attachNext (response) {
  const { [kTurn]: scope } = response
  response[kTurn] = undefined
  if (scope) scope.runInAsyncScope(this.attach, this, response)
  else this.attach(response)
}

/** Queues a response behind those of earlier requests. */
members.enqueue = function enqueue (response) {
  if (this.queue === null) this.queue = []
  this.queue.push(response)
  response[kTurn] = null
  this.countPending(response)
}

/** True if responses wait for the current one's end. */
members.isAwaited = function isAwaited () {
  return this.queue !== null && this.queue.length !== 0
}

/** Counts what a response queues in itself, as core's updateOutgoingData. */
members.countPending = function countPending (response) {
  response._onPendingData = this.onPending ??= (amount) => {
    this.outgoingData += amount
    this.slacken()
    this.tellDrained()
  }
}

/** True if a response's 'drain' may come, as far as what it holds by itself is concerned. As core's socketOnDrain. */
members.mayDrain = function mayDrain (response) {
  return !versions.drainedMeansEmpty || response.writableLength === 0
}

/** Emits the current response's 'drain' if it is due: as in core, any response's parts that come or go can bring it about. */
members.tellDrained = function tellDrained () {
  const { current } = this
  if (current === null || current.finished || !current[kNeedDrain] || !this.mayDrain(current)) return
  current[kNeedDrain] = false
  current.emit('drain')
}

/** Stops reading from a client that sends requests faster than it reads responses. As core's parserOnIncoming. */
members.throttle = function throttle () {
  const isFull = this.needDrain || this.socket?.writableNeedDrain === true
  if (this.heldBack || (!isFull && this.outgoingData < this.highWaterMark)) return
  this.heldBack = true
  if (this.socket !== null) this.socket._paused = true
  this.holdBack()
}

/** Reads again if the queued responses hold little enough. As core's socketOnDrain. */
members.slacken = function slacken () {
  if (!this.heldBack || this.outgoingData > this.highWaterMark) return
  this.heldBack = false
  if (this.socket !== null) this.socket._paused = false
  this.goOn()
}

/** Ends the exchange of a response that has been sent, and gives the connection to the next. As core's resOnFinish. */
members.finishExchange = function finishExchange (response) {
  if (response !== this.current) return
  if (response[kNative] !== true) tellAnswered(this, response.statusCode | 0)
  const request = response[kRequest]
  this.server[kConnections].shutdown?.answered(this)
  if (finishChannel.hasSubscribers) {
    finishChannel.publish({ request, response, socket: this.getSocket(), server: this.server })
  }
  // What there is of its body must not keep the next request from being read.
  if (!request._consuming && !isAboutToFlow(request)) request._dump()
  if (versions.messageSignal) request[kDetachSignal]?.()

  this.current = null
  if (this.incoming === request) {
    // The end of an untouched request has no listeners.
    if (isTouched(request) && !request.readableEnded) request.on('end', clearIncoming)
    else this.incoming = null
  }
  const { socket } = this
  if (socket !== null) {
    socket.removeListener('close', this.closeListener())
    // A response takes its corks with it (core's `socket` setter).
    if (versions.corkMergesChunks && response[kSocket] === socket) for (let left = response[kCorked]; left > 0; left--) socket.uncork()
  }
  if (this.stream !== null || isPatched(response)) response.detachSocket(this.getSocket())
  response[kConnection] = null
  response[kSocket] = null

  if (response._events === undefined && response.emit === baseEmit) {
    response.destroyed = true
    response._closed = true
  } else {
    linger(request, true)
    process.nextTick(closeFinished, response, request)
  }

  if (response._last) {
    this.listener?.watch()
    // The end of the message has told the native side so; but not if its last bytes were written raw, or `_last` was set late.
    this.endLast()
  } else if (this.queue !== null && this.queue.length !== 0) {
    this.attachNext(this.queue.shift())
  } else if (this.stream !== null || this.listener.keepAliveFault !== null) {
    this.keepForNext()
  }
  if (this.isAnswering && this.current === null) this.owesNothing()
}

function closeFinished (response, request) {
  lingerOn(request)
  closeResponse(response)
  linger(request, false)
}

function isAboutToFlow (request) {
  return isTouched(request) && request._readableState.resumeScheduled
}

/** Takes the connection from a response that is not over (detachSocket()): its request hears of the connection's close. */
members.dismiss = function dismiss (response) {
  this.current = null
  this.dismissed ??= []
  this.dismissed.push(response[kRequest])
  this.socket?.removeListener('close', this.closeListener())
}

/**
 * Has the answers from before the connection left HTTP go through the socket, which is core's own by now, and may carry another
 * connection of ours.
 */
members.answersThrough = function answersThrough (socket) {
  socket.removeListener('close', this.closeListener())
  this.stream = socket
  this.left = { onClose: () => this.closeResponses(), onDrain: () => this.tellDrained() }
  if (this.current !== null) {
    // Core's messages write to a socket that has them.
    socket._httpMessage = this.current
    socket.prependListener('close', this.closeListener())
  }
  socket.prependListener('drain', this.left.onDrain)
}

/** Called when the last answer from before the connection left HTTP is sent. */
members.owesNothing = function owesNothing () {
  this.isAnswering = false
  if (this.left !== null) this.socket.removeListener('drain', this.left.onDrain)
}

/** Forgets a request that was read after its response had been sent. */
function clearIncoming () {
  const connection = this[kConnection]
  if (connection.incoming === this) connection.incoming = null
}

module.exports = { orderMembers: members, onCarrierClose }

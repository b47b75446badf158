'use strict'

/**
 * What the events of a client's socket mean for the exchange on it. On a stream the listeners come and go with each
 * exchange, as core's do. On a native connection they stay, so that an exchange costs none, and whoever asks for the
 * socket's listeners is shown those that core has at that moment.
 */

const { setImmediate } = require('../host')
const { kResource, emitError, lose } = require('./outcome')
const { connectionReset } = require('../core/errors')
const { onDrain } = require('../message/delegate')
const { kConnection } = require('../core/symbols')

/** Values of a connection's `heard`: what there is of the listeners of 'data' and 'end', and of 'drain'. */
const NONE = 0
const DRAIN = 1
const ALL = 3

/** The socket is promised to a request. The agent's listeners come first: it made the socket. */
function watch (connection) {
  const { socket } = connection
  connection.watching = true
  socket[kConnection] = connection
  socket.parser = null
  // A stream's stays, too: with the stream goes its native side.
  socket.on('close', onSocketClose)
  socket.on('error', onSocketError)
  if (connection.stream !== null) return
  socket.on('end', onSocketEnd)
  socket.on('timeout', onSocketTimeout)
}

/** It is promised to another: who has come to listen meanwhile is heard first, as in core, where ours come anew. */
function watchAgain (connection) {
  const { socket } = connection
  putLast(socket, 'close', onSocketClose)
  if (connection.stream !== null) {
    socket.on('error', onSocketError)
    return
  }
  putLast(socket, 'error', onSocketError)
  putLast(socket, 'end', onSocketEnd)
}

function putLast (socket, event, listener) {
  const present = socket._events[event]
  if (present === listener || (Array.isArray(present) && present.at(-1) === listener)) return
  socket.removeListener(event, listener)
  socket.on(event, listener)
}

/** The exchange begins: the bytes of the socket are its response. */
function hear (connection) {
  const { socket } = connection
  connection.heard = ALL
  if (connection.stream === null) return
  socket.on('data', onStreamData)
  socket.on('end', onSocketEnd)
  socket.on('drain', onDrain)
  // If its 'close' is over, core's request would wait for ever. It may be still to come: libuv tells of closed handles
  // behind the immediates.
  if (socket.closed) setImmediate(setImmediate, tellOfClose, socket)
}

function tellOfClose (socket) {
  onSocketClose.call(socket)
}

/** No more bytes are expected for the exchange. */
function hush (connection) {
  connection.heard &= DRAIN
  if (connection.stream === null) return
  const { socket } = connection
  socket.removeListener('data', onStreamData)
  socket.removeListener('end', onSocketEnd)
}

/** Nor will anything more be sent for it: all of the response is there. */
function hushAll (connection) {
  hush(connection)
  connection.heard = NONE
  if (connection.stream !== null) connection.socket.removeListener('drain', onDrain)
}

/** The exchange is over. */
function leave (connection) {
  if (connection.stream === null) return
  hush(connection)
  const { socket } = connection
  socket.removeListener('error', onSocketError)
  socket.removeListener('timeout', emitRequestTimeout)
  socket.removeListener('timeout', emitResponseTimeout)
}

/** The socket is somebody else's now. */
function unwatch (connection) {
  const { socket } = connection
  leave(connection)
  connection.watching = false
  socket.removeListener('close', onSocketClose)
  if (connection.stream !== null) {
    hushAll(connection)
    return
  }
  socket.removeListener('error', onSocketError)
  socket.removeListener('end', onSocketEnd)
  socket.removeListener('timeout', onSocketTimeout)
}

/** The socket's next 'timeout' is the request's. */
function armTimeout (connection) {
  connection.timeoutArmed = true
  if (connection.stream !== null) connection.socket.once('timeout', emitRequestTimeout)
}

/** From now on the socket's 'timeout' is the response's as well. */
function hearResponseTimeout (connection) {
  connection.responseTimed = true
  if (connection.stream !== null) connection.socket.on('timeout', emitResponseTimeout)
}

/** The response has ended: the socket's 'timeout' is the agent's again. */
function disarmTimeout (connection) {
  connection.timeoutArmed = connection.responseTimed = false
  if (connection.stream === null) return
  connection.socket.removeListener('timeout', emitRequestTimeout)
  connection.socket.removeListener('timeout', emitResponseTimeout)
}

// ---------------------------------------------------------------------------------------------- the listeners

function onStreamData (chunk) {
  const connection = this[kConnection]
  connection.receive(chunk)
  if (connection.request === null || isComplete(connection)) hushAll(connection)
}

/** Is all of the response there? */
function isComplete ({ request, response, failed }) {
  return !failed && request.res !== null && response === null
}

/** Where the parser is fed from here: tells it, once, that no more bytes come. */
function endInput (connection) {
  if (connection.inputEnded || (connection.stream === null && !connection.tapped)) return
  connection.inputEnded = true
  connection.receive(null)
}

/** The same where the parser reads by itself: a body that ends with the connection has ended. */
function endUntilClose (connection) {
  connection.inputEnded = true
  if (connection.untilClose) connection.onEnd(0, undefined)
}

function onSocketEnd () {
  const connection = this[kConnection]
  if (connection === undefined) return
  const { request } = connection
  // Core does not listen any more when all of the response is there: what the request still has to say goes on.
  if (request !== null && connection.heard !== ALL) return
  if (connection.stream !== null || connection.tapped) endInput(connection)
  else endUntilClose(connection)
  if (request === null) return
  if (request.res === null && !connection.failed) {
    connection.failed = true
    this._hadError = true
    request[kResource].runInAsyncScope(emitError, null, request, connectionReset('socket hang up'))
  }
  if (connection.request !== null) connection.freeParser()
  this.destroy()
}

function onSocketError (error) {
  const connection = this[kConnection]
  if (connection === undefined) return
  const { request } = connection
  if (request !== null) {
    connection.failed = true
    this._hadError = true
    // In the context of whoever has destroyed the socket.
    emitError(request, error)
    if (connection.stream !== null) endInput(connection)
    else endUntilClose(connection)
    if (connection.request !== null) connection.freeParser()
    hush(connection)
  }
  this.destroy()
}

function onSocketClose () {
  const connection = this[kConnection]
  if (connection === undefined) return
  const { request, response } = connection
  // Core listens to a stream from the exchange on; see `hear`.
  if (connection.stream !== null && request !== null && request.socket !== this) return
  // Whoever destroyed the socket did so before its end: what is under way is lost.
  const isCut = response !== null && connection.untilClose && !connection.inputEnded
  if (connection.stream !== null) connection.leave()
  if (request === null) return
  connection.lose()
  request[kResource].runInAsyncScope(lose, null, connection, request, this)
  // Core's parser hears of it last, and takes it for the end of such a body.
  if (isCut) response.complete = true
}

/** A native connection's. */
function onSocketTimeout () {
  const connection = this[kConnection]
  const { request } = connection
  if (request === null) return
  if (connection.timeoutArmed) {
    connection.timeoutArmed = false
    emitRequestTimeout.call(this)
  }
  if (connection.responseTimed) emitResponseTimeout.call(this)
}

/** `request.timeoutCb` while it has one. */
function emitRequestTimeout () {
  const request = this[kConnection]?.request
  if (request) request[kResource].runInAsyncScope(request.emit, request, 'timeout')
}

function emitResponseTimeout () {
  const request = this[kConnection]?.request
  const response = request?.res
  if (response) request[kResource].runInAsyncScope(response.emit, response, 'timeout')
}

// ------------------------------------------------------------------------------------------- who asks for them

/**
 * The listeners of a native connection's socket as core would have them now.
 * @param {ClientConnection} connection
 * @param {string|symbol} event
 * @param {Function[]} listeners that are there
 * @returns {Function[]}
 */
function shown (connection, event, listeners) {
  if (!connection.watching) return listeners
  const { heard, isLost } = connection
  switch (event) {
    case 'close':
      return connection.request === null && !isLost ? put(listeners, onSocketClose) : listeners
    case 'error':
      return connection.request === null && !isLost ? put(listeners, onSocketError) : listeners
    case 'end':
      return heard === ALL ? listeners : put(listeners, onSocketEnd)
    case 'data':
      return heard === ALL && !connection.tapped ? [...listeners, onStreamData] : listeners
    case 'drain':
      listeners = listeners.filter((listener) => listener !== onDrain)
      return heard !== NONE ? [...listeners, onDrain] : listeners
    case 'timeout':
      return put(listeners, onSocketTimeout,
        ...(connection.timeoutArmed ? [emitRequestTimeout] : []),
        ...(connection.responseTimed ? [emitResponseTimeout] : []))
    default:
      return listeners
  }
}

/** The list with these in the place of that one. */
function put (listeners, that, ...these) {
  const index = listeners.indexOf(that)
  return index === -1 ? listeners : listeners.toSpliced(index, 1, ...these)
}

module.exports = {
  watch,
  watchAgain,
  hear,
  hush,
  hushAll,
  leave,
  unwatch,
  armTimeout,
  disarmTimeout,
  hearResponseTimeout,
  emitRequestTimeout,
  shown
}

'use strict'

/**
 * The events of a client's socket, and what they mean for the exchange on it. On a stream the listeners come and go with
 * each exchange, as core's do. On a native connection they stay, so that an exchange costs none, and the socket's
 * `listeners()` shows those that core has at that moment.
 */

const { setImmediate } = require('../host')
const { emitError, lose } = require('./outcome')
const { connectionReset } = require('../core/errors')
const { onTapped } = require('../connection/socket')
const { onDrain } = require('../message/delegate')
const { countFailed } = require('./pool-stats')
const { isToRetry, retry } = require('./retry')
const { kConnection, kResource } = require('../core/symbols')

/** Values of a connection's `heard`: which listeners core has, of 'data' and 'end', and of 'drain'. */
const NONE = 0
const DRAIN = 1
const ALL = 3

/** Adds the listeners: the socket is promised to a request. The agent's come first: it made the socket. */
function watch (connection) {
  const { socket } = connection
  connection.watching = true
  socket[kConnection] = connection
  socket.parser = null
  // A stream's stays, too: the native side is freed when the stream closes.
  socket.on('close', onSocketClose)
  socket.on('error', onSocketError)
  if (connection.stream !== null) return
  socket.on('end', onSocketEnd)
  socket.on('timeout', onSocketTimeout)
}

/** Puts the listeners last: the socket is promised to another request. In core they are added anew, behind newer ones. */
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

/** Listens for the response: the exchange begins. */
function hear (connection) {
  const { socket } = connection
  connection.heard = ALL
  if (connection.stream === null) {
    if (connection.isTakenOver) socket.regainParser()
    return
  }
  socket.on('data', onStreamData)
  socket.on('end', onSocketEnd)
  socket.on('drain', onDrain)
  // If its 'close' is over, core's request would wait for ever. It may be still to come: libuv closes handles
  // behind the immediates.
  if (socket.closed) setImmediate(() => setImmediate(() => onSocketClose.call(socket)))
}

/** Stops listening for bytes: no more are expected for the exchange. */
function hush (connection) {
  const { heard } = connection
  connection.heard = heard & DRAIN
  if (connection.stream === null || heard !== ALL) return
  const { socket } = connection
  socket.removeListener('data', onStreamData)
  socket.removeListener('end', onSocketEnd)
}

/** Stops listening for 'drain', too: all of the response is there, and nothing more is sent. */
function hushAll (connection) {
  const { heard } = connection
  hush(connection)
  connection.heard = NONE
  if (connection.stream !== null && heard !== NONE) connection.socket.removeListener('drain', onDrain)
}

/** Removes a stream's listeners of an exchange, which is over. */
function unhear (connection) {
  if (connection.stream === null) return
  hush(connection)
  connection.socket.removeListener('error', onSocketError)
  disarmTimeout(connection)
}

/** Removes all listeners: the socket belongs to the application. */
function unwatch (connection) {
  const { socket } = connection
  unhear(connection)
  connection.watching = false
  socket.removeListener('close', onSocketClose)
  socket.removeListener('drain', onDrain)
  if (connection.stream !== null) {
    hushAll(connection)
    return
  }
  socket.removeListener('error', onSocketError)
  socket.removeListener('end', onSocketEnd)
  socket.removeListener('timeout', onSocketTimeout)
}

/** Has the request hear a 'timeout' of its socket, once it has one. */
function awaitTimeout (request) {
  request.timeoutCb = emitRequestTimeout
}

/** Makes the socket's next 'timeout' the request's. */
function armTimeout (connection) {
  connection.timeoutArmed = true
  if (connection.stream !== null) connection.socket.once('timeout', emitRequestTimeout)
}

/** Makes the socket's 'timeout' the response's as well, from now on. */
function hearResponseTimeout (connection) {
  connection.responseTimed = true
  if (connection.stream !== null) connection.socket.on('timeout', emitResponseTimeout)
}

/** Leaves the socket's 'timeout' to the agent: the response has ended. */
function disarmTimeout (connection) {
  const { socket, stream, timeoutArmed, responseTimed } = connection
  connection.timeoutArmed = connection.responseTimed = false
  if (stream === null) return
  if (timeoutArmed) socket.removeListener('timeout', emitRequestTimeout)
  if (responseTimed) socket.removeListener('timeout', emitResponseTimeout)
}

// ---------------------------------------------------------------------------------------------- the listeners

function onStreamData (chunk) {
  const connection = this[kConnection]
  connection.receive(chunk)
  if (connection.request === null || isComplete(connection)) hushAll(connection)
}

/** True if all of the response is there. */
function isComplete ({ request, response, failed }) {
  return !failed && request.res !== null && response === null
}

/** Tells the parser, once, that no more bytes come, where it is fed from here. */
function endInput (connection) {
  if (connection.inputEnded || (connection.stream === null && !connection.tapped)) return
  connection.inputEnded = true
  connection.receive(null)
}

/** Ends a body that ends with the connection, where the native side reads by itself. */
function endUntilClose (connection) {
  connection.inputEnded = true
  if (connection.untilClose) connection.onEnd(undefined, false)
}

function onSocketEnd () {
  const connection = this[kConnection]
  if (connection === undefined) return
  const { request } = connection
  // Core does not listen any more once all of the response is there: the rest of the request is sent.
  if (request !== null && connection.heard !== ALL) return
  if (connection.stream !== null || connection.tapped) endInput(connection)
  else endUntilClose(connection)
  if (request === null) return
  if (isToRetry(connection)) retry(connection)
  else if (request.res === null && !this._hadError) {
    connection.failed = true
    this._hadError = true
    request[kResource].runInAsyncScope(emitError, null, request, connectionReset('socket hang up'))
  }
  if (connection.request !== null) connection.freeParser()
  this.destroy()
}

/** True if there is no connection yet; of TLS, until its handshake is over. */
function isBeingMade ({ isConnecting, fault, stream }) {
  return stream === null ? isConnecting || fault !== null : stream.secureConnecting === true
}

function onSocketError (error) {
  const connection = this[kConnection]
  if (connection === undefined) return
  const { request } = connection
  // One that the application gives up has not failed.
  if (request !== null && !request.destroyed && isBeingMade(connection)) countFailed(request.agent, error)
  if (request !== null && isToRetry(connection, error)) {
    retry(connection)
  } else if (request !== null) {
    connection.failed = true
    this._hadError = true
    // In the context of the code that destroyed the socket.
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
  // The socket was destroyed before its end: what is under way is lost.
  const isCut = response !== null && connection.untilClose && !connection.inputEnded
  if (connection.stream !== null) connection.releaseStream()
  if (request === null) return
  connection.lose()
  request[kResource].runInAsyncScope(lose, null, connection, request, this)
  // Core's parser hears of it last, and takes it for the end of such a body.
  if (isCut) response.complete = true
}

/** The 'timeout' listener of a native connection's socket. */
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

/** Emits the request's 'timeout': `request.timeoutCb` while it has one. */
function emitRequestTimeout () {
  const request = this[kConnection]?.request
  if (request) request[kResource].runInAsyncScope(request.emit, request, 'timeout')
}

function emitResponseTimeout () {
  const request = this[kConnection]?.request
  const response = request?.res
  if (response) request[kResource].runInAsyncScope(response.emit, response, 'timeout')
}

// ------------------------------------------------------------------------------------------- as they are shown

/**
 * A ClientConnection's method: gives the listeners of its socket as core would have them now.
 * @param {string|symbol} event
 * @param {Function[]} listeners that are there
 * @returns {Function[]}
 */
function listenersShown (event, listeners) {
  if (!this.watching) return listeners
  const { heard, isLost } = this
  switch (event) {
    case 'close':
      return this.request === null && !isLost ? put(listeners, onSocketClose) : listeners
    case 'error':
      return this.request === null && !isLost ? put(listeners, onSocketError) : listeners
    case 'end':
      return heard === ALL ? listeners : put(listeners, onSocketEnd)
    case 'data':
      return heard === ALL && !this.tapped ? [...listeners, onTapped] : listeners
    case 'drain':
      listeners = listeners.filter((listener) => listener !== onDrain)
      return heard !== NONE ? [...listeners, onDrain] : listeners
    case 'timeout':
      return put(listeners, onSocketTimeout,
        ...(this.timeoutArmed ? [emitRequestTimeout] : []),
        ...(this.responseTimed ? [emitResponseTimeout] : []))
    default:
      return listeners
  }
}

/** Gives the list with `these` in the place of `that`. */
function put (listeners, that, ...these) {
  const index = listeners.indexOf(that)
  return index === -1 ? listeners : listeners.toSpliced(index, 1, ...these)
}

module.exports = {
  ALL,
  watch,
  watchAgain,
  hear,
  hush,
  hushAll,
  unhear,
  unwatch,
  awaitTimeout,
  armTimeout,
  disarmTimeout,
  hearResponseTimeout,
  listenersShown
}

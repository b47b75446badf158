'use strict'

/**
 * A client's errors: bytes that are no HTTP, messages that take too long, errors of the transport. Emits 'clientError', or
 * answers and closes. `lib/server/connection.js` puts these methods on its prototype.
 */

const { STATUS_CODES } = require('node:http')
const { Buffer } = require('../host')
const { Connection } = require('../connection/connection')
const { isSamePacket } = require('../binding')
const { codes, callbackError, parseError } = require('../core/errors')
const { baseEmit } = require('../core/originals')
const { hasBegun } = require('./close')
const { kComplete, kCorked, kRequest } = require('../core/symbols')

/** Answers to a client's error where 'clientError' has no listener; as core's socketOnError sends. */
const ANSWERS = {
  HPE_HEADER_OVERFLOW: 'HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\n\r\n',
  ERR_HTTP_REQUEST_TIMEOUT: 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n'
}
const BAD_REQUEST = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'

const members = {}

members.onParseError = function onParseError (kind, bytesParsed, rawPacket) {
  if (this.switching !== null) {
    if (rawPacket !== undefined) this.switching.rest = rawPacket.subarray(bytesParsed)
    return
  }
  if (this.thrown !== null && this.dropsBehindException(rawPacket) && rawPacket !== undefined) return
  const error = parseError(kind, bytesParsed, rawPacket)
  if (rawPacket === undefined) {
    // The client left in the middle of a message. If there is a socket, its 'end' comes before the error.
    if (this.thrown === null) this.endError = error
    if (this.socket === null || this.stream !== null) this.endInput()
  } else {
    this.isClosing = error.code === 'HPE_CLOSED_CONNECTION'
    // In core a parser that reads from the handle calls back in its own context; one that is fed bytes does not.
    if (this.stream === null ? !this.tapped : this.isConsumed) this.run(this.fail, this, error)
    else this.fail(error)
  }
}

/** Notes that a listener threw at a request; the process may survive it (uncaughtException). */
members.threw = function threw (request) {
  const response = this.current?.[kRequest] === request ? this.current : this.queue?.at(-1)
  // On a stream the rest of the packet is lost.
  const isCut = this.stream !== null
  if (!isCut && isAnswered(request, response)) return
  this.thrown = { request, response, isCut }
}

function isAnswered (request, response) {
  return response?.[kRequest] === request && (response.finished || response.headersSent)
}

/**
 * Drops what comes behind an exception: core's parser stops at it, and takes later bytes for an error. False, and the exception is
 * forgotten, once the request is answered: a client that waits for the answer gets it and keeps the connection.
 */
members.dropsBehindException = function dropsBehindException (bytes) {
  const { thrown } = this
  const { request, response } = thrown
  if (!thrown.isCut && isAnswered(request, response)) {
    this.thrown = null
    if (this.receiving !== request && !request.complete) request[kComplete](undefined)
    return false
  }
  // The rest of the packet.
  if (this.stream === null && isSamePacket()) thrown.isCut = true
  else if (this.endError === null) this.run(this.failOnce, this, callbackError(bytes))
  return true
}

/** True if an event of the server has listeners besides ours, or a replaced `emit`. */
function isHeard (server, event) {
  return server.listenerCount(event) !== 0 || server.emit !== baseEmit
}

/** Reports an error, unless one was reported before it: it may be the consequence of that. */
members.failOnce = function failOnce (error) {
  if (!this.failed) this.fail(error)
}

/**
 * Reports a client's error: emits 'clientError', or answers and closes. As core's socketOnError. Called in the connection's
 * context if its bytes are wrong or late; without one if the transport failed, as in core.
 */
members.fail = function fail (error) {
  this.failed = true
  const { server } = this
  if (isHeard(server, 'clientError') && server.emit('clientError', error, this.getSocket())) return
  const { current } = this
  // Parts that are corked until the end of the tick count as sent, and are lost.
  const isCorked = current?.[kCorked] > 0 || this.socket?.writableCorked > 0
  if (this.isWritable() && !isCorked && (current === null || !hasBegun(current))) this.answerRaw(answerTo(error))
  this.outputEnded = true
  // In core the socket is corked in this tick: what was written is lost.
  this.discard()
  // The socket shows its error to the response that has it.
  if (this.socket !== null || current !== null) {
    this.getSocket().destroy(error)
  } else {
    this.close()
    // In core the socket is destroyed by now: what still arrives is dropped.
    this.givenUp = true
  }
}

/** Gives the answer to a client's error. */
function answerTo ({ code, row, statusCode }) {
  if (row === undefined) return ANSWERS[code] ?? BAD_REQUEST
  return `HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}\r\nConnection: close\r\n\r\n`
}

members.answerRaw = function answerRaw (answer) {
  // Core writes bytes, which a stream of the application sees.
  this.writeRaw(this.stream === null ? answer : Buffer.from(answer), false)
}

/** True if an answer to the client's error can still be sent. */
members.isWritable = function isWritable () {
  if (this.id === -1 || this.outputEnded) return false
  return this.socket === null || this.socket.writable === true
}

/** Called when headersTimeout or requestTimeout is over. */
members.onExpired = function onExpired (which) {
  this.run(this.failOnce, this, new codes.ERR_HTTP_REQUEST_TIMEOUT())
}

/** Makes the socket that 'clientError' will need, while the native side can still be asked about it. */
members.beforeRelease = function beforeRelease (errno) {
  if (errno !== 0 && this.socket === null && !this.failed && isHeard(this.server, 'clientError')) this.getSocket()
  Connection.prototype.beforeRelease.call(this, errno)
}

module.exports = { failureMembers: members, isHeard, answerTo }

'use strict'

/**
 * What is wrong with a client: bytes that are no HTTP, messages that take too long, errors of the transport. It is told
 * to 'clientError', or answered and closed. `lib/server/connection.js` puts these methods on its prototype.
 */

const { Connection } = require('../connection/connection')
const { isSamePacket } = require('../binding')
const { codes, callbackError, parseError } = require('../core/errors')
const { baseEmit } = require('../message/outgoing')
const { kChunkedBuffer, kComplete, kCorked } = require('../core/symbols')

/** What the connection answers by itself when nobody listens to 'clientError'. */
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
  if (this.thrown !== null && this.isSpoilt(rawPacket) && rawPacket !== undefined) return
  const error = parseError(kind, bytesParsed, rawPacket)
  if (rawPacket === undefined) {
    // The client left in the middle of a message. A socket that somebody looks at says so first.
    if (this.thrown === null) this.endError = error
    if (this.socket === null || this.stream !== null) this.endInput()
  } else {
    this.isClosing = error.code === 'HPE_CLOSED_CONNECTION'
    // A parser that reads for itself calls back in its own context; one that is fed does not.
    if (this.stream === null ? !this.tapped : this.isConsumed) this.run(this.fail, this, error)
    else this.fail(error)
  }
}

/** A listener threw at a request, and the process survives it. */
members.threw = function threw (request) {
  const response = this.current?.req === request ? this.current : this.queue?.at(-1)
  // From a stream the rest of the packet does not come.
  const isCut = this.stream !== null
  if (!isCut && isAnswered(request, response)) return
  this.thrown = { request, response, isCut }
}

function isAnswered (request, response) {
  return response?.req === request && (response.finished || response.headersSent)
}

/**
 * Is what comes behind an exception lost? Core's parser stops at it, and takes what comes later for an error. If there is
 * an answer by then, we go on: who waits for it shall get it, and not lose the connection.
 */
members.isSpoilt = function isSpoilt (bytes) {
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

/** Does anybody but us hear this event of the server? */
function isHeard (server, event) {
  return server.listenerCount(event) !== 0 || server.emit !== baseEmit
}

/** An error that may be the consequence of another. */
members.failOnce = function failOnce (error) {
  if (!this.failed) this.fail(error)
}

/**
 * Something is wrong with the client: tells 'clientError', or answers and closes. In the connection's context if its bytes
 * are wrong or late; what becomes of the transport has none, as in core.
 */
members.fail = function fail (error) {
  this.failed = true
  const { server } = this
  if (isHeard(server, 'clientError') && server.emit('clientError', error, this.getSocket())) return
  const { current } = this
  // Parts that the message keeps until the end of the tick count as sent, and are lost.
  const isCorked = current?.[kCorked] > 0 || this.socket?.writableCorked > 0
  if (this.isWritable() && !isCorked && (current === null || !(current._headerSent || current[kChunkedBuffer]?.length > 0))) {
    this.writeRaw(ANSWERS[error.code] ?? BAD_REQUEST, false)
  }
  this.outputEnded = true
  // What is written in this tick is corked in core, and lost.
  this.discard()
  if (this.socket !== null) {
    this.socket.destroy(error)
  } else {
    this.close()
    // In core the socket is destroyed by now: whatever comes is lost.
    this.givenUp = true
  }
}

members.isWritable = function isWritable () {
  if (this.id === -1 || this.outputEnded) return false
  return this.socket === null || this.socket.writable === true
}

/** headersTimeout or requestTimeout is over. */
members.onExpired = function onExpired (which) {
  this.run(this.failOnce, this, new codes.ERR_HTTP_REQUEST_TIMEOUT())
}

/** An error that somebody listens for comes with a socket, which must be made while there is something to ask. */
members.beforeRelease = function beforeRelease (errno) {
  if (errno !== 0 && this.socket === null && !this.failed && isHeard(this.server, 'clientError')) this.getSocket()
  Connection.prototype.beforeRelease.call(this, errno)
}

module.exports = { failureMembers: members, isHeard }

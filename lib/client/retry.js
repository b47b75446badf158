'use strict'

/**
 * An Agent's `retryStale`: a request on a connection that was used before and that the server closes before a byte of its answer
 * has come is sent once more, on another connection (RFC 9110, 9.2.2, and RFC 9112, 9.3.1). Only if it may be repeated, is
 * whole, small enough to be kept, and all with the transport.
 */

const { Buffer } = require('../host')
const { sendFlags } = require('../binding')
const { count } = require('./pool-stats')
const { kAskAgain, kAttempt, kResource, kRetryOptions, kWritableFinished } = require('../core/symbols')

const { END } = sendFlags

/** Methods that may be repeated: those that are safe, PUT and DELETE. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** Bytes of a head and a body that are kept for another attempt. */
const KEPT_MAX = 65536

/** What a connection's end reports if the server closed it while it was idle. */
const STALE_CODES = new Set(['ECONNRESET', 'EPIPE'])

class Attempt {
  /** The arguments of each send(); null if it is not, or no more, to be repeated. */
  #sent = []
  /** Bytes of heads and bodies in them. */
  #kept = 0
  /** True once the message's end is among them. */
  #isWhole = false
  /** True once another connection is asked for. */
  isAgain = false

  /** @param {number} bytesRead by the connection before */
  constructor (bytesRead) {
    this.bytesRead = bytesRead
  }

  get isRepeatable () { return this.#isWhole && this.#sent !== null && !this.isAgain }

  /** Keeps what is sent. `body` may be memory of the application's, which it can use again. */
  keep (flags, head, lines, body, length) {
    if (this.#fits(sizeOf(head) + sizeOf(body))) this.#sent.push([flags, head, lines, copy(body), length])
    this.#isWhole = (flags & END) !== 0
  }

  /** Keeps what core's methods are to write to a stream: all of the request, or it is not sent again. */
  keepQueued ({ finished, outputData }) {
    if (!finished) return
    this.#isWhole = true
    for (const { data, encoding } of outputData) {
      if (this.#fits(Buffer.byteLength(data, encoding))) this.#sent.push([copy(data), encoding])
    }
  }

  /** True if so many bytes more are kept. */
  #fits (bytes) {
    if (this.#sent === null || this.isAgain) return false
    this.#kept += bytes
    if (this.#kept > KEPT_MAX) this.giveUp()
    return this.#sent !== null
  }

  giveUp () {
    this.#sent = null
  }

  /** Gives what was kept, once. */
  take () {
    const sent = this.#sent ?? []
    this.giveUp()
    return sent
  }
}

function sizeOf (part) {
  return part ? Buffer.byteLength(part) : 0
}

function copy (body) {
  return body instanceof Uint8Array ? Buffer.from(body) : body
}

/** Begins to keep what is sent of a request, if it may be sent again. */
function prepare (connection, request) {
  if (request[kRetryOptions] === undefined || request[kAttempt] !== undefined) return
  const { socket: { bytesRead }, stream } = connection
  // A connection on which nothing has come yet has carried no other exchange. Streams that do not count are not known to have.
  if (!(bytesRead > 0) || !IDEMPOTENT.has(request.method)) return
  const attempt = request[kAttempt] = new Attempt(bytesRead)
  if (stream !== null) attempt.keepQueued(request)
}

/**
 * True if the request of a connection is to be sent again: the connection's end is nothing that the request hears of.
 * @param {import('./connection').ClientConnection} connection
 * @param {Error} [error] with which it ends; none for a FIN
 */
function isToRetry ({ request, socket }, error) {
  const attempt = request[kAttempt]
  if (attempt === undefined || !attempt.isRepeatable) return false
  return request.res === null && !request.destroyed && request[kWritableFinished] &&
    socket.bytesRead === attempt.bytesRead && (error === undefined || STALE_CODES.has(error.code))
}

/** Takes the request off its connection, and asks its agent for another one. */
function retry (connection) {
  const { request } = connection
  const { [kResource]: context } = request
  connection.lose()
  request[kAttempt].isAgain = true
  request.reusedSocket = false
  count(request.agent, 'retried')
  context.runInAsyncScope(request.agent[kAskAgain], request.agent, request, request[kRetryOptions])
}

/** True of a request that is sent once more, or has been. */
function isSentAgain (request) {
  return request[kAttempt]?.isAgain === true
}

/** Sends again what was sent. False if this is the first attempt. */
function sendAgain (connection, request) {
  const attempt = request[kAttempt]
  if (attempt === undefined || !attempt.isAgain) return false
  if (connection.stream !== null) {
    for (const [data, encoding] of attempt.take()) connection.stream.write(data, encoding)
    return true
  }
  const send = () => {
    connection.flushing = true
    for (const args of attempt.take()) connection.send(...args)
    connection.flushing = false
  }
  if (request.socket.connecting) request.socket.once('connect', send)
  else send()
  return true
}

module.exports = { isSentAgain, prepare, isToRetry, retry, sendAgain }

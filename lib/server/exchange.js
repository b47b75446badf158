'use strict'

/**
 * Begins an exchange: makes the response, answers what a head asks of the server itself (Upgrade, a missing Host, too many
 * requests, Expect), and emits 'request' for everything else. As core's parserOnIncoming.
 */

const { AsyncResource } = require('node:async_hooks')
const diagnostics = require('node:diagnostics_channel')
const { headFlags } = require('../binding')
const { announceListeners } = require('./response')
const { leaveToCore } = require('../message/delegate')
const { answerInTurn } = require('./limits')
const { leaveHttp } = require('./upgrade')
const measure = require('../core/performance-entries')
const versions = require('../core/versions')
const { kUniqueHeaders, kServerResponse, kOptimizeEmptyRequests, kConnections, kRequest } = require('../core/symbols')

const { ANSWERED, KEEP_ALIVE, UPGRADE, HAS_EXPECT, HAS_HOST, FRAMED } = headFlags

const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i

const startChannel = diagnostics.channel('http.server.request.start')

const RESOURCE_TYPE = 'HTTPINCOMINGMESSAGE'
const RESOURCE_OPTIONS = { requireManualDestroy: true }

/** The resource that executionAsyncResource() gives. */
class ExchangeResource extends AsyncResource {
  constructor (connection) {
    super(RESOURCE_TYPE, RESOURCE_OPTIONS)
    this.connection = connection
  }

  // Hooks read these while the constructor runs.
  get type () { return RESOURCE_TYPE }

  get socket () { return this.connection?.getSocket() }
}

function newResource (connection) {
  return new ExchangeResource(connection)
}

/**
 * Begins an exchange, on a ServerConnection.
 * @param {import('../message/incoming').IncomingMessage} request
 * @param {number} flags of its head
 * @returns {boolean} true if the connection left HTTP instead
 */
function exchange (request, flags) {
  const { server } = this
  if ((flags & UPGRADE) !== 0) {
    request.upgrade = (flags & ANSWERED) === 0 && (request.method === 'CONNECT' || wantsUpgrade(server, request))
    if (request.upgrade) {
      leaveHttp(this, request, flags)
      return true
    }
    this.upgrade(false)
  }
  if (this.needDrain || this.outgoingData !== 0 || this.socket !== null) this.throttle()

  const Class = server[kServerResponse]
  const response = new Class(request, {
    highWaterMark: this.highWaterMark,
    rejectNonStandardBodyWrites: server.rejectNonStandardBodyWrites
  })
  if (response[kRequest] !== request) response[kRequest] = request
  if (measure.isObserved()) {
    measure.begin(response, 'HttpRequest', { method: request.method, url: request.url, headers: request.headers })
  }
  response._keepAliveTimeout = server.keepAliveTimeout
  response._maxRequestsPerSocket = server.maxRequestsPerSocket
  response.shouldKeepAlive = (flags & KEEP_ALIVE) !== 0
  server[kConnections].shutdown?.begins(this, response)
  if (server[kUniqueHeaders]) response[kUniqueHeaders] = server[kUniqueHeaders]

  announceListeners(response)
  if (this.stream !== null) leaveToCore(response)
  if (startChannel.hasSubscribers) startChannel.publish({ request, response, socket: this.getSocket(), server })

  if (this.current === null && !isTaken(this)) this.attach(response)
  else this.enqueue(response)

  if ((flags & ANSWERED) !== 0) {
    answerInTurn(this, response, flags)
    return false
  }
  if (request.httpVersionMajor === 1 && request.httpVersionMinor === 1) {
    if (server.requireHostHeader && (flags & HAS_HOST) === 0) {
      response.writeHead(400, ['Connection', 'close'])
      response.end()
      return false
    }
    if (typeof server.maxRequestsPerSocket === 'number' && server.maxRequestsPerSocket > 0) {
      this.requests++
      response.maxRequestsOnConnectionReached = server.maxRequestsPerSocket <= this.requests
      if (server.maxRequestsPerSocket < this.requests) {
        server.emit('dropRequest', request, this.getSocket())
        response.writeHead(503)
        response.end()
        return false
      }
    }
    if ((flags & HAS_EXPECT) !== 0 && !expect(server, request, response)) return false
  }

  if (server[kOptimizeEmptyRequests] && (flags & FRAMED) === 0) {
    request._dumpAndCloseReadable()
  }
  server.emit('request', request, response)
  return false
}

/** True if another server's response has the stream: ours waits behind it, as in core. */
function isTaken ({ stream }) {
  return stream !== null && Boolean(stream._httpMessage)
}

/** Answers Expect. @returns {boolean} true if 'request' is still to be emitted */
function expect (server, request, response) {
  if (CONTINUE.test(request.headers.expect)) {
    response._expect_continue = true
    if (server.listenerCount('checkContinue') > 0) {
      server.emit('checkContinue', request, response)
      return false
    }
    response.writeContinue()
    return true
  }
  if (server.listenerCount('checkExpectation') > 0) {
    server.emit('checkExpectation', request, response)
  } else {
    response.writeHead(417)
    response.end()
  }
  return false
}

/** True if a request that asks for an upgrade gets one. */
function wantsUpgrade (server, request) {
  if (!versions.shouldUpgradeCallback) return server.listenerCount('upgrade') > 0
  return Boolean(server.shouldUpgradeCallback(request))
}

module.exports = { exchange, newResource }

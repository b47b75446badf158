'use strict'

/**
 * Takes a server's connection out of HTTP, at Upgrade and CONNECT, and gives its stream to 'upgrade' or 'connect'.
 */

const { Duplex } = require('node:stream')
const { Buffer } = require('../host')
const { native, headFlags, receiveBody } = require('../binding')
const { leaveMessage, surrender } = require('../connection/detach')
const { Parser } = require('../connection/parser-facade')
const versions = require('../core/versions')
const { kComplete, kConnections } = require('../core/symbols')

const { BODY } = headFlags

function eventOf (request) {
  return request.method === 'CONNECT' ? 'connect' : 'upgrade'
}

/**
 * The stream that 'upgrade' gets while the body of its request is still arriving: what is written goes to the socket at
 * once, and what is read is what comes behind the body.
 */
class UpgradeStream extends Duplex {
  #socket
  /** The request, until its body is complete. */
  #request

  /**
   * @param {import('node:stream').Duplex} socket
   * @param {import('../message/incoming').IncomingMessage} request
   */
  constructor (socket, request) {
    super({ allowHalfOpen: socket.allowHalfOpen })
    this.#socket = socket
    this.#request = request
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
    this.on('close', () => socket.destroy())
    socket.on('end', () => {
      this.push(null)
      // A socket reports its end without being read, too, if nothing is left to read.
      if (this.readableLength === 0) this.resume()
    })
  }

  /** Begins to read from the socket: the body is complete. @param {Buffer} head what has come behind it */
  begin (head) {
    this.#request = null
    if (head.length > 0) this.#take(head)
    this.#socket.on('data', (chunk) => this.#take(chunk))
  }

  #take (chunk) {
    if (!this.push(chunk)) this.#socket.pause()
  }

  _read () {
    // Nothing can come before the body was read, which the reader of this stream may have no interest in.
    this.#request?.resume()
    this.#socket.resume()
  }

  _write (chunk, encoding, callback) {
    this.#socket.write(chunk, encoding, callback)
  }

  _final (callback) {
    this.#socket.end(callback)
  }

  _destroy (error, callback) {
    this.#socket.destroy(error)
    callback(error)
  }
}

/** What follows a body that stands before the other protocol. */
class Switch {
  /** The stream that 'upgrade' got meanwhile. */
  stream = null
  /** The bytes behind an error in the body: it will never be complete, and no error is reported, as in core. */
  rest = undefined
}

/**
 * Takes a connection out of HTTP, as a request asks.
 * @param {import('./connection').ServerConnection} connection
 * @param {number} flags of its head
 */
function leaveHttp (connection, request, flags) {
  if (versions.upgradeParsesBody && (flags & BODY) !== 0 && request.method !== 'CONNECT') {
    connection.switching = new Switch()
    receiveBody(connection.id)
    if (!request.complete) {
      waitForBody(connection, request)
      return
    }
    connection.switching = null
  }
  const head = detach(connection, false)
  if (!request.complete) request[kComplete](undefined)
  announce(connection, request, connection.socket, head)
}

function announce ({ server, socket }, request, stream, head) {
  // Without a listener the socket is closed.
  if (server.listenerCount(eventOf(request)) === 0) socket.destroy()
  else server.emit(eventOf(request), request, stream, head)
}

/** Emits 'upgrade' before the body is complete: until it is, the stream can be written to, and the connection speaks HTTP. */
function waitForBody (connection, request) {
  const { switching } = connection
  const socket = connection.getSocket()
  const head = isConsumed(connection) ? undefined : switching.rest
  switching.stream = new UpgradeStream(socket, request)
  socket.readableFlowing = null
  announce(connection, request, switching.stream, head ?? Buffer.alloc(0))
}

/** True if core's parser would read from the socket's handle itself, so that JavaScript does not see the packets. */
function isConsumed (connection) {
  return connection.stream === null ? !connection.tapped : connection.consumes()
}

/** Leaves HTTP: the body that `waitForBody` waits for is complete. */
function beginUpgraded (connection) {
  const { server, socket, incoming, switching } = connection
  connection.switching = null
  if (socket.destroyed) return
  const head = detach(connection, true)
  if (server.listenerCount(eventOf(incoming)) === 0) socket.destroy()
  else switching.stream.begin(head)
}

/**
 * Ends HTTP on a connection: its socket is a raw stream from now on. As core's onParserExecuteCommon.
 * @param {boolean} isKnown true if the application has the socket already: it reads, or has decided not to
 * @returns {Buffer} what has come behind the last message
 */
function detach (connection, isKnown) {
  const { server, stream, current, queue } = connection
  connection.detached = true
  // What drains does not have the socket flow.
  connection.heldBack = false
  const socket = connection.getSocket()
  server[kConnections].leave(connection)
  // First: it is freed with the connection.
  const head = native.takeHead(connection.id)
  // Answers to earlier requests that are still under way.
  connection.isAnswering = current !== null || (queue !== null && queue.length !== 0)
  let isOver = false
  if (stream === null) {
    leaveMessage(connection)
    connection.stopListening()
    socket.detached(isKnown)
    Parser.free(socket)
    // A reader that has the socket already hears what was read ahead behind `head`.
    isOver = (!isKnown || !connection.tapped) && surrender(connection)
    if (isOver) {
      if (connection.isAnswering) connection.answersThrough(socket)
    } else {
      socket.staysNative()
      connection.resetTimeout(isKnown ? socket.timeout || 0 : connection.listener.idle)
    }
  }
  if (isOver) connection.listener.hasLost()
  else native.upgrade(connection.id, true)
  // To hooks the resource is the parser, which core frees here.
  connection.resource.emitDestroy()
  if (stream !== null) connection.releaseStream(isKnown)
  else if (!socket.isPaused()) socket.read(0)
  return head
}

module.exports = { leaveHttp, beginUpgraded }

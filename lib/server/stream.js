'use strict'

/**
 * HTTP over a JS stream (driver two). The stream's bytes are fed to the native protocol, core's own methods write the
 * responses to it (lib/message/delegate.js), and the stream's events are the connection's.
 */

const net = require('node:net')
const { Buffer, elapsed } = require('../host')
const { native } = require('../binding')
const { ServerConnection } = require('./connection')
const { classFor } = require('./hardening')
const { onCarrierClose } = require('./response-order')
const { newResource } = require('./exchange')
const { onDrain } = require('../message/delegate')
const { Parser } = require('../connection/parser-facade')
const { codes } = require('../core/errors')
const { tellOpened } = require('../stats/channels')
const { kConnection, kConnections, kParserConfig } = require('../core/symbols')

const { CLOSES } = native

function nothing () {}

/**
 * @param {number} id of the native connection
 * @param {import('node:stream').Duplex} stream
 * @param {import('./server').Server} server
 */
function StreamConnection (id, stream, server) {
  ServerConnection.call(this, id, stream, server, null)
  /** True if core's parser would have read the last packet from the stream's handle, which a listener may have closed since. */
  this.isConsumed = false
}
Object.setPrototypeOf(StreamConnection.prototype, ServerConnection.prototype)

/** Serves HTTP over a JS stream. */
function serveStream (server, stream) {
  const id = native.open(0, server[kParserConfig](), server[kConnections].stats)
  const connection = new (classFor(StreamConnection, server))(id, stream, server)
  // As in core: what happens on it happens in the context of the code that gave it the stream.
  connection.resource = newResource(connection)
  stream.server = server
  if (stream._server === undefined) stream._server = null
  stream.parser = Parser.of(connection, stream)
  stream._paused = false
  // An answer from before it left another server's HTTP may still be under way.
  stream._httpMessage ??= null
  if (server.timeout && typeof stream.setTimeout === 'function') stream.setTimeout(server.timeout)
  stream.setEncoding = refuseEncoding
  stream.on('data', onStreamData)
  stream.on('end', onStreamEnd)
  stream.on('close', onStreamClose)
  stream.on('error', onStreamError)
  stream.on('timeout', onStreamTimeout)
  stream.on('drain', onDrain)
  readDirectly(stream)
  tellOpened(connection, 'server', server)
  return connection
}

// ------------------------------------------------------------------------------------------------- direct reads

/** Core's slots for `onread`; a release without them reads through the stream. Found with the first stream. */
let slots = null

/** What is read lies here until the callback returns: the native side copies what it keeps. As much as libuv reads at once. */
let readBuffer = null

function prepareReads () {
  const symbols = Object.getOwnPropertySymbols(new net.Socket())
  slots = ['kBuffer', 'kBufferCb'].map((name) => symbols.find(({ description }) => description === name))
  readBuffer = Buffer.allocUnsafeSlow(64 * 1024)
}

/**
 * Has what is read from a stream with a handle (TLS, a pipe of core's) go to its connection without passing through the stream, as
 * core's parser consumes such a handle: no memory is made for each read, and no 'data' is emitted. It is the means of net's `onread`
 * option. As soon as anything besides the connection can want the bytes, they pass through the stream again.
 * @param {import('node:stream').Duplex} stream that is served already
 */
function readDirectly (stream) {
  const { _handle: handle } = stream
  if (handle?.isStreamBase !== true || typeof handle.useUserBuffer !== 'function') return
  if (slots === null) prepareReads()
  const [kBuffer, kBufferCb] = slots
  if (kBuffer === undefined || kBufferCb === undefined || stream[kBuffer] !== null || stream.connecting) return
  stream[kBuffer] = readBuffer
  stream[kBufferCb] = onBytes
  handle.useUserBuffer(readBuffer)
}

/** `this` is the stream. @returns {boolean} false if no more should be read for now */
function onBytes (length, buffer) {
  const connection = this[kConnection]
  const bytes = buffer.subarray(0, length)
  if (connection?.takesDirectly?.() !== true) return this.push(Buffer.from(bytes))
  connection.take(bytes)
  return true
}

// ---------------------------------------------------------------------------------------------- the stream's events

/** @throws ERR_HTTP_SOCKET_ENCODING: the bytes belong to the messages. */
function refuseEncoding () {
  throw new codes.ERR_HTTP_SOCKET_ENCODING()
}

function stopListening ({ stream }) {
  delete stream.setEncoding
  stream.removeListener('data', onStreamData)
  stream.removeListener('end', onStreamEnd)
  stream.removeListener('close', onStreamClose)
  stream.removeListener('error', onStreamError)
  stream.removeListener('timeout', onStreamTimeout)
  stream.removeListener('drain', onDrain)
}

function onStreamData (chunk) {
  this[kConnection].take(chunk)
}

StreamConnection.prototype.take = function take (chunk) {
  if (this.began === 0) this.began = elapsed()
  this.isConsumed = this.consumes()
  this.receive(chunk)
}

function onStreamEnd () {
  this[kConnection].receive(null)
}

function onStreamClose () {
  const connection = this[kConnection]
  connection.free(connection.id)
  Parser.free(this)
  connection.abort()
  // A response that has the stream hears of it last, behind earlier listeners.
  if (connection.current === null) connection.afterClose()
}

function onStreamError (error) {
  // Of the system, or of OpenSSL; all others are this side's.
  if (error?.errno < 0 || error?.library !== undefined) this[kConnection].noteClose(CLOSES.ERROR, error.errno)
  this.removeListener('error', onStreamError)
  // Errors behind the first are its consequences.
  if (this.listenerCount('error') === 0) this.on('error', nothing)
  this[kConnection].failOnce(error)
}

/** True if core's parser would read from the stream's handle by itself: its callbacks run ticks then. */
StreamConnection.prototype.consumes = function consumes () {
  const { stream } = this
  return stream._handle?.isStreamBase === true && stream.listenerCount('data') <= 1
}

/**
 * True if bytes that were read need not pass through the stream: it would hand them on to the connection alone, at once. So it is if the
 * application has removed that listener and has not added another: core's parser reads on from the handle.
 */
StreamConnection.prototype.takesDirectly = function takesDirectly () {
  const { stream } = this
  const { _events: { data, readable } } = stream
  if (data !== onStreamData) {
    if (!this.isTakenOver && (data !== undefined || readable !== undefined)) this.isTakenOver = data === undefined || !isAmong(onStreamData, data)
    if (data !== undefined || this.isTakenOver) return false
  }
  return !this.detached && stream.readableFlowing === true && stream.readableLength === 0
}

function isAmong (listener, listeners) {
  return Array.isArray(listeners) && listeners.includes(listener)
}

function onStreamTimeout () {
  const connection = this[kConnection]
  connection.noteClose(connection.keepAliveSet ? CLOSES.KEEP_ALIVE : CLOSES.IDLE)
  connection.onTimeout()
}

/** Lets go of the stream: it belongs to the application. @param {boolean} isKnown true if it has the stream already */
StreamConnection.prototype.releaseStream = function releaseStream (isKnown) {
  const { stream } = this
  stopListening(this)
  Parser.free(stream)
  if (!isKnown) stream.readableFlowing = null
  if (this.isAnswering) stream.on('close', onLeftStreamClose)
  else this.letGo()
}

StreamConnection.prototype.owesNothing = function owesNothing () {
  ServerConnection.prototype.owesNothing.call(this)
  this.stream.removeListener('close', onLeftStreamClose)
  this.letGo()
}

function onLeftStreamClose () {
  const connection = this[kConnection]
  connection.closeResponses()
  connection.free(connection.id)
}

StreamConnection.prototype.letGo = function letGo () {
  this.stream.removeListener('close', onCarrierClose)
  this.stream[kConnection] = undefined
  this.noteClose(CLOSES.UPGRADED)
  this.free(this.id)
}

/** Reports a message that has been arriving for too long. @param {number} headers ms, 0 for no limit @param {number} request ms */
StreamConnection.prototype.expire = function expire (headers, request) {
  if (this.began === 0) return
  const age = elapsed() - this.began
  if (headers > 0 && this.receiving === null && age >= headers) this.expired(CLOSES.HEADERS_TIMEOUT, native.DEADLINES.HEADERS)
  else if (request > 0 && age >= request) this.expired(CLOSES.REQUEST_TIMEOUT, native.DEADLINES.REQUEST)
}

StreamConnection.prototype.expired = function expired (reason, which) {
  this.noteClose(reason)
  this.onExpired(which)
}

/** Drops the connection from the server's list, and its native side. */
StreamConnection.prototype.free = function free (id) {
  if (id === -1) return
  this.server[kConnections].delete(this)
  this.release()
}

module.exports = { serveStream }

'use strict'

/** ServerResponse: the status line, and the methods that give it a socket. */

const { STATUS_CODES, validateHeaderValue } = require('node:http')
const diagnostics = require('node:diagnostics_channel')
const { sendFlags } = require('../binding')
const { OutgoingMessage } = require('../message/outgoing')
const { tellFinished } = require('../message/listeners')
const { ownSocket } = require('../message/state')
const { isBeyondVchar } = require('../message/syntax')
const { cores, isCores, deferToCore } = require('../core/messages')
const measure = require('../core/performance-entries')
const versions = require('../core/versions')
const { kConnection, kFinished, kLastFlags, kListenersShown, kOutHeaders, kBeyondAscii, kMeasure, kRequest } = require('../core/symbols')

const createdChannel = diagnostics.channel('http.server.response.created')

/** What `believesHeaders` has found; undefined until it is asked. */
let believes

/** True where core reads the `te` field of a request that no parser has made; later releases look where the parser puts it. */
function believesHeaders () {
  return (believes ??= new cores.ServerResponse.constructor({
    method: 'GET', httpVersionMajor: 1, httpVersionMinor: 0, headers: { te: 'chunked' }
  }).useChunkedEncodingByDefault)
}

/**
 * @param {IncomingMessage} request that it answers
 * @param {object} [options] see OutgoingMessage
 */
function ServerResponse (request, options) {
  OutgoingMessage.call(this, options)
  if (versions.socketIsData && !request[kConnection]) ownSocket(this)
  this.req = this[kRequest] = request
  this.sendDate = true
  this._sent100 = false
  this._expect_continue = false
  if (request.method === 'HEAD') this._hasBody = false
  if (request.httpVersionMajor < 1 || request.httpVersionMinor < 1) {
    // HTTP/1.0 has no chunks, unless the client says that it takes them.
    this.useChunkedEncodingByDefault = (Boolean(request[kConnection]) || believesHeaders()) && /chunk/i.test(request.headers.te)
    this.shouldKeepAlive = false
  }
  if (versions.createdChannels && createdChannel.hasSubscribers) createdChannel.publish({ request, response: this })
}
Object.setPrototypeOf(ServerResponse.prototype, OutgoingMessage.prototype)
Object.setPrototypeOf(ServerResponse, OutgoingMessage)

ServerResponse.prototype.statusCode = 200
ServerResponse.prototype.statusMessage = undefined
ServerResponse.prototype[kLastFlags] = sendFlags.LAST

ServerResponse.prototype._finish = function _finish () {
  if (isCores(this)) return cores.ServerResponse._finish.apply(this, arguments)
  if (this[kMeasure] !== undefined) {
    measure.end(this, this.statusCode, this.statusMessage, this.getHeaders())
  }
  OutgoingMessage.prototype._finish.call(this)
}

/** Ends the exchange: the connection goes on to the next. */
ServerResponse.prototype[kFinished] = function () {
  this[kConnection]?.finishExchange(this)
}

const { on: ownOn } = ServerResponse.prototype

/** Shows core's 'finish' listener, by which its servers end an exchange (ours use kFinished): adds it if `on` was replaced. */
function announceListeners (response) {
  if (response.on !== ownOn) response.on('finish', tellFinished)
}

ServerResponse.prototype[kListenersShown] = function (event, listeners) {
  // A server sets `_maxRequestsPerSocket` on its responses, also if it has no limit.
  if (event !== 'finish' || this._maxRequestsPerSocket === undefined || listeners.includes(tellFinished)) return listeners
  return [tellFinished, ...listeners]
}

// ------------------------------------------------------------------------------------------------- the socket

/**
 * Assigns a socket, which carries this response from then on.
 * @throws ERR_HTTP_SOCKET_ASSIGNED
 */
ServerResponse.prototype.assignSocket = function assignSocket (socket) {
  // Core's throws.
  if (socket._httpMessage) return cores.ServerResponse.assignSocket.call(this, socket)
  socket._httpMessage = this
  this.socket = socket
  // A connection of ours reports its close to the response itself.
  if (this[kConnection] === null) socket.on('close', onSocketClose)
  this.emit('socket', socket)
  this._flush()
}

ServerResponse.prototype.detachSocket = function detachSocket (socket) {
  const connection = socket[kConnection]
  if (connection && connection.current === this) connection.dismiss(this)
  socket.removeListener('close', onSocketClose)
  socket._httpMessage = null
  this.socket = null
}

/** Closes the response with its socket, whether it was sent or not. */
function onSocketClose () {
  const response = this._httpMessage
  if (response) closeResponse(response)
}

/** Emits 'close', once. */
function closeResponse (response) {
  if (response._closed) return
  response.destroyed = true
  response._closed = true
  response.emit('close')
}

// --------------------------------------------------------------------------------------------- the status line

/** Status lines by code, each with the message that it was made for. */
const lines = []

function statusLine (code, message) {
  const known = lines[code]
  if (known !== undefined && known.message === message) return known.line
  const line = `HTTP/1.1 ${code} ${message}\r\n`
  if (message === STATUS_CODES[code]) lines[code] = { message, line }
  return line
}

/**
 * Renders the head. It is sent with the first part of the body. What most responses do not pass is core's: fields of writeHead()
 * that are merged with those set before, and all that is wrong.
 * @param {number} statusCode 100–999
 * @param {string} [reason] default: STATUS_CODES
 * @param {object|Array} [headers] object, flat array or array of pairs
 * @throws ERR_HTTP_HEADERS_SENT, ERR_HTTP_INVALID_STATUS_CODE, ERR_INVALID_CHAR and what setHeader throws
 */
ServerResponse.prototype.writeHead = function writeHead (statusCode, reason, headers) {
  const code = statusCode | 0
  const isNamed = typeof reason === 'string'
  const message = isNamed ? reason : this.statusMessage || STATUS_CODES[code] || 'unknown'
  const fields = isNamed ? headers : headers ?? reason
  const isOdd = message !== STATUS_CODES[code] && isBeyondVchar(message)
  if (isOdd || this._header || code < 100 || code > 999 || (fields && this[kOutHeaders]) || isCores(this)) {
    if (isOdd) this[kBeyondAscii] = true
    return cores.ServerResponse.writeHead.apply(this, arguments)
  }
  this.statusMessage = message
  this.statusCode = code
  if (code === 204 || code === 304 || code < 200) this._hasBody = false
  // The client may still send the body that it announced; the connection cannot be trusted behind it.
  if (this._expect_continue && !this._sent100) this.shouldKeepAlive = false
  this._storeHeader(statusLine(code, message), this[kOutHeaders] || fields)
  return this
}

if (cores.ServerResponse.writeHeader === cores.ServerResponse.writeHead) ServerResponse.prototype.writeHeader = ServerResponse.prototype.writeHead

if (!versions.validatesHints) {
  /**
   * Sends 103 with a Link field.
   * @param {{link: string|string[]}} hints and any other fields; without links nothing is sent
   * @throws ERR_INVALID_CHAR for a value with a line end, which would let its source write the response
   */
  ServerResponse.prototype.writeEarlyHints = function writeEarlyHints (hints, callback) {
    for (const [name, value] of Object.entries(hints?.link ? hints : {})) {
      const text = `${name}: ${value}`
      if (/[\r\n]/.test(text)) validateHeaderValue(name === 'link' ? 'Link' : name, text)
    }
    cores.ServerResponse.writeEarlyHints.call(this, hints, callback)
  }
}

deferToCore(ServerResponse.prototype, 'ServerResponse', ['_finish', 'writeHead', 'writeHeader', 'writeEarlyHints'])

module.exports = {
  ServerResponse,
  announceListeners,
  closeResponse,
  originalAssignSocket: ServerResponse.prototype.assignSocket,
  originalDetachSocket: ServerResponse.prototype.detachSocket
}

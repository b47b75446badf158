'use strict'

/** ServerResponse: the status line, 1xx blocks, and the methods that give it a socket. */

const diagnostics = require('node:diagnostics_channel')
const { sendFlags } = require('../binding')
const { OutgoingMessage, sendInformational } = require('../message/outgoing')
const { checkValue } = require('../message/head')
const { tellFinished } = require('../message/delegate')
const { ownSocket } = require('../message/state')
const { STATUS_CODES, lowerToken, isUnusual, hasInvalidChar } = require('../message/syntax')
const { cores, isCores, leaveCores } = require('../core/messages')
const { codes } = require('../core/errors')
const { validateInteger, validateObject } = require('../core/validators')
const measure = require('../core/performance-entries')
const versions = require('../core/versions')
const {
  kConnection, kFinished, kLastFlags, kListenersShown, kOutHeaders, kUnusual, kValidation
} = require('../core/symbols')

const createdChannel = diagnostics.channel('http.server.response.created')

/** True where core reads the `te` field of a request that no parser has made; later releases look where the parser puts it. */
const believesHeaders = new cores.ServerResponse.constructor({
  method: 'GET', httpVersionMajor: 1, httpVersionMinor: 0, headers: { te: 'chunked' }
}).useChunkedEncodingByDefault

/**
 * @param {IncomingMessage} request that it answers
 * @param {object} [options] see OutgoingMessage
 */
function ServerResponse (request, options) {
  OutgoingMessage.call(this, options)
  if (versions.socketIsData && !request[kConnection]) ownSocket(this)
  this.req = request
  this.sendDate = true
  this._sent100 = false
  this._expect_continue = false
  if (request.method === 'HEAD') this._hasBody = false
  if (request.httpVersionMajor < 1 || request.httpVersionMinor < 1) {
    // HTTP/1.0 has no chunks, unless the client says that it takes them.
    this.useChunkedEncodingByDefault = (believesHeaders || Boolean(request[kConnection])) && /chunk/i.test(request.headers.te)
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
  if (this[measure.kMeasure] !== undefined) {
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
  if (socket._httpMessage) throw new codes.ERR_HTTP_SOCKET_ASSIGNED()
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

ServerResponse.prototype._implicitHeader = function _implicitHeader () {
  if (isCores(this)) return cores.ServerResponse._implicitHeader.apply(this, arguments)
  this.writeHead(this.statusCode)
}

/**
 * Renders the head. It is sent with the first part of the body.
 * @param {number} statusCode 100–999
 * @param {string} [reason] default: STATUS_CODES
 * @param {object|Array} [headers] object, flat array or array of pairs
 * @throws ERR_HTTP_HEADERS_SENT, ERR_HTTP_INVALID_STATUS_CODE, ERR_INVALID_CHAR and what setHeader throws
 */
ServerResponse.prototype.writeHead = function writeHead (statusCode, reason, headers) {
  if (isCores(this)) return cores.ServerResponse.writeHead.apply(this, arguments)
  if (this._header) throw new codes.ERR_HTTP_HEADERS_SENT('write')
  const code = statusCode | 0
  if (code < 100 || code > 999) throw new codes.ERR_HTTP_INVALID_STATUS_CODE(statusCode)

  if (typeof reason === 'string') {
    this.statusMessage = reason
  } else {
    this.statusMessage ||= STATUS_CODES[code] || 'unknown'
    headers ??= reason
  }
  this.statusCode = code

  if (this[kOutHeaders]) {
    if (headers) addHeaders(this, headers)
    headers = this[kOutHeaders]
  }

  const message = this.statusMessage
  if (message !== STATUS_CODES[code] && isUnusual(message)) {
    if (hasInvalidChar(message, false)) throw new codes.ERR_INVALID_CHAR('statusMessage')
    this[kUnusual] = true
  }
  if (code === 204 || code === 304 || code < 200) this._hasBody = false
  // The client may still send the body that it announced; the connection cannot be trusted behind it.
  if (this._expect_continue && !this._sent100) this.shouldKeepAlive = false
  this._storeHeader(statusLine(code, message), headers)
  return this
}

/** Merges writeHead's fields into those that were set. */
function addHeaders (response, headers) {
  if (!Array.isArray(headers)) {
    for (const name in headers) {
      if (Object.hasOwn(headers, name) && name) response.setHeader(name, headers[name])
    }
    return
  }
  if (headers.length % 2 !== 0) throw new codes.ERR_INVALID_ARG_VALUE('headers', headers)
  if (!versions.writeHeadKeepsDuplicates) {
    for (let i = 0; i < headers.length; i += 2) if (headers[i]) response.setHeader(headers[i], headers[i + 1])
    return
  }
  for (let i = 0; i < headers.length; i += 2) response.removeHeader(headers[i])
  for (let i = 0; i < headers.length; i += 2) if (headers[i]) response.appendHeader(headers[i], headers[i + 1])
}

if (versions.writeHeader) {
  /** Alias of writeHead, deprecated (DEP0063). */
  ServerResponse.prototype.writeHeader = versions.writeHeaderWarns
    ? require('node:util').deprecate(ServerResponse.prototype.writeHead, 'ServerResponse.prototype.writeHeader is deprecated.', 'DEP0063')
    : ServerResponse.prototype.writeHead
}

// -------------------------------------------------------------------------------------------------------- 1xx

/** Renders a 1xx block from any shape of headers. */
function informationalBlock (response, code, headers) {
  let block = statusLine(code, STATUS_CODES[code] || 'unknown')
  const add = (name, value) => {
    if (lowerToken(name) === undefined) throw new codes.ERR_INVALID_HTTP_TOKEN('Header name', name)
    checkValue(response, name, value)
    block += `${name}: ${value}\r\n`
  }
  if (Array.isArray(headers)) {
    if (headers.length !== 0 && Array.isArray(headers[0])) {
      for (const [name, value] of headers) add(name, value)
    } else {
      if (headers.length % 2 !== 0) throw new codes.ERR_INVALID_ARG_VALUE('headers', headers)
      for (let i = 0; i < headers.length; i += 2) add(headers[i], headers[i + 1])
    }
  } else if (headers !== undefined && headers !== null) {
    validateObject(headers, 'headers')
    for (const name of Object.keys(headers)) add(name, headers[name])
  }
  return block + '\r\n'
}

/** Sends a 1xx block; through writeInformation, where responses have it. */
function inform (response, code, headers, callback) {
  if (versions.writeInformation) response.writeInformation(code, headers, callback)
  else sendInformational(response, informationalBlock(response, code, headers), callback)
}

/** Sends 100: the client may send the body that it announced with Expect. */
ServerResponse.prototype.writeContinue = function writeContinue (callback) {
  inform(this, 100, null, callback)
  this._sent100 = true
}

/** Sends 102. */
ServerResponse.prototype.writeProcessing = function writeProcessing (callback) {
  inform(this, 102, null, callback)
}

/** The `this` of core's writeEarlyHints, which checks and renders as in this release; sends the block for a response. */
class Hints {
  constructor (response, hints) {
    this.response = response
    this.hints = hints
  }

  writeInformation (...args) {
    this.response.writeInformation(...args)
  }

  _writeRaw (block, encoding, callback) {
    // Older releases take any value; one with a line end would let its source write the response.
    for (const [name, value] of Object.entries(this.hints)) {
      if (/[\r\n]/.test(`${name}: ${value}`)) throw new codes.ERR_INVALID_CHAR('header content', name === 'link' ? 'Link' : name)
    }
    sendInformational(this.response, block, callback)
  }
}

/**
 * Sends 103 with a Link field.
 * @param {{link: string|string[]}} hints and any other fields; without links nothing is sent
 */
ServerResponse.prototype.writeEarlyHints = function writeEarlyHints (hints, callback) {
  cores.ServerResponse.writeEarlyHints.call(new Hints(this, hints), hints, callback)
}

if (versions.writeInformation) {
  /**
   * Sends any 1xx but 101.
   * @param {number} statusCode 100–199
   * @param {object|Array} [headers] as writeHead's
   * @param {Function} [callback] once the block was handed over
   * @returns {boolean} as write()
   */
  ServerResponse.prototype.writeInformation = function writeInformation (statusCode, headers, callback) {
    if (this._header) throw new codes.ERR_HTTP_HEADERS_SENT('write')
    validateInteger(statusCode, 'statusCode', 100, 199)
    if (statusCode === 101) throw new codes.ERR_HTTP_INVALID_STATUS_CODE(statusCode)
    return sendInformational(this, informationalBlock(this, statusCode, headers), callback)
  }
}

if (versions.httpValidation) {
  ServerResponse.prototype[kValidation] = function () {
    return this[kConnection]?.server ?? this.req?.[kConnection]?.server ?? this.socket?.server
  }
}

leaveCores(ServerResponse.prototype, 'ServerResponse', ['_finish', '_implicitHeader', 'writeHead', 'writeHeader'])

module.exports = {
  ServerResponse,
  announceListeners,
  closeResponse,
  originalAssignSocket: ServerResponse.prototype.assignSocket,
  originalDetachSocket: ServerResponse.prototype.detachSocket
}

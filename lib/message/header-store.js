'use strict'

/**
 * The header store of an outgoing message and the methods on it; `lib/message/outgoing.js` puts them on its prototype.
 * What the fields mean for the message is decided when the head is rendered (lib/message/head.js).
 */

const { deprecate } = require('node:util')
const { checkValue, isRelaxed } = require('./head')
const { lowerToken, isUnusual, hasInvalidChar } = require('./syntax')
const { cores, isCores } = require('../core/messages')
const { codes } = require('../core/errors')
const { validateString } = require('../core/validators')
const versions = require('../core/versions')
const { kOutHeaders, kUniqueHeaders } = require('../core/symbols')

const methods = {}

/** The header store. Null prototype, as core's; a constructor, because objects made by one keep fast properties. */
function HeaderStore () {}
HeaderStore.prototype = Object.create(null)

function putHeader (message, lower, name, value) {
  let headers = message[kOutHeaders]
  if (headers === null || headers === undefined) message[kOutHeaders] = headers = new HeaderStore()
  headers[lower] = [name, value]
}

/** @throws ERR_INVALID_HTTP_TOKEN */
function checkedLower (name) {
  const lower = lowerToken(name)
  if (lower === undefined) throw new codes.ERR_INVALID_HTTP_TOKEN('Header name', name)
  return lower
}

/**
 * Sets a field; replaces one of the same name.
 * @param {string} name
 * @param {string|number|string[]} value stored as given
 * @throws ERR_HTTP_HEADERS_SENT, ERR_INVALID_HTTP_TOKEN, ERR_HTTP_INVALID_HEADER_VALUE, ERR_INVALID_CHAR
 */
methods.setHeader = function setHeader (name, value) {
  if (isCores(this)) return cores.OutgoingMessage.setHeader.apply(this, arguments)
  if (this._header) throw new codes.ERR_HTTP_HEADERS_SENT('set')
  const lower = checkedLower(name)
  checkValue(this, name, value)
  putHeader(this, lower, name, value)
  return this
}

/** Sets all fields of a Headers or a Map; several set-cookie of a Headers become one array. */
methods.setHeaders = function setHeaders (headers) {
  if (this._header) throw new codes.ERR_HTTP_HEADERS_SENT('set')
  if (!headers || Array.isArray(headers) || typeof headers.keys !== 'function' || typeof headers.get !== 'function') {
    throw new codes.ERR_INVALID_ARG_TYPE('headers', ['Headers', 'Map'], headers)
  }
  const cookies = []
  for (const [name, value] of headers) {
    if (name === 'set-cookie') {
      if (Array.isArray(value)) cookies.push(...value)
      else cookies.push(value)
    } else {
      this.setHeader(name, value)
    }
  }
  if (cookies.length !== 0) this.setHeader('set-cookie', cookies)
  return this
}

/** Adds a value to a field, which becomes an array. */
methods.appendHeader = function appendHeader (name, value) {
  if (this._header) throw new codes.ERR_HTTP_HEADERS_SENT('append')
  const lower = checkedLower(name)
  checkValue(this, name, value)
  const entry = this[kOutHeaders]?.[lower]
  if (entry === undefined) {
    putHeader(this, lower, name, value)
    return this
  }
  const values = Array.isArray(entry[1]) ? entry[1] : (entry[1] = [entry[1]])
  if (Array.isArray(value)) values.push(...value)
  else values.push(value)
  return this
}

/** Gives the value as it was set; undefined if there is none. */
methods.getHeader = function getHeader (name) {
  if (isCores(this)) return cores.OutgoingMessage.getHeader.apply(this, arguments)
  validateString(name, 'name')
  const headers = this[kOutHeaders]
  if (headers === null || headers === undefined) return undefined
  return headers[lowerToken(name) ?? name.toLowerCase()]?.[1]
}

/** Gives the names in lower case, in the order in which they were set. */
methods.getHeaderNames = function getHeaderNames () {
  const headers = this[kOutHeaders]
  return headers ? Object.keys(headers) : []
}

/** Gives the names as they were spelt. */
methods.getRawHeaderNames = function getRawHeaderNames () {
  const headers = this[kOutHeaders]
  return headers ? Object.values(headers).map((entry) => entry[0]) : []
}

/** Gives a shallow copy: lower-case name -> value. */
methods.getHeaders = function getHeaders () {
  const copy = { __proto__: null }
  const headers = this[kOutHeaders]
  for (const lower in headers) copy[lower] = headers[lower][1]
  return copy
}

methods.hasHeader = function hasHeader (name) {
  if (isCores(this)) return cores.OutgoingMessage.hasHeader.apply(this, arguments)
  validateString(name, 'name')
  const headers = this[kOutHeaders]
  return headers !== null && headers !== undefined && headers[lowerToken(name) ?? name.toLowerCase()] !== undefined
}

/** Removes a field; an automatic one (Date, Connection, framing, ...) is not added either. */
methods.removeHeader = function removeHeader (name) {
  if (isCores(this)) return cores.OutgoingMessage.removeHeader.apply(this, arguments)
  validateString(name, 'name')
  if (this._header) throw new codes.ERR_HTTP_HEADERS_SENT('remove')
  const lower = name.toLowerCase()
  switch (lower) {
    case 'connection':
      this._removedConnection = true
      break
    case 'content-length':
      this._removedContLen = true
      break
    case 'transfer-encoding':
      this._removedTE = true
      break
    case 'date':
      this.sendDate = false
  }
  const headers = this[kOutHeaders]
  if (headers !== null && headers !== undefined) delete headers[lower]
}

/** Gives the fields with their names as spelt; deprecated, but called. */
methods._renderHeaders = function _renderHeaders () {
  if (this._header) throw new codes.ERR_HTTP_HEADERS_SENT('render')
  const rendered = {}
  const headers = this[kOutHeaders]
  for (const lower in headers) rendered[headers[lower][0]] = headers[lower][1]
  return rendered
}

/**
 * Sets the fields that follow a chunked body. Array values give one line each, unless listed in uniqueHeaders.
 * @param {object|Array<[string, string]>} headers
 */
methods.addTrailers = function addTrailers (headers) {
  this._trailer = ''
  const isList = Array.isArray(headers)
  const keys = Object.keys(headers)
  for (const key of keys) {
    const name = isList ? headers[key][0] : key
    const value = isList ? headers[key][1] : headers[key]
    const lower = lowerToken(name)
    if (lower === undefined) throw new codes.ERR_INVALID_HTTP_TOKEN('Trailer name', name)
    if (Array.isArray(value) && value.length > 1 && !this[kUniqueHeaders]?.has(lower)) {
      for (const one of value) this._trailer += trailerLine(this, name, one)
    } else {
      this._trailer += trailerLine(this, name, Array.isArray(value) ? value.join('; ') : value)
    }
  }
}

function trailerLine (message, name, value) {
  if (isUnusual(value) && hasInvalidChar(value, isRelaxed(message))) throw new codes.ERR_INVALID_CHAR('trailer content', name)
  return `${name}: ${value}\r\n`
}

/** Defines a deprecated view of the store: its values, or the names as spelt. */
function legacy (name, get, set) {
  const text = `OutgoingMessage.prototype.${name} is deprecated`
  Object.defineProperty(methods, name, {
    __proto__: null, get: deprecate(get, text, 'DEP0066'), set: deprecate(set, text, 'DEP0066'), configurable: true, enumerable: false
  })
}

if (versions.legacyHeaders) {
  legacy('_headers', function () { return this.getHeaders() }, function (headers) {
    this[kOutHeaders] = null
    if (headers == null) return
    for (const name of Object.keys(headers)) putHeader(this, name.toLowerCase(), name, headers[name])
  })
  legacy('_headerNames', function () {
    const names = { __proto__: null }
    for (const lower in this[kOutHeaders]) names[lower] = this[kOutHeaders][lower][0]
    return names
  }, function (names) {
    for (const lower in this[kOutHeaders]) if (names?.[lower]) this[kOutHeaders][lower][0] = names[lower]
  })
}

module.exports = { headerMethods: methods }

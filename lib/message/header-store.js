'use strict'

/**
 * The methods of an outgoing message's header store that most messages pass: core's have the same effect, and cost more. The
 * others, and all that is wrong, are core's; `lib/message/outgoing.js` puts these on its prototype. What the fields mean for the
 * message is decided when the head is rendered (lib/message/head.js).
 */

const { lowerToken, isBeyondVchar } = require('./syntax')
const { cores, isCores } = require('../core/messages')
const { kOutHeaders, kBeyondAscii } = require('../core/symbols')

const methods = {}

/** The header store. Null prototype, as core's; a constructor, because objects made by one keep fast properties. */
function HeaderStore () {}
HeaderStore.prototype = Object.create(null)

/**
 * Sets a field; replaces one of the same name.
 * @param {string} name
 * @param {string|number|string[]} value stored as given
 * @throws ERR_HTTP_HEADERS_SENT, ERR_INVALID_HTTP_TOKEN, ERR_HTTP_INVALID_HEADER_VALUE, ERR_INVALID_CHAR
 */
methods.setHeader = function setHeader (name, value) {
  const lower = lowerToken(name)
  if (this._header || lower === undefined || value === undefined || isBeyondVchar(value) || isCores(this)) {
    return setByCore(this, 'setHeader', arguments)
  }
  let headers = this[kOutHeaders]
  if (headers === null || headers === undefined) this[kOutHeaders] = headers = new HeaderStore()
  headers[lower] = [name, value]
  return this
}

/** Adds a value to a field, which becomes an array. */
methods.appendHeader = function appendHeader (name, value) {
  return isBeyondVchar(value) ? setByCore(this, 'appendHeader', arguments) : cores.OutgoingMessage.appendHeader.apply(this, arguments)
}

/** Has core check and store a field whose value holds something beyond printable ASCII, or that is wrong. */
function setByCore (message, method, args) {
  const result = cores.OutgoingMessage[method].apply(message, args)
  if (!isCores(message)) message[kBeyondAscii] = true
  return result
}

/** Gives the value as it was set; undefined if there is none. */
methods.getHeader = function getHeader (name) {
  const lower = lowerToken(name)
  if (lower === undefined) return cores.OutgoingMessage.getHeader.apply(this, arguments)
  return this[kOutHeaders]?.[lower]?.[1]
}

methods.hasHeader = function hasHeader (name) {
  const lower = lowerToken(name)
  if (lower === undefined) return cores.OutgoingMessage.hasHeader.apply(this, arguments)
  return this[kOutHeaders]?.[lower] !== undefined
}

module.exports = { headerMethods: methods }

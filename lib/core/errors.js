'use strict'

/**
 * Node's coded errors: same class, name, code, message and shape of the stack. One table; no other file words a message of
 * Node's. Knows nothing of HTTP beyond the wording.
 */

const { constants } = require('node:os')
const { format, inspect, getSystemErrorName } = require('node:util')
const { PARSE_ERRORS: parseErrors, SYSCALLS } = require('../addon')

/** Prototypes that make `String(error)` and the stack name the code, one per built-in class. */
const shapes = new Map()

function shapeFor (Base) {
  let shape = shapes.get(Base)
  if (shape === undefined) {
    shape = Object.create(Base.prototype, {
      constructor: { value: Base, writable: true, configurable: true },
      toString: {
        value () { return `${this.name} [${this.code}]: ${this.message}` },
        writable: true,
        configurable: true
      }
    })
    shapes.set(Base, shape)
  }
  return shape
}

/**
 * @param {ErrorConstructor} Base
 * @param {string} code
 * @param {string} message
 * @param {Function} [above] frames from this function upwards are left out of the stack
 * @returns {Error} whose stack starts with `Name [CODE]: message`
 */
function coded (Base, code, message, above) {
  const error = new Base(message)
  Object.setPrototypeOf(error, shapeFor(Base))
  // The header line of a stack is fixed when it is captured: the name carries the code for that moment only.
  Object.defineProperty(error, 'name', { value: `${Base.name} [${code}]`, configurable: true, enumerable: false })
  Error.captureStackTrace(error, above)
  // Touching it formats it, before the name goes again.
  error.stack // eslint-disable-line no-unused-expressions
  delete error.name
  error.code = code
  return error
}

/** Builds one constructor-like function of the table: `throw new codes.ERR_X(…)`. */
function define (Base, code, render) {
  const make = function (...args) {
    return coded(Base, code, render(...args), make)
  }
  return make
}

/** Words "Received …" as Node does. */
function received (value) {
  if (value == null) return ` Received ${value}`
  if (typeof value === 'function') return ` Received function ${value.name}`
  if (typeof value === 'object') {
    if (value.constructor?.name) return ` Received an instance of ${value.constructor.name}`
    return ` Received ${inspect(value, { depth: -1 })}`
  }
  let shown = inspect(value, { colors: false })
  if (shown.length > 28) shown = shown.slice(0, 25) + '...'
  return ` Received type ${typeof value} (${shown})`
}

/** Words a list: 'a', 'a or b', 'a, b, or c'. */
function list (words) {
  if (words.length < 3) return words.join(' or ')
  return `${words.slice(0, -1).join(', ')}, or ${words[words.length - 1]}`
}

const PRIMITIVES = new Set(['string', 'function', 'number', 'object', 'Function', 'Object', 'boolean', 'bigint', 'symbol'])

/**
 * @param {string} name of the argument; with a dot in it, of the property
 * @param {string|string[]} expected types (`string`), classes (`Buffer`) or anything else ("Agent-like Object")
 * @param {unknown} actual
 */
function argTypeMessage (name, expected, actual) {
  const all = Array.isArray(expected) ? expected : [expected]
  const types = all.filter((one) => PRIMITIVES.has(one)).map((one) => one.toLowerCase())
  const classes = all.filter((one) => !PRIMITIVES.has(one) && /^([A-Z][a-z0-9]*)+$/.test(one))
  const others = all.filter((one) => !PRIMITIVES.has(one) && !/^([A-Z][a-z0-9]*)+$/.test(one))
  // Beside classes, "object" reads better as one of them.
  const object = types.indexOf('object')
  if (classes.length !== 0 && object !== -1) {
    types.splice(object, 1)
    classes.push('Object')
  }
  const parts = []
  if (types.length !== 0) parts.push(`${types.length > 1 ? 'one of type' : 'of type'} ${list(types)}`)
  if (classes.length !== 0) parts.push(`an instance of ${list(classes)}`)
  if (others.length > 1) parts.push(`one of ${list(others)}`)
  else if (others.length === 1) parts.push(others[0].toLowerCase() !== others[0] ? `an ${others[0]}` : others[0])
  const kind = name.endsWith(' argument') ? '' : name.includes('.') ? ' property' : ' argument'
  const subject = kind === '' ? name : `"${name}"${kind}`
  return `The ${subject} must be ${parts.join(' or ')}.${received(actual)}`
}

function argValueMessage (name, value, reason = 'is invalid') {
  let shown = inspect(value)
  if (shown.length > 128) shown = shown.slice(0, 128) + '...'
  return `The ${name.includes('.') ? 'property' : 'argument'} '${name}' ${reason}. Received ${shown}`
}

/** Groups digits as Node's range errors do: 1234567 -> 1_234_567. */
function grouped (text) {
  return text.replace(/(\d)(?=(\d{3})+(?!\d))/g, '$1_')
}

function rangeMessage (name, range, value) {
  let shown
  if (Number.isInteger(value) && Math.abs(value) > 2 ** 32) shown = grouped(String(value))
  else if (typeof value === 'bigint') shown = (value > 2n ** 32n || value < -(2n ** 32n) ? grouped(String(value)) : String(value)) + 'n'
  else shown = inspect(value)
  return `The value of "${name}" is out of range. It must be ${range}. Received ${shown}`
}

const codes = {
  ERR_HTTP_HEADERS_SENT: define(Error, 'ERR_HTTP_HEADERS_SENT', (verb) =>
    `Cannot ${verb} headers after they are sent to the client`),
  ERR_HTTP_REQUEST_TIMEOUT: define(Error, 'ERR_HTTP_REQUEST_TIMEOUT', () => 'Request timeout'),
  ERR_HTTP_SOCKET_ENCODING: define(Error, 'ERR_HTTP_SOCKET_ENCODING', () =>
    'Changing the socket encoding is not allowed per RFC7230 Section 3.'),
  ERR_INVALID_ARG_TYPE: define(TypeError, 'ERR_INVALID_ARG_TYPE', argTypeMessage),
  ERR_INVALID_ARG_VALUE: define(TypeError, 'ERR_INVALID_ARG_VALUE', argValueMessage),
  ERR_INVALID_HTTP_TOKEN: define(TypeError, 'ERR_INVALID_HTTP_TOKEN', (label, token) =>
    format('%s must be a valid HTTP token ["%s"]', label, token)),
  ERR_INVALID_PROTOCOL: define(TypeError, 'ERR_INVALID_PROTOCOL', (actual, expected) =>
    `Protocol "${actual}" not supported. Expected "${expected}"`),
  ERR_OUT_OF_RANGE: define(RangeError, 'ERR_OUT_OF_RANGE', rangeMessage),
  ERR_SOCKET_CLOSED: define(Error, 'ERR_SOCKET_CLOSED', () => 'Socket is closed'),
  ERR_STREAM_DESTROYED: define(Error, 'ERR_STREAM_DESTROYED', (name) => `Cannot call ${name} after a stream was destroyed`),
  ERR_UNESCAPED_CHARACTERS: define(TypeError, 'ERR_UNESCAPED_CHARACTERS', (what) => `${what} contains unescaped characters`),
}

/**
 * Makes the error for a peer that is gone, which core's http reports with a bare code and no errno.
 * @param {string} message 'socket hang up' (client) or 'aborted' (messages)
 */
function connectionReset (message) {
  const error = new Error(message)
  Error.captureStackTrace(error, connectionReset)
  error.code = 'ECONNRESET'
  return error
}

/**
 * Makes the error for bytes that are not HTTP.
 * @param {number} kind index into PARSE_ERRORS
 * @param {number} bytesParsed offset in the packet
 * @param {Buffer} [rawPacket]
 */
function parseError (kind, bytesParsed, rawPacket) {
  return wordParseError(parseErrors[kind], bytesParsed, rawPacket)
}

function wordParseError ([code, reason], bytesParsed, rawPacket) {
  // At the end of the stream there is no packet, and core leaves the message alone.
  const atEnd = code === 'HPE_INVALID_EOF_STATE'
  const error = new Error(atEnd ? 'Parse Error' : `Parse Error: ${reason}`)
  Error.captureStackTrace(error, wordParseError)
  error.bytesParsed = bytesParsed
  error.code = code
  error.reason = reason
  if (!atEnd) error.rawPacket = rawPacket
  return error
}

/** Makes core's error for the bytes that come behind an exception of a listener. */
function callbackError (bytes) {
  return wordParseError(['HPE_CB_HEADERS_COMPLETE', 'User callback error'], 0, bytes)
}

/** The names of system calls by their numbers. */
const names = Object.fromEntries(Object.entries(SYSCALLS).map(([name, number]) => [number, name.toLowerCase()]))

/**
 * Makes the error for a failed system call.
 * @param {number} errno negative, as libuv has it
 * @param {number} syscall as in docs/BOUNDARY.md
 */
function systemError (errno, syscall) {
  let code
  try {
    code = getSystemErrorName(errno)
  } catch {
    code = 'UNKNOWN'
  }
  const call = syscall === SYSCALLS.NONE ? 'read' : names[syscall]
  const error = new Error(`${call} ${code}`)
  Error.captureStackTrace(error, systemError)
  error.errno = errno
  error.code = code
  error.syscall = call
  return error
}

/** Makes the error of a write whose handle is closed: libuv cancels it. */
function canceledWrite () {
  return systemError(-constants.errno.ECANCELED, SYSCALLS.WRITE)
}

module.exports = { codes, connectionReset, parseError, callbackError, systemError, canceledWrite }

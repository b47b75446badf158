'use strict'

/**
 * The errors that no method of core's can be called to throw, as core's: same class, name, code, message and shape of the stack.
 * No other file words a message of Node's.
 */

const { getSystemErrorMap, getSystemErrorName, inspect } = require('node:util')
const { HARDENING_ROWS: rows, PARSE_ERRORS: parseErrors, SYSCALLS } = require('../addon')

/** Gives the prototype that makes `String(error)` and the stack name the code. Most processes need none. */
function shapeOf (Base) {
  return Object.create(Base.prototype, {
    constructor: { value: Base, writable: true, configurable: true },
    toString: {
      value () { return `${this.name} [${this.code}]: ${this.message}` },
      writable: true,
      configurable: true
    }
  })
}

/**
 * Makes a constructor-like function: `new codes.ERR_X(…)` gives an error whose stack starts with `Error [CODE]: message`.
 * @param {(...args) => string} render gives the message
 */
function define (code, render, Base = Error) {
  let shape
  return function make (...args) {
    const error = new Base(render(...args))
    Object.setPrototypeOf(error, (shape ??= shapeOf(Base)))
    // The header line of a stack is fixed when it is captured: the name carries the code for that moment only.
    Object.defineProperty(error, 'name', { value: `${Base.name} [${code}]`, configurable: true, enumerable: false })
    Error.captureStackTrace(error, make)
    // Touching it formats it, before the name goes again.
    error.stack // eslint-disable-line no-unused-expressions
    delete error.name
    error.code = code
    return error
  }
}

const kindOf = (name) => name.includes('.') ? 'property' : 'argument'

/** Words a value that has the wrong type. */
function received (value) {
  if (value == null) return String(value)
  if (typeof value === 'function') return `function ${value.name}`
  if (typeof value === 'object') return value.constructor?.name ? `an instance of ${value.constructor.name}` : inspect(value, { depth: -1 })
  return `type ${typeof value} (${inspect(value)})`
}

const codes = {
  ERR_HTTP_HARDENING: define('ERR_HTTP_HARDENING', (row) => `${rows[row][3]} (${rows[row][0]}, ${rows[row][2]})`),
  ERR_HTTP_REQUEST_TIMEOUT: define('ERR_HTTP_REQUEST_TIMEOUT', () => 'Request timeout'),
  ERR_HTTP_SOCKET_ENCODING: define('ERR_HTTP_SOCKET_ENCODING', () => 'Changing the socket encoding is not allowed per RFC7230 Section 3.'),
  ERR_INVALID_ARG_TYPE: define('ERR_INVALID_ARG_TYPE', (name, expected, value) => `The "${name}" ${kindOf(name)} must be ${expected}. Received ${received(value)}`, TypeError),
  ERR_INVALID_ARG_VALUE: define('ERR_INVALID_ARG_VALUE', (name, reason, value) => `The ${kindOf(name)} '${name}' ${reason}. Received ${inspect(value)}`, TypeError),
  ERR_INVALID_STATE: define('ERR_INVALID_STATE', (what) => `Invalid state: ${what}`),
  ERR_OUT_OF_RANGE: define('ERR_OUT_OF_RANGE', (name, range, value) => `The value of "${name}" is out of range. It must be ${range}. Received ${inspect(value)}`, RangeError),
  ERR_SERVER_NOT_RUNNING: define('ERR_SERVER_NOT_RUNNING', () => 'Server is not running.'),
  ERR_SOCKET_CLOSED: define('ERR_SOCKET_CLOSED', () => 'Socket is closed'),
  ERR_STREAM_DESTROYED: define('ERR_STREAM_DESTROYED', (name) => `Cannot call ${name} after a stream was destroyed`)
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
 * @param {number} kind index into PARSE_ERRORS, or beyond it into HARDENING_ROWS: then the error has `row`, the row's name, and
 *   `statusCode`, the answer's
 * @param {number} bytesParsed offset in the packet
 * @param {Buffer} [rawPacket]
 */
function parseError (kind, bytesParsed, rawPacket) {
  if (kind < parseErrors.length) return wordParseError(parseErrors[kind], bytesParsed, rawPacket)
  const [row, status, , reason] = rows[kind - parseErrors.length]
  const error = wordParseError(['HPE_HARDENING', reason], bytesParsed, rawPacket)
  error.row = row
  if (status !== '0') error.statusCode = Number(status)
  return error
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

/** Gives the name of a system call. */
function nameOf (syscall) {
  const [name] = Object.entries(SYSCALLS).find(([, number]) => number === syscall)
  return name.toLowerCase()
}

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
  const call = syscall === SYSCALLS.NONE ? 'read' : nameOf(syscall)
  const error = new Error(`${call} ${code}`)
  Error.captureStackTrace(error, systemError)
  error.errno = errno
  error.code = code
  error.syscall = call
  return error
}

/** Gives the number of an error, negative, as libuv has it. `os` has them as well, and seldom anything else needs that. */
function errnoOf (code) {
  const [errno] = [...getSystemErrorMap()].find(([, [name]]) => name === code)
  return errno
}

/** Makes the error of a write whose handle is closed: libuv cancels it. */
function canceledWrite () {
  return systemError(errnoOf('ECANCELED'), SYSCALLS.WRITE)
}

/** As core's validateObject: an array is no object. @throws ERR_INVALID_ARG_TYPE */
function checkObject (value, name) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new codes.ERR_INVALID_ARG_TYPE(name, 'of type object', value)
}

module.exports = { codes, checkObject, connectionReset, parseError, callbackError, systemError, canceledWrite, errnoOf }

'use strict'

/** Argument checks with Node's messages. Each throws or returns nothing; names are as the caller's documentation has them. */

const { process } = require('../host')
const { codes } = require('./errors')

function validateBoolean (value, name) {
  if (typeof value !== 'boolean') throw new codes.ERR_INVALID_ARG_TYPE(name, 'boolean', value)
}

function validateFunction (value, name) {
  if (typeof value !== 'function') throw new codes.ERR_INVALID_ARG_TYPE(name, 'Function', value)
}

function validateInteger (value, name, min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER) {
  if (typeof value !== 'number') throw new codes.ERR_INVALID_ARG_TYPE(name, 'number', value)
  if (!Number.isInteger(value)) throw new codes.ERR_OUT_OF_RANGE(name, 'an integer', value)
  if (value < min || value > max) throw new codes.ERR_OUT_OF_RANGE(name, `>= ${min} && <= ${max}`, value)
}

function validateOneOf (value, name, allowed) {
  if (allowed.includes(value)) return
  const shown = allowed.map((one) => (typeof one === 'string' ? `'${one}'` : String(one))).join(', ')
  throw new codes.ERR_INVALID_ARG_VALUE(name, value, `must be one of: ${shown}`)
}

/** Largest delay that a timer takes, ms. */
const TIMEOUT_MAX = 2 ** 31 - 1

/**
 * Gives a delay as timers take it: a finite number of milliseconds, cut to what a timer can hold.
 * @returns {number}
 * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE
 */
function timerDuration (ms, name) {
  if (typeof ms !== 'number') throw new codes.ERR_INVALID_ARG_TYPE(name, 'number', ms)
  if (ms < 0 || !Number.isFinite(ms)) throw new codes.ERR_OUT_OF_RANGE(name, 'a non-negative finite number', ms)
  if (ms > TIMEOUT_MAX) {
    process.emitWarning(`${ms} does not fit into a 32-bit signed integer.\nTimer duration was truncated to ${TIMEOUT_MAX}.`,
      'TimeoutOverflowWarning')
    return TIMEOUT_MAX
  }
  return ms
}

/** Gives a time as timers count it: in whole milliseconds, and at least one. */
function wholeTime (ms) {
  return Math.max(1, Math.min(Math.trunc(ms), TIMEOUT_MAX))
}

module.exports = {
  validateBoolean,
  validateFunction,
  validateInteger,
  validateOneOf,
  timerDuration,
  wholeTime
}

'use strict'

/** Times as timers take them. */

/** Largest delay that a timer takes, ms. */
const TIMEOUT_MAX = 2 ** 31 - 1

/** True if a timer takes the time as it is: a number of milliseconds that fits. Of any other core throws or warns. */
function isDelay (ms) {
  return typeof ms === 'number' && ms >= 0 && ms <= TIMEOUT_MAX
}

/** Gives a time as timers count it: in whole milliseconds, and at least one. */
function wholeTime (ms) {
  return Math.max(1, Math.min(Math.trunc(ms), TIMEOUT_MAX))
}

module.exports = { isDelay, wholeTime }

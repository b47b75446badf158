'use strict'

/** What the times of a server mean, which the application may set to anything at any moment. */

const { timerDuration } = require('../core/validators')
const versions = require('../core/versions')

function isTime (value) {
  return Number.isFinite(value) && value >= 0
}

/**
 * How long an idle connection is kept between exchanges, ms; 0: as long as at other times. Older releases take what they
 * find, so that it may be anything: a timer then refuses it.
 */
function keepAliveTime ({ keepAliveTimeout, keepAliveTimeoutBuffer }) {
  if (!versions.checksKeepAlive) return keepAliveTimeout ? keepAliveTimeout + 1000 : 0
  if (!isTime(keepAliveTimeout) || keepAliveTimeout === 0) return 0
  return keepAliveTimeout + (isTime(keepAliveTimeoutBuffer) ? keepAliveTimeoutBuffer : 1000)
}

/** headersTimeout or requestTimeout, ms; 0 for no limit. Core counts them in 32 bits. */
function limit (value) {
  return typeof value === 'number' && (isTime(value) || !versions.checksTimeLimits) ? value >>> 0 : 0
}

/**
 * @returns {Error|null} why a timer would refuse this time
 */
function faultOf (time) {
  if (!time) return null
  try {
    timerDuration(time, 'msecs')
    return null
  } catch (error) {
    return error
  }
}

module.exports = { keepAliveTime, limit, faultOf }

'use strict'

/** The times of a server as numbers: the application may set them to anything at any moment. */

const net = require('node:net')
const { isDelay } = require('../core/delays')
const versions = require('../core/versions')

function isTime (value) {
  return Number.isFinite(value) && value >= 0
}

/**
 * Gives the idle time between exchanges, ms; 0: the same as during them. Older releases take whatever is set, so that it
 * may be anything: a timer then refuses it.
 */
function keepAliveTime ({ keepAliveTimeout, keepAliveTimeoutBuffer }) {
  if (!versions.checksKeepAlive) return keepAliveTimeout ? keepAliveTimeout + 1000 : 0
  if (!isTime(keepAliveTimeout) || keepAliveTimeout === 0) return 0
  return keepAliveTimeout + (isTime(keepAliveTimeoutBuffer) ? keepAliveTimeoutBuffer : 1000)
}

/** Gives headersTimeout or requestTimeout, ms; 0 for no limit. Core counts them in 32 bits. */
function limit (value) {
  return typeof value === 'number' && (isTime(value) || !versions.checksTimeLimits) ? value >>> 0 : 0
}

/** @returns {Error|null} the error with which a timer would refuse this time */
function faultOf (time) {
  if (!time || isDelay(time)) return null
  const socket = new net.Socket()
  try {
    socket.setTimeout(time)
    return null
  } catch (error) {
    return error
  } finally {
    socket.destroy()
  }
}

module.exports = { keepAliveTime, limit, faultOf }

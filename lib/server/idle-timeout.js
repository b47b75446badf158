'use strict'

/**
 * Idle times of a server's connection: while an exchange is under way, between exchanges, or as the application sets them.
 * `lib/server/connection.js` puts these methods on its prototype.
 */

const { AsyncLocalStorage } = require('node:async_hooks')
const net = require('node:net')
const { Connection } = require('../connection/connection')
const { isTouched } = require('../message/incoming')
const { isQuiet } = require('../message/finish')
const { isHeard } = require('./client-error')
const { isDelay } = require('../core/delays')
const { kRequest } = require('../core/symbols')
const versions = require('../core/versions')

const members = {}

/** The connection was idle for the time set. A socket tells its listeners, of which ours is the first, if it has not been removed. */
members.onTimeout = function onTimeout () {
  const { socket, stream } = this
  if (this.detached) socket.timedOut()
  else if (stream !== null) this.tellTimeout()
  else {
    const tell = socket === null ? () => this.tellTimeout() : () => socket.timedOut()
    if (this.timerScope !== null) this.timerScope(tell)
    else this.run(tell)
  }
}

/** Emits 'timeout', or destroys. As core's socketOnTimeout. */
members.tellTimeout = function tellTimeout () {
  const { server, current, receiving, socket } = this
  let heard = false
  if (receiving !== null && isTouched(receiving)) heard = receiving.emit('timeout', this.getSocket())
  else if (receiving === null && current?.[kRequest]?.complete === false) heard = current[kRequest].emit('timeout', this.getSocket())
  if (current !== null && !isQuiet(current)) heard = current.emit('timeout', this.getSocket()) || heard
  if (isHeard(server, 'timeout')) heard = server.emit('timeout', this.getSocket()) || heard
  if (!heard) {
    if (socket !== null) socket.destroy()
    else this.destroy()
  }
}

/** Sets the idle time for the application; 'timeout' is emitted in its context, as by a timer. @param {number} ms 0 for never */
members.setTimeout = function setTimeout (ms) {
  if (this.stream === null) this.timerScope = AsyncLocalStorage.snapshot()
  Connection.prototype.setTimeout.call(this, ms)
}

/** Sets the idle time between exchanges on a stream. On a native connection throws: its keepAliveTimeout is no time. */
members.keepForNext = function keepForNext () {
  const { stream, server } = this
  if (stream === null) throw this.listener.keepAliveFault
  const time = keepAliveTime(server)
  if (!time || typeof stream.setTimeout !== 'function') return
  stream.setTimeout(time)
  this.keepAliveSet = true
}

/** Sets the idle time for the server. @param {number} ms 0 for never */
members.resetTimeout = function resetTimeout (ms) {
  this.timerScope = null
  Connection.prototype.setTimeout.call(this, ms)
}

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

module.exports = { idleMembers: members, keepAliveTime, faultOf }

'use strict'

/**
 * How long a connection of a server may be idle: while an exchange is under way, or for as long as the application says.
 * `lib/server/connection.js` puts these methods on its prototype.
 */

const { AsyncLocalStorage } = require('node:async_hooks')
const { Connection } = require('../connection/connection')
const { isTouched } = require('../message/incoming')
const { isQuiet } = require('../message/outgoing')
const { isHeard } = require('./client-error')
const { keepAliveTime } = require('./timeouts')

const members = {}

/** The connection was idle for the time set. */
members.onTimeout = function onTimeout () {
  if (this.detached) this.socket.timedOut()
  else if (this.stream !== null) tellTimeout.call(this)
  else if (this.timerScope !== null) this.timerScope(() => tellTimeout.call(this))
  else this.run(tellTimeout, this)
}

function tellTimeout () {
  const { server, current, receiving, socket } = this
  let heard = false
  if (receiving !== null && isTouched(receiving)) heard = receiving.emit('timeout', this.getSocket())
  else if (receiving === null && current !== null && !current.req.complete) heard = current.req.emit('timeout', this.getSocket())
  if (current !== null && !isQuiet(current)) heard = current.emit('timeout', this.getSocket()) || heard
  if (isHeard(server, 'timeout')) heard = server.emit('timeout', this.getSocket()) || heard
  if (!heard) {
    if (socket !== null) socket.destroy()
    else this.destroy()
  }
  // Who listens to the socket comes behind the server.
  if (socket !== null && this.stream === null) socket.timedOut()
}

/** The application sets the idle time: as with a timer, what happens then happens in its context. */
members.setTimeout = function setTimeout (ms) {
  if (this.stream === null) this.timerScope = AsyncLocalStorage.snapshot()
  Connection.prototype.setTimeout.call(this, ms)
}

/** Between exchanges the idle time is another. A native connection knows, unless it is none that a timer takes. */
members.keepForNext = function keepForNext () {
  const { stream, server } = this
  if (stream === null) throw this.listener.keepAliveFault
  const time = keepAliveTime(server)
  if (!time || typeof stream.setTimeout !== 'function') return
  stream.setTimeout(time)
  this.keepAliveSet = true
}

/** The server sets it. */
members.resetTimeout = function resetTimeout (ms) {
  this.timerScope = null
  Connection.prototype.setTimeout.call(this, ms)
}

module.exports = { idleMembers: members }

'use strict'

/**
 * server.shutdown(): accepts no more, has every answer from now on end its connection, closes connections that rest, and at the
 * deadline those that are left. Node's close() leaves the second to the application, and has no deadline.
 */

const net = require('node:net')
const { clock, process, setTimeout, setInterval, clearInterval, setImmediate } = require('../host')
const { native } = require('../binding')
const { handleOf } = require('../connection/detach')
const { isDelay } = require('../core/delays')
const { codes, checkObject } = require('../core/errors')
const { kConnections, kListener } = require('../core/symbols')

/** Milliseconds: until what is left is cut off, and how long a connection may rest until it is closed. */
const TIMEOUT = 10000
const IDLE_TIMEOUT = 500

/** Milliseconds between the FIN of a connection that is cut off and its RST. */
const RESET_AFTER = 1000

/** Whether the connections that the kernel has accepted for the server, and the server has not yet taken, are served. */
const BACKLOGS = ['serve', 'refuse']

/** @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE */
function checkTime (value, name) {
  if (typeof value !== 'number') throw new codes.ERR_INVALID_ARG_TYPE(`options.${name}`, 'of type number', value)
  if (!isDelay(value)) throw new codes.ERR_OUT_OF_RANGE(`options.${name}`, '>= 0 && <= 2147483647', value)
}

/** Closes a connection that has no other exchange under way. */
function endResting (connection) {
  if (connection.isResting()) connection.endLast()
}

class Shutdown {
  #server
  #deadline
  #idleTimeout
  #summary = { served: 0, refused: 0, cut: 0 }
  /** Connection -> the response that is to be its last. */
  #last = new WeakMap()
  /** Connections that rested when they were last looked at. */
  #resting = new Set()
  #timers = []
  /** True once connections are no longer looked after. */
  #isOver = false
  #resolve

  constructor (server, timeout, idleTimeout) {
    this.#server = server
    this.#idleTimeout = idleTimeout
    this.#deadline = clock() + timeout
    this.ended = new Promise((resolve) => { this.#resolve = resolve })
    this.#timers.push(setTimeout(() => this.#cutOff(), timeout))
  }

  /** Ends accepting, and looks after the connections that there are. */
  begin (backlog) {
    const server = this.#server
    const connections = server[kConnections]
    const before = connections.size
    connections.limits?.stop(true)
    const { _handle: handle } = server
    if (handle?.[kListener] !== undefined) handle[kListener].receiveWaiting()
    else if (handle?.fd >= 0) this.#receiveWaiting(handle, backlog)
    if (backlog === 'refuse') for (const connection of [...connections].slice(before)) this.#refuse(connection)
    for (const connection of connections) {
      const last = connection.queue?.at(-1) ?? connection.current
      if (last !== null) this.#markLast(connection, last)
    }
    // Not core's http close(): it closes all connections that rest.
    net.Server.prototype.close.call(server, () => this.#finishBehindStreams())
    for (const socket of connections.upgraded()) this.left(socket)
    this.#sweep()
    this.#timers.push(setInterval(() => this.#sweepSoon(), this.#idleTimeout || 100))
  }

  /** Takes the connections that wait where Node accepts, as for TLS, which would reset them. */
  #receiveWaiting (handle, backlog) {
    const waiting = native.acceptWaiting(handle.fd)
    // At once: the kernel would take more meanwhile, and reset them in the end.
    handle.close()
    for (const fd of waiting) {
      const client = handleOf(fd)
      if (client === null) continue
      if (backlog === 'refuse') {
        this.#summary.refused++
        client.close()
      } else {
        handle.onconnection(0, client)
      }
    }
  }

  /** Brings the deadline about. */
  abort () {
    if (this.#timers.length !== 0) this.#cutOff()
  }

  /** Called when an exchange begins: its response is the connection's last, and the one before it no more. */
  begins (connection, response) {
    this.#resting.delete(connection)
    const before = this.#last.get(connection)
    if (before !== undefined && before._header === null) before.shouldKeepAlive = true
    this.#markLast(connection, response)
  }

  #markLast (connection, response) {
    if (!response.shouldKeepAlive || response._header !== null) return
    response.shouldKeepAlive = false
    this.#last.set(connection, response)
  }

  /** Called when a response has been sent. */
  answered (connection) {
    this.#summary.served++
    if (this.#idleTimeout === 0) setImmediate(endResting, connection)
  }

  /** Called when a connection has left HTTP. */
  left (socket) {
    process.nextTick(() => this.#tell(socket))
  }

  #tell (socket) {
    this.#server.emit('shutdown', socket, this.#deadline)
  }

  /** Not in the timer itself: behind a long turn that comes before Node reads what has arrived at its streams. */
  #sweepSoon () {
    setImmediate(() => { if (!this.#isOver) this.#sweep() })
  }

  /** Closes the connections that have rested since the last time. */
  #sweep () {
    const rested = this.#resting
    this.#resting = new Set()
    for (const connection of this.#server[kConnections]) {
      if (!connection.isResting()) continue
      if (this.#idleTimeout === 0 || rested.has(connection)) connection.endLast()
      else this.#resting.add(connection)
    }
  }

  #refuse (connection) {
    this.#summary.refused++
    connection.terminate()
  }

  /** Ends the connections that are left: with FIN, and a second later with RST. */
  #cutOff () {
    this.#clear()
    this.#isOver = true
    const connections = this.#server[kConnections]
    for (const connection of connections) {
      this.#summary.cut += connection.unanswered()
      connection.endOutput()
    }
    for (const socket of connections.upgraded()) {
      this.#summary.cut++
      socket.end()
    }
    this.#timers.push(setTimeout(() => {
      for (const connection of connections) connection.resetAtOnce()
      for (const socket of connections.upgraded()) socket.destroy()
      // A server of TLS waits for handshakes, too.
      this.#timers.push(setTimeout(() => this.#finish(), RESET_AFTER).unref())
    }, RESET_AFTER))
  }

  #clear () {
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers = []
  }

  /** Streams that were given by emitting 'connection' are not among the connections that net.Server waits for. */
  #finishBehindStreams () {
    const connections = this.#server[kConnections]
    const streams = [...connections].map(({ stream }) => stream).concat(connections.upgraded())
    const open = streams.find((stream) => stream !== null && !stream.closed)
    if (open === undefined) this.#finish()
    else open.once('close', () => this.#finishBehindStreams())
  }

  #finish () {
    const connections = this.#server[kConnections]
    if (connections.shutdown !== this) return
    this.#clear()
    this.#isOver = true
    connections.shutdown = null
    connections.limits?.stop(false)
    this.#resolve(this.#summary)
  }
}

/**
 * Shuts the server down: see docs/SHUTDOWN.md. A second call gives the first one's promise.
 * @param {object} [options]
 * @param {number} [options.timeout] ms until what is left is cut off (10,000)
 * @param {number} [options.idleTimeout] ms for which a connection rests until it is closed (500); 0: not at all
 * @param {'serve'|'refuse'} [options.backlog] what becomes of the connections that wait to be accepted
 * @param {AbortSignal} [options.signal] brings the deadline forward
 * @returns {Promise<{ served: number, refused: number, cut: number }>} requests answered, connections refused, and
 *   requests without an answer and upgraded connections that were cut off
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE; rejects with ERR_SERVER_NOT_RUNNING
 */
function shutdown (options = {}) {
  checkObject(options, 'options')
  const { timeout = TIMEOUT, idleTimeout = IDLE_TIMEOUT, backlog = 'serve', signal } = options
  checkTime(timeout, 'timeout')
  checkTime(idleTimeout, 'idleTimeout')
  if (!BACKLOGS.includes(backlog)) throw new codes.ERR_INVALID_ARG_VALUE('options.backlog', 'must be one of: \'serve\', \'refuse\'', backlog)
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new codes.ERR_INVALID_ARG_TYPE('options.signal', 'an instance of AbortSignal', signal)

  const connections = this[kConnections]
  if (connections.shutdown !== null) return connections.shutdown.ended
  if (!this._handle && connections.size === 0) return Promise.reject(new codes.ERR_SERVER_NOT_RUNNING())
  const course = connections.shutdown = new Shutdown(this, timeout, idleTimeout)
  course.begin(backlog)
  if (signal?.aborted) course.abort()
  else if (signal !== undefined) {
    const abort = () => course.abort()
    signal.addEventListener('abort', abort, { once: true })
    course.ended.then(() => signal.removeEventListener('abort', abort))
  }
  return course.ended
}

module.exports = { shutdown }

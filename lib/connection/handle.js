'use strict'

/** `socket._handle` of our sockets, in the place of a libuv handle. */

const { AsyncResource } = require('node:async_hooks')
const { process, setImmediate } = require('../host')
const { native, atClosePhase, atPendingPhase, isReadOn } = require('../binding')
const { canceledWrite } = require('../core/errors')
const { isTaken, wait, takenBy, tellTaken, failWaiting } = require('./socket-writes')
const versions = require('../core/versions')
const { kConnection, kWaiting } = require('../core/symbols')

const NOTHING = new ArrayBuffer(0)

/**
 * A handle with the methods that net.Socket calls. Core sends handles to other processes without asking what they are, and takes an
 * internal field of the object for libuv's handle: a DataView's is empty, and sending fails, where most objects have none, and the
 * process would crash.
 */
class Handle extends DataView {
  /** @param {import('./connection').Connection} connection */
  constructor (connection) {
    super(NOTHING)
    this.connection = connection
    this.fd = -1
    this.reading = false
    this.writeQueueSize = 0
    this.onread = undefined
    this.isReset = false
    this.isReferenced = true
    /** Reports the end of our side, which is reported in the pending phase; null if it has been. */
    this.endShutdown = null
  }
}

/** In HTTP mode the messages decide about reading; see kReceive in incoming.js. */
Handle.prototype.readStart = function readStart () {
  const { connection } = this
  // The reader is known when 'connection' has been emitted.
  if (connection.isOffered) return 0
  if (connection.detached) keepProcess(connection, this, true)
  if (connection.detached || connection.tapped) connection.resume()
  return 0
}

Handle.prototype.readStop = function readStop () {
  const { connection } = this
  if (connection.isOffered) return 0
  if (connection.detached || connection.tapped) connection.pause()
  return 0
}

Handle.prototype.shutdown = function shutdown (request) {
  const { connection } = this
  keepProcess(connection, this, true)
  const readsOn = connection.id !== -1 && isReadOn(connection.id)
  connection.shutdown(readsOn)
  const done = () => {
    if (isResting(connection.socket)) keepProcess(connection, this, false)
    request.oncomplete(0)
  }
  if (readsOn) {
    const { socket } = connection
    socket[kWaiting] ??= []
    socket[kWaiting].push({ at: Infinity, callback: done, resource: new AsyncResource('SHUTDOWNWRAP') })
    // The end of our side is reported at the latest before the immediates, whatever is still to be read.
    if (isTaken(connection)) setImmediate(() => socket.finished())
  } else if (connection.id === -1 || isTaken(connection)) {
    const resource = new AsyncResource('SHUTDOWNWRAP')
    this.endShutdown = () => {
      this.endShutdown = null
      resource.runInAsyncScope(done)
      resource.emitDestroy()
    }
    atPendingPhase(() => { this.endShutdown?.() })
  } else {
    wait(connection, done)
  }
  return 0
}

/**
 * Closes the connection. What was sent before still goes out as far as the kernel takes it: `write(answer)` followed by
 * `destroy()` is a common way to refuse.
 */
Handle.prototype.close = function close (callback) {
  const { connection } = this
  const tellWrites = () => {
    tellTaken(connection.socket, takenBy(connection))
    // libuv cancels the handle's write; older releases of Node do not report it.
    failWaiting(connection.socket, canceled)
    connection.failWrites()
  }
  const tellClosed = () => {
    callback?.()
    connection.afterClose?.()
  }
  process.nextTick(() => connection.failBufferedWrites())
  if (connection.id !== -1) {
    connection.discard()
    if (this.isReset) connection.reset()
    else connection.destroy()
  }
  // Before the native side reports it. The writes are told first, and ticks run between, as between libuv's callbacks.
  atClosePhase(() => connection.runForSocket(tellClosed))
  atClosePhase(() => connection.runForSocket(tellWrites))
}

const canceled = () => versions.closedHandleTellsWrites ? canceledWrite() : null

Handle.prototype.reset = function reset (callback) {
  this.isReset = true
  this.close(callback)
  return 0
}

Handle.prototype.ref = function ref () {
  this.isReferenced = true
  if (this.connection.id !== -1) native.ref(this.connection.id)
}

Handle.prototype.unref = function unref () {
  this.isReferenced = false
  if (this.connection.id !== -1) native.unref(this.connection.id)
}

Handle.prototype.hasRef = function hasRef () {
  return this.isReferenced
}

function fillAddress (connection, peer, out) {
  const found = connection.id !== -1 && native.address(connection.id, peer)
  if (!found) return -1
  out.address = found.address
  out.family = found.family
  out.port = found.port
  return 0
}

Handle.prototype.getpeername = function getpeername (out) {
  return fillAddress(this.connection, true, out)
}

Handle.prototype.getsockname = function getsockname (out) {
  return fillAddress(this.connection, false, out)
}

Handle.prototype.setNoDelay = function setNoDelay (on) {
  return this.connection.id === -1 ? 0 : native.setNoDelay(this.connection.id, Boolean(on))
}

/** @param {number} delay seconds, as net passes them */
Handle.prototype.setKeepAlive = function setKeepAlive (on, delay) {
  return this.connection.id === -1 ? 0 : native.setKeepAlive(this.connection.id, Boolean(on), delay * 1000)
}

Object.defineProperties(Handle.prototype, {
  bytesRead: {
    get () { return this.connection.id === -1 ? this.connection.bytesRead : native.bytesRead(this.connection.id) },
    configurable: true
  },
  bytesWritten: {
    // What waits counts, too: net.Socket has handed it over.
    get () {
      const { connection } = this
      const { id, bytesWritten } = connection
      return id === -1 ? bytesWritten : native.bytesWritten(id)
    },
    configurable: true
  }
})

/** As with libuv: when the peer of a raw stream has ended, only what is on its way out keeps the process alive. */
function keepProcess ({ id }, handle, keep) {
  if (id === -1 || !handle?.isReferenced) return
  if (keep) native.ref(id)
  else native.unref(id)
}

/** True if a raw stream waits for nothing: its peer has ended, or it is not being read. */
function isResting (socket) {
  return socket[kConnection].detached && (socket._readableState.ended || socket._handle?.reading === false)
}

module.exports = { Handle, keepProcess }

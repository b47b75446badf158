'use strict'

/**
 * One transport between two peers, as JavaScript sees it: commands down, events up (docs/BOUNDARY.md).
 * Knows nothing of server or client; both extend it and answer the `on…` calls.
 */

const { native, sendFlags, connections, receive, touch, isFollowed, hasKeptBytes } = require('../binding')
const pausing = require('./pause')
const { outputMembers } = require('./output')
const { wholeTime } = require('../core/delays')
const { tellClosed } = require('../stats/channels')
const { kConnection } = require('../core/symbols')

const { BODY, END, CORK, UNDER_CORK, AT_ONCE } = sendFlags

const NOTHING = new Uint8Array(0)

/**
 * @param {number} id of the native connection
 * @param {import('node:stream').Duplex|null} stream the JS stream that carries it (driver two), null when tokio does
 */
function Connection (id, stream) {
  this.id = id
  this.stream = stream
  /** The net.Socket-shaped face; on a native connection made when it is read first (lib/connection/socket.js). */
  this.socket = stream
  /** Why the connection ended, once it has: an errno as libuv has it (negative), 0 for an orderly end. */
  this.errno = 0
  /** The message that is being sent, or that has the connection: `socket._httpMessage`. */
  this.current = null
  /** The request whose body is arriving, on a server's; null between bodies. */
  this.receiving = null
  /** True if nothing more may be sent: our side was ended, or the connection given up. */
  this.outputEnded = false
  /** Totals, set when the connection is closed. */
  this.bytesRead = 0
  this.bytesWritten = 0
  /** True once we have closed it before its time; and true once its events are dropped for that (lib/binding/deliver.js). */
  this.givenUp = false
  this.dropsEvents = false
  /** Paused; keeping the records of later packets; those records, about to be delivered; on its way to its end: lib/connection/pause.js. */
  this.paused = false
  this.keeps = false
  this.kept = null
  this.keptSize = 0
  this.isDeliveryDue = false
  this.willEnd = false
  /** True once kept packets were dropped: what comes behind them is dropped, too. */
  this.dropsInput = false
  /** True once there were trailers, or more fields than core's parser gives at once: lib/binding/dispatch.js. */
  this.hasFieldGroups = false
  /** True once the bytes are no longer HTTP: an upgrade or CONNECT was accepted. */
  this.detached = false
  /** True if the bytes pass through the socket, which has listeners for them (lib/connection/socket.js). */
  this.tapped = false
  /** True if they pass through it once it has other listeners, and not to the parser, whose listener has been removed. */
  this.isTakenOver = false
  /** Bytes that are pending less the characters that core would count for them. */
  this.surplus = 0
  /** True if parts of a message were sent in this tick, and wait for its end. */
  this.corked = false
  /** What is uncorked at the end of this tick besides: core's stream or message, where core sends on in the middle of it; null if nothing is. */
  this.corkedWith = null
  /** The number of corks so far: what was sent under one cork is one write to a stream in core. */
  this.corks = 0
  /** The cork under which there was too much to write; -1 for none. */
  this.fullAt = -1
  /** The cork under which the connection was given up; -1 for none. */
  this.cutAt = -1
  /** What stands in the socket's stream for parts of this tick, and their bytes (lib/connection/stand-in.js); null and 0 if nothing does. */
  this.standIn = null
  this.stoodFor = 0
  /** Bytes that were taken back when the connection was given up under the cork. */
  this.discarded = 0
  /** True if a write on this thread is due at the end of this tick. */
  this.writesSoon = false
  /** Bytes that did not reach the peer, until their callbacks are called. */
  this.unsent = 0
  /** Bytes, of all ever sent, that counted as taken when the connection ended. */
  this.takenAtEnd = 0
  /** Callbacks of the corked parts (lib/message/send.js). */
  this.corkCallbacks = null
  /** Those of the ticks before that are to be called in the next; null until the first. */
  this.due = null
  /** True while parts are sent that waited for the connection: they are not corked. */
  this.flushing = false
  if (id !== -1) connections[id] = this
  if (stream !== null) stream[kConnection] = this
}

Object.assign(Connection.prototype, outputMembers)

/**
 * Sends a message or a part of one; see docs/BOUNDARY.md for the flags. Not on a stream: there core writes.
 * @returns {number} bytes that the kernel has not taken yet
 */
Connection.prototype.send = function send (flags, head, lines, body, length) {
  if (this.id === -1) return 0
  const corks = (flags & END) === 0 && (flags & (BODY | CORK)) !== 0 && !this.flushing
  flags &= ~CORK
  if (corks) flags |= this.corked ? UNDER_CORK : CORK
  else if (!this.flushing && (!this.corked || (flags & END) !== 0)) flags |= AT_ONCE
  const pending = native.send(this.id, flags, head, lines, body, length)
  if (this.keeps) pausing.meetEnd(this)
  if (corks) {
    this.cork()
  } else if ((flags & END) !== 0) {
    this.endCork()
    if (!this.flushing) this.tellNext()
  }
  touch()
  return pending
}

/** Sends bytes as they are, outside of any message. @param {boolean} [atOnce] true if nothing of the same write follows */
Connection.prototype.writeRaw = function writeRaw (chunk, utf8, atOnce = false) {
  if (this.id === -1) return 0
  if (this.stream !== null) {
    this.stream.write(chunk, typeof chunk === 'string' && !utf8 ? 'latin1' : undefined)
    return 0
  }
  const pending = native.writeRaw(this.id, chunk, utf8, atOnce)
  if (this.keeps) pausing.meetEnd(this)
  touch()
  return pending
}

/** Gives the socket. */
Connection.prototype.getSocket = function getSocket () {
  return this.socket
}

Connection.prototype.onRaw = function onRaw (chunk) {
  this.getSocket().received(chunk)
}

/** Sends bytes to `onRaw` from now on; they are parsed when they are given to `receive`. */
Connection.prototype.tap = function tap () {
  if (this.id === -1) return
  native.tap(this.id)
  touch()
}

/** Driver two and tapped connections: feeds bytes to the protocol, null at their end. Their events come before this returns. */
Connection.prototype.receive = function (chunk) {
  if (this.id !== -1) receive(this.id, chunk)
}

/** Calls a method of the socket in the async context that its handle has in core. */
Connection.prototype.runForSocket = function runForSocket (method, a, b) {
  method.call(this.socket, a, b)
}

/**
 * True if a paused connection is read on until its socket's buffer would be full: it is paused by pausing its
 * socket, as by core's client (readStop of _http_incoming), and not its handle, as by core's server.
 */
Connection.prototype.readsOn = false

/** True if the parser gets no more bytes once the socket's listeners of bytes are removed. */
Connection.prototype.losesParser = function losesParser () {
  return !this.detached
}

/** True on a Unix socket or a Windows pipe. */
Connection.prototype.isPipe = function isPipe () {
  return this.id !== -1 && this.stream === null && native.isPipe(this.id) === 1
}

/** Stops reading from the transport. */
Connection.prototype.pause = function pause () {
  if (this.id === -1) return
  if (this.stream !== null) this.stream.pause()
  else pausing.pause(this)
}

/** Reads from the transport again. */
Connection.prototype.resume = function resume () {
  if (this.id === -1) return
  if (this.stream !== null) this.stream.resume()
  else pausing.resume(this)
}

/** Stops reading because the message's reader is behind; through the socket, if there is one, which then shows it as in core. */
Connection.prototype.holdBack = function holdBack () {
  if (this.socket !== null) this.socket.pause()
  if (this.stream === null) this.pause()
}

/** Reads again: the message was read, or has all in its buffer. */
Connection.prototype.goOn = function goOn () {
  const { socket } = this
  if (socket === null) this.resume()
  else if (!socket._paused && socket.readable) socket.resume()
}

/** Answers a head with the UPGRADE flag: true leaves HTTP, false goes on with it. */
Connection.prototype.upgrade = function upgrade (accept) {
  if (this.id === -1) return
  native.upgrade(this.id, accept)
  if (this.stream !== null || this.tapped) receive(this.id, NOTHING)
  if (this.stream === null) touch()
}

/** Ends our side (FIN) when all output is written. @param {boolean} tells true: `socket.finished()` follows, behind reads */
Connection.prototype.shutdown = function shutdown (tells = false) {
  if (this.id === -1) return
  if (this.stream !== null) {
    this.stream.end()
    return
  }
  this.uncork()
  native.shutdown(this.id, tells)
  touch()
}

/** Closes when all output is written. As net.Socket's destroySoon. */
Connection.prototype.close = function close () {
  if (this.id === -1) return
  if (this.stream !== null) {
    if (typeof this.stream.destroySoon === 'function') this.stream.destroySoon()
    else this.stream.end()
    return
  }
  // While output is left what comes is still read, as in core, which destroys the socket behind it.
  if (!this.keeps || this.pending() === 0) pausing.discardInput(this)
  native.close(this.id)
  touch()
}

/** Called before the socket is destroyed behind its output. */
Connection.prototype.closesSoon = function closesSoon () {}

/** True if messages wait for the current one's end; here never. */
Connection.prototype.isAwaited = function isAwaited () {
  return false
}

/** Closes at once; output not yet written is lost. `onClosed` follows. */
Connection.prototype.destroy = function destroy (error) {
  if (this.id === -1) return
  if (this.stream !== null) {
    this.stream.destroy(error)
    return
  }
  const receives = this.receiving !== null
  const isUnheard = hasKeptBytes(this.kept) || (receives && isFollowed(this.id))
  pausing.discardInput(this)
  this.givenUp = this.outputEnded = true
  this.discard()
  native.destroy(this.id, receives, isUnheard)
  touch()
}

/** Closes at once with RST. `onClosed` follows. */
Connection.prototype.reset = function reset () {
  if (this.id === -1) return
  if (this.stream !== null) {
    this.stream.destroy()
    return
  }
  pausing.discardInput(this)
  this.givenUp = this.outputEnded = true
  native.reset(this.id)
  touch()
}

/** Sets the idle time after which `onTimeout` is called; ms, 0 for never. */
Connection.prototype.setTimeout = function setTimeout (ms) {
  if (this.id === -1) return
  if (this.stream !== null) {
    if (typeof this.stream.setTimeout === 'function') this.stream.setTimeout(ms)
    return
  }
  native.setTimeout(this.id, ms > 0 ? wholeTime(ms) : 0)
  touch()
}

/** Notes for the stats why the connection is about to be closed. @param {number} reason of CLOSES @param {number} [errno] */
Connection.prototype.noteClose = function noteClose (reason, errno = 0) {
  if (this.id !== -1) native.noteClose(this.id, reason, errno)
}

/** Reads from the native side what is asked for later: the connection is closed, and its id is freed next. */
Connection.prototype.beforeRelease = function beforeRelease (errno) {
  this.bytesRead = native.bytesRead(this.id)
  this.bytesWritten = native.bytesWritten(this.id)
  this.takenAtEnd = native.taken(this.id)
  this.unsent = this.bytesWritten - this.takenAtEnd
  tellClosed(this, errno)
}

/** Driver two: frees the native side: the stream has closed, or belongs to the application. */
Connection.prototype.release = function release () {
  const { id } = this
  tellClosed(this, 0)
  this.id = -1
  connections[id] = undefined
  native.release(id, this.stream.bytesWritten)
}

module.exports = { Connection }

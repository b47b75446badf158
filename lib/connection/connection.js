'use strict'

/**
 * One transport between two peers, as JavaScript sees it: commands down, events up (docs/BOUNDARY.md).
 * Knows nothing of server or client; both extend it and answer the `on…` calls.
 */

const { process } = require('../host')
const { native, sendFlags, connections, receive, touch, isFollowed } = require('../binding')
const { standStill, goOn, forgetKept, meetEnd } = require('./pause')
const { wholeTime } = require('../core/validators')
const { kConnection } = require('../core/symbols')

const { BODY, END, CORK } = sendFlags

/**
 * When less than this waits, a message of which nobody is told is over at once, as a small one is in core.
 */
const PENDING_MAX = 64 * 1024

const NOTHING = new Uint8Array(0)

/**
 * @param {number} id of the native connection
 * @param {import('node:stream').Duplex|null} stream the JS stream that carries it (driver two), null when tokio does
 */
function Connection (id, stream) {
  this.id = id
  this.stream = stream
  /** The net.Socket-shaped face; for tokio's sockets made when somebody looks (lib/connection/socket.js). */
  this.socket = stream
  /** Why the connection ended, once it has: an errno as libuv has it, 0 for an orderly end. */
  this.errno = 0
  /** The message that the connection is sending or has in its care: `socket._httpMessage`. */
  this.current = null
  /** Nothing more may be sent: our side was ended, or given up. */
  this.outputEnded = false
  /** Totals, once the connection is closed. */
  this.bytesRead = 0
  this.bytesWritten = 0
  /** Closed by us before its time, and whether what comes up is of no interest for that: lib/binding/deliver.js. */
  this.givenUp = false
  this.deaf = false
  /** Its reader is behind, and what came of later packets in the meantime: lib/connection/pause.js. */
  this.paused = false
  this.keeps = false
  this.kept = null
  this.isLeaving = false
  /** There were trailers, or more fields than core's parser hands over at once: lib/binding/dispatch.js. */
  this.batches = false
  /** The bytes are no longer HTTP: an upgrade or CONNECT was accepted. */
  this.detached = false
  /** The bytes take their way through the socket, where others listen for them (lib/connection/socket.js). */
  this.tapped = false
  /** Bytes of what was said last that are more than the characters of its strings, or fewer. */
  this.surplus = 0
  /** Parts of a message were sent in this tick. */
  this.corked = false
  /** How often that was: what was said under one cork is one write to a stream. */
  this.corks = 0
  /** Bytes that were taken back, since the connection was given up under the cork. */
  this.discarded = 0
  /** It is to be written at the end of this tick. */
  this.writesSoon = false
  /** What did not reach the peer, until it is told. */
  this.unsent = 0
  /** What counted as taken, of all that was said, when the connection ended. */
  this.takenAtEnd = 0
  /** Callbacks of those parts (lib/message/send.js). */
  this.batch = null
  /** Parts that waited for the connection are being sent: they leave at once. */
  this.flushing = false
  if (id !== -1) connections[id] = this
  if (stream !== null) stream[kConnection] = this
}

/**
 * Sends a message or a part of one; see docs/BOUNDARY.md for the flags. Not on a stream: there core sends.
 * @returns {number} bytes that the kernel has not taken yet
 */
Connection.prototype.send = function send (flags, head, lines, body, length) {
  if (this.id === -1) return 0
  const corks = (flags & END) === 0 && (flags & (BODY | CORK)) !== 0 && !this.flushing
  flags = corks && !this.corked ? flags | CORK : flags & ~CORK
  const pending = native.send(this.id, flags, head, lines, body, length)
  if (this.keeps) meetEnd(this)
  if (corks) this.cork()
  else if ((flags & END) !== 0) this.uncork()
  touch()
  return pending
}

/** Sends bytes as they are, outside of any message. */
Connection.prototype.writeRaw = function writeRaw (chunk, utf8) {
  if (this.id === -1) return 0
  if (this.stream !== null) {
    this.stream.write(chunk, typeof chunk === 'string' && !utf8 ? 'latin1' : undefined)
    return 0
  }
  const pending = native.writeRaw(this.id, chunk, utf8)
  if (this.keeps) meetEnd(this)
  touch()
  return pending
}

/** What is written from now on leaves together at the end of this tick, or not at all if the connection does not last so long. */
Connection.prototype.cork = function cork () {
  if (this.corked) return
  this.corked = true
  this.corks++
  process.nextTick(uncork, this)
}

Connection.prototype.uncork = function () {
  uncork(this)
  if (this.batch !== null) this.batch.leave()
}

/** The connection is given up: what would have waited for the end of this tick is not sent. */
Connection.prototype.discard = function discard () {
  if (!this.corked || this.id === -1) return
  if (this.discarded === 0) process.nextTick(forgetDiscarded, this)
  this.discarded += native.waiting(this.id, true)
  native.discard(this.id)
}

function uncork (connection) {
  if (!connection.corked) return
  connection.corked = false
}

/** From now on bytes come to `onRaw`, and are parsed when they are given to `receive`. */
Connection.prototype.tap = function tap () {
  if (this.id === -1) return
  native.tap(this.id)
  touch()
  // What was read before and waits to be parsed.
  process.nextTick(receiveNothing, this)
}

function receiveNothing (connection) {
  connection.receive(NOTHING)
}

/** Driver two, and tapped connections: feeds bytes of the stream to the protocol; null at its end. Events come before this returns. */
Connection.prototype.receive = function (chunk) {
  if (this.id !== -1) receive(this.id, chunk)
}

/** Calls a method of the socket in the async context that its handle has in core. */
Connection.prototype.runForSocket = function runForSocket (method, a, b) {
  method.call(this.socket, a, b)
}

/** Is it a Unix socket? */
Connection.prototype.isPipe = function isPipe () {
  return this.id !== -1 && this.stream === null && native.isPipe(this.id) === 1
}

/** Is the way to the peer still being found? */
Connection.prototype.isConnecting = function isConnecting () {
  return false
}

/** Bytes that the kernel has not taken yet. */
Connection.prototype.pending = function pending () {
  return this.id === -1 ? this.unsent : native.pending(this.id)
}

/**
 * A part that is about to be sent counts as so many characters: a net.Socket's stream has strings as they are, and counts
 * their length, for as long as they wait.
 */
Connection.prototype.countAs = function countAs (characters, bytes) {
  if (this.surplus !== 0 && this.pending() === 0 && native.waiting(this.id, this.corked) === 0) this.surplus = 0
  this.surplus += bytes - characters
}

/**
 * The same, as it is shown. What was left to the I/O thread counts as gone when it is little, as for 'finish', and the
 * kernel has room; not so what waits for the end of its tick, in core as well.
 */
Connection.prototype.shownPending = function shownPending () {
  if (this.stream !== null) return 0
  if (this.discarded !== 0) return this.discarded
  const pending = this.pending()
  if (this.id === -1 || this.detached || pending >= PENDING_MAX) return this.counted(pending)
  return this.counted(native.waiting(this.id, this.corked))
}

/** As many bytes, counted as the stream of a net.Socket counts them. */
Connection.prototype.counted = function counted (bytes) {
  return bytes === 0 || this.surplus >= bytes ? bytes : bytes - this.surplus
}

function drained (connection) {
  if (connection.id !== -1) connection.onDrain()
}

/**
 * Counts all that was said as taken, or has `onDrain` follow when it is.
 * @returns {number} 0 if it is taken; else the bytes, of all that was ever said, that must be
 */
Connection.prototype.takes = function takes () {
  if (this.id === -1) return 0
  const at = native.takes(this.id, 0, true)
  if (at !== 0) this.writeSoon()
  return at
}

/**
 * More was said than counts as taken, and is waited for: at the end of this tick it is written on this thread, as core
 * does, so that what the kernel takes at once is told at once.
 */
Connection.prototype.writeSoon = function writeSoon () {
  if (this.writesSoon) return
  this.writesSoon = true
  process.nextTick(writeNow, this)
}

function writeNow (connection) {
  connection.writesSoon = false
  if (connection.id === -1) return
  if (native.writeNow(connection.id) === 1) process.nextTick(drained, connection)
  touch()
}

/** A write of the socket's is made at once, as core's: is all that was said taken by that? */
Connection.prototype.writesAtOnce = function writesAtOnce () {
  if (this.id === -1 || this.corked) return false
  const isTaken = native.writeNow(this.id) === 1
  touch()
  return isTaken
}

/** Bytes, of all that was ever said, that count as taken. */
Connection.prototype.taken = function taken () {
  if (this.id === -1) return this.takenAtEnd
  return native.takes(this.id, 0, false) === 0 ? Infinity : native.taken(this.id)
}

/** Is there room for more, whether what waits is taken or not? If not, `onDrain` follows when there is. */
Connection.prototype.hasRoom = function hasRoom () {
  if (this.id === -1) return true
  const has = native.hasRoom(this.id) === 1
  if (!has) touch()
  return has
}

/** What is corked leaves at the end of this tick, and is taken in the next. */
function uncorkedNext (connection) {
  process.nextTick(drained, connection)
}

/** Asks for one `onDrain` when everything sent so far was taken. */
Connection.prototype.notifyDrain = function notifyDrain () {
  if (this.id === -1) return
  if (native.takes(this.id, 0, true) === 0) {
    // Before the callbacks of the same parts.
    if (this.batch !== null) this.batch.drains = true
    else process.nextTick(this.corked ? uncorkedNext : drained, this)
  } else {
    this.writeSoon()
  }
  touch()
}

/** Stops reading from the transport. */
Connection.prototype.pause = function pause () {
  if (this.id === -1) return
  if (this.stream !== null) this.stream.pause()
  else standStill(this)
}

/** Reads from the transport again. */
Connection.prototype.resume = function resume () {
  if (this.id === -1) return
  if (this.stream !== null) this.stream.resume()
  else goOn(this)
}

/** Reading waits for who reads the message: as in core a socket that somebody looks at shows it. */
Connection.prototype.holdBack = function holdBack () {
  if (this.socket !== null) this.socket.pause()
  else this.pause()
}

/** The message was read, or will be from what it has buffered. */
Connection.prototype.goOn = function goOn () {
  const { socket } = this
  if (socket === null) this.resume()
  else if (!socket._paused && socket.readable) socket.resume()
}

/** Answers a head with the UPGRADE flag: true hands the raw stream over, false goes on with HTTP. */
Connection.prototype.upgrade = function upgrade (accept) {
  if (this.id === -1) return
  native.upgrade(this.id, accept)
  if (this.stream !== null || this.tapped) receive(this.id, NOTHING)
  if (this.stream === null) touch()
}

/** Ends our side (FIN) when all output is written; with `tells` its socket hears of that, behind what was read before. */
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

/** A stream drops what it has buffered a tick after it was destroyed. */
function forgetDiscarded (connection) {
  connection.discarded = 0
}

/** Closes when all output is written: net.Socket's destroySoon. */
Connection.prototype.close = function close () {
  if (this.id === -1) return
  if (this.stream !== null) {
    if (typeof this.stream.destroySoon === 'function') this.stream.destroySoon()
    else this.stream.end()
    return
  }
  forgetKept(this)
  native.close(this.id)
  touch()
}

/** Is the body of a request arriving? */
Connection.prototype.isReceiving = function isReceiving () {
  return false
}

/** Closes at once; output not yet written is lost. `onClosed` follows. */
Connection.prototype.destroy = function destroy (error) {
  if (this.id === -1) return
  if (this.stream !== null) {
    this.stream.destroy(error)
    return
  }
  const receives = this.isReceiving()
  const isUnheard = this.kept?.length > 0 || (receives && isFollowed(this.id))
  forgetKept(this)
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
  forgetKept(this)
  this.givenUp = this.outputEnded = true
  native.reset(this.id)
  touch()
}

/** Idle time in milliseconds after which `onTimeout` is called, 0 for never. */
Connection.prototype.setTimeout = function setTimeout (ms) {
  if (this.id === -1) return
  if (this.stream !== null) {
    if (typeof this.stream.setTimeout === 'function') this.stream.setTimeout(ms)
    return
  }
  native.setTimeout(this.id, ms > 0 ? wholeTime(ms) : 0)
  touch()
}

/** The connection is closed: the last chance to ask the native side about it. */
Connection.prototype.beforeRelease = function beforeRelease (errno) {
  this.bytesRead = native.bytesRead(this.id)
  this.bytesWritten = native.bytesWritten(this.id)
  this.takenAtEnd = native.taken(this.id)
  this.unsent = this.bytesWritten - this.takenAtEnd
}

/** Driver two: the stream is gone; frees the native side. */
Connection.prototype.release = function release (errno) {
  if (this.id === -1) return
  const { id } = this
  connections[id] = undefined
  this.id = -1
  native.release(id)
  this.onClosed(errno, 0)
}

module.exports = { Connection, PENDING_MAX }

'use strict'

/**
 * What was sent on a connection: held until its tick ends, pending, taken. `this` is a Connection.
 */

const { process } = require('../host')
const { native, touch, flush, isDirty, isDispatching } = require('../binding')
const { kCorked, kLeaveToCore } = require('../core/symbols')

const { TAKEN_MAX } = native.LIMITS

/** Members of Connection. */
const outputMembers = {
  /** Holds what is sent from now on until the end of this tick; if the connection is given up before, it is not sent. */
  cork () {
    if (this.corked) return
    this.corked = true
    this.corks++
    process.nextTick(endOfTick, this)
  },

  /**
   * Ends the cork. What it has held leaves in the call, as from core's stream, unless it has left by now.
   * @param {boolean} [isTickOver] true at the end of the tick: the flush of its turn, which would be next, writes for all
   */
  uncork (isTickOver = false) {
    const holds = this.corked && this.id !== -1
    this.endCork()
    if (!holds) return
    if (isDirty()) {
      if (isTickOver && !isDispatching()) flush()
      else native.writeAtOnce(this.id)
    }
    this.tellNext()
  },

  /** The same, of what leaves with a write that follows, or has left with one. */
  endCork () {
    this.corked = false
    if (this.corkCallbacks !== null) this.corkCallbacks.endCork()
  },

  /** Drops what is corked: the connection is given up. */
  discard () {
    if (!this.corked || this.id === -1) return
    // A stream drops its buffer a tick after it was destroyed: until then dropped bytes count as pending.
    if (this.discarded === 0) process.nextTick(() => { this.discarded = 0 })
    this.cutAt = this.corks
    this.discarded += Math.max(0, native.waiting(this.id, true) - this.stoodFor)
    native.discard(this.id)
  },

  /** Gives the bytes that the kernel has not taken yet. */
  pending () {
    return this.id === -1 ? this.unsent : native.pending(this.id)
  },

  /**
   * Counts a part that is about to be sent by its characters: a net.Socket's stream keeps strings as they are, and counts
   * their length, for as long as they wait.
   */
  countAs (characters, bytes) {
    this.surplus += bytes - characters
  },

  /** Clears what was counted otherwise, once it has left. Called before more is sent. */
  clearSurplus () {
    if (this.pending() === 0 && native.waiting(this.id, this.corked) === 0) this.surplus = 0
  },

  /**
   * Gives the pending bytes as core shows them (`writableLength`). A little that was left to the I/O thread counts as gone
   * if the kernel has room, as for 'finish'; what waits for the end of its tick does not, as in core.
   */
  shownPending () {
    if (this.stream !== null) return 0
    if (this.discarded !== 0) return this.discarded
    const pending = Math.max(0, this.pending() - this.stoodFor)
    if (this.id === -1 || this.detached || pending >= TAKEN_MAX) return this.counted(pending)
    return this.counted(Math.max(0, native.waiting(this.id, this.corked) - this.stoodFor))
  },

  /** True if a message's 'drain' may come although it holds parts by itself. As core's client's ondrain. */
  mayDrain () {
    return true
  },

  /** True if parts of this tick wait for its end in core, although a thread may have written them by now. */
  isGathering () {
    return this.corked && this.id !== -1
  },

  /** Gives a number of pending bytes as the stream of a net.Socket counts them. */
  counted (bytes) {
    return bytes === 0 || this.surplus >= bytes ? bytes : bytes - this.surplus
  },

  /** Bytes, of all ever sent, that must have left before all counts as taken, of a connection whose socket is core's by now; 0 if all has. */
  restAt: 0,

  /**
   * Asks whether all that was sent counts as taken. If it does not, `onDrain` follows once it does.
   * @returns {number} 0 if it is taken; else the bytes, of all ever sent, that must be taken before
   */
  takes () {
    if (this.id === -1) return this.restAt
    const at = native.takes(this.id, 0, true)
    if (at !== 0) this.writeSoon()
    return at
  },

  /**
   * Writes on this thread at the end of this tick, as core does, so that what the kernel takes at once counts at once. Called
   * when not all counts as taken and something waits for that.
   */
  writeSoon () {
    if (this.writesSoon) return
    this.writesSoon = true
    // The end of the cork writes.
    if (!this.corked) process.nextTick(writeNow, this)
  },

  /**
   * Has what a write in the call has taken told in the next tick, if something waits for it: as core's stream does. Else the end of this
   * tick would see to it, and what follows come behind later ticks.
   */
  tellNext () {
    if (this.writesSoon) writeNow(this)
  },

  /** Calls the callbacks of what was taken before the connection was given up. @param {number} taken bytes, of all ever sent */
  tellWritten (taken) {
    drained(this)
  },

  /** Writes now what does not count as taken. True if all does then. */
  isTakenAtOnce () {
    if (this.id === -1 || this.stream !== null) return false
    if (native.takes(this.id, 0, true) === 0) return true
    touch()
    const isTaken = native.writeNow(this.id) === 1
    // No DRAIN follows for callbacks that wait for this.
    if (isTaken) process.nextTick(written, this, native.taken(this.id))
    return isTaken
  },

  /** Writes now, for a write of the socket, as core's is made. True if all that was sent is taken by that. */
  writesAtOnce () {
    if (this.id === -1 || this.corked) return false
    const isTaken = native.writeNow(this.id) === 1
    // No DRAIN follows for what waits for parts before this write.
    if (isTaken) process.nextTick(drained, this)
    touch()
    return isTaken
  },

  /** Writes now what waits and does not count as taken. */
  writeWaiting () {
    if (this.id === -1 || this.stream !== null || this.corked) return
    if (native.takes(this.id, 0, true) !== 0) writeNow(this)
  },

  /** Gives the bytes, of all ever sent, that count as taken; Infinity if all do. */
  taken () {
    if (this.id === -1) return this.takenAtEnd
    // What was taken back is not waited for any more, and was not taken.
    if (this.givenUp) return native.taken(this.id)
    return native.takes(this.id, 0, false) === 0 ? Infinity : native.taken(this.id)
  },

  /** True if there is room for more, whether what waits is taken or not. If false, `onDrain` follows once there is. */
  hasRoom () {
    if (this.id === -1) return true
    const has = native.hasRoom(this.id) === 1
    if (!has) touch()
    return has
  },

  /** Asks for one `onDrain` when everything sent so far was taken. */
  notifyDrain () {
    if (this.id === -1) return
    if (native.takes(this.id, 0, true) === 0) {
      // It comes before the callbacks of the same parts.
      if (this.corkCallbacks !== null) this.corkCallbacks.drains = true
      else process.nextTick(this.corked ? uncorkedNext : drained, this)
    } else {
      this.writeSoon()
    }
    touch()
  }
}

function endOfTick (connection) {
  const { socket, current } = connection
  // The application has corked the socket behind parts of this tick, which wait in its stream in core.
  if (socket !== null && connection.corked && socket.writableCorked !== 0) current?.[kLeaveToCore]?.()
  const { corkedWith } = connection
  if (corkedWith === null) {
    connection.uncork(true)
  } else {
    // It writes for both.
    connection.corkedWith = null
    connection.endCork()
    if (corkedWith[kCorked] !== 0) corkedWith.uncork()
  }
  if (connection.writesSoon) writeNow(connection)
}

function drained (connection) {
  if (connection.id !== -1) connection.onDrain()
}

function writeNow (connection) {
  connection.writesSoon = false
  if (connection.id === -1) return
  if (native.writeNow(connection.id) === 1) process.nextTick(written, connection, native.taken(connection.id))
  touch()
}

/** Tells what a write on this thread has taken, although the connection was given up behind it. */
function written (connection, taken) {
  if (connection.givenUp) connection.tellWritten(taken)
  else drained(connection)
}

/** Calls back in the tick behind the end of this one: corked parts are sent at its end, and taken in the next. */
function uncorkedNext (connection) {
  process.nextTick(drained, connection)
}

module.exports = { outputMembers }

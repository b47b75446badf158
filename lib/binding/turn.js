'use strict'

/**
 * A turn: one run of the application's code, with the commands it gave and the messages it finished. It ends behind the
 * handler's ticks, or with its dispatch: finished messages are settled, and the commands go to the I/O threads in one call.
 */

const native = require('../addon')
const { process } = require('../host')

/** Message -> called once when the turn that finished it ends; see docs/BOUNDARY.md. */
const kSettle = Symbol('kSettle')

/** Messages that finished in this turn. */
let settling = []

/** True while a dispatch is on the stack. */
let dispatching = false

/** True if `endTurn` is queued with process.nextTick; and for the command that was given last. */
let turnQueued = false
let isTurnNew = false

/** True if a command was given since the last flush. */
let dirty = false

/** Settles all finished messages; more may finish meanwhile. */
function settleAll () {
  for (let i = 0; i < settling.length; i++) settling[i][kSettle]()
  settling = []
}

/** Ends a turn that no dispatch began. */
function endTurn () {
  turnQueued = false
  if (settling.length !== 0) settleAll()
  flush()
}

function queueTurn () {
  isTurnNew = !dispatching && !turnQueued
  if (!isTurnNew) return
  turnQueued = true
  process.nextTick(endTurn)
}

/**
 * Has `message[kSettle]()` called once, when this turn's handler has returned; outside of a dispatch in the tick that core's end()
 * queues: that of the turn, if the command that has just sent the end has begun it.
 */
function settle (message) {
  if (dispatching || isTurnNew) {
    settling.push(message)
    queueTurn()
  } else {
    process.nextTick(settleNow, message)
  }
}

function settleNow (message) {
  message[kSettle]()
}

/** Notes that a command was given: the flush that ends this turn passes it on. */
function touch () {
  dirty = true
  queueTurn()
}

/** Passes all commands given so far on to the I/O threads. */
function flush () {
  if (!dirty) return
  dirty = false
  native.flush()
}

/** True if a command was given that no flush has passed on. */
function isDirty () {
  return dirty
}

/** Runs the ticks, and settles finished messages, until there are none. */
function runTicks () {
  process._tickCallback()
  while (settling.length !== 0) {
    settleAll()
    process._tickCallback()
  }
}

/** Callbacks for the loop's pending phase. */
let pending = []

/**
 * Calls back where libuv's loop finishes what it was asked for: behind all that it has read at once, before its immediates
 * and before it reads again.
 */
function atPendingPhase (callback) {
  if (pending.push(callback) === 1) native.pends()
}

/** Calls the callbacks of the pending phase. */
function tellPending () {
  for (let i = 0; i < pending.length; i++) {
    try {
      pending[i]()
      runTicks()
    } catch (error) {
      native.report(error)
    }
  }
  pending = []
  flush()
}

/** Callbacks for the end of the event loop's turn. */
let closings = []

/** Calls back where libuv's close callbacks run: behind the immediates. */
function atClosePhase (callback) {
  closings.push(callback)
  native.closes()
}

/** Calls the callbacks of the close phase: those of the last closed first, as libuv does. */
function tellClosed () {
  const told = closings
  closings = []
  while (told.length !== 0) {
    try {
      told.pop()()
      runTicks()
    } catch (error) {
      native.report(error)
    }
  }
  flush()
}

/** True if finished messages are to be settled. */
function hasFinished () {
  return settling.length !== 0
}

/** True while a dispatch is on the stack, which ends the turn itself. */
function isDispatching () {
  return dispatching
}

function beginDispatch () {
  dispatching = true
}

function endDispatch () {
  dispatching = false
  flush()
  // Something threw before they were settled.
  if (settling.length !== 0) queueTurn()
}

module.exports = {
  kSettle, settle, settleAll, hasFinished, touch, flush, isDirty, runTicks, atPendingPhase, atClosePhase, tellClosed, tellPending, isDispatching, beginDispatch, endDispatch
}

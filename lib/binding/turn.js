'use strict'

/**
 * A turn: what was said and what has finished in one run of the application's code. It ends behind the handler's ticks, or
 * with its dispatch: what finished is settled, and what was said goes to the I/O threads with one call.
 */

const native = require('../addon')
const { process } = require('../host')

/** Message -> called once when the turn that finished it ends; see docs/BOUNDARY.md. */
const kSettle = Symbol('kSettle')

/** Messages that finished in this turn. */
let settling = []

/** A dispatch is on the stack. */
let dispatching = false

/** `endTurn` is queued with process.nextTick. */
let turnQueued = false

/** Something was said since the last flush. */
let dirty = false

/** Settles what finished; more may finish meanwhile. */
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
  if (dispatching || turnQueued) return
  turnQueued = true
  process.nextTick(endTurn)
}

/** Promises that `message[kSettle]()` runs when this turn's handler has returned. */
function settle (message) {
  settling.push(message)
  queueTurn()
}

/** A command was given: it leaves with the flush that ends this turn. */
function touch () {
  dirty = true
  queueTurn()
}

/** Hands everything said so far to the I/O threads. */
function flush () {
  if (!dirty) return
  dirty = false
  native.flush()
}

function runTicks () {
  process._tickCallback()
  while (settling.length !== 0) {
    settleAll()
    process._tickCallback()
  }
}

/** What waits for the end of the event loop's turn. */
let closings = []

/** Calls back where libuv tells of closed handles: behind the immediates. */
function atClosePhase (callback) {
  if (closings.push(callback) === 1) native.closes()
}

/** Whoever was closed last hears of it first, as from libuv. */
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

/** True if messages have finished that are to be settled. */
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
}

module.exports = {
  kSettle, settle, settleAll, hasFinished, touch, flush, runTicks, atClosePhase, tellClosed, isDispatching, beginDispatch, endDispatch
}

'use strict'

/**
 * Walks the records of a batch, or of a call that feeds a JS stream's bytes to the protocol, and runs ticks between them
 * where core's callbacks have ended.
 */

const native = require('../addon')
const { process } = require('../host')
const { connections, deliver } = require('./deliver')
const { keep } = require('./kept')
const { AT_EOF, BATCH, BEGINS, MAX_RECORDS, STRIDE, events } = require('./records')
const { beginDispatch, endDispatch, flush, hasFinished, isDispatching, runTicks, settleAll, tellClosed, touch } = require('./turn')
const { moveTo } = require('./values')

// The batch being dispatched.
let records = null
let values = null
let cursor = 0
let limit = 0
/** Where the requests end that are known to come together, and whether an error is behind them. */
let runEnd = 0
let isRunBad = false

/**
 * Called by the binding with the number of records encoded; 0 where libuv tells of closed handles.
 *
 * What a handler throws is reported here and goes no further: it must cost neither the rest of the batch nor, when a
 * tick threw, Node's stack of async ids, which an exception that crosses `napi_make_callback` leaves corrupted.
 */
function dispatch (count) {
  if (count === 0) {
    tellClosed()
    return
  }
  cursor = 0
  limit = count * STRIDE
  moveTo(0)
  runEnd = 0
  beginDispatch()
  let previous = -1
  while (cursor < limit) {
    try {
      while (cursor < limit) {
        const id = records[cursor + 1]
        if (previous !== -1 && (previous !== id || isApart(connections[id], records, cursor))) runTicks()
        previous = id
        step()
        if (hasFinished() && !isFollowedByError(id)) settleAll()
      }
      // Little to do: the answer leaves before the ticks, as early as core's does.
      if (limit === STRIDE) flush()
      runTicks()
    } catch (error) {
      native.report(error)
    }
  }
  endDispatch()
}

/** What is wrong behind a message, or behind others that came with it, was seen before the message was settled, in core. */
function isFollowedByError (id) {
  if (cursor < runEnd) return isRunBad
  runEnd = cursor
  while (isMore(runEnd, id) && records[runEnd] === events.REQUEST) runEnd += STRIDE
  isRunBad = isMore(runEnd, id) && records[runEnd] === events.PARSE_ERROR
  return isRunBad
}

/** Does the record go on with the packet that those of this connection before it came in? */
function isMore (at, id) {
  return at < limit && records[at + 1] === id && records[at + BEGINS] === 0
}

/** Are there later packets of a connection in this batch? */
function isFollowed (id) {
  for (let at = cursor; at < limit; at += STRIDE) {
    if (records[at + 1] === id && records[at + BEGINS] !== 0 && records[at] < events.EOF) return true
  }
  return false
}

/** Do ticks run between a record and the one before it, of the same connection? */
function isApart (connection, records, at) {
  if (records[at + BEGINS] !== 0) return true
  const kind = records[at]
  // A client's parser is fed by an event of its socket, in core: the ticks wait until all of the packet is parsed.
  if (connection?.ticksAwaitPacket === true) return kind < events.RESPONSE || kind > events.PARSE_ERROR
  const before = records[at - STRIDE]
  if (before === events.DATA || before === events.EOF) return true
  // What a FIN means does not come with the bytes before it.
  // Core's parser hands over trailers, heads of more than one batch of fields, and every head that comes after those,
  // through a callback that runs ticks.
  if (kind === events.REQUEST) return records[at + 6] > BATCH || connection?.batches === true
  if (kind === events.END) return records[at + 2] !== 0
  if (kind === events.EOF && before === events.END && (records[at - STRIDE + 2] & AT_EOF) !== 0) return false
  return kind === events.EOF || kind === events.CLOSED || (kind === events.PARSE_ERROR && records[at + 4] === 0)
}

/** Takes the connections of a listener out of what is left of the batch. */
function takeAccepted (listener) {
  const ids = []
  for (let at = cursor; at < limit; at += STRIDE) {
    if (records[at] !== events.ACCEPT || records[at + 2] !== listener) continue
    records[at] = 0
    ids.push(records[at + 1])
  }
  return ids
}

/** Handles the record at the cursor. The cursor moves first: a throw must not repeat the record. */
function step () {
  const at = cursor
  cursor = at + STRIDE
  const connection = connections[records[at + 1]]
  if (connection !== undefined && connection.keeps && keep(connection, records, at, values)) return
  deliver(connection, records, at, values)
}

/**
 * Feeds a connection whose bytes belong to a JS stream. Its events are delivered at once, inside this call,
 * as core's parser does; they may arrive while a batch is being dispatched.
 * @param {number} id
 * @param {Uint8Array|null} chunk null when the stream has ended
 */
function receive (id, chunk) {
  const connection = connections[id]
  deliverAll(connection, native.receive(id, chunk))
}

/** The same for what has come of the body of a request that leaves HTTP behind it. */
function receiveBody (id) {
  deliverAll(connections[id], native.upgradeAfterBody(id))
  touch()
}

const NOTHING = new Uint8Array(0)

/** What one call gives is bounded: asks again for as long as there is more, and the connection is still there. */
function deliverAll (connection, result) {
  const { id } = connection
  deliverNow(connection, result)
  while (result[2] !== 0 && connection.id === id) {
    result = native.receive(id, NOTHING)
    deliverNow(connection, result)
  }
}

function deliverNow (connection, [own, ownValues]) {
  let taken = 0
  let isBad = false
  const ticks = own.length > STRIDE && connection.consumes?.() === true
  for (let at = 0; at < own.length; at += STRIDE) {
    if (ticks && at !== 0 && isApart(connection, own, at)) process._tickCallback()
    const outer = moveTo(taken)
    try {
      // Its id may be another's by now, if it was let go of meanwhile.
      deliver(connection.id === own[at + 1] ? connection : undefined, own, at, ownValues)
    } finally {
      taken = moveTo(outer)
    }
    if (own[at + BEGINS] !== 0) isBad = endsInError(own, at)
    if (hasFinished() && !isDispatching() && !isBad) settleAll()
  }
}

/** Is there an error in the packet that begins with the record? Behind one, nothing is parsed. */
function endsInError (records, at) {
  do at += STRIDE
  while (at < records.length && records[at + BEGINS] === 0)
  return records[at - STRIDE] === events.PARSE_ERROR
}

/** Starts the native side of this environment; the I/O thread itself starts with the first listen or dial. */
function start () {
  records = new Int32Array(STRIDE * MAX_RECORDS)
  values = []
  native.start(dispatch, records, values)
}

module.exports = { start, receive, receiveBody, takeAccepted, isFollowed }

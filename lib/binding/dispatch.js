'use strict'

/**
 * Walks the records of a batch, or of one call that fed bytes to the protocol, and runs ticks between them where core's
 * callbacks end.
 */

const native = require('../addon')
const { process } = require('../host')
const { connections, countValues, deliver, endPackets, isApart, isEnd, moveTo } = require('./deliver')
const { keep } = require('./kept')
const { BEGINS, MAX_FED, MAX_RECORDS, STRIDE, events } = require('./records')
const { beginDispatch, endDispatch, flush, hasFinished, isDispatching, runTicks, settleAll, tellClosed, tellPending, touch } = require('./turn')

// The batch being dispatched.
let records = null
let values = null
let cursor = 0
let limit = 0
/** The end of a run of requests of one packet, and whether an error is behind them. */
let runEnd = 0
let isRunBad = false

/**
 * Called by the addon with the number of records that it encoded; 0 where libuv's close callbacks run, -1 where it tells
 * what it finished at once.
 *
 * An exception of a handler is reported here and goes no further: it must cost neither the rest of the batch nor, if a
 * tick threw, Node's stack of async ids, which an exception that crosses `napi_make_callback` leaves corrupted.
 */
function dispatch (count) {
  if (count <= 0) {
    if (count === 0) tellClosed()
    else tellPending()
    endPackets()
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
        if (previous !== -1 && (previous !== id || isApart(connections[id], records, cursor - STRIDE, records, cursor))) runTicks()
        previous = id
        step()
        if (hasFinished() && !isFollowedByError(id)) settleAll()
      }
      // The batch is one record: the answer goes out before the ticks, as early as core's does.
      if (limit === STRIDE) flush()
      runTicks()
    } catch (error) {
      native.report(error)
    }
  }
  endPackets()
  endDispatch()
}

/** True if an error is behind the message, or behind others of its packet, and no ticks between: in core it is seen before the message is settled. */
function isFollowedByError (id) {
  if (cursor < runEnd) return isRunBad
  runEnd = cursor
  while (isMore(runEnd, id) && isOfRun(connections[id], runEnd)) runEnd += STRIDE
  isRunBad = isMore(runEnd, id) && records[runEnd] === events.PARSE_ERROR
  return isRunBad
}

/** True of a message, or the end of one without a body, that is parsed in one go with the record before it. */
function isOfRun (connection, at) {
  const kind = records[at]
  return (kind === events.REQUEST || kind === events.END) && !isApart(connection, records, at - STRIDE, records, at)
}

/** True if the record belongs to the packet of the connection's record before it. */
function isMore (at, id) {
  return at < limit && records[at + 1] === id && records[at + BEGINS] === 0
}

/** True if later packets of the connection are in this batch: bytes, and not only their end. */
function isFollowed (id) {
  for (let at = cursor; at < limit; at += STRIDE) {
    if (records[at + 1] === id && records[at + BEGINS] !== 0 && records[at] < events.EOF) return !isEnd(records, at)
  }
  return false
}

/**
 * Gives what was read of a connection, and is still to be delivered, of the rest of the batch; the records are dropped when the
 * connection has its id no longer.
 * @returns {Buffer[]}
 */
function readAhead (id) {
  const chunks = []
  let position = 0
  for (let at = 0; at < limit; at += STRIDE) {
    if (at >= cursor && records[at + 1] === id && records[at] === events.RAW) chunks.push(values[position])
    position += countValues(records, at)
  }
  return chunks
}

/** Takes a listener's ACCEPT records out of the rest of the batch. @returns {number[]} the connections' ids */
function takeAccepted (listener) {
  const ids = []
  for (let at = cursor; at < limit; at += STRIDE) {
    if (records[at] !== events.ACCEPT || records[at + 2] !== listener) continue
    records[at] = 0
    ids.push(records[at + 1])
  }
  return ids
}

/** Delivers the record at the cursor. The cursor moves first: a throw must not repeat the record. */
function step () {
  const at = cursor
  cursor = at + STRIDE
  const connection = connections[records[at + 1]]
  if (connection !== undefined && connection.keeps && keep(connection, records, at, values)) return
  deliver(connection, records, at, values)
}

/**
 * Feeds bytes to a connection of driver two, or a tapped one. Their events are delivered inside this call, as by core's
 * parser; it may be called while a batch is being dispatched.
 * @param {number} id
 * @param {Uint8Array|null} chunk null when the stream has ended
 */
function receive (id, chunk) {
  const connection = connections[id]
  // A parser that reads from the handle runs ticks between its callbacks; not at the end, which the stream tells it of.
  feed(connection, native.receive, chunk, chunk !== null && connection.consumes?.() === true)
}

const NOTHING = new Uint8Array(0)

// The records and values of the call that feeds bytes, and how many words of them are in use.
let fed = null
let fedValues = null
let fedLength = 0

/** Delivers the events of what has come so far of the body of a request that leaves HTTP behind it. */
function receiveBody (id) {
  const connection = connections[id]
  feed(connection, native.upgradeAfterBody, undefined, connection.consumes?.() === true)
  touch()
}

/**
 * Calls the native side with bytes, or for those that wait there, and delivers what it tells; calls for more while there is more and
 * the connection has its id: one call's events are bounded. A handler may feed another connection meanwhile.
 */
function feed (connection, call, chunk, runsTicks) {
  const outer = fedLength === 0 ? null : [fed.slice(0, fedLength), fedValues.slice()]
  const { id } = connection
  try {
    let told = tell(connection, call, id, chunk)
    deliverNow(connection, told >> 1, runsTicks)
    while ((told & 1) !== 0 && connection.id === id) {
      told = tell(connection, native.receive, id, NOTHING)
      deliverNow(connection, told >> 1, runsTicks)
    }
  } finally {
    fedLength = 0
    if (outer !== null) putBack(outer)
  }
}

function putBack ([records, values]) {
  fed.set(records)
  fedLength = records.length
  for (let i = 0; i < values.length; i++) fedValues[i] = values[i]
}

/** A bug in the native side ends the connection, which its stream tells; a native one is told of as ever. */
function tell (connection, call, id, chunk) {
  try {
    return call(id, chunk)
  } catch (error) {
    if (error.code !== 'ERR_HTTP_NATIVE') throw error
    connection.stream?.destroy(error)
    return 0
  }
}

function deliverNow (connection, count, runsTicks) {
  let taken = 0
  let isBad = false
  const ticks = runsTicks && count > 1
  fedLength = count * STRIDE
  for (let at = 0; at < fedLength; at += STRIDE) {
    if (ticks && at !== 0 && isApart(connection, fed, at - STRIDE, fed, at)) process._tickCallback()
    const outer = moveTo(taken)
    try {
      // Its id may be another connection's by now.
      deliver(connection.id === fed[at + 1] ? connection : undefined, fed, at, fedValues)
    } finally {
      taken = moveTo(outer)
    }
    if (fed[at + BEGINS] !== 0) isBad = endsInError(fed, at, fedLength)
    if (hasFinished() && !isDispatching() && !isBad) settleAll()
  }
}

/** True if the packet that begins with the record holds an error: behind it nothing is parsed. */
function endsInError (records, at, limit) {
  do at += STRIDE
  while (at < limit && records[at + BEGINS] === 0)
  return records[at - STRIDE] === events.PARSE_ERROR
}

/** Starts the native side of this environment; the I/O thread itself starts with the first listen or dial. */
function start () {
  records = new Int32Array(STRIDE * MAX_RECORDS)
  values = []
  fed = new Int32Array(STRIDE * MAX_FED)
  fedValues = []
  native.start(dispatch, records, values, fed, fedValues)
}

module.exports = { start, receive, receiveBody, readAhead, takeAccepted, isFollowed }

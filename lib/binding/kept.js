'use strict'

/**
 * Keeps the records of later packets, with their values, for a paused connection (lib/connection/pause.js) until it goes on.
 */

const native = require('../addon')
const { countValues, deliver, isApart, isEnd, moveTo, nextChunk, nextValue } = require('./deliver')
const { BEGINS, FULL, STRIDE, SYSCALL_NONE, SYSCALL_READ, WHOLE, events } = require('./records')
const { hasFinished, runTicks, settleAll } = require('./turn')

/** Bytes that are kept of all connections from which on each is read from one read ahead, and below which it is as ever again. */
const MUCH = 16 * 1024 * 1024
const LITTLE = MUCH / 2

let keptInAll = 0
let isNarrow = false

/** Counts bytes that are kept of a connection. @param {number} size negative if they are kept no longer */
function count (connection, size) {
  connection.keptSize += size
  keptInAll += size
  if (isNarrow ? keptInAll >= LITTLE : keptInAll <= MUCH) return
  isNarrow = !isNarrow
  native.narrow(isNarrow)
}

/** Keeps a record that a later packet brought. @returns {boolean} false: it is to be delivered now */
function keep (connection, records, at, values) {
  const kind = records[at]
  if (kind < events.REQUEST || (kind > events.CLOSED && kind !== events.RAW)) return false
  if (connection.dropsInput) {
    if (kind === events.CLOSED) return false
    skip(records, at, values)
    return true
  }
  const { kept } = connection
  // What was kept has just been delivered (awaitEnd of lib/connection/pause.js): only the end waits.
  if (!connection.paused && kept.length === 0 && !isEnd(records, at)) return false
  // The stream of a socket that is paused, with nothing in its buffer, ends and fails all the same.
  if (connection.readsOn && kept.length === 0 && isEnd(records, at)) return false
  if (kind === events.CLOSED) {
    // The end or the failure of reading has its place behind what was read before. Any other close overtakes that, and
    // so does one that was met by a write: a reader that waits for that write would wait for ever.
    const syscall = records[at + 3]
    const isRead = syscall === SYSCALL_READ || (syscall === SYSCALL_NONE && kept.some(({ record }) => record[0] === events.EOF))
    // A socket that is read while it is paused fails at once, and drops what its buffer has (net's onStreamRead).
    const fails = connection.readsOn && syscall === SYSCALL_READ && records[at + 2] !== 0
    if (!isRead || fails || native.pending(records[at + 1]) !== 0) {
      kept.length = 0
      count(connection, -connection.keptSize)
      return false
    }
  } else if (kept.length === 0 && records[at + BEGINS] === 0) {
    return false
  }
  const record = records.slice(at, at + STRIDE)
  let value
  if (kind === events.DATA) {
    value = nextChunk(values, records, at)
    record[2] = WHOLE
  } else if (countValues(record, 0) !== 0) {
    value = nextValue(values)
  }
  kept.push({ record, value })
  count(connection, sizeOf(value))
  if (connection.readsOn && isFull(connection)) native.pause(connection.id)
  return true
}

/** Passes over a record and its value. */
function skip (records, at, values) {
  if (records[at] === events.DATA) nextChunk(values, records, at)
  else if (countValues(records, at) !== 0) nextValue(values)
}

/** Bytes that a kept record counts as: those of its value, and its own. */
function sizeOf (value) {
  return STRIDE * 4 + (value === undefined ? 0 : value.length)
}

/** True if as much is kept as the socket's buffer would hold. */
function isFull (connection) {
  return connection.keptSize >= connection.socket.readableHighWaterMark
}

/**
 * Delivers the first of the kept packets, with ticks where there are some in a batch.
 * @returns {boolean} true if core would read on behind it before it did anything else
 */
function deliverKept (connection) {
  const { kept } = connection
  const next = kept.findIndex(({ record }, index) => index !== 0 && record[BEGINS] !== 0)
  const isBad = kept.at(next === -1 ? next : next - 1).record[0] === events.PARSE_ERROR
  const isFull = kept[0].record[BEGINS] === FULL
  let before = null
  do {
    const { record, value } = kept.shift()
    count(connection, -sizeOf(value))
    if (before !== null && isApart(connection, before, 0, record, 0)) runTicks()
    before = record
    const outer = moveTo(0)
    try {
      deliver(connection, record, 0, [value])
    } finally {
      moveTo(outer)
    }
    if (hasFinished() && !isBad) settleAll()
  } while (kept.length !== 0 && kept[0].record[BEGINS] === 0)
  runTicks()
  return isFull
}

/** Gives the number of kept records of the packet that is being delivered: it was read before the others. */
function countCurrent (kept) {
  const next = kept.findIndex(({ record }) => record[BEGINS] !== 0 || isEnd(record, 0))
  return next === -1 ? kept.length : next
}

/** True if bytes of later packets are kept, and not only their end. */
function hasKeptBytes (kept) {
  if (kept === null) return false
  const next = countCurrent(kept)
  return next !== kept.length && !isEnd(kept[next].record, 0)
}

/** True if the end of the connection is kept, behind earlier packets. */
function hasKeptEnd (kept) {
  return kept.length !== 0 && kept.at(-1).record[0] === events.CLOSED
}

/** Takes the bytes that are kept, unparsed, of a connection whose socket goes to another reader. @returns {Buffer[]} */
function takeKept (connection) {
  const kept = connection.kept === null ? [] : connection.kept.splice(0)
  count(connection, -connection.keptSize)
  return kept.filter(({ record }) => record[0] === events.RAW).map(({ value }) => value)
}

/**
 * Drops the kept packets of a connection that was given up, but for its end, and for what is left of the packet that is being
 * delivered: core, too, parses that to its end.
 * @returns {boolean} true if there were any
 */
function dropKept (connection) {
  const { kept } = connection
  const dropped = kept.splice(countCurrent(kept))
  for (const { value } of dropped) count(connection, -sizeOf(value))
  const last = dropped.at(-1)
  if (last?.record[0] === events.CLOSED) {
    kept.push(last)
    count(connection, sizeOf(undefined))
  }
  return dropped.length !== 0
}

module.exports = { keep, deliverKept, takeKept, hasKeptBytes, hasKeptEnd, dropKept, isFull }

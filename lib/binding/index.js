'use strict'

/**
 * The only file that knows the addon. Hands events to their owners, and what JavaScript said back down;
 * decides nothing. The tables and the numbers are described in docs/BOUNDARY.md.
 */

const native = require('../addon')
const { process } = require('../host')

/** Of the addon: what all copies of lib/ in an environment use, which is the first one's. Test runners load many. */
const kFirst = Symbol.for('http-native: lib/binding/index.js')

/** Message -> called once when the turn that finished it ends; see docs/BOUNDARY.md. */
const kSettle = Symbol('kSettle')

/** Int32 words per record. */
const STRIDE = 8

/** The word that tells whether a packet begins with the record. */
const BEGINS = 7

/** Records per dispatch at most; more wait for the next call. */
const MAX_RECORDS = 512

const events = Object.freeze({
  ACCEPT: 1,
  REQUEST: 2,
  RESPONSE: 3,
  DATA: 4,
  END: 5,
  PARSE_ERROR: 6,
  EOF: 7,
  CLOSED: 8,
  DRAIN: 9,
  TIMEOUT: 10,
  RAW: 11,
  CONNECTED: 12,
  EXPIRED: 13,
  FIN: 14
})

/** Flags of DATA: a Buffer of its own, or others follow of the same. */
const WHOLE = 0
const PART = 1

/** Flags of END: trailers follow, and the end of the connection was the end of the message. */
const TRAILERS = 1
const AT_EOF = 2

/** Of CLOSED: nothing failed, or it was reading. */
const SYSCALL_NONE = 0
const SYSCALL_READ = 1

/** Fields that a head may have to be handed over at once. */
const BATCH = 31

/** Flags of REQUEST and RESPONSE records. */
const headFlags = Object.freeze({
  KEEP_ALIVE: 1,
  BODY: 2,
  UPGRADE: 4,
  HAS_EXPECT: 8,
  HAS_HOST: 16,
  FRAMED: 32,
  INFORMATIONAL: 64,
  UNTIL_CLOSE: 128,
  SURPLUS: 256
})

/** Flags of `Connection.send`. */
const sendFlags = Object.freeze({
  HEAD: 1,
  BODY: 2,
  END: 4,
  NO_BODY: 0,
  LENGTH: 8,
  CHUNKED: 16,
  UNTIL_CLOSE: 24,
  LAST: 32,
  HEAD_UTF8: 64,
  BODY_UTF8: 128,
  INFORMATIONAL: 256,
  REQUEST_HEAD: 512,
  REQUEST_CONNECT: 1024,
  TRAILERS: 2048,
  CORK: 4096,
  UNTOLD: 8192
})

/** Connections by id; the slot is emptied when the connection's CLOSED record has been handled. */
const connections = []

/** Listeners by id: objects with `accept(id, isPaused)`, which returns the Connection for a new id. */
const listeners = new Map()

/** Messages that finished in this turn. */
let settling = []

/** A dispatch is on the stack. */
let dispatching = false

/** `endTurn` is queued with process.nextTick. */
let turnQueued = false

/** Something was said since the last flush. */
let dirty = false

// The batch being dispatched.
let records = null
let values = null
let cursor = 0
let limit = 0
/** Where the requests end that are known to come together, and whether an error is behind them. */
let runEnd = 0
let isRunBad = false
let valueCursor = 0
/** Whether the record that is being delivered begins a packet. */
let begins = false

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
  valueCursor = 0
  runEnd = 0
  dispatching = true
  let previous = -1
  while (cursor < limit) {
    try {
      while (cursor < limit) {
        const id = records[cursor + 1]
        if (previous !== -1 && (previous !== id || isApart(connections[id], records, cursor))) runTicks()
        previous = id
        step()
        if (settling.length !== 0 && !isFollowedByError(id)) settleAll()
      }
      // Little to do: the answer leaves before the ticks, as early as core's does.
      if (dirty && limit === STRIDE) flush()
      runTicks()
    } catch (error) {
      native.report(error)
    }
  }
  dispatching = false
  flush()
}

function runTicks () {
  process._tickCallback()
  while (settling.length !== 0) {
    settleAll()
    process._tickCallback()
  }
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

/** True if what is being delivered came in the packet of what was delivered to its connection before it. */
function isSamePacket () {
  return !begins
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

function nextValue (values) {
  const value = values[valueCursor]
  values[valueCursor++] = undefined
  return value
}

/** A piece of a body: a Buffer, or a part of the one that the small pieces of a packet share. */
function nextChunk (values, records, at) {
  const flag = records[at + 2]
  if (flag === WHOLE) return nextValue(values)
  return (flag === PART ? values[valueCursor] : nextValue(values)).subarray(records[at + 3], records[at + 4])
}

/** The connection stands still: what later packets brought waits until it goes on. @returns {boolean} whether this does */
function keep (connection, records, at, values) {
  const kind = records[at]
  if (kind < events.REQUEST || (kind > events.CLOSED && kind !== events.RAW)) return false
  const { kept } = connection
  if (kind === events.CLOSED) {
    // Its end or its failure, if it was read, has its place behind what was read before. Any other overtakes that, and
    // so does one that a write has met: whoever waits for that write would wait for ever.
    const syscall = records[at + 3]
    const isRead = syscall === SYSCALL_READ || (syscall === SYSCALL_NONE && kept.some(({ record }) => record[0] === events.EOF))
    if (!isRead || native.pending(records[at + 1]) !== 0) {
      kept.length = 0
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
  } else if (hasValue(record)) {
    value = nextValue(values)
  }
  kept.push({ record, value })
  return true
}

function hasValue (record) {
  switch (record[0]) {
    case events.END: return (record[2] & TRAILERS) !== 0
    case events.PARSE_ERROR: return record[4] !== 0
    case events.EOF:
    case events.CLOSED: return false
    default: return true
  }
}

/** Hands over the first packet of what was kept. */
function handKept (connection) {
  const { kept } = connection
  const next = kept.findIndex(({ record }, index) => index !== 0 && record[BEGINS] !== 0)
  const isBad = kept.at(next === -1 ? next : next - 1).record[0] === events.PARSE_ERROR
  do {
    const { record, value } = kept.shift()
    const outer = valueCursor
    valueCursor = 0
    try {
      deliver(connection, record, 0, [value])
    } finally {
      valueCursor = outer
    }
    if (settling.length !== 0 && !isBad) settleAll()
  } while (kept.length !== 0 && kept[0].record[BEGINS] === 0)
}

/** Has the connection ended, and nobody been told, for what was read before waits? */
function hasKeptEnd (kept) {
  return kept.length !== 0 && kept.at(-1).record[0] === events.CLOSED
}

/** Of a connection that was given up only its end is of interest. */
function dropKept (kept) {
  const last = kept.at(-1)
  kept.length = 0
  if (last?.record[0] === events.CLOSED) kept.push(last)
}

function deliver (connection, records, at, values) {
  const id = records[at + 1]
  const kind = records[at]
  begins = records[at + BEGINS] !== 0
  if (kind === events.ACCEPT) {
    const listener = listeners.get(records[at + 2])
    if (listener === undefined) {
      // The listener was closed while the connection was on its way up.
      native.destroy(id, false, false)
      touch()
      return
    }
    connections[id] = listener.accept(id, records[at + 3] !== 0)
    return
  }
  if (connection !== undefined && connection.givenUp && isUnheard(connection, records, at)) connection = undefined
  switch (kind) {
    case events.REQUEST: {
      const text = nextValue(values)
      if (connection === undefined) return
      if (records[at + 6] > BATCH) connection.batches = true
      connection.onRequest(records[at + 2], records[at + 3], records[at + 4], records[at + 5], records[at + 6], text)
      return
    }
    case events.RESPONSE: {
      const text = nextValue(values)
      if (connection === undefined) return
      connection.onResponse(records[at + 2], records[at + 3], records[at + 4], records[at + 5], records[at + 6], text)
      return
    }
    case events.DATA: {
      const chunk = nextChunk(values, records, at)
      if (connection !== undefined) connection.onData(chunk)
      return
    }
    case events.END: {
      const text = (records[at + 2] & TRAILERS) === 0 ? undefined : nextValue(values)
      if (connection === undefined) return
      if (text !== undefined) connection.batches = true
      connection.onEnd(records[at + 3], text)
      return
    }
    case events.PARSE_ERROR: {
      const packet = records[at + 4] === 0 ? undefined : nextValue(values)
      if (connection !== undefined) connection.onParseError(records[at + 2], records[at + 3], packet)
      return
    }
    case events.RAW: {
      const chunk = nextValue(values)
      if (connection !== undefined) connection.onRaw(chunk)
      return
    }
    case events.EOF:
      if (connection !== undefined) connection.onEof()
      return
    case events.CLOSED:
      connections[id] = undefined
      if (connection !== undefined) connection.beforeRelease(records[at + 2])
      native.release(id)
      if (connection !== undefined) {
        connection.id = -1
        connection.onClosed(records[at + 2], records[at + 3])
      }
      return
    case events.DRAIN:
      if (connection !== undefined) connection.onDrain()
      return
    case events.TIMEOUT:
      if (connection !== undefined) connection.onTimeout()
      return
    case events.CONNECTED:
      if (connection !== undefined) connection.onConnected()
      return
    case events.EXPIRED:
      if (connection !== undefined) connection.onExpired(records[at + 2])
      return
    case events.FIN:
      if (connection !== undefined) connection.socket.finished()
  }
}

/**
 * The connection was given up. In core nothing is read any more from then on, but a packet that is being parsed is
 * parsed to its end.
 */
function isUnheard (connection, records, at) {
  const kind = records[at]
  if (kind > events.EOF && kind !== events.RAW) return false
  connection.deaf ||= records[at + BEGINS] !== 0
  return connection.deaf
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
  const outer = valueCursor
  let taken = 0
  let isBad = false
  const ticks = own.length > STRIDE && connection.consumes?.() === true
  for (let at = 0; at < own.length; at += STRIDE) {
    if (ticks && at !== 0 && isApart(connection, own, at)) process._tickCallback()
    valueCursor = taken
    try {
      // Its id may be another's by now, if it was let go of meanwhile.
      deliver(connection.id === own[at + 1] ? connection : undefined, own, at, ownValues)
    } finally {
      taken = valueCursor
      valueCursor = outer
    }
    if (own[at + BEGINS] !== 0) isBad = endsInError(own, at)
    if (settling.length !== 0 && !dispatching && !isBad) settleAll()
  }
}

/** Is there an error in the packet that begins with the record? Behind one, nothing is parsed. */
function endsInError (records, at) {
  do at += STRIDE
  while (at < records.length && records[at + BEGINS] === 0)
  return records[at - STRIDE] === events.PARSE_ERROR
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

/** Starts the native side of this environment; the I/O thread itself starts with the first listen or dial. */
function start () {
  records = new Int32Array(STRIDE * MAX_RECORDS)
  values = []
  native.start(dispatch, records, values)
  // process.exit() right after res.end(): what was said must still reach the kernel, as it does in core.
  process.on('exit', () => { native.flushNow() })
}

if (native[kFirst] === undefined) start()

module.exports = native[kFirst] ??= {
  native,
  events,
  headFlags,
  sendFlags,
  connections,
  listeners,
  settle,
  touch,
  flush,
  receive,
  receiveBody,
  handKept,
  hasKeptEnd,
  dropKept,
  takeAccepted,
  isFollowed,
  isSamePacket,
  atClosePhase,
  kSettle,
  /** What else they have in common, by name (lib/core/symbols.js, lib/core/classes.js). */
  common: Object.create(null)
}

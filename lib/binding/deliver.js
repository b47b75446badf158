'use strict'

/** Delivers one record to its connection, with the values that go with it: Buffers and texts, each taken once, in the order of the records. */

const native = require('../addon')
const { AT_EOF, FIELD_GROUP, BEGINS, FULL, NOTED, PART, TRAILERS, WHOLE, events } = require('./records')
const { touch } = require('./turn')

/** Connections by id; the slot is emptied when the connection's CLOSED record has been handled. */
const connections = []

/** Listeners by id: objects with `accept(id, isPaused)`, which returns the Connection for a new id. */
const listeners = new Map()

/** What is called when the limits of a server have turned something away, by the number of its stats. */
const limited = new Map()

/** The index of the next value. */
let valueCursor = 0

/** Sets the index of the next value. @returns {number} the index before */
function moveTo (position) {
  const before = valueCursor
  valueCursor = position
  return before
}

function nextValue (values) {
  const value = values[valueCursor]
  values[valueCursor++] = undefined
  return value
}

/** Gives a piece of a body: a Buffer, or a part of the one that the small pieces of a packet share. */
function nextChunk (values, records, at) {
  const flag = records[at + 2]
  if (flag === WHOLE) return nextValue(values)
  return (flag === PART ? values[valueCursor] : nextValue(values)).subarray(records[at + 3], records[at + 4])
}

/** Gives the number of values that a record ends: a Buffer of several pieces belongs to the last. */
function countValues (records, at) {
  switch (records[at]) {
    case events.REQUEST:
    case events.RESPONSE:
    case events.RAW: return 1
    case events.DATA: return records[at + 2] === PART ? 0 : 1
    case events.END: return (records[at + 2] & TRAILERS) === 0 ? 0 : 1
    case events.PARSE_ERROR: return records[at + 4] === 0 ? 0 : 1
    default: return 0
  }
}

/** True if the record that is being delivered begins a packet. */
let begins = false

/** The connection whose packet was delivered last, and whether that packet was as long as a read can be. */
let readId = -1
let wasFull = false

/** True if the record that is being delivered came in the packet of the connection's record before it. */
function isSamePacket () {
  return !begins
}

/** True if what is being delivered of the connection is a packet behind which core's loop reads on before it does anything else. */
function isReadOn (id) {
  return wasFull && readId === id
}

/** True if ticks run between a record, at an index of its array, and the one before it, of the same connection. */
function isApart (connection, earlier, before, records, at) {
  if (records[at + BEGINS] !== 0) return true
  const kind = records[at]
  // In core the client's parser is fed by the socket's 'data': ticks wait until all of the packet is parsed.
  if (connection?.ticksAwaitPacket === true) return kind < events.RESPONSE || kind > events.PARSE_ERROR
  const last = earlier[before]
  if (last === events.DATA || last === events.EOF) return true
  // A FIN is an event of its own, apart from the bytes before it.
  // Core's parser gives trailers, heads of more than one group of fields, and every head that comes after those,
  // through a callback that runs ticks.
  if (kind === events.REQUEST) return records[at + 6] > FIELD_GROUP || connection?.hasFieldGroups === true
  if (kind === events.END) return (records[at + 2] & (TRAILERS | AT_EOF)) !== 0
  if (kind === events.EOF && last === events.END && (earlier[before + 2] & AT_EOF) !== 0) return false
  return isEnd(records, at)
}

/** True if the record tells that nothing more can be read. */
function isEnd (records, at) {
  const kind = records[at]
  if (kind === events.END) return (records[at + 2] & AT_EOF) !== 0
  return kind === events.EOF || kind === events.CLOSED || (kind === events.PARSE_ERROR && records[at + 4] === 0)
}

/** Lets go of the packet at hand: its dispatch is over. */
function endPackets () {
  readId = -1
}

/**
 * Calls the `on…` method of a record's connection, or `accept` of its listener.
 * @param {import('../connection/connection').Connection|undefined} connection undefined if it is closed: the record is dropped
 * @param {Int32Array} records
 * @param {number} at index of the record's first word
 * @param {Array} values of all records; those of this one are taken also if it is dropped
 */
function deliver (connection, records, at, values) {
  const id = records[at + 1]
  const kind = records[at]
  begins = records[at + BEGINS] !== 0
  if (begins || readId !== id) {
    readId = id
    wasFull = records[at + BEGINS] === FULL
  }
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
  if (kind === events.LIMITED) {
    limited.get(records[at + 2])?.()
    return
  }
  if (connection !== undefined && connection.givenUp && endsHearing(connection, records, at)) connection = undefined
  switch (kind) {
    case events.REQUEST: {
      const text = nextValue(values)
      if (connection === undefined) return
      if (records[at + 6] > FIELD_GROUP) connection.hasFieldGroups = true
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
      if (text !== undefined) connection.hasFieldGroups = true
      connection.onEnd(text, (records[at + 2] & NOTED) !== 0)
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
    case events.DIALLED:
      connection?.onDialled?.(records[at + 2])
      return
    case events.DRAIN:
      if (connection !== undefined) connection.onDrain()
      return
    case events.TIMEOUT:
      if (connection !== undefined) connection.onTimeout()
      return
    case events.EXPIRED:
      if (connection !== undefined) connection.onExpired(records[at + 2])
      return
    case events.FIN:
      if (connection !== undefined) connection.socket.finished()
      return
    case events.CUT:
      if (connection !== undefined) connection.onCut()
  }
}

/**
 * True if the record of a connection that was given up is not delivered, nor any behind it: the packet that was being parsed then is
 * over. Core, too, parses a packet to its end, and reads no other.
 */
function endsHearing (connection, records, at) {
  const kind = records[at]
  if (kind > events.EOF && kind !== events.RAW) return false
  connection.dropsEvents ||= records[at + BEGINS] !== 0
  return connection.dropsEvents
}

module.exports = {
  connections, countValues, limited, listeners, moveTo, nextValue, nextChunk, deliver, isApart, isEnd, isSamePacket, isReadOn, endPackets
}

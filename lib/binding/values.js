'use strict'

/** The values that go with records: Buffers and texts, each taken once, in the order of the records. */

const { WHOLE, PART } = require('./records')

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

module.exports = { moveTo, nextValue, nextChunk }

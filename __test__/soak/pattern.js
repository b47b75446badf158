'use strict'

/** A body of any length that is told apart at every place: the bytes repeat after a number of them that divides no buffer's size. */

const PERIOD = 65_521

const twice = Buffer.alloc(2 * PERIOD)
for (let place = 0; place < twice.length; place++) twice[place] = ((place % PERIOD) * 167 + ((place % PERIOD) >> 8) * 89) & 255

/** The bytes at `start`; at most PERIOD. */
function pattern (start, length) {
  const from = start % PERIOD
  return twice.subarray(from, from + length)
}

/** Reads a stream and compares its bytes. @returns {Promise<number>} how many there were */
async function readPattern (stream) {
  let read = 0
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; at += PERIOD) {
      const part = chunk.subarray(at, at + PERIOD)
      if (!part.equals(pattern(read, part.length))) throw new Error(`other bytes than were sent, within ${part.length} from ${read} on`)
      read += part.length
    }
  }
  return read
}

module.exports = { pattern, readPattern }

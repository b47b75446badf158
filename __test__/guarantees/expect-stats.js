'use strict'

/** What the specs of stats share. */

const assert = require('node:assert/strict')

/**
 * Waits until what is picked of the stats is as expected: a thread counts what the other has seen already.
 * @param {{ stats: () => object }} owner a server or an agent
 */
async function expectStats (owner, pick, expected) {
  for (let turns = 0; turns < 20000; turns++) {
    try {
      assert.deepStrictEqual(pick(owner.stats()), expected)
      return
    } catch {
      await new Promise(setImmediate)
    }
  }
  assert.deepStrictEqual(pick(owner.stats()), expected)
}

/** The reasons of closes that are not 0. */
function closes ({ connections: { closed } }) {
  return Object.fromEntries(Object.entries(closed).filter(([, count]) => count !== 0))
}

module.exports = { expectStats, closes }

'use strict'

/** Plays a case with both implementations, and again if they differ: a difference must be seen every time. */

const { differences } = require('./compare')

/** Nothing happens for so long, and a run is over; reruns wait longer. */
const QUIET_MS = { first: 25, again: 80 }

/**
 * How often a difference must be seen again, and core must agree with itself: what comes first of two things that are under way at
 * once hangs on how busy the machine is, and on a busy one it may be the same three times.
 */
const RERUNS = 10

/** @returns {Promise<object[] & { operations: number }>} what differs, and how much core has done */
async function examine (pair, program, reruns = RERUNS) {
  const cores = [await pair.core.play(program, QUIET_MS.first)]
  const ours = [await pair.ours.play(program, QUIET_MS.first)]
  let found = differences(program, cores, ours, pair.ignored)
  for (let rerun = 0; rerun < reruns && found.length > 0; rerun++) {
    cores.push(await pair.core.play(program, QUIET_MS.again))
    ours.push(await pair.ours.play(program, QUIET_MS.again))
    found = differences(program, cores, ours, pair.ignored)
  }
  found.operations = cores[0].operations ?? 0
  return found
}

module.exports = { examine }

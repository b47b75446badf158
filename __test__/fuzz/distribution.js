'use strict'

/**
 * Which of several connections of an agent carries a request hangs on which answer comes first, of two that are under way at
 * once. Runs in which that is not the same are compared request by request, and what is seen of a connection is left out.
 */

const { expand } = require('./bytes')

const isShared = (program) => program.side === 'client' && program.maxSockets > 1

/** A request that begins. Bodies hold runs of one letter, and no spaces. */
const REQUEST = /(?=(?:GET|POST|HEAD|DELETE|CONNECT) \/r\d+ HTTP)/

const numbers = (text) => text.match(/ \/r\d+ HTTP/g)?.join('') ?? ''

/** Which requests each connection has carried, in which order. */
const distribution = ({ received }) => received.map(({ bytes }) => numbers(bytes)).join('\n')

/** @returns {Object<string, string[]>} the bytes of each request */
function requests (received) {
  const apart = {}
  for (const { bytes } of received) {
    for (const text of expand(bytes).split(REQUEST)) {
      const [, number] = / \/r(\d+) HTTP/.exec(text) ?? []
      if (number !== undefined) (apart[`request r${number} received`] ??= []).push(text)
    }
  }
  return apart
}

const isOfConnection = (label) => /^(contexts|socket|agent)/.test(label)

/** The first request of each connection: it has waited until that was made. */
const firsts = ({ received }) => new Set(received.map(({ bytes }) => / \/(r\d+) HTTP/.exec(bytes)?.[1]))

/** The labels of requests that waited for a connection to be made in some runs, and in others did not. */
function movedAmong (program, runs) {
  const begun = runs.map(firsts)
  const names = program.requests.map((_, index) => `r${index}`)
  return new Set(names.filter((name) => new Set(begun.map((some) => some.has(name))).size > 1).map((name) => `out ${name}`))
}

/** A run as if it did not matter which connection carries a request. */
function undistributed ({ lines, received, ...run }, moved) {
  const kept = Object.entries(lines).filter(([label]) => !isOfConnection(label))
  return { ...run, lines: Object.fromEntries(kept), apart: requests(received), received: [], moved }
}

/** @returns {object[]} the runs; if they have not been distributed alike, without that */
function regardless (program, runs) {
  if (!isShared(program) || new Set(runs.map(distribution)).size === 1) return runs
  const moved = movedAmong(program, runs)
  return runs.map((run) => undistributed(run, moved))
}

module.exports = { isShared, regardless }

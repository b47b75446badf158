'use strict'

/**
 * Own data properties of core's messages that are accessors of the prototype here, on purpose: see docs/COMPATIBILITY.md.
 * They count as own keys on both sides, wherever they are. So does `_eventsCount`, which ours have from the start.
 */
const ACCESSORS = ['_eventsCount', '_readableState', 'client', 'rawHeaders', 'rawTrailers', 'socket']

/** The own keys of a message, sorted. */
function ownKeys (message) {
  const keys = Object.keys(message)
  return [...new Set([...keys, ...ACCESSORS.filter((name) => name in message)])].sort()
}

module.exports = { ownKeys }

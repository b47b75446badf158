'use strict'

/** The names of what ends connections, and of the limits of servers. */

const { getSystemErrorName } = require('node:util')
const { native } = require('../binding')

const { CLOSES, SERVER_LIMITS } = native

/** The names of the limits by their places: CONNECTIONS_PER_ADDRESS is `connectionsPerAddress`. */
const limitNames = []
for (const [name, place] of Object.entries(SERVER_LIMITS)) {
  // Without a pattern, which V8 would compile at every start.
  const [first, ...others] = name.toLowerCase().split('_')
  limitNames[place] = first + others.map((word) => word[0].toUpperCase() + word.slice(1)).join('')
}

/** Gives the names by their numbers in `CLOSES`. @param {'client'|'server'} peer, local the names of the two sides */
function namesOfReasons (peer, local) {
  const names = []
  names[CLOSES.PEER] = peer
  names[CLOSES.LOCAL] = local
  names[CLOSES.IDLE] = 'idleTimeout'
  names[CLOSES.KEEP_ALIVE] = 'keepAliveTimeout'
  names[CLOSES.HEADERS_TIMEOUT] = 'headersTimeout'
  names[CLOSES.REQUEST_TIMEOUT] = 'requestTimeout'
  names[CLOSES.PARSE_ERROR] = 'parseError'
  names[CLOSES.LIMIT] = 'limit'
  names[CLOSES.UPGRADED] = 'upgraded'
  names[CLOSES.ERROR] = 'error'
  return names
}

/** Gives the name of an error of the system. @param {number} errno positive; 0 for one that has none */
function nameOfErrno (errno) {
  try {
    return getSystemErrorName(-errno)
  } catch {
    return 'other'
  }
}

module.exports = { limitNames, namesOfReasons, nameOfErrno }

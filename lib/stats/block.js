'use strict'

/**
 * The numbers that the addon counts for one server, or one agent: a block, by its index. Opened with the owner's first
 * connection, and added to those of all others when the owner is gone.
 */

const { native } = require('../binding')

const { BLOCKS, STATS } = native

/** Owner -> closes the block when the owner is collected. */
const owners = new FinalizationRegistry((index) => { native.closeStats(index) })

/** Opens a block for a server. @returns {number} its index */
function openServers (server) {
  return open(BLOCKS.SERVERS, server)
}

/** Opens a block for an agent. @returns {number} its index */
function openAgents (agent) {
  return open(BLOCKS.AGENTS, agent)
}

function open (heir, owner) {
  const index = native.openStats(heir)
  owners.register(owner, index)
  return index
}

/** Gives the numbers of a block, by their places in `STATS`. @param {number} index or one of `BLOCKS` */
function read (index, length = STATS.LENGTH) {
  const numbers = new Float64Array(length)
  const found = native.readStats(index)
  for (let at = 0; at < found.length; at += 2) numbers[found[at]] = found[at + 1]
  return numbers
}

module.exports = { openServers, openAgents, read }

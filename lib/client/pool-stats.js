'use strict'

/** What an agent counts of its pool by itself, and the block that its connections count in (lib/stats/block.js). */

const { common } = require('../binding')
const { openAgents } = require('../stats/block')
const { agentStats, allStats } = require('../stats/snapshot')
const core = require('../core/classes')
const { own } = require('../core/symbols')

/** Agent -> its Pool. */
const kPool = own('kPool')

/** What all agents have counted, of all copies of lib/. */
const totals = (common.pools ??= { reused: 0, stale: 0, queued: 0, retried: 0 })

class Pool {
  reused = 0
  stale = 0
  queued = 0
  retried = 0
  /** The index of the block; -1 until the first connection. */
  block = -1
}

/** Gives the numbers of an agent, which begin here if it has none. */
function poolOf (agent) {
  if (agent[kPool] === undefined) Object.defineProperty(agent, kPool, { __proto__: null, value: new Pool() })
  return agent[kPool]
}

/** True of an agent that counts: the `agent` option may be anything with an addRequest(). */
function isAgent (agent) {
  return agent instanceof core.Agent
}

/** Counts what has happened in an agent's pool. @param {'reused'|'stale'|'queued'|'retried'} what */
function count (agent, what) {
  if (agent[kPool] === undefined && !isAgent(agent)) return
  poolOf(agent)[what]++
  totals[what]++
}

/** Gives the index of the block that an agent's connections count in. */
function blockOf (agent) {
  const pool = poolOf(agent)
  if (pool.block === -1) pool.block = openAgents(agent)
  return pool.block
}

function sizeOf (table) {
  return Object.values(table).reduce((sum, list) => sum + list.length, 0)
}

/** Gives what an agent has counted. */
function statsOf (agent) {
  const { reused, stale, queued, retried } = poolOf(agent)
  const { sockets, freeSockets, requests } = agent
  return agentStats({ active: sizeOf(sockets), idle: sizeOf(freeSockets), waiting: sizeOf(requests), reused, stale, queued, retried }, blockOf(agent))
}

/** Gives what all servers and agents of this thread have counted, those that are gone included. */
function stats () {
  return allStats({ ...totals })
}

module.exports = { isAgent, count, blockOf, statsOf, stats }

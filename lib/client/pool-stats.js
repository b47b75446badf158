'use strict'

/** What an agent counts of its pool by itself, and the block that its connections count in (lib/stats/block.js). */

const { native, common } = require('../binding')
const { openAgents } = require('../stats/block')
const { agentStats, allStats } = require('../stats/snapshot')
const core = require('../core/classes')
const { own } = require('../core/symbols')

const { AGENTS } = native.BLOCKS

/** Agent -> its Pool. */
const kPool = own('kPool')

/** What all agents have counted, of all copies of lib/. */
const totals = (common.pools ??= { reused: 0, stale: 0, queued: 0, retried: 0, failed: { __proto__: null } })

/** Codes of errors that are told apart: an application's `lookup` may have any. */
const CODES = 64

class Pool {
  reused = 0
  stale = 0
  queued = 0
  retried = 0
  /** Connections that could not be made, by the code of the error. */
  failed = { __proto__: null }
  /** The index of the block; -1 while there is none. */
  block = -1
  /** True once a connection was made that counts in no block of its own. */
  hasBegun = false
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

/** Counts a connection that could not be made for an agent. @param {*} error anything: an application's `createConnection` may give it */
function countFailed (agent, error) {
  if (!isAgent(agent)) return
  const code = typeof error?.code === 'string' ? error.code : '_OTHER'
  for (const failed of [poolOf(agent).failed, totals.failed]) {
    const key = code in failed || Object.keys(failed).length < CODES ? code : '_OTHER'
    failed[key] = (failed[key] ?? 0) + 1
  }
}

/**
 * Gives the index of the block that an agent's next connection counts in. The first of an agent that keeps none counts in that of
 * all others: applications make agents for one request each, and what is not collected before long must be small.
 */
function blockFor (agent) {
  const pool = poolOf(agent)
  if (pool.block === -1 && !agent.keepAlive && !pool.hasBegun) {
    pool.hasBegun = true
    return AGENTS
  }
  return ownBlock(agent, pool)
}

function ownBlock (agent, pool) {
  if (pool.block === -1) pool.block = openAgents(agent)
  return pool.block
}

function sizeOf (table) {
  return Object.values(table).reduce((sum, list) => sum + list.length, 0)
}

/** Gives what an agent has counted. */
function statsOf (agent) {
  const pool = poolOf(agent)
  const { reused, stale, queued, retried, failed } = pool
  const { sockets, freeSockets, requests } = agent
  const now = { active: sizeOf(sockets), idle: sizeOf(freeSockets), waiting: sizeOf(requests) }
  return agentStats({ ...now, reused, stale, queued, retried, failed: { ...failed } }, ownBlock(agent, pool))
}

/** Gives what all servers and agents of this thread have counted, those that are gone included. */
function stats () {
  return allStats({ ...totals, failed: { ...totals.failed } })
}

module.exports = { isAgent, count, countFailed, blockFor, statsOf, stats }

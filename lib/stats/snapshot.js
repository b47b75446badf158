'use strict'

/** What stats() gives: the numbers of a block at one time, by name (docs/STATS.md). */

const { native } = require('../binding')
const { read } = require('./block')
const { Histogram } = require('./histogram')
const { render } = require('./prometheus')
const { limitNames, nameOfErrno, namesOfReasons } = require('./reasons')

const { BLOCKS, PARSE_ERRORS, STATS, STATS_METHODS } = native

const METHODS = [...STATS_METHODS, '_OTHER']

const HISTOGRAM = 1 + STATS.BUCKETS_ALL

/** The names of statuses by what the addon has of them; 0 is an exchange without an answer. */
const STATUSES = [undefined, '1xx', '2xx', '3xx', '4xx', '5xx', 'other']

/** Gives numbers by name, those that are not 0, or for which `isShown`. */
function named (names, numberOf, isShown = numberOf) {
  const found = {}
  for (const [place, name] of names.entries()) {
    const number = numberOf(place)
    if (name !== undefined && isShown(place) !== 0) found[name] = (found[name] ?? 0) + number
  }
  return found
}

/** @param {'client'|'server'} peer, local the names of the two sides */
function connectionsIn (numbers, peer, local) {
  const closed = Object.fromEntries(namesOfReasons(peer, local).map((name, reason) => [name, numbers[STATS.CLOSED + reason]]))
  const opened = numbers[STATS.OPENED]
  return {
    open: opened - Object.values(closed).reduce((sum, number) => sum + number),
    opened,
    upgrades: numbers[STATS.SWITCHED],
    closed,
    errors: named(Array.from({ length: STATS.ERRNO_PLACES }, (_, errno) => nameOfErrno(errno)), (errno) => numbers[STATS.ERRORS + errno])
  }
}

/** Gives how many exchanges of a method have ended in an outcome. */
function endedIn (numbers, method, outcome) {
  return numbers[STATS.ENDED + method * STATS.OUTCOME_PLACES + outcome]
}

function requestsIn (numbers) {
  const sumOf = (list, numberOf) => list.reduce((sum, _, place) => sum + numberOf(place), 0)
  const begun = (method) => numbers[STATS.BEGUN + method]
  const ended = (method) => sumOf(STATUSES, (outcome) => endedIn(numbers, method, outcome))
  const inAll = (outcome) => sumOf(METHODS, (method) => endedIn(numbers, method, outcome))
  // What is counted between two of these reads must not show as less than none.
  const active = (method) => Math.max(0, begun(method) - ended(method))
  return {
    total: sumOf(METHODS, begun),
    active: sumOf(METHODS, active),
    unanswered: inAll(0),
    byMethod: named(METHODS, begun),
    activeByMethod: named(METHODS, active, begun),
    byStatus: named(STATUSES, inAll)
  }
}

function histogramAt (numbers, place) {
  return new Histogram(numbers.subarray(place, place + HISTOGRAM))
}

/** How long JavaScript let events wait, and how long it took for each turn of the event loop: of the whole thread. */
class EventLoopStats {
  queue = new Histogram(read(BLOCKS.QUEUED, HISTOGRAM))
  turn = new Histogram(read(BLOCKS.TURNS, HISTOGRAM))
}

/** What servers and agents have in common. */
class SideStats {
  #numbers

  constructor (index, peer, local) {
    const numbers = this.#numbers = read(index)
    this.connections = connectionsIn(numbers, peer, local)
    this.requests = requestsIn(numbers)
    this.bytes = { received: numbers[STATS.RECEIVED], sent: numbers[STATS.SENT] }
    this.parseErrors = named(PARSE_ERRORS.map(([code]) => code), (kind) => numbers[STATS.FAULTS + kind])
    const [idle, keepAlive, headers, request] = numbers.subarray(STATS.TIMEOUTS)
    this.timeouts = { idle, keepAlive, headers, request }
    this.timeToFirstByte = histogramAt(numbers, STATS.FIRST_BYTE)
    this.timeToLastByte = histogramAt(numbers, STATS.LAST_BYTE)
  }

  /** Gives how often each limit was met that was. */
  static limits (stats) {
    return named(limitNames, (limit) => stats.#numbers[STATS.LIMITED + limit])
  }

  /** Gives each method and status with its number of exchanges, for those that are not 0. */
  static * outcomes (stats) {
    const numbers = stats.#numbers
    for (const [method, name] of METHODS.entries()) {
      for (const [outcome, status] of STATUSES.entries()) {
        const count = endedIn(numbers, method, outcome)
        if (count !== 0) yield { method: name, status: status ?? 'none', count }
      }
    }
  }
}

const { limits: limitsOf, outcomes } = SideStats

class ServerStats extends SideStats {
  /** @param {number} index of the server's block */
  constructor (index = BLOCKS.ALL_SERVERS) {
    super(index, 'client', 'server')
    this.limits = limitsOf(this)
    this.eventLoop = new EventLoopStats()
  }

  /** Gives Prometheus' text format. @param {{ labels?: Record<string, string> }} [options] labels that each sample gets */
  toPrometheus (options) {
    return render({ server: this, eventLoop: this.eventLoop }, outcomes, options)
  }
}

class AgentStats extends SideStats {
  /** @param {object} pool the agent's own numbers @param {number} index of its block */
  constructor (pool, index = BLOCKS.ALL_AGENTS) {
    super(index, 'server', 'client')
    this.pool = pool
    this.eventLoop = new EventLoopStats()
  }

  /** As that of ServerStats. */
  toPrometheus (options) {
    return render({ client: this, eventLoop: this.eventLoop }, outcomes, options)
  }
}

/** All servers and agents of the thread, those that are gone included. */
class AllStats {
  constructor (pool) {
    this.servers = new ServerStats()
    this.agents = new AgentStats(pool)
    this.eventLoop = this.servers.eventLoop
  }

  /** As that of ServerStats. */
  toPrometheus (options) {
    return render({ server: this.servers, client: this.agents, eventLoop: this.eventLoop }, outcomes, options)
  }
}

/** @param {number} index of a server's block */
function serverStats (index) {
  return new ServerStats(index)
}

/** @param {object} pool the agent's own numbers @param {number} index of its block */
function agentStats (pool, index) {
  return new AgentStats(pool, index)
}

/** @param {object} pool the numbers of all agents */
function allStats (pool) {
  return new AllStats(pool)
}

module.exports = { serverStats, agentStats, allStats }

'use strict'

/**
 * The connections of a server that speak HTTP. It is in the place of core's ConnectionsList: the methods and the timer of core's
 * Server ask it which connections to close, and have it look for messages that take too long.
 */

const { WeakList } = require('../core/weak-list')
const { openServers } = require('../stats/block')
const versions = require('../core/versions')
const { kListener } = require('../core/symbols')

/** Gives a time limit as core's list counts it: ms, in 32 bits; 0 for none. */
function limit (time) {
  return typeof time === 'number' ? time >>> 0 : 0
}

class ConnectionsList extends Set {
  #server

  /** @param {import('./server').Server} server */
  constructor (server) {
    super()
    this.#server = server
  }

  /** The index of the block that the server counts in (lib/stats/block.js); -1 until the first connection. */
  #stats = -1

  get stats () {
    if (this.#stats === -1) {
      this.#stats = openServers(this.#server)
      this.limits?.begin(this.#stats)
    }
    return this.#stats
  }

  /** Gives all connections, as core's methods know them. */
  all () {
    return Array.from(this, closable)
  }

  /** Sockets that have left HTTP. */
  #left = new WeakList((socket) => socket.destroyed)

  /** The Shutdown that is under way (lib/server/shutdown.js), or null. */
  shutdown = null

  /** What becomes of what the RFCs forbid: { mode, ledger } (lib/connection/hardening.js); null if the server does as core does. */
  hardening = null

  /** What the server takes at most (lib/server/limits.js); null if there is no limit. */
  limits = null

  /** Drops a connection that leaves HTTP. */
  leave (connection) {
    this.delete(connection)
    this.#left.add(connection.socket)
    this.shutdown?.left(connection.socket)
  }

  /** Gives the open sockets that have left HTTP. */
  upgraded () {
    return this.#left.all()
  }

  /**
   * Gives those without an exchange under way, for core's methods, which close them. One that still sends is idle in core, which
   * would lose what it sends; it closes behind that.
   */
  idle () {
    return Array.from(this).filter((connection) => {
      const idleness = connection.idleness()
      if (idleness === 3) connection.endBehindCurrent()
      return idleness === 1 || (idleness === 2 && versions.closesVirginConnections)
    }).map(closable)
  }

  /**
   * Has the connections report messages that have been arriving for too long.
   * @param {unknown} headersTimeout ms, as the application has set it
   * @param {unknown} requestTimeout ms, as the application has set it
   * @returns {[]} none are left for core to report
   */
  expired (headersTimeout, requestTimeout) {
    const headers = limit(headersTimeout)
    const request = limit(requestTimeout)
    if (headers === 0 && request === 0) return []
    this.#server._handle?.[kListener]?.expire(headers, request)
    for (const connection of this) {
      if (connection.stream !== null) connection.expire(headers, request)
    }
    return []
  }
}

/** Gives what stands for the parser of a connection, and for the socket that core's methods destroy. */
function closable (connection) {
  return { socket: { destroy () { connection.terminate() } } }
}

module.exports = { ConnectionsList }

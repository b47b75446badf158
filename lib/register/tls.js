'use strict'

/**
 * Puts our parts in the place of those that https and http2 take from core when they are loaded, so that their HTTP/1 has
 * the same classes as http. Their servers are tls.Servers that our constructor never saw; the names are those of core's
 * _http_server.
 */

const core = require('../core/classes')
const { addHidden } = require('../core/reflection')
const { Server, additions, configure, adopt: adoptServer, _connectionListener: serve } = require('../server/server')
const { kParserConfig } = require('../core/symbols')

/** Gives a server what ours have. */
function adopt (server) {
  if (server[kParserConfig] !== undefined) return
  Object.defineProperty(server, kParserConfig, { __proto__: null, value: Server.prototype[kParserConfig], configurable: true })
  adoptServer(server)
  // Those of http2 have sessions, too, and no such methods.
  addHidden(server, typeof server.closeIdleConnections === 'function' ? additions : { stats: additions.stats })
}

function storeHTTPOptions (options) {
  core.storeHTTPOptions.call(this, options)
  adopt(this)
  configure(this, options)
}

function setupConnectionsTracking () {
  adopt(this)
  core.setupConnectionsTracking.call(this)
}

function _connectionListener (socket) {
  adopt(this)
  serve.call(this, socket)
}

module.exports = { adopt, storeHTTPOptions, setupConnectionsTracking, _connectionListener }

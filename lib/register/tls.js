'use strict'

/**
 * Puts our parts in the place of those that https and http2 take from core when they are loaded, so that their HTTP/1 has
 * the same classes as http. Their servers are tls.Servers that our constructor never saw; the names are those of core's
 * _http_server.
 */

const { clearInterval } = require('../host')
const { Server, storeOptions, startSweep, _connectionListener: serve } = require('../server/server')
const { kConnections, kIncomingMessage, kParserConfig, kServerResponse, kSweep, kUniqueHeaders } = require('../core/symbols')

/** Gives a server the slots that ours have. */
function adopt (server) {
  if (server[kConnections] !== undefined) return
  Object.defineProperty(server, kParserConfig, { __proto__: null, value: Server.prototype[kParserConfig], configurable: true })
  server[kUniqueHeaders] = null
  server[kConnections] = new Set()
  server[kSweep] = null
}

function storeHTTPOptions (options) {
  storeOptions(this, options)
  adopt(this)
}

function setupConnectionsTracking () {
  adopt(this)
  startSweep.call(this)
}

function httpServerPreClose (server) {
  server.closeIdleConnections()
  clearInterval(server[kSweep])
}

function _connectionListener (socket) {
  adopt(this)
  serve.call(this, socket)
}

module.exports = {
  adopt,
  kIncomingMessage,
  kServerResponse,
  storeHTTPOptions,
  setupConnectionsTracking,
  httpServerPreClose,
  _connectionListener
}

'use strict'

/**
 * Puts our parts in the place of those that https and http2 take from core when they are loaded, so that their HTTP/1 has
 * the same classes as http. Their servers are tls.Servers that our constructor never saw; the names are those of core's
 * _http_server.
 */

const { clearInterval } = require('../host')
const core = require('../core/classes')
const { Agent } = require('../client/agent')
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

/** Core's slot for the proxy that an agent reads from its environment, which https.Agent looks for; no release has two. */
const kProxyConfig = Object.getOwnPropertySymbols(new core.Agent({ proxyEnv: { http_proxy: 'http://localhost' } }))
  .find(({ description }) => description === 'kProxyConfig')

/** Agent -> that proxy, as core's own agent has it. */
const proxies = new WeakMap()

function proxyOf (agent) {
  const { proxyEnv } = agent.options ?? {}
  if (typeof proxyEnv !== 'object' || proxyEnv === null) return null
  if (!proxies.has(agent)) {
    const { protocol, keepAlive, defaultPort } = agent
    proxies.set(agent, new core.Agent({ proxyEnv, protocol, keepAlive, defaultPort })[kProxyConfig])
  }
  return proxies.get(agent)
}

if (kProxyConfig !== undefined) {
  Object.defineProperty(Agent.prototype, kProxyConfig, {
    __proto__: null,
    get () { return proxyOf(this) },
    // Core's constructor sets it, if an agent is made by that (./earlier.js).
    set (value) { Object.defineProperty(this, kProxyConfig, { __proto__: null, value, writable: true, configurable: true, enumerable: true }) },
    configurable: true
  })
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

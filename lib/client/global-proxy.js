'use strict'

/** http.setGlobalProxyFromEnv: sets the environment's proxies for the global agents, and for fetch. */

const { process } = require('../host')
const core = require('../core/classes')
const agents = require('./agent')
const { proxyUrlOf } = require('./proxy')

/**
 * @param {object} [env] where the variables are
 * @returns {() => void} puts back what was there
 * @throws ERR_INVALID_ARG_TYPE, ERR_PROXY_INVALID_CONFIG
 */
function setGlobalProxyFromEnv (env = process.env) {
  const before = agents.globalAgent
  // Checks `env`, and sets the proxies of https and fetch. Under register it has just replaced our agent by one of its own.
  const restoreCore = core.setGlobalProxyFromEnv(env)
  if (proxyUrlOf(env, 'http:') === undefined) return restoreCore
  agents.globalAgent = agents.makeGlobalAgent(env)
  return function restore () {
    restoreCore()
    agents.globalAgent = before
  }
}

module.exports = { setGlobalProxyFromEnv }

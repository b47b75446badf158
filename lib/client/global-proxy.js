'use strict'

/** http.setGlobalProxyFromEnv: sets the environment's proxies for the global agents, and for fetch. */

const http = require('node:http')
const { process } = require('../host')
const core = require('../core/classes')
const agents = require('./agent')

/**
 * @param {object} [env] where the variables are
 * @returns {() => void} puts back what was there
 * @throws ERR_INVALID_ARG_TYPE, ERR_PROXY_INVALID_CONFIG
 */
function setGlobalProxyFromEnv (env = process.env) {
  const before = agents.globalAgent
  const { globalAgent } = http
  // Under register it puts one of its own in the place of ours.
  const restoreCore = core.setGlobalProxyFromEnv(env)
  if (http.globalAgent === globalAgent) return restoreCore
  agents.globalAgent = new agents.Agent(http.globalAgent.options)
  return function restore () {
    restoreCore()
    agents.globalAgent = before
  }
}

module.exports = { setGlobalProxyFromEnv }

'use strict'

/** Requests to the proxies that agents read from their environment (`proxyEnv`, NODE_USE_ENV_PROXY), as core has them. */

const core = require('../core/classes')

/** Agent -> its proxy, as core's Agent stores it; releases whose agents know no proxies have none. */
const kProxyConfig = Object.getOwnPropertySymbols(new core.Agent({ proxyEnv: {} }))
  .find(({ description }) => description === 'kProxyConfig') ?? Symbol('kProxyConfig')

/** True if the proxy is used for this origin. As core's checkShouldUseProxy. */
function serves (proxy, { host, port, socketPath }) {
  return !socketPath && proxy.shouldUseProxy(host || 'localhost', port)
}

/**
 * Gives a request the target (RFC 9112 §3.2.2) and the fields of one that may go to its agent's proxy: those that core's
 * ClientRequest gives one of its own, which is thrown away before it is sent.
 * @param {object} request
 * @param {object} options of the request
 * @throws what core's throws
 */
function turnToProxy (request, options) {
  let likeness
  const agent = Object.create(request.agent, {
    addRequest: { value (made) { throw (likeness = made) } }
  })
  try {
    Reflect.construct(core.ClientRequest, [{ ...options, agent, signal: undefined }])
  } catch (error) {
    if (error !== likeness) throw error
  }
  request.path = likeness.path
  for (const name of likeness.getRawHeaderNames()) request.setHeader(name, likeness.getHeader(name))
}

module.exports = { kProxyConfig, serves, turnToProxy }

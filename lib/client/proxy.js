'use strict'

/**
 * Proxies of the environment (NODE_USE_ENV_PROXY, `proxyEnv`): the proxy for a scheme, and the hosts that it is not used
 * for. Knows nothing of agents but `proxyEnv`, and nothing of requests.
 */

const net = require('node:net')
const { Buffer } = require('../host')
const { codes } = require('../core/errors')
const versions = require('../core/versions')
const { own } = require('../core/symbols')

/** Agent -> its proxy, or null. */
const kProxy = own('kProxyConfig')

/**
 * @param {object} env
 * @param {'http:'|'https:'} protocol of the origin
 * @returns {string|undefined} the proxy's url; variables in lower case come first, as everywhere
 * @throws ERR_PROXY_INVALID_CONFIG
 */
function proxyUrlOf (env, protocol) {
  const url = protocol === 'https:' ? env.https_proxy || env.HTTPS_PROXY : env.http_proxy || env.HTTP_PROXY
  if (!url) return undefined
  if (/[\r\n]/.test(url)) throw new codes.ERR_PROXY_INVALID_CONFIG(`Invalid proxy URL: ${url}`)
  return url
}

/**
 * @param {object} env
 * @param {string} protocol
 * @returns {ForwardProxy|null} null also for proxies of other protocols: other agents may know how to use them
 * @throws ERR_PROXY_INVALID_CONFIG
 */
function proxyFromEnv (env, protocol) {
  if (protocol !== 'http:' && protocol !== 'https:') return null
  const url = proxyUrlOf(env, protocol)
  if (url === undefined || !/^https?:\/\//.test(url)) return null
  return new ForwardProxy(url, env.no_proxy || env.NO_PROXY)
}

class ForwardProxy {
  /**
   * @param {string} url
   * @param {string} [exceptions] hosts separated by commas
   */
  constructor (url, exceptions) {
    let parts
    try {
      parts = new URL(url)
    } catch {
      throw new codes.ERR_PROXY_INVALID_CONFIG(`Invalid proxy URL: ${url}`)
    }
    const { protocol, hostname, port, username, password } = parts
    this.isSecure = protocol === 'https:'
    this.host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
    this.port = port === '' ? (this.isSecure ? 443 : 80) : Number(port)
    /** The value of Proxy-Authorization. */
    this.authorization = undefined
    if (username || password) {
      const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
      this.authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
    }
    this.exceptions = exceptions ? exceptions.split(',').map((entry) => entry.trim().toLowerCase()) : []
  }

  /** True if the proxy is used for this origin. Unix sockets cannot be reached through a proxy. */
  serves ({ host, port, socketPath }) {
    if (socketPath) return false
    if (this.exceptions.length === 0) return true
    const name = (host || 'localhost').toLowerCase()
    const authority = port ? `${name}:${port}` : name
    return !this.exceptions.some((entry) =>
      entry === '*' || entry === name || entry === authority || isBelow(name, entry) || isBetween(name, entry))
  }
}

/** True if the entry covers the name: `.example.com` the domain and all below it, `*.example.com` what is below it. */
function isBelow (name, entry) {
  if (entry.startsWith('*.')) return name.endsWith(entry.slice(1))
  if (!entry.startsWith('.')) return false
  return versions.strictProxying ? name === entry.slice(1) || name.endsWith(entry) : name.endsWith(entry.slice(1))
}

/** True if `192.168.1.0-192.168.1.255` covers the address. */
function isBetween (name, entry) {
  if (!entry.includes('-') || !net.isIPv4(name)) return false
  const [first, last] = entry.split('-').map((address) => address.trim())
  if (!net.isIPv4(first) || !net.isIPv4(last)) return false
  return number(name) >= number(first) && number(name) <= number(last)
}

function number (address) {
  return address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)
}

/**
 * Gives the proxy of an agent: ours have it from the start; core's hide theirs, but show their options.
 * @returns {ForwardProxy|null|undefined}
 */
function proxyOf (agent) {
  const proxy = agent[kProxy]
  if (proxy !== undefined || !versions.envProxies) return proxy
  const env = agent.options?.proxyEnv
  if (typeof env !== 'object' || env === null) return undefined
  agent[kProxy] = proxyFromEnv(env, agent.protocol)
  return agent[kProxy]
}

module.exports = { kProxy, proxyUrlOf, proxyFromEnv, proxyOf }

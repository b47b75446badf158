'use strict'

/** Turns requests to proxies (RFC 9112 §3.2.2): absolute target, fields for the proxy. Knows nothing of sockets. */

const { hostField } = require('./options')
const { codes } = require('../core/errors')
const { proxyOf } = require('./proxy')
const { validatePort } = require('../core/validators')
const versions = require('../core/versions')

/**
 * Turns a request that is still without a head to the proxy: absolute target, fields for the proxy.
 * @param {object} request
 * @param {object} options host, port, protocol and socketPath of the origin, and the caller's `headers`
 * @param {unknown} givenHost the Host field that the caller gave
 * @throws ERR_INVALID_ARG_VALUE, ERR_INVALID_URL, ERR_SOCKET_BAD_PORT
 */
function turnToProxy (request, options, givenHost) {
  const { agent } = request
  const proxy = proxyOf(agent)
  if (!proxy || request._header || (options.protocol || agent.protocol) !== 'http:' || !proxy.serves(options)) return

  let target
  if (versions.strictProxying) {
    const isRelative = request.method !== 'CONNECT' && !(request.method === 'OPTIONS' && request.path === '*')
    if (isRelative) target = agreedTarget(request, options, givenHost)
  }
  if (proxy.authorization !== undefined) request.setHeader('proxy-authorization', proxy.authorization)
  request.setHeader('proxy-connection', request.shouldKeepAlive ? 'keep-alive' : 'close')
  if (!versions.strictProxying) {
    target = new URL(request.path, `http://${request.getHeader('host') || 'localhost'}`)
    if (options.port) target.port = options.port
  }
  if (target !== undefined) request.path = target.href
}

/** Gives the absolute target; throws unless the options, the target and the Host field name the same origin (RFC 9112 §3.2). */
function agreedTarget (request, { host, port, headers }, givenHost) {
  validatePort(port, 'options.port')
  const origin = new URL(`http://${hostField(host)}`)
  origin.port = port
  const mustMatch = `must match the request authority (${origin.host})`

  const isList = Array.isArray(headers)
  if (isList) givenHost = hostOfList(headers)
  if (givenHost !== undefined && !(isList ? givenHost === origin.host : isAuthority(givenHost, origin.host))) {
    throw new codes.ERR_INVALID_ARG_VALUE('Host in options.headers', givenHost, mustMatch)
  }

  const path = String(request.path)
  const isAbsolute = URL.canParse(path)
  if (!isAbsolute && !path.startsWith('/')) {
    throw new codes.ERR_INVALID_ARG_VALUE('options.path', path, 'must be in absolute-form or start with /')
  }
  const target = new URL(isAbsolute ? path : origin.origin + path)
  if (isAbsolute) {
    if (target.username || target.password) {
      target.username = target.password = ''
      throw new codes.ERR_INVALID_ARG_VALUE('options.path', target.href, 'must not contain userinfo, use options.auth instead')
    }
    if (target.protocol !== 'http:') {
      throw new codes.ERR_INVALID_ARG_VALUE('options.path', target.protocol, 'must use http: scheme when specified as an absolute URL')
    }
    if (target.host !== origin.host) throw new codes.ERR_INVALID_ARG_VALUE('options.path', target, mustMatch)
  }

  const named = isList ? undefined : request.getHeader('host')
  if (named !== undefined && named !== origin.host) request.setHeader('Host', origin.host)
  return target
}

/** True if a Host field names this origin, in the same words or others. */
function isAuthority (field, authority) {
  const text = `http://${field}`
  if (!URL.canParse(text)) return false
  const { host, username, password, pathname, search, hash } = new URL(text)
  return host === authority && !username && !password && pathname === '/' && !search && !hash
}

/** Gives the Host field of a list of fields: `[name, value, …]` or `[[name, value], …]`. */
function hostOfList (headers) {
  const pairs = []
  if (headers.length !== 0 && Array.isArray(headers[0])) {
    headers.forEach((entry, index) => {
      if (!Array.isArray(entry)) {
        throw new codes.ERR_INVALID_ARG_VALUE(`options.headers[${index}]`, typeof entry,
          'must be an array when headers is passed as an array of pairs')
      }
      pairs.push(entry)
    })
  } else {
    for (let i = 0; i + 1 < headers.length; i += 2) pairs.push([headers[i], headers[i + 1]])
  }
  const hosts = pairs.filter(([name]) => `${name}`.toLowerCase() === 'host')
  if (hosts.length > 1) {
    throw new codes.ERR_INVALID_ARG_VALUE('options.headers', '(redacted)', 'must not contain duplicate Host headers')
  }
  return hosts.length === 0 ? undefined : `${hosts[0][1]}`
}

module.exports = { turnToProxy }

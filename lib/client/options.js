'use strict'

/**
 * Sorts the arguments of `request()`, as Node does: url, options, callback; tells which options are those of most requests.
 * Knows nothing of connections.
 */

const { urlToHttpOptions } = require('node:url')
const { isDelay } = require('../core/delays')
const { ofCore } = require('../core/symbols')

/** Agent -> its proxy, as core's Agent stores it; releases whose agents know no proxies have none. */
const kProxyConfig = ofCore('kProxyConfig') ?? Symbol('kProxyConfig')

/** Characters that a target must not hold: controls, blanks, all beyond latin1; DEL is let through. */
const INVALID_TARGET = /[^\u0021-\u00ff]/

/** A method (RFC 9110 §5.6.2), but CONNECT, of which releases of core make different heads. */
const METHOD = /^(?!connect$)[!#$%&'*+\-.^_`|~0-9a-z]+$/i

/** The last url string and its parts: the same few are asked for over and over. */
let lastUrl
let lastParts

/** Gives a url string as request options. @throws ERR_INVALID_URL */
function fromUrlString (text) {
  if (text !== lastUrl) {
    lastParts = urlToHttpOptions(new URL(text))
    lastUrl = text
  }
  return lastParts
}

/** True for URL objects of any realm or library. */
function isUrl (input) {
  return Boolean(input?.href && input.protocol && input.auth === undefined && input.path === undefined)
}

/**
 * Sorts `request()`'s arguments: `(url[, options][, callback])` or `(options[, callback])`. The options given outrank
 * the parts of the url.
 * @returns {{options: object, callback: Function|undefined}} the options are a copy
 */
function sortArguments (input, options, callback) {
  let parts = null
  if (typeof input === 'string') {
    parts = fromUrlString(input)
  } else if (isUrl(input)) {
    parts = urlToHttpOptions(input)
  } else {
    callback = options
    options = input
  }
  if (typeof options === 'function') {
    callback = options
    options = null
  }
  return { options: parts === null ? { ...options } : { ...parts, ...options }, callback }
}

/**
 * True if a request with these options is one as most are: nothing in them is wrong, or asks for more than a connection of the
 * agent's and fields to be set.
 * @param {unknown} agent that the options name, or the default one
 */
function isPlain (options, agent, defaultAgent) {
  const { path, method, host, hostname, timeout } = options
  return typeof agent.addRequest === 'function' && !agent[kProxyConfig] &&
    (options.protocol || defaultAgent.protocol) === (agent.protocol || defaultAgent.protocol) &&
    (!path || (typeof path === 'string' && !INVALID_TARGET.test(path))) &&
    (method === undefined || (typeof method === 'string' && METHOD.test(method))) &&
    (hostname == null || typeof hostname === 'string') && (host == null || typeof host === 'string') &&
    (timeout === undefined || isDelay(timeout)) && !Array.isArray(options.headers) &&
    !options.auth && !options.signal && !options.createConnection && options.setHost === undefined && options.setDefaultHeaders === undefined &&
    options.maxHeaderSize === undefined && options.insecureHTTPParser === undefined && options.httpValidation === undefined &&
    options.joinDuplicateHeaders === undefined && options.uniqueHeaders === undefined && options.highWaterMark === undefined
}

/** Gives the Host field of a request: the port only if the scheme does not imply it, IPv6 in brackets. */
function hostField (host, port, defaultPort) {
  let field = host
  const colon = host.indexOf(':')
  if (colon !== -1 && host.includes(':', colon + 1) && host.charCodeAt(0) !== 91) field = `[${host}]`
  return port && +port !== defaultPort ? `${field}:${port}` : field
}

module.exports = { kProxyConfig, sortArguments, isUrl, isPlain, hostField }

'use strict'

/**
 * Sorts and checks the arguments of `request()`, as Node does: url, options, callback.
 * Knows nothing of connections.
 */

const { urlToHttpOptions } = require('node:url')
const { codes } = require('../core/errors')
const { isToken } = require('../message/syntax')
const versions = require('../core/versions')
const { validateBoolean, validateInteger, validateOneOf } = require('../core/validators')

/** Characters that a target must not hold: controls, blanks, all beyond latin1; DEL is let through. */
const INVALID_TARGET = /[^\u0021-\u00ff]/

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

function checkHost (host, name) {
  if (host !== null && host !== undefined && typeof host !== 'string') {
    throw new codes.ERR_INVALID_ARG_TYPE(`options.${name}`, ['string', 'undefined', 'null'], host)
  }
  return host
}

/** Refuses a target that cannot be sent as it is. @throws ERR_UNESCAPED_CHARACTERS */
function checkTarget (target) {
  if (INVALID_TARGET.test(target)) throw new codes.ERR_UNESCAPED_CHARACTERS('Request path')
}

/**
 * @returns {object|null} the agent that will find a connection; null when `createConnection` makes it
 */
function chooseAgent (options, defaultAgent) {
  const { agent } = options
  if (agent === false) return new defaultAgent.constructor()
  if (agent === null || agent === undefined) {
    return typeof options.createConnection === 'function' ? agent : defaultAgent
  }
  if (typeof agent.addRequest !== 'function') {
    throw new codes.ERR_INVALID_ARG_TYPE('options.agent', ['Agent-like Object', 'undefined', 'false'], agent)
  }
  return agent
}

/** Refuses a protocol that is not the agent's. @throws ERR_INVALID_PROTOCOL */
function checkProtocol (protocol, expected) {
  if (protocol !== expected) throw new codes.ERR_INVALID_PROTOCOL(protocol, expected)
}

/** @returns {string} the method, in capitals */
function chooseMethod (method) {
  if (method === undefined || method === null || method === '') return 'GET'
  if (typeof method !== 'string') throw new codes.ERR_INVALID_ARG_TYPE('options.method', 'string', method)
  if (!isToken(method)) throw new codes.ERR_INVALID_HTTP_TOKEN('Method', method)
  return method.toUpperCase()
}

/** Checks the options that concern the parser. */
function checkParserOptions (options) {
  if (options.maxHeaderSize !== undefined) validateInteger(options.maxHeaderSize, 'maxHeaderSize', 0)
  if (options.insecureHTTPParser !== undefined) {
    validateBoolean(options.insecureHTTPParser, 'options.insecureHTTPParser')
  }
  if (versions.httpValidation && options.httpValidation !== undefined) {
    validateOneOf(options.httpValidation, 'options.httpValidation', ['strict', 'relaxed', 'insecure'])
    if (options.insecureHTTPParser !== undefined) {
      throw new codes.ERR_INVALID_ARG_VALUE('options.httpValidation', options.httpValidation,
        'cannot be used together with options.insecureHTTPParser')
    }
  }
  if (options.joinDuplicateHeaders !== undefined) {
    validateBoolean(options.joinDuplicateHeaders, 'options.joinDuplicateHeaders')
  }
}

/** Gives the Host field of a request: the port only if the scheme does not imply it, IPv6 in brackets. */
function hostField (host, port, defaultPort) {
  let field = host
  const colon = host.indexOf(':')
  if (colon !== -1 && host.includes(':', colon + 1) && host.charCodeAt(0) !== 91) field = `[${host}]`
  return port && +port !== defaultPort ? `${field}:${port}` : field
}

module.exports = {
  sortArguments,
  checkHost,
  checkTarget,
  chooseAgent,
  checkProtocol,
  chooseMethod,
  checkParserOptions,
  hostField
}

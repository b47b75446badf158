'use strict'

/** The options of servers and requests that concern the parser: how strictly it reads, and how much. */

const { maxHeaderSize: defaultSize } = require('node:http')
const { native } = require('../binding')
const { isLenient } = require('../core/classes')
const versions = require('../core/versions')

/** Fields of a head, and again of its trailers, where maxHeadersCount is not set. */
const MAX_HEADERS = 1000

/** What happens to fields beyond that. */
const { REFUSE, DROP, DROP_GROUPS } = native.SURPLUS

const { INSECURE, RELAXED } = native.LENIENCY

const { STRICT } = native.HARDENING

/**
 * Gives the bits of leniency that the options stand for.
 * @param {boolean|undefined} insecure the option insecureHTTPParser
 * @param {'strict'|'relaxed'|'insecure'|undefined} validation the option httpValidation
 */
function leniencyOf (insecure, validation) {
  if (validation === 'strict') return 0
  if (validation === 'relaxed') return RELAXED
  if (validation === 'insecure') return INSECURE
  return insecure ?? isLenient() ? INSECURE : 0
}

/** Gives maxHeadersCount as a limit; 0 for none. Core counts names and values, in 32 bits, and takes less than 1 for no limit. */
function limitOf (count) {
  if (typeof count !== 'number') return MAX_HEADERS
  const pairs = count << 1
  return pairs > 0 ? pairs >> 1 : 0
}

/**
 * Gives the parser's configuration.
 * @param {{maxHeaderSize: number, maxHeadersCount: number, insecureHTTPParser: boolean, httpValidation: string}} options
 * a server or a request
 * @param {boolean} refuses true: too many fields are an error
 * @param {number} hardening a value of `native.HARDENING`; STRICT outranks all leniency
 */
function parserConfig ({ maxHeaderSize, maxHeadersCount, insecureHTTPParser, httpValidation }, refuses, hardening) {
  return {
    maxHeaderSize: maxHeaderSize || defaultSize,
    maxHeaders: limitOf(maxHeadersCount),
    surplus: refuses ? REFUSE : versions.headersDropInGroups ? DROP_GROUPS : DROP,
    llhttp93: versions.llhttp93,
    leniency: hardening === STRICT ? 0 : leniencyOf(insecureHTTPParser, httpValidation),
    hardening
  }
}

/**
 * True if the options stand for another configuration now.
 * @param {object} options a server or a request
 * @param {object} then the same options at an earlier time
 */
function differ (options, then) {
  return options.maxHeadersCount !== then.maxHeadersCount || options.maxHeaderSize !== then.maxHeaderSize ||
    options.insecureHTTPParser !== then.insecureHTTPParser || options.httpValidation !== then.httpValidation
}

module.exports = { parserConfig, differ }

'use strict'

/** How strictly the parser reads, and how much: what the options of servers and requests mean to it. */

const { maxHeaderSize: defaultSize } = require('node:http')
const { process } = require('../host')
const versions = require('../core/versions')

/** Fields of a head, and again of its trailers, unless maxHeadersCount says otherwise. */
const MAX_HEADERS = 1000

/** What becomes of fields beyond that. */
const REFUSE = 0
const DROP = versions.headersDropInBatches ? 2 : 1

/** All bits that `insecureHTTPParser` stands for. */
const ALL = 1023

/** Control characters in field values, but NUL, CR and LF. */
const HEADER_VALUE_RELAXED = 1024

const FLAG = /(?:^|\s)--insecure[-_]http[-_]parser(?:\s|$)/

/** Was Node started with --insecure-http-parser? */
const isInsecureByDefault = FLAG.test(process.execArgv.join(' ')) || FLAG.test(process.env.NODE_OPTIONS ?? '')

let hasWarned = false

/** Is what the grammar forbids let through where no option says otherwise? */
function isInsecure () {
  if (isInsecureByDefault && !hasWarned) {
    hasWarned = true
    process.emitWarning('Using insecure HTTP parsing')
  }
  return isInsecureByDefault
}

/**
 * @param {boolean|undefined} insecure the option insecureHTTPParser
 * @param {'strict'|'relaxed'|'insecure'|undefined} validation the option httpValidation
 */
function leniencyOf (insecure, validation) {
  if (validation === 'strict') return 0
  if (validation === 'relaxed') return HEADER_VALUE_RELAXED
  if (validation === 'insecure') return ALL
  return insecure ?? isInsecure() ? ALL : 0
}

/** maxHeadersCount, as core understands it: it counts names and values, in 32 bits, and takes what is below 1 for no limit. */
function limitOf (count) {
  if (typeof count !== 'number') return MAX_HEADERS
  const pairs = count << 1
  return pairs > 0 ? pairs >> 1 : 0
}

/**
 * @param {{maxHeaderSize: number, maxHeadersCount: number, insecureHTTPParser: boolean, httpValidation: string}} options
 * a server or a request
 * @param {boolean} refuses whether too many fields are an error
 */
function parserConfig ({ maxHeaderSize, maxHeadersCount, insecureHTTPParser, httpValidation }, refuses) {
  return {
    maxHeaderSize: maxHeaderSize || defaultSize,
    maxHeaders: limitOf(maxHeadersCount),
    surplus: refuses ? REFUSE : DROP,
    llhttp93: versions.llhttp93,
    leniency: leniencyOf(insecureHTTPParser, httpValidation)
  }
}

/**
 * Do the options mean another configuration now?
 * @param {object} options a server or a request
 * @param {object} then what they were
 */
function differ (options, then) {
  return options.maxHeadersCount !== then.maxHeadersCount || options.maxHeaderSize !== then.maxHeaderSize ||
    options.insecureHTTPParser !== then.insecureHTTPParser || options.httpValidation !== then.httpValidation
}

module.exports = { parserConfig, differ, isInsecure }

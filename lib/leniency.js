'use strict'

/** How strictly the parser reads: llhttp's lenient bits, from the options that speak of them. */

/** All bits that `insecureHTTPParser` stands for. */
const ALL = 1023

/** Control characters in field values, but NUL, CR and LF. */
const HEADER_VALUE_RELAXED = 1024

const FLAG = /(?:^|\s)--insecure-http-parser(?:\s|$)/

/** Was Node started with --insecure-http-parser? */
const isInsecureByDefault = FLAG.test(process.execArgv.join(' ')) || FLAG.test(process.env.NODE_OPTIONS ?? '')

/**
 * @param {boolean|undefined} insecure the option insecureHTTPParser
 * @param {'strict'|'relaxed'|'insecure'|undefined} validation the option httpValidation
 */
function leniencyOf (insecure, validation) {
  if (validation === 'strict') return 0
  if (validation === 'relaxed') return HEADER_VALUE_RELAXED
  if (validation === 'insecure') return ALL
  return insecure ?? isInsecureByDefault ? ALL : 0
}

module.exports = { leniencyOf }

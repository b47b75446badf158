'use strict'

/**
 * How Node folds the fields of a message into one object: which names join, which keep the first value, which
 * become arrays. The rules are Node's, not the RFC's, hence here and not in proto.
 */

const { Buffer } = require('../host')
const versions = require('../core/versions')

const JOIN = 0
const FIRST = 1
const COOKIE = 2
const LIST = 3

/** Fields of which a second line is dropped, unless joinDuplicateHeaders is set. */
const SINGLE = [
  'age', 'authorization', 'content-length', 'content-type', 'etag', 'expires', 'from', 'host', 'if-modified-since',
  'if-unmodified-since', 'last-modified', 'location', 'max-forwards', 'proxy-authorization', 'referer', 'retry-after',
  'server', 'user-agent'
]

const rules = new Map([['cookie', COOKIE], ['set-cookie', LIST]])
for (const name of SINGLE) rules.set(name, FIRST)

/**
 * Raw name -> { lower, rule }: peers use few spellings. Bounded, because they may use others.
 */
const names = new Map()
const NAMES_MAX = 1024

function lookUp (name) {
  const known = names.get(name)
  if (known !== undefined) return known
  const lower = name.toLowerCase()
  const entry = { lower, rule: rules.get(lower) ?? JOIN }
  // The copy keeps the map from holding on to the head it was cut from.
  if (names.size < NAMES_MAX && name.length < 64) names.set(Buffer.from(name, 'latin1').latin1Slice(), entry)
  return entry
}

/**
 * Adds a field to `headers` or `trailers`.
 * @param {object} into
 * @param {boolean} joinAll the option joinDuplicateHeaders
 */
function addField (into, name, value, joinAll) {
  const { lower, rule } = lookUp(name)
  const present = into[lower]
  if (rule === LIST) {
    if (present !== undefined) present.push(value)
    else into[lower] = [value]
  } else if (rule === FIRST && !joinAll) {
    if (present === undefined) into[lower] = value
  } else if (typeof present === 'string') {
    into[lower] = present + (rule === COOKIE ? '; ' : ', ') + value
  } else {
    into[lower] = value
  }
}

/** Adds a field to `headersDistinct` or `trailersDistinct`. */
function addDistinct (into, name, value) {
  const { lower } = lookUp(name)
  // Core 25.8 throws at this name, and at others of Object.prototype: any client could stop it.
  if (versions.distinctHasPrototype && lower === '__proto__') return
  const present = into[lower]
  if (Array.isArray(present)) present.push(value)
  else into[lower] = [value]
}

/** Folds raw fields: [name, value, name, value…]. */
function fold (raw, joinAll) {
  const into = {}
  addFields(into, raw, joinAll)
  return into
}

/** Adds raw fields to `headers` or `trailers`. */
function addFields (into, raw, joinAll) {
  for (let i = 0; i < raw.length; i += 2) addField(into, raw[i], raw[i + 1], joinAll)
}

/** Folds raw fields for `headersDistinct` or `trailersDistinct`. */
function foldDistinct (raw) {
  const into = versions.distinctHasPrototype ? {} : { __proto__: null }
  for (let i = 0; i < raw.length; i += 2) addDistinct(into, raw[i], raw[i + 1])
  return into
}

module.exports = { addFields, fold, foldDistinct }

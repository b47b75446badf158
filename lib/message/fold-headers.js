'use strict'

/**
 * How Node folds the fields of a message into one object: which names join, which keep the first value, which
 * become arrays. The rules are Node's, not the RFC's, hence here and not in proto.
 */

const { Buffer } = require('../host')

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
 * Adds a field to `headers`.
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

/**
 * Folds raw fields: [name, value, name, value…].
 * @param {number} count names and values that are folded, of those that there are
 */
function fold (raw, count, joinAll) {
  const into = {}
  for (let i = 0; i < count; i += 2) addField(into, raw[i], raw[i + 1], joinAll)
  return into
}

/**
 * Adds a field to `headersDistinct` or `trailersDistinct` where core's throws for `__proto__` and other names of Object.prototype
 * (Node 25): any client could stop it.
 */
function addDistinct (name, value, into) {
  const { lower } = lookUp(name)
  if (lower === '__proto__') return
  const present = into[lower]
  if (Array.isArray(present)) present.push(value)
  else into[lower] = [value]
}

module.exports = { addDistinct, fold }

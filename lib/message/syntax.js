'use strict'

/** What every message needs: character checks, the date line. A leaf. */

const { Date, clock } = require('../host')

/** A field name or method: one or more tchar (RFC 9110 §5.6.2). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** All but VCHAR, SP and HTAB: a cheap first look that most field values pass. */
const BEYOND_VCHAR = /[^\t\x20-\x7e]/

/** True if a field value holds anything but VCHAR, SP and HTAB (RFC 9110 §5.5): core's check decides. */
function isBeyondVchar (value) {
  return BEYOND_VCHAR.test(value)
}

/**
 * Field names recur: name -> its lower-case form, for names that proved to be tokens. Bounded, because a server may
 * be made to echo names of the peer's choice.
 */
const tokens = new Map()
const TOKENS_MAX = 1024

/**
 * @param {unknown} name
 * @returns {string|undefined} the lower-case form of a valid field name; undefined if it is not a token
 */
function lowerToken (name) {
  const known = tokens.get(name)
  if (known !== undefined) return known
  if (typeof name !== 'string' || !TOKEN.test(name)) return undefined
  const lower = name.toLowerCase()
  if (tokens.size < TOKENS_MAX && name.length < 64) tokens.set(name, lower)
  return lower
}

// The date line is made at most once a second, when it is needed: no timer, no work on an idle server.
let date = ''
let dateExpires = 0

/** Gives the time of now as an IMF-fixdate (RFC 9110 §5.6.7). */
function utcDate () {
  const now = clock()
  // The lower bound is for clocks that were set back.
  if (now >= dateExpires || now < dateExpires - 1000) {
    date = new Date(now).toUTCString()
    dateExpires = now - now % 1000 + 1000
  }
  return date
}

module.exports = { isBeyondVchar, lowerToken, utcDate }

'use strict'

/**
 * The option `hardening` of request() and Agent (docs/HARDENING.md): in strict mode a request that would be unframed gets its
 * framing, one that would be wrong is not sent, and what answers forbid is an error. The parser finds that (crates/proto).
 */

const { native } = require('../binding')
const { modeOf, numberOf, Ledger } = require('../connection/hardening')
const { codes, parseError } = require('../core/errors')
const { addHidden } = require('../core/reflection')
const { OutgoingMessage } = require('../message/outgoing')
const { framingLines } = require('../message/head')
const { own, kHead, kMode, kRenderHead } = require('../core/symbols')

const { OFF, STRICT } = native.HARDENING
const { PARSE_ERRORS } = native

/** The rows that are found here. */
const UNASKED = numberOf('unasked')
const SWITCH_UNASKED = numberOf('switch-unasked')
const OWN_BODY_UNFRAMED = numberOf('own-body-unframed')
const OWN_FRAMING = numberOf('own-framing')
const OWN_TARGET_BYTE = numberOf('own-target-byte')

/** Agent, or request without one -> its Ledger; undefined until there is anything to count. */
const kLedger = own('kHardeningLedger')

/** The parse error for an answer that no request asked for, which core does not have; and the same as a row of strict mode. */
const UNSOLICITED = PARSE_ERRORS.length - 1
const UNSOLICITED_ROW = PARSE_ERRORS.length + UNASKED

/** What stands in a request line. */
const BEYOND_ASCII = /[^\r\n -~]/

/** Renders the heads of all messages. */
const { [kRenderHead]: render } = OutgoingMessage.prototype

const FRAMING = /^(content-length|transfer-encoding):/gim

/**
 * Has a request go by its option, or its agent's, before its constructor has done anything.
 * @param {unknown} option undefined: as the environment says
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 */
function harden (request, option) {
  const mode = modeOf(option)
  if (mode === OFF) return
  request[kMode] = mode
}

/** True if the request's response is looked at, or counted, for what RFC 9112 forbids. */
function isHardened (request) {
  return (request[kMode] ?? OFF) !== OFF
}

/** Gives what counts for an agent and all its requests, or for a request without one. */
function ledgerOf (owner) {
  if (owner[kLedger] === undefined) addHidden(owner, { [kLedger]: new Ledger(owner) })
  return owner[kLedger]
}

function count (request, row) {
  ledgerOf(request.agent || request).count(row, request[kMode] === STRICT, request.socket ?? null)
}

/**
 * The kRenderHead of a hardened request: as of other messages; gives a body its framing, and refuses to send what no server reads as
 * it was meant.
 * @throws ERR_HTTP_HARDENING
 */
function renderHead (firstLine, headers) {
  const isStrict = this[kMode] === STRICT
  const { _contentLength: before } = this
  // Of a request that ends without a body the length is known to be 0; of others it is the body's, or not known.
  const isBare = !this.useChunkedEncodingByDefault && this._hasBody && this._contentLength !== 0
  if (isBare && isStrict) this.useChunkedEncodingByDefault = true
  if (BEYOND_ASCII.test(firstLine)) refuse(this, OWN_TARGET_BYTE)
  const mustSend = render.call(this, firstLine, headers)
  const framing = this[kHead] === this._header ? framingLines() : (this._header.match(FRAMING) ?? []).length
  if (framing > 1) {
    if (isStrict) this._header = null
    refuse(this, OWN_FRAMING)
  }
  // A length that the application gives, and that is not known to be the body's: core counts the bytes, and throws.
  if (isStrict && framing === 1 && this._contentLength !== before) this.strictContentLength = true
  // Strict mode has framed it, unless the application has taken its fields away.
  if (isBare && (isStrict || framing === 0)) count(this, OWN_BODY_UNFRAMED)
  return mustSend
}

/** Counts a row of a request's own; throws in strict mode. */
function refuse (request, row) {
  count(request, row)
  if (request[kMode] === STRICT) throw new codes.ERR_HTTP_HARDENING(row)
}

/** Counts what the native side has noted of a connection. */
function countNoted (connection, request) {
  if (connection.id === -1) return
  for (const row of native.takeNoted(connection.id)) count(request, row)
}

/** Counts what a parse error tells of. @param {number} kind @returns {boolean} true if it is an answer without a request */
function meet (connection, request, kind) {
  const isUnsolicited = kind === UNSOLICITED || kind === UNSOLICITED_ROW
  if (request !== null && isHardened(request)) {
    countNoted(connection, request)
    if (kind >= PARSE_ERRORS.length) count(request, kind - PARSE_ERRORS.length)
  } else if (request === null && connection.hardenedFor !== null) {
    // Idle, in the agent: whatever it is, nothing has asked for it.
    ledgerOf(connection.hardenedFor).count(UNASKED, kind === UNSOLICITED_ROW, connection)
  }
  return isUnsolicited
}

/** Gives the error for a switch of protocols that nothing listens for; undefined if there is none, as in core. */
function switchError (request) {
  if (!isHardened(request)) return undefined
  count(request, SWITCH_UNASKED)
  return request[kMode] === STRICT ? parseError(PARSE_ERRORS.length + SWITCH_UNASKED, 0, undefined) : undefined
}

/** How often each row was met: an agent's `hardeningCounts()`. */
function hardeningCounts () {
  return this[kLedger]?.counts() ?? {}
}

module.exports = { harden, renderHead, countNoted, meet, switchError, hardeningCounts }

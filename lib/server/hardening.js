'use strict'

/**
 * createServer({ hardening }): counts what the RFCs forbid and core lets through, and in strict mode answers it in its turn: the
 * requests before it get their answers, and it gets one itself, unless that has begun. The parser finds it (crates/proto).
 */

const { native, headFlags } = require('../binding')
const { answerTo, isHeard } = require('./client-error')
const { hasBegun } = require('./close')
const { numberOf } = require('../connection/hardening')
const { parseError } = require('../core/errors')

const { NOTED, UPGRADE } = headFlags
const { METHODS, PARSE_ERRORS } = native
const CONNECT = METHODS.indexOf('CONNECT')

const ANSWER_REPLACED = numberOf('answer-replaced')
const AFTER_CLOSE = numberOf('after-close')
const MAX_REQUESTS = numberOf('max-requests')
const CONNECT_UNHEARD = numberOf('connect-unheard')

/**
 * Makes a connection count, and refuse if its server is strict.
 * @param {import('./connection').ServerConnection} connection
 * @param {{ mode: number, ledger: import('../connection/hardening').Ledger }} hardening of its server
 */
function harden (connection, { mode, ledger }) {
  // Methods of the connection's own: connections of other servers have nothing to do with it.
  connection.ledger = ledger
  connection.isStrict = mode === native.HARDENING.STRICT
  /** The error that waits for the answers to earlier requests; null if there is none. */
  connection.refusal = null
  /** True once that was answered: nothing more is. */
  connection.isRefused = false
  /** True once bytes came that are not looked at. */
  connection.leavesUnread = false
  /** True once a parser's error was met: it is the same for every later packet. */
  connection.isBroken = false
  connection.onRequest = onRequest
  connection.onEnd = onEnd
  connection.onParseError = onParseError
  connection.beforeRelease = beforeRelease
  if (connection.stream !== null) connection.forget = forget
  connection.fail = connection.isStrict ? failInTurn : failAndCount
  connection.finishExchange = finishExchange
  if (!connection.isStrict) return
  connection.onExpired = onExpired
  if (connection.stream !== null) connection.endLast = endLast
}

/** The prototype whose methods those here replace. */
function baseOf (connection) {
  return Object.getPrototypeOf(connection)
}

function count (connection, row) {
  connection.ledger.count(row, connection.isStrict, connection)
}

/** Counts what the native side has noted. */
function countNoted (connection) {
  if (connection.id === -1) return
  for (const row of native.takeNoted(connection.id)) {
    if (row === AFTER_CLOSE) connection.leavesUnread = true
    count(connection, row)
  }
}

function onRequest (flags, method, version, targetLength, fieldCount, text) {
  if ((flags & NOTED) !== 0) countNoted(this)
  if (this.refusal !== null) return
  if ((flags & UPGRADE) !== 0 && method === CONNECT && !this.isGone && this.server.listenerCount('connect') === 0) {
    count(this, CONNECT_UNHEARD)
    if (this.isStrict) {
      this.run(this.fail, this, parseError(PARSE_ERRORS.length + CONNECT_UNHEARD, 0, undefined))
      return
    }
  }
  baseOf(this).onRequest.call(this, flags, method, version, targetLength, fieldCount, text)
}

function onEnd (fieldCount, text) {
  countNoted(this)
  baseOf(this).onEnd.call(this, fieldCount, text)
}

function onParseError (kind, bytesParsed, rawPacket) {
  if (!this.isBroken) {
    this.isBroken = true
    countNoted(this)
    if (kind >= PARSE_ERRORS.length) count(this, kind - PARSE_ERRORS.length)
  }
  // The client's end in the middle of a message changes nothing about an error before it.
  if (this.refusal === null && !this.isRefused) baseOf(this).onParseError.call(this, kind, bytesParsed, rawPacket)
}

function beforeRelease (errno) {
  countNoted(this)
  baseOf(this).beforeRelease.call(this, errno)
}

/** Driver two: as `beforeRelease`. */
function forget (id) {
  countNoted(this)
  baseOf(this).forget.call(this, id)
}

function onExpired (which) {
  // What arrives no more was refused, and waits for answers that take their time.
  if (this.refusal === null) baseOf(this).onExpired.call(this, which)
}

/** True if requests before the one that is arriving have no whole answer yet. */
function isBehindOthers ({ current, receiving }) {
  return current !== null && current.req !== receiving
}

/** Audit: counts answers that an error is about to replace or to cut off. */
function failAndCount (error) {
  if (!this.failed && isOfParser(error) && isBehindOthers(this)) count(this, ANSWER_REPLACED)
  baseOf(this).fail.call(this, error)
}

/** Codes like the parser's of what it does not find in bytes: the client's end, and an exception of a listener. */
const NOT_IN_BYTES = ['HPE_INVALID_EOF_STATE', 'HPE_CB_HEADERS_COMPLETE']

/** True for an error that the parser has found in bytes. */
function isOfParser (error) {
  const code = error?.code
  return typeof code === 'string' && code.startsWith('HPE_') && !NOT_IN_BYTES.includes(code)
}

/** Strict: reports an error behind the answers to earlier requests. */
function failInTurn (error) {
  if (!isOfParser(error)) {
    baseOf(this).fail.call(this, error)
  } else if (this.refusal === null && !this.isRefused) {
    this.refusal = error
    if (this.outputEnded || !isBehindOthers(this)) refuse.call(this)
  }
}

function finishExchange (response) {
  const { current } = this
  if (response === current && response.maxRequestsOnConnectionReached === true && !response._last) {
    count(this, MAX_REQUESTS)
    if (this.isStrict) response._last = true
  }
  baseOf(this).finishExchange.call(this, response)
  if (this.refusal === null || response !== current) return
  // It was the last: nothing behind it is answered.
  if (response._last) this.refusal = null
  else if (!isBehindOthers(this)) this.run(refuse, this)
}

/** Answers what was refused, and closes the connection behind that. As `fail`, but what was said before is sent. */
function refuse () {
  const { server, current, refusal } = this
  this.refusal = null
  this.failed = true
  if (isHeard(server, 'clientError') && server.emit('clientError', refusal, this.getSocket())) return
  if (this.isWritable() && (current === null || !hasBegun(current))) this.answerRaw(answerTo(refusal))
  this.isRefused = this.leavesUnread = true
  this.endLast()
}

/** Driver two, strict. */
function endLast () {
  countNoted(this)
  if (this.leavesUnread) this.endBehindAnswer()
  else baseOf(this).endLast.call(this)
}

module.exports = { harden }

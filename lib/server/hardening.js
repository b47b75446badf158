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
const { kConnections, kRequest } = require('../core/symbols')

const { NOTED, UPGRADE } = headFlags
const { METHODS, PARSE_ERRORS } = native
const CONNECT = METHODS.indexOf('CONNECT')

const ANSWER_REPLACED = numberOf('answer-replaced')
const AFTER_CLOSE = numberOf('after-close')
const MAX_REQUESTS = numberOf('max-requests')
const CONNECT_UNHEARD = numberOf('connect-unheard')

/** Class of connections -> the one of those that count, and refuse if their server is strict. */
const hardened = new Map()

/**
 * Gives the class for a server's connections.
 * @param {Function} Connection ServerConnection, or one derived from it
 * @param {import('./server').Server} server
 * @returns {Function} itself, if the server does as core does
 */
function classFor (Connection, server) {
  if (server[kConnections].hardening === null) return Connection
  let Hardened = hardened.get(Connection)
  if (Hardened === undefined) hardened.set(Connection, Hardened = harden(Connection))
  return Hardened
}

function harden (Connection) {
  function HardenedConnection (id, stream, server, listener) {
    Connection.call(this, id, stream, server, listener)
    const { mode, ledger } = server[kConnections].hardening
    this.ledger = ledger
    this.isStrict = mode === native.HARDENING.STRICT
    /** The error that waits for the answers to earlier requests; null if there is none. */
    this.refusal = null
    /** True once that was answered: nothing more is. */
    this.isRefused = false
    /** True once bytes came that are not looked at. */
    this.leavesUnread = false
    /** True once a parser's error was met: it is the same for every later packet. */
    this.isBroken = false
  }
  const { prototype: base } = Connection
  Object.setPrototypeOf(HardenedConnection.prototype, base)
  Object.assign(HardenedConnection.prototype, members, { base })
  return HardenedConnection
}

const members = {}

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

members.onRequest = function onRequest (flags, method, version, targetLength, fieldCount, text) {
  if ((flags & NOTED) !== 0) countNoted(this)
  if (this.refusal !== null) return
  if ((flags & UPGRADE) !== 0 && method === CONNECT && !this.isGone && this.server.listenerCount('connect') === 0) {
    count(this, CONNECT_UNHEARD)
    if (this.isStrict) {
      this.run(this.fail, this, parseError(PARSE_ERRORS.length + CONNECT_UNHEARD, 0, undefined))
      return
    }
  }
  this.base.onRequest.call(this, flags, method, version, targetLength, fieldCount, text)
}

members.onEnd = function onEnd (text, isNoted) {
  if (isNoted) countNoted(this)
  this.base.onEnd.call(this, text, isNoted)
}

members.onParseError = function onParseError (kind, bytesParsed, rawPacket) {
  if (!this.isBroken) {
    this.isBroken = true
    countNoted(this)
    if (kind >= PARSE_ERRORS.length) count(this, kind - PARSE_ERRORS.length)
  }
  // The client's end in the middle of a message changes nothing about an error before it.
  if (this.refusal === null && !this.isRefused) this.base.onParseError.call(this, kind, bytesParsed, rawPacket)
}

members.beforeRelease = function beforeRelease (errno) {
  countNoted(this)
  this.base.beforeRelease.call(this, errno)
}

/** Driver two: as `beforeRelease`. */
members.free = function free (id) {
  countNoted(this)
  this.base.free.call(this, id)
}

members.onExpired = function onExpired (which) {
  // What arrives no more was refused, and waits for answers that take their time.
  if (this.refusal === null) this.base.onExpired.call(this, which)
}

/** True if requests before the one that is arriving have no whole answer yet. */
function isBehindOthers ({ current, receiving }) {
  return current !== null && current[kRequest] !== receiving
}

/** Codes like the parser's of what it does not find in bytes: the client's end, and an exception of a listener. */
const NOT_IN_BYTES = ['HPE_INVALID_EOF_STATE', 'HPE_CB_HEADERS_COMPLETE']

/** True for an error that the parser has found in bytes. */
function isOfParser (error) {
  const code = error?.code
  return typeof code === 'string' && code.startsWith('HPE_') && !NOT_IN_BYTES.includes(code)
}

/** Strict: reports an error of the parser behind the answers to earlier requests. Audit: counts the answers that it replaces or cuts off. */
members.fail = function fail (error) {
  if (!isOfParser(error)) {
    this.base.fail.call(this, error)
  } else if (!this.isStrict) {
    if (!this.failed && isBehindOthers(this)) count(this, ANSWER_REPLACED)
    this.base.fail.call(this, error)
  } else if (this.refusal === null && !this.isRefused) {
    this.refusal = error
    if (this.outputEnded || !isBehindOthers(this)) refuse.call(this)
  }
}

members.finishExchange = function finishExchange (response) {
  const { current } = this
  if (response === current && response.maxRequestsOnConnectionReached === true && !response._last) {
    count(this, MAX_REQUESTS)
    if (this.isStrict) response._last = true
  }
  this.base.finishExchange.call(this, response)
  if (this.refusal === null || response !== current) return
  // It was the last: nothing behind it is answered.
  if (response._last) this.refusal = null
  else if (!isBehindOthers(this)) this.run(refuse, this)
}

/** Answers what was refused, and closes the connection behind that. As `fail`, but what was said before is sent, and no request is answered twice. */
function refuse () {
  const { server, current, receiving, refusal } = this
  this.refusal = null
  this.failed = true
  if (isHeard(server, 'clientError') && server.emit('clientError', refusal, this.getSocket())) return
  // Of a request whose answer has left only the body is here.
  const isOwed = current === null ? receiving === null : !hasBegun(current)
  if (isOwed && this.isWritable()) this.answerRaw(answerTo(refusal))
  this.isRefused = this.leavesUnread = true
  this.endLast()
}

/** Driver two. */
members.endLast = function endLast () {
  if (this.isStrict && this.stream !== null) countNoted(this)
  if (this.isStrict && this.stream !== null && this.leavesUnread) this.endBehindAnswer()
  else this.base.endLast.call(this)
}

module.exports = { classFor }

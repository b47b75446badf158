'use strict'

/**
 * createServer({ limits }): checks the settings, gives them to the addon, whose threads keep them (src/net/server_limits.rs), tells
 * of what was turned away, and gives the answers that have to wait for those before them, or go through a stream (docs/LIMITS.md).
 */

const { native, headFlags, limited } = require('../binding')
const { process, setTimeout } = require('../host')
const { codes, checkObject } = require('../core/errors')
const { kRequest } = require('../core/symbols')
const { hasBegun } = require('./close')
const { read } = require('../stats/block')
const { limitNames: names } = require('../stats/reasons')

const { ANSWER, CLOSE, WAIT } = native.LIMIT_ACTIONS
const { LIMITED } = native.STATS

/** What can be done beyond a limit, by name. */
const ACTIONS = { __proto__: null, wait: WAIT, close: CLOSE, answer: ANSWER }

/** What may be done beyond each limit; the first is done if nothing is said. */
const CHOICES = {
  __proto__: null,
  connections: ['wait', 'close', 'answer'],
  connectionsPerAddress: ['close', 'answer'],
  connectionsPerSecond: ['wait', 'close', 'answer'],
  requests: ['answer', 'wait', 'close'],
  requestsWaiting: ['answer', 'wait', 'close'],
  bufferedBytes: ['wait', 'close'],
  bufferedBytesInAll: ['wait', 'close'],
  bodySize: ['answer', 'close'],
  bodyBytesPerSecond: ['answer', 'close'],
  headersTimeout: ['answer', 'close'],
  bodyTimeout: ['answer', 'close']
}

/** Seconds that a refused client is told to wait, and milliseconds over which the rate of a body is measured. */
const RETRY_AFTER = 1
const BODY_GRACE = 5000

/** Milliseconds between two 'limit' events. */
const EVENT_INTERVAL = 1000

/** @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE */
function checkCount (value, name, min = 0, max = Number.MAX_SAFE_INTEGER) {
  if (typeof value !== 'number') throw new codes.ERR_INVALID_ARG_TYPE(name, 'of type number', value)
  if (!Number.isInteger(value)) throw new codes.ERR_OUT_OF_RANGE(name, 'an integer', value)
  if (value < min || value > max) throw new codes.ERR_OUT_OF_RANGE(name, `>= ${min} && <= ${max}`, value)
}

/** Gives the number and the action of a limit. */
function ruleOf (value, name, choices) {
  let [max, action] = [value, choices[0]]
  if (value !== null && typeof value === 'object') {
    max = value.max
    if (value.then !== undefined) action = value.then
    if (!choices.includes(action)) {
      const shown = choices.map((choice) => `'${choice}'`).join(', ')
      throw new codes.ERR_INVALID_ARG_VALUE(`${name}.then`, `must be one of: ${shown}`, action)
    }
    name = `${name}.max`
  }
  checkCount(max, name)
  return [max, ACTIONS[action]]
}

/**
 * Gives the addon's settings for an option.
 * @param {unknown} limits the option of createServer
 * @returns {object|null} null if nothing is limited
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE
 */
function settingsOf (limits) {
  checkObject(limits, 'options.limits')
  const { retryAfter = RETRY_AFTER, bodyGrace = BODY_GRACE, healthPath = '', ...others } = limits
  checkCount(retryAfter, 'options.limits.retryAfter', 0, 2 ** 31 - 1)
  checkCount(bodyGrace, 'options.limits.bodyGrace', 1, 2 ** 31 - 1)
  if (typeof healthPath !== 'string') throw new codes.ERR_INVALID_ARG_TYPE('options.limits.healthPath', 'of type string', healthPath)
  if (healthPath !== '' && !/^\/[^\s?#]*$/.test(healthPath)) {
    throw new codes.ERR_INVALID_ARG_VALUE('options.limits.healthPath', 'must be a path', healthPath)
  }
  const rules = names.flatMap(() => [-1, ANSWER])
  for (const [name, value] of Object.entries(others)) {
    if (value === undefined) continue
    const choices = CHOICES[name]
    if (choices === undefined) throw new codes.ERR_INVALID_ARG_VALUE('options.limits', `must have names of limits: ${names.join(', ')}`, name)
    rules.splice(2 * names.indexOf(name), 2, ...ruleOf(value, `options.limits.${name}`, choices))
  }
  if (healthPath === '' && rules.every((number, at) => at % 2 === 1 || number === -1)) return null
  return { rules, retryAfter, grace: bodyGrace, healthPath }
}

/**
 * Gives the settings for servers that have none of their own: `HTTP_NATIVE_LIMITS=requests=1000,connections=5000:answer` and
 * `HTTP_NATIVE_HEALTH_PATH=/health`.
 * @param {object} environment
 */
function fromEnvironment ({ HTTP_NATIVE_LIMITS: text = '', HTTP_NATIVE_HEALTH_PATH: healthPath }) {
  const limits = { healthPath }
  for (const part of text.split(',').filter(Boolean)) {
    const [name, value = ''] = part.split('=')
    const [number, then] = value.split(':')
    const isPlain = name.trim() === 'retryAfter' || name.trim() === 'bodyGrace'
    limits[name.trim()] = isPlain ? numberIn(number) : { max: numberIn(number), then }
  }
  try {
    return settingsOf(limits)
  } catch (error) {
    const message = `HTTP_NATIVE_LIMITS and HTTP_NATIVE_HEALTH_PATH limit nothing: ${error.message}`
    process.emitWarning(message, { type: 'HttpNativeWarning', code: 'HTTP_NATIVE_BAD_LIMITS' })
    return null
  }
}

function numberIn (text) {
  return text.trim() === '' ? NaN : Number(text)
}

/** The limits of one server. */
class Limits {
  #server
  #settings
  /** The number of the server's stats; -1 while it has none. */
  #stats = -1
  /** How often each limit was met, as of the last event. */
  #told = new Float64Array(names.length)

  /** @param {import('./server').Server} server @param {object} settings of `settingsOf` */
  constructor (server, settings) {
    this.#server = server
    this.#settings = settings
  }

  /** Has the addon keep them: the server is about to listen, or to serve a stream. @param {number} stats the number of its stats */
  begin (stats) {
    this.#stats = stats
    native.setLimits(stats, this.#settings)
    // The addon's number must not keep the server.
    const itself = new WeakRef(this)
    limited.set(stats, () => itself.deref()?.tell())
  }

  /** Has the server's health say that it shuts down, and no more. @param {boolean} isStopping */
  stop (isStopping) {
    if (this.#stats !== -1) native.stopHealth(this.#stats, isStopping)
  }

  /** @returns {{[limit: string]: number}} how often each limit was met since the last call; empty if none was */
  #untold () {
    const counts = read(this.#stats).subarray(LIMITED)
    const found = {}
    for (const [place, name] of names.entries()) {
      const count = counts[place] - this.#told[place]
      if (count !== 0) found[name] = count
    }
    this.#told = counts
    return found
  }

  /** Emits 'limit' with what was met since the last one, and looks again for as long as anything is. */
  tell () {
    const counts = this.#untold()
    if (Object.keys(counts).length === 0) {
      native.hearOfLimits(this.#stats)
      // What was met in between tells of nothing any more.
      const late = this.#untold()
      if (Object.keys(late).length !== 0) this.#emit(late)
      return
    }
    this.#emit(counts)
  }

  #emit (counts) {
    setTimeout(() => this.tell(), EVENT_INTERVAL).unref()
    process.nextTick(() => { this.#server.emit('limit', counts) })
  }
}

/**
 * Gives the limits of a server.
 * @param {unknown} option of createServer; undefined for what the environment says
 * @param {object|null} assumed what that is
 * @returns {Limits|null}
 */
function limitsOf (server, option, assumed) {
  const settings = option === undefined ? assumed : settingsOf(option)
  return settings === null ? null : new Limits(server, settings)
}

// ---------------------------------------------------------------------------------------------------- answers

/**
 * Answers a request that is beyond a limit, or asks for the server's health, in its turn.
 * @param {import('./connection').ServerConnection} connection
 * @param {import('./response').ServerResponse} response
 * @param {number} flags of the request's head
 */
function answerInTurn (connection, response, flags) {
  const answer = native.takeAnswer(connection.id)
  if (answer === null) return
  // What comes of a body is not wanted.
  if ((flags & (headFlags.BODY | headFlags.UPGRADE)) !== 0) response.shouldKeepAlive = false
  for (let at = 0; at < answer.fields.length; at += 2) response.setHeader(answer.fields[at], answer.fields[at + 1])
  response.setHeader('Content-Length', answer.body.length)
  response.writeHead(answer.status)
  response.end(answer.body)
}

const members = {}

/** Called when the body that arrives through a stream is beyond a limit: answers if nothing was answered, and closes. */
members.onCut = function onCut () {
  const answer = native.takeAnswer(this.id)
  const { current } = this
  this.failed = true
  if (answer !== null && this.isWritable() && current !== null && current[kRequest] === this.receiving && !hasBegun(current)) {
    this.answerRaw(answer.last)
    this.endBehindAnswer()
  } else {
    this.destroy()
  }
}

module.exports = { fromEnvironment, limitsOf, answerInTurn, limitMembers: members }

'use strict'

/**
 * What core lets through although the RFCs forbid it (docs/HARDENING.md): the modes in which a server or a client meets it, its
 * rows, and how often each was met.
 */

const { process, elapsed } = require('../host')
const { native } = require('../binding')
const { codes } = require('../core/errors')

const { OFF, STRICT, AUDIT } = native.HARDENING

/** The option's values. */
const MODES = { __proto__: null, strict: STRICT, audit: AUDIT, off: OFF }

/** What servers and clients do for which the option is not given. */
const assumed = fromEnvironment(process.env.HTTP_NATIVE_HARDENING)

/** Milliseconds between two 'hardening' events of a row. */
const EVENT_INTERVAL = 1000

/** Names of the rows, by their numbers. */
const names = native.HARDENING_ROWS.map(([name]) => name)

function fromEnvironment (value) {
  if (!value) return OFF
  if (value in MODES) return MODES[value]
  process.emitWarning(`HTTP_NATIVE_HARDENING must be strict, audit or off, not ${value}`, { type: 'HttpNativeWarning', code: 'HTTP_NATIVE_BAD_HARDENING' })
  return OFF
}

/**
 * Gives the mode that an option stands for.
 * @param {unknown} value the option `hardening`
 * @returns {number} a value of `native.HARDENING`
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 */
function modeOf (value) {
  if (value === undefined) return assumed
  if (typeof value !== 'string') throw new codes.ERR_INVALID_ARG_TYPE('options.hardening', 'of type string', value)
  if (!(value in MODES)) throw new codes.ERR_INVALID_ARG_VALUE('options.hardening', 'must be one of: \'strict\', \'audit\', \'off\'', value)
  return MODES[value]
}

/** Gives the number of a row. @param {string} name @returns {number} */
function numberOf (name) {
  return names.indexOf(name)
}

/** Counts the rows that the connections of a server, or the requests of an agent, have met. */
class Ledger {
  #emitter
  /** By the number of the row: how often, how often since its last event, and when that was. */
  #counts = new Array(names.length).fill(0)
  #untold = new Array(names.length).fill(0)
  #told = new Array(names.length).fill(-Infinity)

  /** @param {import('node:events').EventEmitter} emitter of 'hardening' */
  constructor (emitter) {
    this.#emitter = emitter
  }

  /**
   * Counts a row, and emits 'hardening' in the next tick, if anything listens, and the row's last event is old enough.
   * @param {number} row
   * @param {boolean} refused
   * @param {import('../connection/connection').Connection|import('node:stream').Duplex|null} carrier that has met it: the
   *   connection, or its socket; null if there is none yet
   */
  count (row, refused, carrier) {
    this.#counts[row]++
    this.#untold[row]++
    if (this.#emitter.listenerCount('hardening') === 0) return
    const now = elapsed()
    if (now - this.#told[row] < EVENT_INTERVAL) return
    const socket = typeof carrier?.getSocket === 'function' ? carrier.getSocket() : carrier
    // A socket remembers an address that it was asked for, and may be closed in a tick.
    const event = { row: names[row], count: this.#untold[row], refused, socket, remoteAddress: socket?.remoteAddress }
    this.#untold[row] = 0
    this.#told[row] = now
    process.nextTick(() => this.#emitter.emit('hardening', event))
  }

  /** @returns {{[row: string]: number}} those that were met */
  counts () {
    const found = {}
    for (const [row, count] of this.#counts.entries()) if (count !== 0) found[names[row]] = count
    return found
  }
}

module.exports = { assumed, modeOf, numberOf, Ledger }

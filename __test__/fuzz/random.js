'use strict'

/** Random numbers from a seed: the same seed gives the same programs on every machine (the generator is mulberry32). */
class Random {
  constructor (seed) {
    this.state = seed >>> 0
  }

  /** A number from 0 up to, and without, 1. */
  next () {
    this.state = (this.state + 0x6D2B79F5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** A whole number between both, which are included. */
  between (low, high) {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  chance (probability) {
    return this.next() < probability
  }

  pick (list) {
    return list[this.between(0, list.length - 1)]
  }

  /** One key of a table of weights. */
  weighted (table) {
    const entries = Object.entries(table)
    let rest = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [key, weight] of entries) {
      rest -= weight
      if (rest < 0) return key
    }
    return entries.at(-1)[0]
  }
}

module.exports = { Random }

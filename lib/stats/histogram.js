'use strict'

/** A histogram of durations, as the addon has counted them: log-linear buckets (src/net/histogram.rs), in seconds. */

const { native } = require('../binding')

const { BUCKETS_LINEAR: LINEAR, BUCKETS_DECADE: DECADE, BUCKETS_ALL: ALL } = native.STATS

/** Gives the upper bound of a bucket, which belongs to it, in microseconds; Infinity for the last. */
function bound (bucket) {
  if (bucket < LINEAR) return bucket + 1
  if (bucket === ALL - 1) return Infinity
  const above = bucket - LINEAR
  return 10 ** (Math.floor(above / DECADE) + 1) * (above % DECADE + 11)
}

class Histogram {
  #buckets

  /** Durations that were counted, and their sum in seconds. */
  count = 0
  sum = 0

  /** @param {Float64Array} numbers the sum in nanoseconds, then the buckets */
  constructor (numbers) {
    this.sum = numbers[0] / 1e9
    this.#buckets = numbers.subarray(1)
    for (const number of this.#buckets) this.count += number
  }

  /** Gives what was counted since. @param {Histogram} earlier of the same owner */
  since (earlier) {
    const numbers = new Float64Array(1 + ALL)
    numbers[0] = Math.max(0, (this.sum - earlier.sum) * 1e9)
    for (let bucket = 0; bucket < ALL; bucket++) numbers[bucket + 1] = this.#buckets[bucket] - earlier.#buckets[bucket]
    return new Histogram(numbers)
  }

  /** Seconds; 0 if nothing was counted. */
  get mean () {
    return this.count === 0 ? 0 : this.sum / this.count
  }

  /** The upper bound of the longest duration's bucket, in seconds; Infinity above 100. */
  get max () {
    return this.percentile(100)
  }

  /**
   * Gives the duration that so many percent did not exceed: the upper bound of its bucket, at most a tenth above it (or 1 µs).
   * @param {number} percent 0 to 100
   * @returns {number} seconds; 0 if nothing was counted, Infinity above 100
   */
  percentile (percent) {
    const wanted = Math.max(1, Math.ceil(this.count * percent / 100))
    if (this.count === 0) return 0
    let counted = 0
    for (let bucket = 0; bucket < ALL; bucket++) {
      counted += this.#buckets[bucket]
      if (counted >= wanted) return bound(bucket) / 1e6
    }
    return Infinity
  }

  /**
   * Gives how many durations were at most so long. Exact where a bucket ends: at 1 to 100 µs, and at what has two digits above,
   * to 100 s.
   * @param {number} seconds
   */
  upTo (seconds) {
    const micros = Math.round(seconds * 1e6)
    let counted = 0
    for (let bucket = 0; bucket < ALL && bound(bucket) <= micros; bucket++) counted += this.#buckets[bucket]
    return counted
  }

  /** Gives the buckets that are not empty, in order: their upper bounds in seconds, and how many there are in each. */
  buckets () {
    return Array.from(this.#buckets, (count, bucket) => ({ le: bound(bucket) / 1e6, count })).filter(({ count }) => count !== 0)
  }

  toJSON () {
    const { count, sum, mean, max } = this
    return { count, sum, mean, max, p50: this.percentile(50), p90: this.percentile(90), p99: this.percentile(99), p999: this.percentile(99.9) }
  }
}

module.exports = { Histogram }

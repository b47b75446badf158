'use strict'

/** Plays cases one after the other, in as many lanes as there are jobs, and sorts what differs by its signature. */

const { EventEmitter } = require('node:events')
const { Pair } = require('./pair')
const { generate } = require('./generate')
const { examine } = require('./examine')
const { shrink } = require('./shrink')
const { signature } = require('./compare')
const known = require('./known.json')

/** Why a difference is known, or undefined. An entry may be about programs only whose text matches `program`. */
function reasonFor (text, program) {
  return known.find(({ match, program: kind }) => text.includes(match) && (kind === undefined || new RegExp(kind).test(JSON.stringify(program))))?.reason
}

class Fuzzer extends EventEmitter {
  /**
   * @param {{ sides: string[], seed: number, count: number, until: number, jobs: number, shrinkMs: number, each: number, ignored: string[] }} plan
   *   `each`: of how many cases of one signature the smallest form is looked for
   */
  constructor (plan) {
    super()
    this.plan = plan
    this.next = 0
    this.played = 0
    this.operations = 0
    this.classes = new Map()
    this.raw = new Map()
  }

  async run () {
    await Promise.all(Array.from({ length: this.plan.jobs }, () => this.lane()))
    return { played: this.played, operations: this.operations, classes: this.classes }
  }

  async lane () {
    const { sides, seed, count, until } = this.plan
    const pair = new Pair(this.plan.ignored)
    while (this.next < count && Date.now() < until) {
      const index = this.next++
      const side = sides[index % sides.length]
      const program = generate(side, Math.imul(seed, 1000003) + index)
      const found = await examine(pair, program)
      this.played++
      this.operations += found.operations
      if (found.length > 0) await this.sort(pair, side, index, program, found)
    }
    pair.stop()
  }

  async sort (pair, side, index, program, found) {
    const { shrinkMs, each } = this.plan
    const first = signature(found)
    const seen = this.raw.get(first) ?? { count: 0, more: 0, becomes: undefined }
    this.raw.set(first, seen)
    if (++seen.count > each) {
      // Its class is known when its smallest form is.
      if (seen.becomes === undefined) seen.more++
      else this.classes.get(seen.becomes).count++
      return
    }
    if (shrinkMs > 0) ({ program, found } = await shrink(pair, program, found, (still) => signature(still) === first, shrinkMs))
    const text = `${side} ${signature(found)}`
    seen.becomes = text
    const entry = this.classes.get(text) ?? { count: 0, example: `${side}-${index}`, known: reasonFor(text, program) }
    entry.count += 1 + seen.more
    seen.more = 0
    this.classes.set(text, entry)
    this.emit('found', { side, index, signature: text, program, found, known: entry.known })
  }
}

module.exports = { Fuzzer }

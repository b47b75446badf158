'use strict'

const path = require('node:path')
const { fork } = require('node:child_process')
const { once } = require('node:events')
const { slope } = require('./slope')

const root = path.join(__dirname, '../..')

/** What must be gone when all has ended; and the descriptors that the I/O threads and the set of lent sockets keep, at most. */
const NOTHING = ['connections', 'known', 'lent', 'listeners', 'waiting']
const KEPT_DESCRIPTORS = 5 + 3 * Number(process.env.HTTP_NATIVE_IO_THREADS ?? 1)

/** A process under traffic of its own, core's or ours, that is asked for what it holds. */
class Soaked {
  /** @param {'core'|'ours'} name @param {number} visitors who come at a time */
  constructor (name, visitors) {
    this.name = name
    this.samples = []
    this.child = fork(path.join(__dirname, 'traffic.js'), [visitors], {
      execArgv: ['--expose-gc', ...(name === 'ours' ? ['-r', path.join(root, 'register.js')] : [])],
      env: { ...process.env, NODE_OPTIONS: '' }
    })
    this.ended = once(this.child, 'exit').then(([code, signal]) => { throw new Error(`${name} has ended with ${code ?? signal}`) })
    this.ended.catch(() => {})
  }

  /** @param {'sample'|'end'} question */
  async ask (question) {
    const answer = once(this.child, 'message')
    this.child.send(question)
    const [sample] = await Promise.race([answer, this.ended])
    return sample
  }

  async sample () {
    this.samples.push(await this.ask('sample'))
  }

  /** Ends the traffic, and what served it. @returns {Promise<string[]>} what is left then */
  async end () {
    this.last = await this.ask('end')
    this.child.disconnect()
    const left = NOTHING.filter((key) => this.last[key] !== 0).map((key) => `${this.last[key]} ${key} are left`)
    const descriptors = this.last.descriptors - this.last.descriptorsBefore
    if (descriptors > KEPT_DESCRIPTORS) left.push(`${descriptors} descriptors are left`)
    return left
  }

  /** How much each of the numbers grows in a minute, once a part of the samples is over. */
  growth (keys, warmUp) {
    const rest = this.samples.slice(Math.floor(this.samples.length * warmUp))
    const at = rest.map(({ seconds }) => seconds / 60)
    return Object.fromEntries(keys.map((key) => [key, slope(at, rest.map((sample) => sample[key]))]))
  }
}

module.exports = { Soaked }

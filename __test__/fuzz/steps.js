'use strict'

/**
 * Plays the chains of a program. A chain is a list of steps; each is done at its moment after the one before it:
 * `sync`, `tick`, `micro`, `immediate`, `callback` (in the callback of the one before it) or `object:event`.
 *
 * The objects of an exchange: `out` (the message that is written), `in` (the one that is read), `socket`.
 */

const { Readable, finished } = require('node:stream')
const { contexts, describe, stateOf } = require('./journal')
const { OVERWRITTEN, encodingOf, part } = require('./bytes')

/** Calls that are handed to an object as they are. */
const calls = {
  cork: (exchange) => exchange.out.cork(),
  uncork: (exchange) => exchange.out.uncork(),
  flushHeaders: (exchange) => exchange.out.flushHeaders(),
  writeContinue: (exchange) => exchange.out.writeContinue(),
  writeProcessing: (exchange) => exchange.out.writeProcessing(),
  writeEarlyHints: (exchange) => exchange.out.writeEarlyHints({ link: '</a.css>; rel=preload' }),
  setHeader: (exchange, step) => exchange.out.setHeader(step.name, step.value),
  removeHeader: (exchange, step) => exchange.out.removeHeader(step.name),
  writeHead: (exchange, step) => exchange.out.writeHead(step.status, step.headers),
  addTrailers: (exchange) => exchange.out.addTrailers({ 'X-Trailer': 'yes' }),
  destroy: (exchange, step) => exchange.out.destroy(step.error ? new Error('on purpose') : undefined),
  abort: (exchange) => exchange.out.abort(),
  setNoDelay: (exchange) => exchange.out.setNoDelay(true),
  setKeepAlive: (exchange) => exchange.out.setSocketKeepAlive(true),
  setTimeout: (exchange) => exchange.out.setTimeout(LONG_MS, () => {}),
  abortSignal: (exchange) => exchange.controller.abort(),
  feed: (exchange, step) => exchange.feed(step),
  finishedOut: (exchange, step) => exchange.awaitEnd('out', step),
  finishedIn: (exchange, step) => exchange.awaitEnd('in', step),
  iterate: (exchange, step) => exchange.iterate(step),
  readable: (exchange) => exchange.takeReadable(),
  setEncoding: (exchange) => exchange.in.setEncoding('latin1'),
  fields: (exchange) => exchange.showFields(),
  detachSocket: (exchange) => exchange.out.detachSocket(exchange.out.socket),
  pause: (exchange) => exchange.in.pause(),
  resume: (exchange) => exchange.in.resume(),
  read: (exchange) => exchange.in.read(),
  destroyIn: (exchange, step) => exchange.in.destroy(step.error ? new Error('on purpose') : undefined),
  pipe: (exchange) => exchange.in.pipe(exchange.out),
  socketDestroy: (exchange) => exchange.out.socket.destroy(),
  socketDestroySoon: (exchange) => exchange.out.socket.destroySoon?.(),
  socketReset: (exchange) => exchange.out.socket.resetAndDestroy?.(),
  socketEnd: (exchange) => exchange.out.socket.end(),
  socketPause: (exchange) => exchange.out.socket.pause(),
  socketResume: (exchange) => exchange.out.socket.resume(),
  socketCork: (exchange) => exchange.out.socket.cork(),
  socketUncork: (exchange) => exchange.out.socket.uncork(),
  socketUnref: (exchange) => exchange.out.socket.unref?.()
}

/** What is done with the message that is read. */
const READS = ['pause', 'resume', 'read', 'destroyIn', 'data', 'iterate', 'readable', 'setEncoding', 'finishedIn', 'fields']

/** Which object's journal a step belongs to. */
const owner = (op) => op.startsWith('socket') ? 'socket' : READS.includes(op) ? 'in' : 'out'

/** A time-out that no run lives to see. */
const LONG_MS = 60000

class Exchange {
  /**
   * @param {Journal} journal
   * @param {string} name what its objects are called in the journal
   * @param {number} seed first letter of what it writes
   */
  constructor (journal, name, seed) {
    this.journal = journal
    this.name = name
    this.seed = seed
    this.waiting = new Map()
    this.seen = new Set()
    this.running = 0
  }

  /** Events that steps wait for are listened to from the start, whether they are watched or not. */
  listen (role, emitter, chains) {
    const names = new Set(chains.flat().map((step) => step.when).filter((when) => when.startsWith(role + ':')))
    for (const when of names) emitter.on(when.slice(role.length + 1), () => this.happened(when))
  }

  happened (when) {
    this.seen.add(when)
    const waiting = this.waiting.get(when)
    this.waiting.delete(when)
    if (waiting !== undefined) for (const go of waiting) go()
  }

  start (chains) {
    for (const chain of chains) this.advance(chain, 0)
  }

  advance (chain, index) {
    if (index === chain.length) return
    const { when } = chain[index]
    const go = () => {
      if (when !== 'sync') this.running--
      this.perform(chain, index)
    }
    if (when !== 'sync') this.running++
    switch (when) {
      case 'sync': return go()
      case 'callback':
      case 'tick': return process.nextTick(go)
      case 'micro': return queueMicrotask(go)
      case 'immediate': return setImmediate(go)
      default:
        if (this.seen.has(when)) return process.nextTick(go)
        this.running--
        if (!this.waiting.has(when)) this.waiting.set(when, [])
        this.waiting.get(when).push(() => this.perform(chain, index))
    }
  }

  perform (chain, index) {
    const step = chain[index]
    const next = chain[index + 1]
    const awaited = next?.when === 'callback' && step.callback === true
    const follow = awaited ? () => this.perform(chain, index + 1) : undefined
    this.journal.touch()
    this.journal.operations++
    if (step.op === 'throw') {
      this.advance(chain, index + 1)
      this.log('out', `${step.id} throws`)
      throw new Error('thrown by a step')
    }
    let result
    try {
      result = this.call(step, follow)
    } catch (error) {
      result = `threw ${describe(error)}`
    }
    this.log(owner(step.op), `${step.id} ${step.op}${step.size === undefined ? '' : ' ' + step.size} -> ${this.describe(result)}`)
    if (!awaited) this.advance(chain, index + 1)
  }

  describe (result) {
    return result === this.out || result === this.in || result === this.socket ? 'itself' : describe(result)
  }

  /** What became of messages that were not watched. */
  describeEnd () {
    for (const role of ['in', 'out']) if (this[role] !== undefined) this.log(role, `at rest: ${stateOf[role](this[role])}`)
  }

  log (role, text) {
    this.journal.log(`${role} ${this.name}`, text)
  }

  call (step, follow) {
    if (step.op === 'write' || step.op === 'end') return this.write(step, follow)
    if ((READS.includes(step.op) || step.op === 'pipe') && this.in === undefined) return 'nothing'
    if (step.op === 'data') return this.take()
    if (step.op.startsWith('socket') && !this.out.socket) return 'no socket'
    return calls[step.op](this, step)
  }

  write (step, follow) {
    const args = []
    let chunk
    if (step.size !== undefined) {
      chunk = part(this.seed + step.id, step.size, step.kind)
      args.push(chunk)
      const encoding = encodingOf(step.kind)
      if (encoding !== undefined) args.push(encoding)
    }
    const overwrite = chunk instanceof Uint8Array ? () => chunk.fill(OVERWRITTEN.charCodeAt(0)) : () => {}
    if (step.reuse === 'drain' || step.reuse === 'finish') this.out.once(step.reuse, overwrite)
    if (step.callback) {
      args.push((...results) => {
        this.log('out', `${step.id} callback${results.map((result) => ' ' + describe(result)).join('')}`)
        if (step.reuse === 'callback') overwrite()
        follow?.()
      })
    }
    return contexts.run(`${this.name} step ${step.id}`, () => this.out[step.op](...args))
  }

  /** Pipes a stream into the message, which it ends. */
  feed (step) {
    const parts = [5, step.size, 1000].map((size, index) => part(this.seed + step.id + index, size, 'buffer'))
    Readable.from(parts).pipe(this.out)
    return 'piped'
  }

  awaitEnd (role, step) {
    finished(this[role], (error) => this.log(role, `${step.id} finished ${describe(error)}`))
    return 'waiting'
  }

  /** Takes the body with an iterator. */
  iterate (step) {
    const parts = this.body ??= []
    const take = async () => {
      for await (const chunk of this.in) {
        this.journal.touch()
        parts.push(Buffer.from(chunk))
      }
    }
    take().then(() => this.log('in', `${step.id} iterated`), (error) => this.log('in', `${step.id} iterated ${describe(error)}`))
    return 'iterating'
  }

  /** Takes the body with a 'readable' listener. */
  takeReadable () {
    const parts = this.body ??= []
    this.in.on('readable', () => {
      this.journal.touch()
      let chunk
      while ((chunk = this.in.read()) !== null) parts.push(Buffer.from(chunk))
    })
    return 'listening'
  }

  showFields () {
    const { headers, rawHeaders, rawTrailers, trailers, httpVersion, statusMessage, complete } = this.in
    return JSON.stringify([headers, rawHeaders.length, rawTrailers, trailers, httpVersion, statusMessage, complete])
  }

  /** Takes the body with a 'data' listener; what came is noted when it ends. */
  take () {
    const parts = []
    this.body ??= parts
    this.in.on('data', (chunk) => {
      this.journal.touch()
      if (parts.length === 0) this.log('in', 'first data')
      parts.push(typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk))
    })
    return 'listening'
  }
}

module.exports = { Exchange }

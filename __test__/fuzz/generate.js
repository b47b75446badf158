'use strict'

/** Random cases, as data: a program, and the peer it is run against. */

const { Random } = require('./random')
const { CERTAIN, isSound, unanswered } = require('./rules')
const { CLIENT_EVENTS, CLIENT_OPS, CLIENT_SOCKET_EVENTS, IN_EVENTS, OUT_EVENTS, SERVER_OPS, SOCKET_EVENTS } = require('./vocabulary')
const { serverSession, clientSession } = require('./sessions')

const SMALL = [0, 1, 5, 100, 1000]
const EDGES = [16383, 16384, 16385, 65535, 65536, 65537]
const LARGE = [131072, 262143, 262144, 262145, 1048576]

const WHENS = { sync: 12, tick: 3, micro: 2, immediate: 4, callback: 3, event: 2 }

/** How many of the cases are sessions: most of the operations are theirs. */
const LONG = 0.45

const HEADERS = [
  { name: 'Content-Length', value: '5' }, { name: 'Content-Length', value: '100' }, { name: 'Connection', value: 'close' },
  { name: 'Connection', value: 'keep-alive' }, { name: 'Transfer-Encoding', value: 'chunked' }, { name: 'X-Name', value: 'value' }
]

/** Those that leave a message's framing, and its connection, as they are. */
const HARMLESS = HEADERS.filter(({ name, value }) => name === 'X-Name' || value === 'keep-alive')

class Generator {
  constructor (seed) {
    this.random = new Random(seed)
    // A part of the cases is about volume, most are about order.
    // Exceptions that the process survives put much out of order, in core too.
    this.careless = this.random.chance(0.02)
    this.isCorked = false
    this.volume = this.random.weighted({ small: 6, edges: 3, large: 1 })
    this.isLong = !this.careless && this.random.chance(LONG)
  }

  program (side) {
    if (this.isLong) return side === 'server' ? serverSession(this) : clientSession(this)
    return side === 'server' ? this.serverCase() : this.clientCase()
  }

  size () {
    const { random } = this
    if (this.volume === 'small' || random.chance(0.4)) return random.pick(SMALL)
    return random.pick(this.volume === 'large' && random.chance(0.5) ? LARGE : EDGES)
  }

  /** All of the events, none, or some of them. */
  some (events) {
    const { random } = this
    const way = random.weighted({ all: 6, none: 2, some: 2 })
    return way === 'all' ? [...events] : way === 'none' ? [] : events.filter(() => random.chance(0.5))
  }

  when (first, side) {
    const { random } = this
    const when = random.weighted(WHENS)
    if ((when === 'callback' && first) || (this.isCorked && !CERTAIN.includes(when))) return 'sync'
    if (when !== 'event') return when
    // In sessions others wait for what waits for nothing.
    if (this.isLong && (first || random.chance(0.8))) return 'immediate'
    const events = ['out:drain', 'out:finish', 'out:close', 'out:prefinish', 'in:end', 'in:close', 'in:aborted', 'socket:close', 'out:error']
    if (side === 'client') events.push('out:response', 'out:response', 'out:response', 'out:socket', 'socket:connect', 'out:information')
    else events.push('in:end', 'out:finish')
    return random.pick(events)
  }

  step (id, op, when) {
    const { random } = this
    const step = { id, when, op }
    if (op === 'write' || op === 'end') {
      if (op === 'write' || random.chance(0.6)) {
        step.kind = random.weighted({ buffer: 8, default: 4, latin1: 2, utf8: 2, wide: 1, array: 2, hex: 0.5, base64: 0.5, utf16le: 0.5 })
        step.size = this.size()
        if (step.kind === 'wide' || step.kind === 'hex' || step.kind === 'base64' || step.kind === 'utf16le') step.size = Math.min(step.size, 65537)
      }
      step.callback = random.chance(0.5)
      if (step.kind === 'buffer' || step.kind === 'array') {
        const reuse = random.weighted({ none: 3, callback: step.callback ? 4 : 0, drain: 1, finish: 1 })
        if (reuse !== 'none') step.reuse = reuse
      }
    }
    if (op === 'feed') step.size = this.size()
    if (op === 'setHeader') Object.assign(step, random.pick(this.isLong && random.chance(0.95) ? HARMLESS : HEADERS))
    if (op === 'removeHeader') step.name = random.pick(['Transfer-Encoding', 'Connection', 'Date', 'Content-Length'])
    if (op === 'writeHead') Object.assign(step, { status: random.pick([200, 200, 204, 304, 404]), headers: random.pick([{}, { 'Content-Length': 5 }, { Connection: 'close' }]) })
    if (op === 'destroy' || op === 'destroyIn') step.error = random.chance(0.4)
    return step
  }

  chains (ops, side) {
    const { random } = this
    const chains = []
    let id = 0
    for (let count = random.weighted({ 1: 6, 2: 3, 3: 1 }); count > 0; count--) {
      const chain = []
      for (let length = random.between(1, random.chance(0.08) ? 20 : 5); length > 0; length--) {
        chain.push(this.step(id++, random.weighted(ops), this.when(chain.length === 0, side)))
        this.isCorked = unanswered(chain).length > 0
      }
      for (const op of unanswered(chain)) chain.push(this.step(id++, op, this.when(false, side)))
      if (this.careless && random.chance(0.3)) chain.push(this.step(id++, 'throw', this.when(false, side)))
      chains.push(chain)
      this.isCorked = false
    }
    // Most messages come to their end; in sessions others wait for it.
    if (random.chance(this.isLong ? 0.98 : 0.75) && !chains.flat().some(({ op }) => op === 'end' || op === 'pipe' || op === 'feed')) {
      const end = this.step(id++, 'end', this.when(false, side))
      if (this.isLong) chains.push([{ ...end, when: random.pick(CERTAIN) }])
      else chains[0].push(end)
    }
    return chains
  }

  cuts (length) {
    const { random } = this
    if (random.chance(0.6)) return []
    const cuts = []
    for (let count = random.between(1, 3); count > 0; count--) cuts.push([random.between(1, length), random.pick([0, 0, 2, 5])])
    return cuts.sort(([a], [b]) => a - b)
  }

  body () {
    const { random } = this
    const body = { size: this.size(), mode: random.weighted({ length: 3, chunked: 2 }) }
    if (random.chance(0.1)) body.missing = 10
    if (body.mode === 'chunked') {
      body.chunk = Math.max(1, random.pick([body.size, body.size >> 1, 1000]), body.size >> 5)
      if (random.chance(0.2)) body.trailers = true
    }
    return body
  }

  reading () {
    const manner = this.random.weighted({ prompt: 8, slow: this.volume === 'small' ? 0.3 : 1, stalled: this.volume === 'small' ? 0.3 : 1 })
    return manner === 'stalled' ? { stall: 20 } : manner
  }

  clientPeer () {
    const { random } = this
    const requests = []
    for (let count = random.weighted({ 1: 6, 2: 2, 3: 1 }); count > 0; count--) {
      const request = { method: random.weighted({ GET: 5, POST: 6, HEAD: 1, PUT: 1 }), headers: [] }
      if (random.chance(0.07)) request.version = '1.0'
      if (random.chance(0.4)) request.headers.push(['Connection', random.pick(['close', 'close', 'close', 'keep-alive'])])
      if (random.chance(0.07)) request.headers.push(['Expect', random.pick(['100-continue', '100-continue', 'other'])])
      if (request.method === 'POST' || request.method === 'PUT') request.body = this.body()
      requests.push(request)
    }
    const script = { requests, cuts: this.cuts(200), reading: this.reading() }
    const end = random.weighted({ none: 6, 'fin-with': 3, fin: 1, fins: 1, resets: 0.5, destroys: 0.5, received: 1 })
    if (end === 'fins') script.end = { after: 10, then: 'fin' }
    else if (end === 'resets') script.end = { after: 10, then: 'reset' }
    else if (end === 'destroys') script.end = { after: 10, then: 'destroy' }
    else if (end === 'received') script[random.pick(['resetAfterReceived', 'destroyAfterReceived', 'finAtAnswer'])] = random.pick([1, 10, 200, 20000])
    else if (end !== 'none') script.end = end
    if (random.chance(0.06)) script.extra = random.pick(['\r\n', '\r\n\r\n', 'garbage\r\n\r\n', 'GET'])
    return { connections: random.chance(0.08) ? [script, { requests: [{ method: 'GET', headers: [['Connection', 'close']] }], reading: 'prompt' }] : [script] }
  }

  serverCase () {
    const { random } = this
    const handlers = []
    for (let count = random.weighted({ 1: 3, 2: 1 }); count > 0; count--) handlers.push({ chains: this.chains(SERVER_OPS, 'server') })
    const program = {
      side: 'server',
      transport: random.weighted({ tcp: 6, unix: 1, duplex: 2, 'net socket': 0.5 }),
      watch: { in: this.some(IN_EVENTS), out: this.some(OUT_EVENTS), socket: this.some(SOCKET_EVENTS), server: ['connection', 'clientError', 'checkContinue', 'checkExpectation'].filter(() => random.chance(0.4)) },
      handlers,
      peer: this.clientPeer()
    }
    if (random.chance(0.1)) program.keepAliveTimeout = 0
    if (random.chance(0.1)) program.options = random.pick([{ highWaterMark: 1 }, { highWaterMark: 1000 }, { noDelay: false }, { keepAlive: true }])
    if (random.chance(0.3)) program.clientError = 'end'
    if (this.careless) program.careless = true
    if (random.chance(0.1)) program.closing = 'server'
    return program
  }

  serverPeer () {
    const { random } = this
    const answers = []
    for (let count = random.weighted({ 1: 5, 2: 2, 3: 1 }); count > 0; count--) {
      const answer = { when: random.pick(['head', 'complete', 'complete', 'complete', { bytes: random.pick([1, 1000, 20000]) }]), headers: [] }
      if (random.chance(0.03)) answer.when = 'connect'
      if (random.chance(0.12)) answer.informational = [random.pick([100, 102, 103])]
      answer.status = random.pick([200, 200, 200, 204, 304, 403])
      if (random.chance(0.03)) {
        answer.status = 101
        answer.headers.push(['Connection', 'Upgrade'], ['Upgrade', 'x'])
      }
      if (random.chance(0.05)) answer.version = '1.0'
      if (random.chance(0.06)) answer.spoilt = random.pick(['status', 'field', 'long', 'feed', 'chunk', 'chunk'])
      if (random.chance(0.3)) answer.headers.push(['Connection', random.pick(['close', 'close', 'keep-alive'])])
      const mode = random.weighted({ length: 4, chunked: 3, close: 1, none: 1 })
      if (mode !== 'none') answer.body = { ...this.body(), mode }
      answer.cuts = this.cuts(150)
      const end = random.weighted({ none: 6, 'fin-with': mode === 'close' ? 20 : 1, fin: 1, fins: 0.7, resets: 0.7, destroys: 0.7 })
      if (end === 'fins') answer.end = { after: 10, then: 'fin' }
      else if (end === 'resets') answer.end = { after: 10, then: 'reset' }
      else if (end === 'destroys') answer.end = { after: 10, then: 'destroy' }
      else if (end !== 'none') answer.end = end
      if (random.chance(0.06)) answer.trailing = random.pick(['garbage', '\r\n', 'HTTP/1.1 200 Again\r\nContent-Length: 0\r\n\r\n'])
      answers.push(answer)
    }
    return { answers, connections: [{ reading: this.reading(), ...random.chance(0.2) ? { endAtFin: false } : {} }] }
  }

  clientCase () {
    const { random } = this
    const requests = []
    const count = Number(random.weighted({ 1: 6, 2: 3, 3: 1 }))
    for (let index = 0; index < count; index++) {
      const request = { method: random.weighted({ GET: 5, POST: 6, HEAD: 1, DELETE: 1, CONNECT: 0.3 }), responds: random.chance(0.85), chains: this.chains(CLIENT_OPS, 'client') }
      if (random.chance(0.2)) request.headers = random.pick([{ 'Content-Length': '100' }, { Connection: 'close' }, { Connection: 'keep-alive' }, { Expect: '100-continue' }, { 'Transfer-Encoding': 'chunked' }])
      if (index + 1 < count) request.then = random.pick(['now', 'immediate', 'close', 'response', 'end'])
      // Most responses are read.
      if (request.responds && random.chance(0.7) && !request.chains.flat().some(({ op }) => op === 'data')) {
        request.chains.push([{ id: 90, when: 'out:response', op: random.weighted({ data: 5, resume: 4, iterate: 1, readable: 1 }) }])
      }
      requests.push(request)
    }
    const program = {
      side: 'client',
      transport: random.weighted({ tcp: 6, unix: 1, duplex: 2, 'net socket': 0.5 }),
      agent: random.weighted({ none: 3, 'keep-alive': 3, plain: 1 }),
      watch: { in: this.some(IN_EVENTS), out: this.some([...OUT_EVENTS, ...CLIENT_EVENTS]), socket: this.some([...SOCKET_EVENTS, ...CLIENT_SOCKET_EVENTS]) },
      requests,
      peer: this.serverPeer()
    }
    if (program.agent === 'keep-alive') program.maxSockets = random.pick([1, 1, 1, 2])
    if (this.careless) program.careless = true
    return program
  }
}

/** The case of a side and a seed. */
function generate (side, seed) {
  const generator = new Generator(seed)
  while (true) {
    const program = generator.program(side)
    if (isSound(program)) return program
  }
}

module.exports = { generate }

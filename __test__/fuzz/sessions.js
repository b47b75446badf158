'use strict'

/**
 * Long cases: many exchanges through the same few connections, most of them ordinary. They find what one exchange leaves
 * behind for the next. Exchange N of a connection has handler N (or request N and answer N).
 */

const { isSound } = require('./rules')
const { CLIENT_EVENTS, CLIENT_OPS, CLIENT_SOCKET_EVENTS, IN_EVENTS, OUT_EVENTS, SERVER_OPS, SOCKET_EVENTS } = require('./vocabulary')

/** What ends a connection, or leaves it unusable, is rarer than in short cases. */
const FATAL = /^(destroy|abort|socket|detach|removeHeader|pause)/

const mild = (ops) => Object.fromEntries(Object.entries(ops).map(([op, weight]) => [op, FATAL.test(op) ? weight / 12 : weight]))

const OPS = { server: mild(SERVER_OPS), client: mild(CLIENT_OPS) }

const step = (id, when, op, more) => ({ id, when, op, ...more })

const EVENT_STREAM = { name: 'Content-Type', value: 'text/event-stream' }

/** How much an ordinary message writes, and of what kind. */
const some = (random) => ({ kind: random.pick(['default', 'default', 'buffer', 'buffer', 'latin1', 'utf8', 'wide', 'array']), size: random.pick([1, 5, 5, 100, 100, 1000, 1000, 4000]) })

/** The moments at which an ordinary handler answers. */
const LATER = { sync: 6, immediate: 2, tick: 1, micro: 1 }

/** Ordinary answers. */
const ANSWERS = {
  end: (random, when) => [[step(0, when, 'end', some(random))]],
  'end alone': (random, when) => [[step(0, when, 'end')]],
  'end with callback': (random, when) => [[step(0, when, 'end', { ...some(random), callback: true })]],
  json: (random, when) => [[step(0, when, 'setHeader', { name: 'Content-Length', value: '5' }), step(1, 'sync', 'end', { kind: 'default', size: 5 })]],
  head: (random, when) => [[step(0, when, 'writeHead', { status: random.pick([200, 200, 204, 304, 404]), headers: {} }), step(1, 'sync', 'end')]],
  stream: (random, when) => {
    const chain = []
    const then = random.pick(['sync', 'immediate', 'callback', 'callback', 'tick'])
    const reuse = then === 'callback' && random.chance(0.7) ? { reuse: 'callback' } : {}
    if (random.chance(0.3)) chain.push(step(20, when, 'setHeader', EVENT_STREAM), step(21, 'sync', 'flushHeaders'))
    for (let count = random.between(1, random.chance(0.2) ? 20 : 5), id = 0; count > 0; count--, id++) {
      chain.push(step(id, chain.length === 0 ? when : id === 0 ? 'sync' : then, 'write', { ...some(random), callback: then === 'callback', ...reuse }))
    }
    chain.push(step(22, then, 'end'))
    return [chain]
  },
  echo: () => [[step(0, 'sync', 'pipe')]],
  upload: (random) => [[step(0, 'sync', random.pick(['data', 'data', 'iterate', 'readable']))], [step(1, 'in:end', 'end', some(random))]],
  'upload, dropped': (random) => [[step(0, 'sync', 'resume')], [step(1, 'in:end', 'end', some(random))]]
}

const ANSWER_WEIGHTS = { end: 8, 'end alone': 2, 'end with callback': 2, json: 3, head: 2, stream: 6, echo: 2, upload: 4, 'upload, dropped': 1 }

const HOW_READ = { data: 5, resume: 3, iterate: 1, readable: 1 }

/** A body that one read brings: with more of it, what comes when is left to chance. */
function shortBody (generator) {
  const body = generator.body()
  delete body.missing
  body.size = Math.min(body.size, 16385)
  if (body.chunk > body.size) body.chunk = Math.max(1, body.size)
  return body
}

/** An exchange that keeps to the rules by itself. */
function sound (make, frame) {
  while (true) {
    const exchange = make()
    if (isSound(frame(exchange)) && !corksBehindEnd(exchange)) return exchange
  }
}

/**
 * True if an ended message may be corked: what has left by then, and so when the peer's next request comes, is another thing
 * with core, whose tick is not over.
 */
function corksBehindEnd ({ chains }) {
  const ends = ({ op }) => op === 'end' || op === 'pipe' || op === 'feed'
  return chains.some((chain) => {
    const at = chain.findLastIndex(({ op }) => /cork$/i.test(op))
    return at !== -1 && (chain.slice(0, at).some(ends) || chains.some((other) => other !== chain && other.some(ends)))
  })
}

/** @param {string} kind 'plain': nothing listens to its messages, which go the shortest way; 'watched'; or 'either' */
function handler (generator, kind) {
  const { random } = generator
  if (kind !== 'plain' && random.chance(0.3)) return { chains: generator.chains(OPS.server, 'server') }
  const answer = { chains: ANSWERS[random.weighted(ANSWER_WEIGHTS)](random, random.weighted(LATER)) }
  if (kind === 'plain' || (kind === 'either' && random.chance(0.5))) answer.plain = true
  return answer
}

/** Of the peer's requests to a server, on one connection. */
function conversation (generator, length) {
  const { random } = generator
  const script = { requests: [], reading: random.weighted({ prompt: 20, slow: 0.3 }) }
  for (let index = 0; index < length; index++) {
    const request = { method: random.weighted({ GET: 8, POST: 6, HEAD: 1, PUT: 1 }), headers: [] }
    if (random.chance(0.02)) request.version = '1.0'
    if (random.chance(0.01)) request.headers.push(['Expect', '100-continue'])
    if (random.chance(0.03)) request.headers.push(['Connection', 'keep-alive'])
    if (request.method === 'POST' || request.method === 'PUT') {
      request.body = shortBody(generator)
    }
    script.requests.push(request)
  }
  if (random.chance(0.5)) script.requests.at(-1).headers.push(['Connection', 'close'])
  const window = random.weighted({ 1: 6, 2: 1, 4: 1, pipelined: 2 })
  if (window !== 'pipelined') script.window = Number(window)
  if (window === '1' && random.chance(0.2)) script.gap = 0
  if (random.chance(0.08)) {
    if (script.window === undefined) script.cuts = generator.cuts(150 * length)
    else random.pick(script.requests).cuts = generator.cuts(100)
  }
  // Behind the answers: it is left to chance between which immediates it would come.
  if (random.chance(0.25)) script.end = { after: 30, then: 'fin' }
  return script
}

const WATCHED = (generator, events) => generator.random.chance(0.5) ? generator.some(events) : []

function serverSession (generator) {
  const { random } = generator
  if (generator.volume === 'large' || random.chance(0.7)) generator.volume = 'small'
  const length = random.between(5, 30)
  const transport = random.weighted({ tcp: 8, unix: 1, duplex: 1, 'net socket': 0.5 })
  const connections = []
  for (let count = random.weighted({ 1: 5, 2: 2, 3: 1 }); count > 0; count--) connections.push(conversation(generator, length))
  // Those that come on a pipeline keep to more rules.
  const most = connections.some(({ window }) => window !== 1) ? length : 1
  const frame = (exchange) => ({ handlers: [exchange], transport, peer: { connections: [{ requests: new Array(most).fill({}), window: most }] } })
  // A response behind one of the same packet that nothing listens to has its turn earlier (docs/COMPATIBILITY.md).
  const kind = most === 1 ? 'either' : random.weighted({ plain: 1, watched: 2 })
  const handlers = []
  for (let index = 0; index < length; index++) handlers.push(sound(() => handler(generator, kind), frame))
  const program = {
    side: 'server',
    session: true,
    transport,
    watch: { in: WATCHED(generator, IN_EVENTS), out: WATCHED(generator, OUT_EVENTS), socket: WATCHED(generator, SOCKET_EVENTS), server: ['connection', 'clientError', 'checkContinue'].filter(() => random.chance(0.3)) },
    handlers,
    peer: { connections }
  }
  if (random.chance(0.1)) program.options = random.pick([generator.volume === 'small' ? { highWaterMark: 1000 } : {}, { noDelay: false }, { keepAlive: true }])
  if (random.chance(0.1)) program.closing = 'server'
  return program
}

/** Ordinary requests. */
const REQUESTS = {
  get: () => ({ method: 'GET', chains: [[step(0, 'sync', 'end')]] }),
  post: (random) => ({ method: 'POST', chains: [[step(0, 'sync', 'end', some(random))]] }),
  sized: () => ({ method: 'POST', headers: { 'Content-Length': '5' }, chains: [[step(0, 'sync', 'end', { kind: 'default', size: 5 })]] }),
  stream: (random) => ({ method: 'POST', chains: ANSWERS.stream(random, 'sync') }),
  feed: (random) => ({ method: 'POST', chains: [[step(0, 'sync', 'feed', { size: random.pick([0, 5, 1000]) })]] }),
  delete: () => ({ method: 'DELETE', chains: [[step(0, 'sync', 'end')]] }),
  head: () => ({ method: 'HEAD', chains: [[step(0, 'sync', 'end')]] })
}

const REQUEST_WEIGHTS = { get: 8, post: 4, sized: 1, stream: 4, feed: 0.5, delete: 1, head: 1 }

function request (generator) {
  const { random } = generator
  if (random.chance(0.3)) {
    return { method: random.weighted({ GET: 5, POST: 6, HEAD: 1, DELETE: 1 }), responds: random.chance(0.9), chains: generator.chains(OPS.client, 'client') }
  }
  const made = { ...REQUESTS[random.weighted(REQUEST_WEIGHTS)](random), responds: random.chance(0.95) }
  if (random.chance(0.5)) made.plain = true
  return made
}

/** What does not fit its request, or ends the connection unannounced, is for short cases: what core does then is given up (docs/COMPATIBILITY.md). */
function answer (generator, method) {
  const { random } = generator
  const made = { when: random.weighted({ complete: 10, head: 1 }), status: random.pick([200, 200, 200, 200, 204, 304, 403]), headers: [] }
  if (random.chance(0.05)) made.informational = [random.pick([100, 102, 103])]
  if (random.chance(0.02)) made.version = '1.0'
  if (random.chance(0.03)) made.headers.push(['Connection', random.pick(['close', 'keep-alive'])])
  const mode = random.weighted({ length: 6, chunked: 4, none: 0.2 })
  const isBare = method === 'HEAD' || made.status === 204 || made.status === 304
  if (mode !== 'none' && !isBare) made.body = { ...shortBody(generator), mode }
  if (random.chance(0.02)) made.cuts = generator.cuts(150)
  if (random.chance(0.02)) {
    made.headers = [['Connection', 'close']]
    made.end = random.pick(['fin-with', 'fin', { after: 10, then: 'fin' }])
  }
  if (random.chance(0.005)) made.spoilt = random.pick(['status', 'field', 'chunk'])
  return made
}

function clientSession (generator) {
  const { random } = generator
  if (generator.volume === 'large' || random.chance(0.7)) generator.volume = 'small'
  const length = random.between(5, 30)
  const transport = random.weighted({ tcp: 8, unix: 1, duplex: 1, 'net socket': 0.5 })
  const frame = (exchange) => ({ requests: [exchange], transport, peer: { connections: [{}], answers: [{ when: 'head' }] } })
  // Some send one request after the other, some all at once.
  const manner = random.pick([{ ended: 1 }, { now: 1 }, { close: 1 }, { answered: 1 }, { now: 2, immediate: 2, ended: 2, close: 2, answered: 2 }])
  const requests = []
  const answers = []
  for (let index = 0; index < length; index++) {
    const made = sound(() => request(generator), frame)
    if (index + 1 < length) made.then = random.weighted(manner)
    if (made.responds && random.chance(0.98) && !made.chains.flat().some(({ op }) => op === 'data')) {
      made.chains.push([{ id: 90, when: 'out:response', op: random.weighted(HOW_READ) }])
    }
    if (made.chains.flat().some(({ when }) => when === 'out:response')) made.responds = true
    if (!made.responds && /^(answered|ended)$/.test(made.then)) made.then = 'close'
    requests.push(made)
    answers.push(answer(generator, made.method))
  }
  const program = {
    side: 'client',
    session: true,
    transport,
    agent: random.weighted({ 'keep-alive': 8, plain: 1, none: 0.5 }),
    watch: { in: WATCHED(generator, IN_EVENTS), out: WATCHED(generator, [...OUT_EVENTS, ...CLIENT_EVENTS]), socket: WATCHED(generator, [...SOCKET_EVENTS, ...CLIENT_SOCKET_EVENTS]) },
    requests,
    peer: { answers, connections: [{ reading: random.weighted({ prompt: 20, slow: 0.3 }) }] }
  }
  if (program.agent !== 'none') program.maxSockets = random.pick([1, 1, 1, 2, 3])
  return program
}

module.exports = { clientSession, serverSession }

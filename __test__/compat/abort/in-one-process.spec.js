'use strict'

/**
 * Both sides in one process: in which order the events of a server and of its client come, as on core, where the kernel's order
 * decides. The oracle compares each side's events by themselves.
 */

const assert = require('node:assert')
const { once } = require('node:events')
const net = require('node:net')
const { test } = require('node:test')
const core = require('node:http')
const ours = require('../../..')

/** Rounds: of one order in fifty, or in a thousand where connections get a driver while they are short, the test sees some. */
const ROUNDS = 2000

async function listening (t, http, handler) {
  const server = http.createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.close() })
  return server
}

test('a proxy hears that its client has gone before the answer that was sent behind that', async (t) => {
  let client
  const origin = await listening(t, ours, (request, response) => {
    setImmediate(() => {
      client.destroy()
      response.end('too late')
    })
  })
  const told = []
  let isOver
  const proxy = await listening(t, ours, (request, response) => {
    const events = []
    told.push(events)
    response.on('finish', () => events.push('finish'))
    response.on('close', () => {
      events.push('close')
      isOver()
    })
    ours.get({ host: '127.0.0.1', port: origin.address().port, agent: false }, (answer) => answer.pipe(response))
  })
  for (let round = 0; round < ROUNDS; round++) {
    const over = new Promise((resolve) => { isOver = resolve })
    client = ours.get({ host: '127.0.0.1', port: proxy.address().port, agent: false })
    client.on('error', () => {})
    await over
  }
  assert.deepStrictEqual(told.filter((events) => events.join() !== 'close'), [])
})

const reads = (answer) => { answer.resume() }

const post = (body) => (http, options) => {
  const request = http.request({ ...options, method: 'POST' }, reads)
  request.end(body)
  return request
}

const get = (http, options) => http.get(options, reads)

const behindBody = (request, response) => {
  request.resume()
  request.on('end', () => { response.end('x') })
}

/** What the server does with a request, and how it is asked: by a request of the client, or by bytes on a socket of net. */
const exchanges = {
  'answered at once': { serve: (request, response) => { response.end('x') }, ask: get },
  'answered in an immediate': { serve: (request, response) => { setImmediate(() => response.end('x')) }, ask: get },
  'answered in a timer': { serve: (request, response) => { setTimeout(() => response.end('x'), 1) }, ask: get },
  'answered by 100 KB': { serve: (request, response) => { response.end(Buffer.alloc(1e5)) }, ask: get },
  'answered behind the body': { serve: behindBody, ask: post('body') },
  'answered behind 60 KB': { serve: behindBody, ask: post(Buffer.alloc(6e4)) },
  'answered before the body': { serve: (request, response) => { response.end('x') }, ask: post(Buffer.alloc(1000)) },
  'a body in two turns': {
    serve: behindBody,
    ask (http, options) {
      const request = http.request({ ...options, method: 'POST' }, reads)
      request.write('body')
      setImmediate(() => { request.end('more') })
      return request
    }
  },
  'an answer in three turns': {
    serve (request, response) {
      response.write('a')
      setImmediate(() => {
        response.write('b')
        setImmediate(() => { response.end('c') })
      })
    },
    ask: get
  },
  'a body that is waited for': {
    serve: behindBody,
    ask (http, options) {
      const request = http.request({ ...options, method: 'POST', headers: { Expect: '100-continue' } }, reads)
      request.flushHeaders()
      request.on('continue', () => { request.end('body') })
      return request
    }
  },
  'destroyed by the client at the first part': {
    serve: (request, response) => { response.write('a') },
    ask: (http, options) => {
      const request = http.get(options, (answer) => { answer.on('data', () => { request.destroy() }) })
      return request
    }
  },
  'destroyed by the client when it is connected': {
    serve: (request, response) => { response.end('x') },
    ask: (http, options) => {
      const request = get(http, options)
      request.on('socket', (socket) => { socket.on('connect', () => { request.destroy() }) })
      return request
    }
  },
  'destroyed by the server': { serve: (request) => { request.socket.destroy() }, ask: get },
  'reset by the server': { serve: (request) => { request.socket.resetAndDestroy() }, ask: get },
  'cut by the server': {
    serve (request, response) {
      response.writeHead(200, { 'Content-Length': 10 })
      response.write('abc', () => { response.destroy() })
    },
    ask: get
  },
  'refused': { serve () {}, bytes: 'BAD\r\n\r\n' },
  'two at once': {
    serve: (request, response) => { setImmediate(() => { response.end('x') }) },
    bytes: 'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  }
}

/** Notes the events of a server and its client, until the sockets of both have closed. */
class Round {
  constructor () {
    this.events = []
    this.left = 2
    this.over = new Promise((resolve) => { this.end = resolve })
  }

  note (event) { this.events.push(event) }

  watch (name, emitter, events) {
    for (const event of events) emitter.on(event, () => { this.note(`${name} ${event}`) })
  }

  closes () {
    if (--this.left === 0) setImmediate(() => setImmediate(this.end))
  }

  serverSocket (socket) {
    this.note('connection')
    this.watch('server socket', socket, ['end', 'finish', 'close'])
    socket.on('close', () => { this.closes() })
  }

  served (request, response) {
    this.note('request')
    this.watch('request', request, ['aborted', 'end', 'close'])
    this.watch('response', response, ['finish', 'close'])
  }

  asked (request) {
    this.watch('client', request, ['finish', 'close'])
    request.on('error', ({ code }) => { this.note(`client ${code}`) })
    request.on('socket', (socket) => {
      socket.on('connect', () => {
        this.note('connect')
        setImmediate(() => { this.note('immediate') })
      })
      this.watch('client socket', socket, ['end', 'close'])
      socket.on('close', () => { this.closes() })
    })
    request.on('response', (answer) => {
      this.note('answer')
      this.watch('answer', answer, ['aborted', 'end', 'close'])
      answer.on('error', ({ code }) => { this.note(`answer ${code}`) })
    })
  }

  dialled (socket) {
    this.watch('peer', socket, ['connect', 'data', 'end', 'close'])
    socket.on('close', () => { this.closes() })
  }
}

/** Gives how often which order was seen in so many rounds. */
async function ordersOf (t, http, { serve, ask, bytes }, rounds) {
  let round
  const server = await listening(t, http)
  server.on('connection', (socket) => { round.serverSocket(socket) })
  server.on('request', (request, response) => { round.served(request, response) })
  server.on('request', serve)
  server.on('clientError', (error, socket) => {
    round.note(error.code)
    socket.destroy()
  })
  const { port } = server.address()
  const orders = new Map()
  for (let i = 0; i < rounds; i++) {
    round = new Round()
    if (bytes === undefined) round.asked(ask(http, { host: '127.0.0.1', port, agent: false }))
    else round.dialled(net.connect(port, '127.0.0.1').on('connect', function () { this.write(bytes) }))
    await round.over
    const order = round.events.join(', ')
    orders.set(order, (orders.get(order) ?? 0) + 1)
  }
  return orders
}

for (const [name, exchange] of Object.entries(exchanges)) {
  test(`the order of events of both sides: ${name}`, async (t) => {
    const expected = await ordersOf(t, core, exchange, 20)
    const seen = await ordersOf(t, ours, exchange, 60)
    const others = [...seen].filter(([order]) => !expected.has(order))
    // A machine that stops the process for a second has the connection driven by another thread meanwhile.
    const count = others.reduce((sum, [, times]) => sum + times, 0)
    assert.ok(count <= 3, `${count} of 60 rounds:\n${others.map(([order]) => order).join('\n')}\non core:\n${[...expected.keys()].join('\n')}`)
  })
}

/** How the first of several connections, which are ready in one turn, is answered. The others are answered at once. */
const firsts = {
  'answered at once': (request, response) => { response.end('x') },
  'answered in an immediate': (request, response) => { setImmediate(() => { response.end('x') }) },
  'destroyed': (request) => { request.socket.destroy() }
}

/** Gives how often which order of events was seen, of requests that peers send in one turn. */
async function ordersAtOnce (t, http, first, count, keepsAlive, rounds) {
  let events = []
  const server = await listening(t, http, (request, response) => {
    const name = request.url
    events.push(`request ${name}`)
    setImmediate(() => events.push(`immediate ${name}`))
    for (const event of ['finish', 'close']) response.on(event, () => events.push(`response ${event} ${name}`))
    if (!keepsAlive) for (const event of ['finish', 'close']) request.socket.on(event, () => events.push(`socket ${event} ${name}`))
    if (name === '/0') first(request, response)
    else response.end('x')
  })
  const { port } = server.address()
  const dial = async (number) => {
    const peer = net.connect(port, '127.0.0.1')
    await once(peer, 'connect')
    peer.on('data', () => events.push(`data /${number}`))
    return peer
  }
  const orders = new Map()
  let peers = []
  for (let round = 0; round < rounds; round++) {
    if (!keepsAlive || round === 0) peers = await Promise.all(Array.from({ length: count }, (_, number) => dial(number)))
    // The server has accepted them, and waits.
    await new Promise((resolve) => setTimeout(resolve, 2))
    events = []
    const over = Promise.all(peers.map((peer) => once(peer, keepsAlive ? 'data' : 'close')))
    const close = keepsAlive ? '' : 'Connection: close\r\n'
    for (const [number, peer] of peers.entries()) peer.write(`GET /${number} HTTP/1.1\r\nHost: a\r\n${close}\r\n`)
    await over
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    const order = events.join(', ')
    // A kept connection gets its place in the first exchanges.
    if (!keepsAlive || round >= 10) orders.set(order, (orders.get(order) ?? 0) + 1)
  }
  for (const peer of peers) peer.destroy()
  return orders
}

for (const [name, first] of Object.entries(firsts)) {
  for (const keepsAlive of name === 'destroyed' ? [false] : [false, true]) {
    test(`the order of events of connections that are ready at once, ${keepsAlive ? 'kept' : 'of one exchange'}: the first is ${name}`, async (t) => {
      for (const count of [2, 5]) {
        const expected = await ordersAtOnce(t, core, first, count, keepsAlive, 30)
        const seen = await ordersAtOnce(t, ours, first, count, keepsAlive, 60)
        const others = [...seen].filter(([order]) => !expected.has(order))
        const times = others.reduce((sum, [, times]) => sum + times, 0)
        assert.ok(times <= 5, `${times} rounds of ${count} connections:\n${others.map(([order]) => order).join('\n')}\non core:\n${[...expected.keys()].join('\n')}`)
      }
    })
  }
}

/** When a server is closed that a client dials. */
const moments = {
  'as it is dialled': (socket, close) => { close() },
  'in an immediate of that': (socket, close) => { setImmediate(close) },
  "in the client's 'connect'": (socket, close) => { socket.on('connect', close) },
  'in an immediate of that one': (socket, close) => { socket.on('connect', () => { setImmediate(close) }) }
}

/** Gives how often which order of events was seen when a server is closed at that moment, by new ones. */
async function ordersOfClosing (t, http, moment, rounds) {
  const orders = new Map()
  for (let round = 0; round < rounds; round++) {
    const events = []
    const server = await listening(t, http, (request, response) => { response.end('x') })
    server.on('connection', () => { events.push('connection') })
    const peer = net.connect(server.address().port, '127.0.0.1')
    peer.on('connect', () => {
      events.push('connect')
      peer.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    })
    for (const event of ['data', 'end', 'close']) peer.on(event, () => { events.push(event) })
    peer.on('error', ({ code }) => { events.push(code) })
    server.on('close', () => { events.push('server close') })
    const over = Promise.all([once(server, 'close'), new Promise((resolve) => { peer.on('close', resolve) })])
    moment(peer, () => { server.close() })
    await over
    const order = events.join(', ')
    orders.set(order, (orders.get(order) ?? 0) + 1)
  }
  return orders
}

for (const [name, moment] of Object.entries(moments)) {
  test(`a server that is closed ${name} has heard of its client, or has not, as core's has`, async (t) => {
    const expected = await ordersOfClosing(t, core, moment, 20)
    const seen = await ordersOfClosing(t, ours, moment, 60)
    const others = [...seen].filter(([order]) => !expected.has(order))
    const count = others.reduce((sum, [, times]) => sum + times, 0)
    assert.ok(count <= 3, `${count} of 60 rounds:\n${others.map(([order]) => order).join('\n')}\non core:\n${[...expected.keys()].join('\n')}`)
  })
}

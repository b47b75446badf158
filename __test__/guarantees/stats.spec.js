'use strict'

/** server.stats(): what it counts, compared with what a peer that speaks bytes has counted. */

const assert = require('node:assert')
const diagnostics = require('node:diagnostics_channel')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { test } = require('node:test')
const { spawnSync } = require('node:child_process')
const { Worker } = require('node:worker_threads')
const tls = require('node:tls')
const http = require('../..')
const { Child } = require('../child')
const { check } = require('../prometheus')
const { serveApart } = require('./limits/served')
const { expectStats, closes } = require('./expect-stats')

const keys = path.join(__dirname, '../fixtures/https')
const certificate = { key: fs.readFileSync(path.join(keys, 'key.pem')), cert: fs.readFileSync(path.join(keys, 'cert.pem')) }

const get = (url = '/', method = 'GET', ...fields) => [`${method} ${url} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')

/** How a client reaches a server: over a socket that the addon has, or over TLS, whose stream is JavaScript's. */
const TRANSPORTS = {
  native: {
    async listen (server) {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    },
    connect: ({ port }) => net.connect(port, '127.0.0.1')
  },
  TLS: {
    async listen (server) {
      const secure = tls.createServer(certificate, (socket) => server.emit('connection', socket))
      secure.listen(0, '127.0.0.1')
      await once(secure, 'listening')
      // Core begins to look for messages that take too long.
      server.emit('listening')
      return secure
    },
    connect: ({ port }) => tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  }
}

/** A client that keeps what it gets. */
class Client {
  text = ''

  constructor (socket) {
    this.socket = socket
    this.closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('data', (chunk) => { this.text += chunk.toString('latin1') }).on('error', () => {})
  }

  send (text) {
    this.socket.write(text)
    return this
  }

  /** Waits until what was got contains the text so many times. */
  async until (text, times = 1) {
    while (this.text.split(text).length <= times) await once(this.socket, 'data')
  }
}

/** Serves, and gives what tests need of the server. */
async function serve (t, { listen, connect }, options, listener) {
  const server = http.createServer(options, listener)
  const listening = await listen(server)
  t.after(() => {
    server.closeAllConnections()
    listening.close()
  })
  return { server, connect: () => new Client(connect(listening.address())) }
}

const answerByUrl = (request, response) => {
  request.resume()
  response.statusCode = Number(request.url.slice(1)) || 200
  response.end(response.statusCode === 304 ? undefined : 'answer')
}

for (const [name, transport] of Object.entries(TRANSPORTS)) {
  test(`${name}: requests are counted by method and by class of status`, async (t) => {
    const { server, connect } = await serve(t, transport, {}, answerByUrl)
    const client = connect()
    const asked = [['/', 'GET'], ['/', 'GET'], ['/404', 'GET'], ['/500', 'POST'], ['/201', 'PUT'], ['/304', 'GET'], ['/200', 'PURGE'], ['/200', 'HEAD'], ['/302', 'DELETE'], ['/200', 'PATCH']]
    for (const [index, [url, method]] of asked.entries()) {
      client.send(get(url, method, 'Content-Length: 0'))
      await client.until('HTTP/1.1', index + 1)
    }
    await expectStats(server, ({ requests }) => requests, {
      total: 10,
      active: 0,
      unanswered: 0,
      byMethod: { DELETE: 1, GET: 4, HEAD: 1, POST: 1, PUT: 1, PATCH: 1, _OTHER: 1 },
      activeByMethod: { DELETE: 0, GET: 0, HEAD: 0, POST: 0, PUT: 0, PATCH: 0, _OTHER: 0 },
      byStatus: { '2xx': 6, '3xx': 2, '4xx': 1, '5xx': 1 }
    })
    const { timeToFirstByte, timeToLastByte } = server.stats()
    assert.deepStrictEqual([timeToFirstByte.count, timeToLastByte.count], [10, 10])
    assert.ok(timeToFirstByte.sum > 0 && timeToLastByte.sum >= timeToFirstByte.sum)
  })

  test(`${name}: requests that are pipelined are counted each`, async (t) => {
    const { server, connect } = await serve(t, transport, {}, (request, response) => setImmediate(answerByUrl, request, response))
    const client = connect().send(get('/').repeat(20) + get('/404').repeat(30))
    await client.until('HTTP/1.1', 50)
    await expectStats(server, ({ requests: { total, active, byStatus }, timeToLastByte }) => ({ total, active, byStatus, count: timeToLastByte.count }), { total: 50, active: 0, byStatus: { '2xx': 20, '4xx': 30 }, count: 50 })
  })

  test(`${name}: bytes are those that the peer has sent and got`, async (t) => {
    const { server, connect } = await serve(t, transport, {}, (request, response) => {
      request.resume().on('end', () => {
        response.write('one')
        response.write(Buffer.alloc(300000, 'x'))
        response.end('three')
      })
    })
    const client = connect()
    const sent = get('/', 'POST', 'Transfer-Encoding: chunked') + `186a0\r\n${'y'.repeat(100000)}\r\n0\r\n\r\n` + get('/', 'POST', 'Content-Length: 3') + 'abc'
    client.send(sent)
    await client.until('three\r\n0\r\n\r\n', 2)
    await expectStats(server, ({ bytes }) => bytes, { received: sent.length, sent: client.text.length })
    client.send(get('/'))
    await client.until('three\r\n0\r\n\r\n', 3)
    await expectStats(server, ({ bytes }) => bytes, { received: sent.length + get('/').length, sent: client.text.length })
  })

  test(`${name}: a request under way is active, and unanswered if its connection ends before`, async (t) => {
    const { server, connect } = await serve(t, transport, {}, (request, response) => server.emit('asked', request, response))
    const [one, other] = [connect(), connect()]
    one.send(get('/', 'GET'))
    const [, response] = await once(server, 'asked')
    other.send(get('/', 'POST', 'Content-Length: 5'))
    await once(server, 'asked')
    await expectStats(server, ({ requests: { total, active, activeByMethod }, connections: { open, opened } }) => ({ total, active, activeByMethod, open, opened }), { total: 2, active: 2, activeByMethod: { GET: 1, POST: 1 }, open: 2, opened: 2 })
    response.end()
    await one.until('HTTP/1.1')
    other.socket.destroy()
    await expectStats(server, ({ requests: { active, unanswered, byStatus }, connections: { open } }) => ({ active, unanswered, byStatus, open }), { active: 0, unanswered: 1, byStatus: { '2xx': 1 }, open: 1 })
  })

  test(`${name}: parse errors are counted by their code`, async (t) => {
    const { server, connect } = await serve(t, transport, {}, answerByUrl)
    for (const bytes of ['GARBAGE\r\n\r\n', 'GARBAGE\r\n\r\n', 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n', get('/', 'POST', 'Transfer-Encoding: chunked') + 'zz\r\n']) {
      const client = connect().send(bytes)
      await client.closed
    }
    const early = connect().send('GET / HTTP/1.1\r\nHost')
    early.socket.end()
    await early.closed
    await expectStats(server, ({ parseErrors }) => parseErrors, { HPE_INVALID_CHUNK_SIZE: 1, HPE_INVALID_CONTENT_LENGTH: 1, HPE_INVALID_EOF_STATE: 1, HPE_INVALID_METHOD: 2 })
    await expectStats(server, closes, { client: 1, parseError: 4 })
  })

  test(`${name}: connections are counted by what has closed them`, async (t) => {
    const { server, connect } = await serve(t, transport, { connectionsCheckingInterval: 5 }, (request, response) => {
      if (request.url === '/close') response.setHeader('Connection', 'close')
      if (request.url === '/destroy') return request.socket.destroy()
      if (request.url === '/hang') return
      response.end('answer')
    })
    const expected = {}
    const expectClose = async (reason, client) => {
      await client.closed
      expected[reason] = (expected[reason] ?? 0) + 1
      await expectStats(server, closes, Object.fromEntries(['client', 'server', 'idleTimeout', 'keepAliveTimeout', 'headersTimeout', 'requestTimeout', 'upgraded', 'error'].filter((reason) => reason in expected).map((reason) => [reason, expected[reason]])))
    }
    const leaver = connect().send(get())
    await leaver.until('answer')
    leaver.socket.end()
    await expectClose('client', leaver)
    await expectClose('server', connect().send(get('/close')))
    await expectClose('server', connect().send(get('/destroy')))

    server.keepAliveTimeout = 1
    if (server.keepAliveTimeoutBuffer !== undefined) server.keepAliveTimeoutBuffer = 1
    await expectClose('keepAliveTimeout', connect().send(get()))
    server.keepAliveTimeout = 5000

    server.headersTimeout = 20
    await expectClose('headersTimeout', connect().send('GET / HTTP/1.1\r\nHo'))
    server.headersTimeout = 60000
    server.requestTimeout = 20
    await expectClose('requestTimeout', connect().send(get('/hang', 'POST', 'Content-Length: 5') + 'ab'))
    server.requestTimeout = 0

    server.timeout = 20
    await expectClose('idleTimeout', connect().send(get('/hang')))
    server.timeout = 0
    assert.deepStrictEqual(server.stats().timeouts, { idle: 1, keepAlive: 1, headers: 1, request: 1 })

    server.once('upgrade', (request, socket) => {
      socket.on('error', () => {}).end('HTTP/1.1 101 Switching Protocols\r\n\r\nbye')
    })
    const upgraded = connect().send(get('/', 'GET', 'Connection: upgrade', 'Upgrade: other'))
    await upgraded.until('bye')
    upgraded.socket.end()
    await expectClose('upgraded', upgraded)
    assert.strictEqual(server.stats().connections.upgrades, 1)
    assert.deepStrictEqual(server.stats().requests.byStatus['1xx'], 1)
    await expectStats(server, ({ connections: { open } }) => open, 0)
  })
}

test('a reset is counted as an error, by its code', async (t) => {
  const { server, connect } = await serve(t, TRANSPORTS.native, {}, () => server.emit('asked'))
  const client = connect().send(get())
  await once(server, 'asked')
  client.socket.resetAndDestroy()
  await expectStats(server, (stats) => ({ ...closes(stats), errors: stats.connections.errors }), { error: 1, errors: { ECONNRESET: 1 } })
})

test('connections beyond maxConnections are counted as closed by the limit', async (t) => {
  const { server, connect } = await serve(t, TRANSPORTS.native, {}, answerByUrl)
  server.maxConnections = 1
  const first = connect().send(get())
  await first.until('answer')
  const [second, third] = [connect(), connect()]
  await Promise.all([second.closed, third.closed])
  await expectStats(server, (stats) => ({ open: stats.connections.open, opened: stats.connections.opened, ...closes(stats) }), { open: 1, opened: 3, limit: 2 })
})

test('a request is over when the transport has taken its answer', async (t) => {
  const { server, connect } = await serve(t, TRANSPORTS.native, {}, (request, response) => response.end(Buffer.alloc(64 * 1024 * 1024)))
  const client = connect()
  client.socket.pause()
  client.send(get())
  await expectStats(server, ({ timeToFirstByte }) => timeToFirstByte.count, 1)
  assert.deepStrictEqual([server.stats().requests.active, server.stats().timeToLastByte.count], [1, 0])
  client.socket.removeAllListeners('data').resume()
  await expectStats(server, ({ requests, timeToLastByte }) => [requests.active, timeToLastByte.count], [0, 1])
})

function block (ms) {
  const end = performance.now() + ms
  while (performance.now() < end);
}

test('what an I/O thread has read waits for JavaScript for as long as it is stuck', async (t) => {
  // With limits an I/O thread reads when JavaScript does not, and one request waits: the others are refused.
  const { worker, next, open, connect } = await serveApart(t, { limits: { requestsWaiting: 1, healthPath: '/health' } })
  const blocking = await connect().send(get('/before')).until('/before')
  blocking.send(get('/block'))
  assert.strictEqual(await next(), 'blocked')
  const clients = [connect().send(get()), connect().send(get())]
  const refused = await Promise.any(clients.map((client) => client.until(' 503 ')))
  const waiting = clients.find((client) => client !== refused)
  const age = async () => {
    const probe = connect().send(get('/health?turn', 'GET', 'Connection: close'))
    await probe.closed
    return JSON.parse(probe.text.split('\r\n\r\n')[1]).turn
  }
  const before = await age()
  while (await age() < before + 0.2);
  open()
  await Promise.all([blocking.until('/block'), waiting.until(' 200 ')])
  worker.postMessage('queue')
  let queue = await next()
  while (queue.count === undefined) queue = await next()
  assert.strictEqual(queue.count, 3)
  assert.ok(queue.max >= 0.2 && queue.sum >= 0.2, JSON.stringify(queue))
})

test('that JavaScript was stuck shows in the turns, and in the time to the first byte', async (t) => {
  const { server, connect } = await serve(t, TRANSPORTS.native, {}, (request, response) => {
    if (request.url === '/slow') block(300)
    response.end('answer')
  })
  const others = Array.from({ length: 3 }, connect)
  for (const client of others) await once(client.socket, 'connect')
  await expectStats(server, ({ connections }) => connections.opened, 3)
  // What is sent now waits on the I/O thread, or in the kernel, until the other request is answered.
  setTimeout(() => {
    for (const client of others) client.send(get())
    setImmediate(block, 300)
  }, 1)
  for (const client of others) await client.until('answer')
  const { eventLoop: { turn } } = server.stats()
  assert.ok(turn.upTo(0.29) < turn.count, JSON.stringify(turn))
  assert.ok(turn.max >= 0.3, JSON.stringify(turn))

  const before = server.stats().timeToFirstByte
  const slow = connect().send(get('/slow'))
  await slow.until('answer')
  const after = server.stats().timeToFirstByte
  assert.strictEqual(after.count - before.count, 1)
  assert.strictEqual((after.count - after.upTo(0.29)) - (before.count - before.upTo(0.29)), 1)
  assert.ok(after.sum - before.sum >= 0.3)
})

test('what cannot be told apart any more stays in the sum of all', async (t) => {
  const { server, connect } = await serve(t, TRANSPORTS.native, {}, answerByUrl)
  const client = connect().send(get())
  await client.until('answer')
  await expectStats(server, ({ requests }) => requests.byStatus['2xx'], 1)
  const { servers } = http.stats()
  assert.ok(servers.requests.total >= server.stats().requests.total)
  assert.ok(servers.connections.opened >= 1)
})

test('a server that has served nothing has counted nothing', () => {
  const { connections, requests, bytes, timeToFirstByte } = http.createServer().stats()
  assert.deepStrictEqual([connections.open, connections.opened, requests.total, bytes, timeToFirstByte.count], [0, 0, 0, { received: 0, sent: 0 }, 0])
})

test('the members are there, and are not enumerable', () => {
  assert.ok(!Object.keys(http).includes('stats') && typeof http.stats === 'function')
  const seen = []
  for (const key in http.createServer()) seen.push(key)
  for (const key in new http.Agent()) seen.push(key)
  assert.ok(!seen.includes('stats'))
})

test('the text for Prometheus is right, and has the numbers', async (t) => {
  const { server, connect } = await serve(t, TRANSPORTS.native, {}, answerByUrl)
  const client = connect().send(get('/') + get('/404', 'POST', 'Content-Length: 0') + get('/404', 'POST', 'Content-Length: 0'))
  await client.until('HTTP/1.1', 3)
  await connect().send('GARBAGE\r\n\r\n').closed
  await expectStats(server, ({ requests, connections }) => [requests.active, connections.closed.parseError], [0, 1])
  const labels = { app: 'a "quoted" \\ one\nwith two lines' }
  const stats = server.stats()
  const families = check(stats.toPrometheus({ labels }))
  const valueOf = (name, wanted = {}) => {
    const samples = families.get(name).samples.filter(({ labels }) => Object.entries(wanted).every(([label, value]) => labels[label] === value))
    assert.strictEqual(samples.length, 1, name)
    assert.strictEqual(samples[0].labels.app, 'a \\"quoted\\" \\\\ one\\nwith two lines')
    return samples[0].value
  }
  assert.strictEqual(valueOf('http_server_requests_total', { http_request_method: 'GET', http_response_status_class: '2xx' }), 1)
  assert.strictEqual(valueOf('http_server_requests_total', { http_request_method: 'POST', http_response_status_class: '4xx' }), 2)
  assert.strictEqual(valueOf('http_server_received_bytes_total'), stats.bytes.received)
  assert.strictEqual(valueOf('http_server_sent_bytes_total'), stats.bytes.sent)
  assert.strictEqual(valueOf('http_server_open_connections'), 1)
  assert.strictEqual(valueOf('http_server_connections_opened_total'), 2)
  assert.strictEqual(valueOf('http_server_connections_closed_total', { reason: 'parse_error' }), 1)
  assert.strictEqual(valueOf('http_server_parse_errors_total', { error_type: 'HPE_INVALID_METHOD' }), 1)
  assert.strictEqual(families.get('http_server_request_duration_seconds').samples.find(({ suffix }) => suffix === '_count').value, 3)
  const all = check(http.stats().toPrometheus())
  for (const name of [...families.keys(), 'http_client_request_duration_seconds', 'http_client_connections_reused_total']) assert.ok(all.has(name), name)
  check(new http.Agent().stats().toPrometheus())
})

test('labels are checked', () => {
  const stats = http.createServer().stats()
  for (const options of [null, 1, [], { labels: 1 }, { labels: null }, { labels: [] }]) assert.throws(() => stats.toPrometheus(options), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const label of ['a-b', '1a', '__a', '']) assert.throws(() => stats.toPrometheus({ labels: { [label]: 'x' } }), { code: 'ERR_INVALID_ARG_VALUE' })
})

test('a label of the application\'s has no name that a sample has already', async (t) => {
  const { connect } = await serve(t, TRANSPORTS.native, { limits: { requests: 0 } }, () => {})
  const [limited, bad] = [connect().send(get()), connect().send('BAD\r\n\r\n')]
  await Promise.all([limited.until('503'), bad.closed])
  const text = http.stats().toPrometheus()
  const names = new Set([...text.matchAll(/[{,](\w+)="/g)].map(([, name]) => name))
  assert.ok(names.size >= 7, [...names].join())
  for (const label of names) assert.throws(() => http.stats().toPrometheus({ labels: { [label]: 'x' } }), { code: 'ERR_INVALID_ARG_VALUE', message: /names of labels/ })
})

test('buckets show what was counted to two digits', async (t) => {
  const { server, connect } = await serve(t, TRANSPORTS.native, {}, (request, response) => setTimeout(() => response.end(), 20))
  for (let count = 0; count < 5; count++) {
    const client = connect().send(get())
    await client.until('HTTP/1.1')
  }
  await expectStats(server, ({ timeToLastByte }) => timeToLastByte.count, 5)
  const { timeToLastByte } = server.stats()
  assert.strictEqual(timeToLastByte.upTo(0.018), 0)
  assert.ok(timeToLastByte.percentile(1) >= 0.019 && timeToLastByte.percentile(1) <= timeToLastByte.mean * 1.1)
  assert.strictEqual(timeToLastByte.upTo(timeToLastByte.max), 5)
  const more = connect().send(get())
  await more.until('HTTP/1.1')
  await expectStats(server, ({ timeToLastByte }) => timeToLastByte.count, 6)
  const last = server.stats().timeToLastByte.since(timeToLastByte)
  assert.deepStrictEqual([last.count, last.upTo(0.018)], [1, 0])
  assert.ok(last.sum >= 0.018 && last.sum <= last.max)
  const buckets = timeToLastByte.buckets()
  assert.strictEqual(buckets.reduce((sum, { count }) => sum + count, 0), 5)
  assert.deepStrictEqual(Object.keys(timeToLastByte.toJSON()), ['count', 'sum', 'mean', 'max', 'p50', 'p90', 'p99', 'p999'])
})

test('in a worker thread, stats are those of the thread', async (t) => {
  const worker = new Worker(path.join(__dirname, '../fixtures/stats/worker.js'))
  t.after(() => worker.terminate())
  const [stats] = await once(worker, 'message')
  assert.deepStrictEqual(stats, { requests: 3, total: 3, agents: 3, byStatus: { '2xx': 3 }, turns: true })
})

test('under register, servers and agents of http and https have stats', async () => {
  const child = new Child('stats/registered.js', { module: 'core', execArgv: ['-r', path.join(__dirname, '../../register.js')] })
  const { code, stdout, stderr } = await child.ended()
  assert.strictEqual(code, 0, stderr)
  for (const stats of JSON.parse(stdout)) assert.deepStrictEqual(stats, { server: { '2xx': 2 }, agent: { '2xx': 2 }, opened: 1, reused: 1 })
})

test('where core\'s http serves there are none', () => {
  const child = spawnSync(process.execPath, ['--no-addons', '-p', 'const http = require(process.argv[1]); [http.stats, http.createServer().stats, new http.Agent().stats].join()', path.join(__dirname, '../..')], { encoding: 'utf8' })
  assert.strictEqual(child.stdout.trim(), ',,')
})

for (const [name, transport] of Object.entries(TRANSPORTS)) {
  test(`${name}: connections are told to the diagnostics channels`, async (t) => {
    const { server, connect } = await serve(t, transport, {}, answerByUrl)
    const told = []
    const opened = (message) => { if (message.server === server) told.push(['opened', message.side, message.socket.remoteAddress]) }
    const closed = ({ server: its, side, reason, code, bytesRead, bytesWritten }) => {
      if (its !== server) return
      told.push(['closed', side, reason, code, bytesRead, bytesWritten])
      server.emit('told')
    }
    diagnostics.subscribe('http-native.connection.opened', opened)
    diagnostics.subscribe('http-native.connection.closed', closed)
    t.after(() => {
      diagnostics.unsubscribe('http-native.connection.opened', opened)
      diagnostics.unsubscribe('http-native.connection.closed', closed)
    })
    const client = connect().send(get())
    await client.until('answer')
    let done = once(server, 'told')
    client.socket.end()
    await done
    done = once(server, 'told')
    const bad = connect().send('GARBAGE\r\n\r\n')
    await done
    await bad.closed
    assert.deepStrictEqual(told, [
      ['opened', 'server', '127.0.0.1'],
      ['closed', 'server', 'client', undefined, get().length, client.text.length],
      ['opened', 'server', '127.0.0.1'],
      ['closed', 'server', 'parseError', undefined, 'GARBAGE\r\n\r\n'.length, bad.text.length]
    ])
  })
}

test('a client\'s connections are told to the diagnostics channels', async (t) => {
  const { server } = await serve(t, TRANSPORTS.native, {}, answerByUrl)
  const told = []
  const listen = (what) => (message) => { if (message.side === 'client') told.push([what, message.reason, typeof message.socket.on]) }
  const [opened, closed] = [listen('opened'), listen('closed')]
  diagnostics.subscribe('http-native.connection.opened', opened)
  diagnostics.subscribe('http-native.connection.closed', closed)
  t.after(() => {
    diagnostics.unsubscribe('http-native.connection.opened', opened)
    diagnostics.unsubscribe('http-native.connection.closed', closed)
  })
  const request = http.get({ port: server.address().port, host: '127.0.0.1', agent: new http.Agent() })
  const [response] = await once(request, 'response')
  await once(response.resume(), 'close')
  while (told.length < 2) await new Promise(setImmediate)
  assert.deepStrictEqual(told.map(([what, , type]) => [what, type]), [['opened', 'function'], ['closed', 'function']])
  assert.ok(['client', 'server'].includes(told[1][1]))
})

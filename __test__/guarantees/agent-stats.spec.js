'use strict'

/** agent.stats(): what it counts, compared with what an origin that speaks bytes has counted. */

const assert = require('node:assert')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { test } = require('node:test')
const tls = require('node:tls')
const http = require('../..')
const { expectStats, closes } = require('./expect-stats')

const keys = path.join(__dirname, '../fixtures/https')
const certificate = { key: fs.readFileSync(path.join(keys, 'key.pem')), cert: fs.readFileSync(path.join(keys, 'cert.pem')) }

class SecureAgent extends http.Agent {
  createConnection (options) {
    return tls.connect({ ...options, rejectUnauthorized: false })
  }
}

const TRANSPORTS = {
  native: { Agent: http.Agent, createServer: (listener) => net.createServer(listener) },
  TLS: { Agent: SecureAgent, createServer: (listener) => tls.createServer(certificate, listener) }
}

/** An origin that answers each request, which comes whole, by its target: with that status, or an end of the connection. */
async function serve (t, { createServer }) {
  const origin = createServer((socket) => {
    origin.connections++
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      origin.received += bytes.length
      const [, target] = /^\w+ \/(\w*)/.exec(bytes.toString('latin1')) ?? []
      if (target === undefined) return
      if (target === 'end') return socket.end()
      if (target === 'reset') return (socket._parent ?? socket).resetAndDestroy()
      if (target === 'hang') return
      const answer = target === 'bad' ? 'GARBAGE\r\n\r\n' : `HTTP/1.1 ${target || 200} X\r\nContent-Length: 2\r\n\r\n${/^HEAD/m.test(bytes) ? '' : 'ok'}`
      origin.sent += answer.length
      socket.write(answer)
    })
  })
  Object.assign(origin, { connections: 0, received: 0, sent: 0 })
  origin.listen(0, '127.0.0.1')
  await once(origin, 'listening')
  t.after(() => origin.close())
  return origin
}

/** Asks, and gives the status or the error's code. */
function ask (origin, agent, options) {
  return new Promise((resolve) => {
    const request = http.request({ agent, host: '127.0.0.1', port: origin.address().port, ...options })
    request.on('error', ({ code }) => resolve(code))
    request.on('response', (response) => response.resume().on('end', () => setImmediate(resolve, response.statusCode)))
    request.on('timeout', () => request.destroy())
    request.end(options?.body)
  })
}

for (const [name, transport] of Object.entries(TRANSPORTS)) {
  const agentOf = (t, options) => {
    const agent = new transport.Agent({ keepAlive: true, ...options })
    t.after(() => agent.destroy())
    return agent
  }

  test(`${name}: requests, bytes and the use of the pool are counted`, async (t) => {
    const origin = await serve(t, transport)
    const agent = agentOf(t)
    for (const [path, method] of [['/', 'GET'], ['/404', 'GET'], ['/503', 'POST'], ['/', 'HEAD'], ['/', 'PURGE']]) await ask(origin, agent, { path, method })
    await expectStats(agent, ({ requests }) => requests, {
      total: 5, active: 0, unanswered: 0, byMethod: { GET: 2, HEAD: 1, POST: 1, _OTHER: 1 }, activeByMethod: { GET: 0, HEAD: 0, POST: 0, _OTHER: 0 }, byStatus: { '2xx': 3, '4xx': 1, '5xx': 1 }
    })
    await expectStats(agent, ({ bytes }) => bytes, { received: origin.sent, sent: origin.received })
    await expectStats(agent, ({ pool }) => pool, { active: 0, idle: 1, waiting: 0, reused: 4, stale: 0, queued: 0, retried: 0, failed: {} })
    await expectStats(agent, ({ connections: { open, opened } }) => ({ open, opened }), { open: origin.connections, opened: origin.connections })
    const { timeToFirstByte, timeToLastByte } = agent.stats()
    assert.deepStrictEqual([timeToFirstByte.count, timeToLastByte.count], [5, 5])
  })

  test(`${name}: requests that wait for a connection are counted`, async (t) => {
    const origin = await serve(t, transport)
    const agent = agentOf(t, { maxSockets: 2 })
    await Promise.all(Array.from({ length: 10 }, () => ask(origin, agent)))
    await expectStats(agent, ({ pool: { reused, queued }, connections: { opened } }) => ({ reused, queued, opened }), { reused: 8, queued: 8, opened: origin.connections })
  })

  test(`${name}: connections are counted by what has closed them`, async (t) => {
    const origin = await serve(t, transport)
    const agent = agentOf(t)
    assert.strictEqual(await ask(origin, agent, { path: '/end' }), 'ECONNRESET')
    await expectStats(agent, closes, { server: 1 })
    assert.match(String(await ask(origin, agent, { path: '/bad' })), /^HPE_/)
    await expectStats(agent, closes, { server: 1, parseError: 1 })
    assert.deepStrictEqual(Object.values(agent.stats().parseErrors), [1])
    assert.strictEqual(await ask(origin, agent), 200)
    agent.destroy()
    await expectStats(agent, closes, { server: 1, client: 1, parseError: 1 })
    await expectStats(agent, ({ requests: { total, active, unanswered }, connections: { open } }) => ({ total, active, unanswered, open }), { total: 3, active: 0, unanswered: 2, open: 0 })
  })
}

test('a reset and a timeout of a request are counted as what they are', async (t) => {
  const origin = await serve(t, TRANSPORTS.native)
  const agent = new http.Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  assert.strictEqual(await ask(origin, agent, { path: '/reset' }), 'ECONNRESET')
  await expectStats(agent, (stats) => ({ ...closes(stats), errors: stats.connections.errors }), { error: 1, errors: { ECONNRESET: 1 } })
  assert.strictEqual(await ask(origin, agent, { path: '/hang', timeout: 20 }), 'ECONNRESET')
  await expectStats(agent, (stats) => ({ ...closes(stats), timeouts: stats.timeouts.idle }), { idleTimeout: 1, error: 1, timeouts: 1 })
})

test('a request that is sent once more is counted as retried', async (t) => {
  const origin = net.createServer((socket) => {
    let left = origin.first ? 1 : 2
    origin.first = false
    socket.on('error', () => {}).on('data', () => left-- > 0 ? socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n') : socket.destroy())
  })
  origin.first = true
  origin.listen(0, '127.0.0.1')
  await once(origin, 'listening')
  t.after(() => origin.close())
  const agent = new http.Agent({ keepAlive: true, retryStale: true })
  t.after(() => agent.destroy())
  assert.deepStrictEqual([await ask(origin, agent), await ask(origin, agent)], [200, 200])
  await expectStats(agent, ({ pool: { reused, retried }, requests: { total, unanswered, byStatus } }) => ({ reused, retried, total, unanswered, byStatus }), { reused: 1, retried: 1, total: 3, unanswered: 1, byStatus: { '2xx': 2 } })
})

for (const [name, transport] of Object.entries(TRANSPORTS)) {
  test(`${name}: connections that could not be made are counted by their errors`, async (t) => {
    const closed = net.createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const { port } = closed.address()
    await new Promise((resolve) => closed.close(resolve))
    const agent = new transport.Agent({ keepAlive: true })
    t.after(() => agent.destroy())
    const lost = { address: () => ({ port }) }
    const lookup = (host, options, callback) => callback(Object.assign(new Error('no'), { code: 'ENOTFOUND' }))
    const { failed: before } = http.stats().agents.pool
    for (let count = 0; count < 2; count++) assert.strictEqual(await ask(lost, agent), 'ECONNREFUSED')
    assert.strictEqual(await ask(lost, agent, { host: 'nowhere.test', lookup }), 'ENOTFOUND')
    // One that is given up while it is made is none of them.
    const request = http.get({ agent, host: '127.0.0.1', port: (await serve(t, transport)).address().port })
    await once(request, 'socket')
    request.destroy(Object.assign(new Error('given up'), { code: 'OWN' }))
    assert.strictEqual((await once(request, 'error'))[0].code, 'OWN')
    // Nor is one that was made and then fails.
    assert.strictEqual(await ask(await serve(t, transport), agent, { path: '/reset' }), 'ECONNRESET')
    assert.deepStrictEqual(agent.stats().pool.failed, { ECONNREFUSED: 2, ENOTFOUND: 1 })
    const { agents } = http.stats()
    assert.deepStrictEqual([agents.pool.failed.ECONNREFUSED - (before.ECONNREFUSED ?? 0), agents.pool.failed.ENOTFOUND - (before.ENOTFOUND ?? 0)], [2, 1])
    assert.match(agent.stats().toPrometheus(), /^http_client_connections_failed_total\{error_type="ECONNREFUSED"\} 2$/m)
  })
}

test('a handshake that fails, and what createConnection says, are connections that could not be made', async (t) => {
  const plain = net.createServer((socket) => socket.on('error', () => {}).end('no TLS\r\n')).listen(0, '127.0.0.1')
  await once(plain, 'listening')
  t.after(() => plain.close())
  const secure = new SecureAgent()
  const code = await ask(plain, secure)
  assert.match(code, /^E/)
  assert.deepStrictEqual(secure.stats().pool.failed, { [code]: 1 })
  const own = new http.Agent()
  const reasons = [Object.assign(new Error('one'), { code: 'OWN' }), new Error('two')]
  own.createConnection = (options, callback) => { process.nextTick(callback, reasons.shift()) }
  assert.deepStrictEqual([await ask(plain, own), await ask(plain, own)], ['OWN', undefined])
  assert.deepStrictEqual(own.stats().pool.failed, { OWN: 1, _OTHER: 1 })
})

test('a connection of the pool that its server has ended is counted as stale', async (t) => {
  const origin = await serve(t, TRANSPORTS.native)
  const ends = []
  origin.on('connection', (socket) => ends.push(socket))
  const agent = new http.Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  await ask(origin, agent)
  // Nothing of it is heard before the next request is made, in this turn.
  ends[0].destroy()
  const status = ask(origin, agent)
  assert.strictEqual(agent.stats().pool.stale, 1)
  assert.strictEqual(await status, 200)
  await expectStats(agent, ({ connections: { opened }, pool: { reused } }) => ({ opened, reused }), { opened: 2, reused: 0 })
})

test('agents that are gone, and requests without one, are in the sum of all', async (t) => {
  const origin = await serve(t, TRANSPORTS.native)
  const { agents: before } = http.stats()
  await ask(origin, false)
  await ask(origin, undefined, { createConnection: (options) => net.connect(options) })
  for (let turns = 0; turns < 20000 && http.stats().agents.requests.total < before.requests.total + 2; turns++) await new Promise(setImmediate)
  const { agents: after } = http.stats()
  assert.strictEqual(after.requests.total - before.requests.total, 2)
  assert.strictEqual(after.connections.opened - before.connections.opened, 2)
})

test('an agent that keeps no connections counts by itself from its second one on, or once it was asked', async (t) => {
  const origin = await serve(t, TRANSPORTS.native)
  const [two, asked] = [new http.Agent({ keepAlive: false }), new http.Agent({ keepAlive: false })]
  assert.strictEqual(asked.stats().connections.opened, 0)
  for (let count = 0; count < 2; count++) await ask(origin, two)
  await ask(origin, asked)
  await expectStats(two, ({ requests: { total, active } }) => ({ total, active }), { total: 1, active: 0 })
  await expectStats(asked, ({ requests: { total, active } }) => ({ total, active }), { total: 1, active: 0 })
})

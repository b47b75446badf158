'use strict'

/** limits: how many connections there are, of which address, how fast they come, and how much waits in them. */

const assert = require('node:assert')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { fork } = require('node:child_process')
const { test } = require('node:test')
const http = require('../../..')
const { Client, get, serve, serveApart, serveOthers } = require('./served')

const answerUrl = (request, response) => response.end(request.url)

/** Opens a connection that the server has got a request of. */
async function open (connect, url = '/open') {
  return connect().send(get(url)).until(url)
}

test('connections beyond the limit wait in the queue of the kernel until others have ended', async (t) => {
  const { server, connect } = await serve(t, { limits: { connections: 2 } }, answerUrl)
  const [first] = [await open(connect), await open(connect)]
  const third = connect().send(get('/third'))
  await once(third.socket, 'connect')
  await serveOthers(t)
  assert.deepEqual([third.text, server.stats().connections.open], ['', 2])
  first.socket.end()
  await third.until('/third')
  assert.deepEqual(server.stats().limits, {})
})

for (const then of ['close', 'answer']) {
  test(`connections beyond the limit, ${then}`, async (t) => {
    const { server, connect } = await serve(t, { limits: { connections: { max: 1, then } } }, answerUrl)
    const told = once(server, 'limit')
    const first = await open(connect)
    const second = connect().send(get('/second'))
    assert.deepEqual(await second.end(), then === 'answer' ? [503] : [])
    assert.deepEqual(await told, [{ connections: 1 }])
    await first.send(get('/again')).until('/again')
    first.socket.destroy()
    while (server.stats().connections.open !== 0) await new Promise(setImmediate)
    await open(connect)
    // What was turned away was never open.
    assert.equal(server.stats().connections.opened, 2)
  })
}

test('connections of one address beyond the limit are closed or answered with 429, those of others served', async (t) => {
  const { connect, port } = await serve(t, { limits: { connectionsPerAddress: { max: 2, then: 'answer' } } }, answerUrl)
  const first = await open(connect)
  await open(connect)
  const third = connect().send(get('/third'))
  assert.deepEqual(await third.end(), [429])
  assert.match(third.text, /\r\nRetry-After: 1\r\n/)
  const other = new Client(net.connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }))
  await other.send(get('/other')).until('/other')
  first.socket.destroy()
  other.socket.destroy()
  await first.closed
  // The server hears of it in its own time.
  let fourth = connect().send(get('/fourth'))
  while (!fourth.text.includes('/fourth')) {
    if (fourth.socket.destroyed) fourth = connect().send(get('/fourth'))
    await Promise.race([once(fourth.socket, 'data').catch(() => {}), fourth.closed])
  }
})

for (const then of ['wait', 'close', 'answer']) {
  test(`connections that come faster than the limit, ${then}`, async (t) => {
    const { server, connect } = await serve(t, { limits: { connectionsPerSecond: { max: 5, then } } }, answerUrl)
    const began = process.hrtime.bigint()
    const clients = Array.from({ length: 8 }, () => connect().send(get('/one', 'GET', 'Connection: close')))
    const statuses = (await Promise.all(clients.map((client) => client.end()))).flat()
    const ms = Number(process.hrtime.bigint() - began) / 1e6
    if (then === 'wait') {
      assert.deepEqual(statuses, Array(8).fill(200))
      // Five at once, then one each 200 ms.
      assert.ok(ms > 550, `${ms} ms`)
    } else {
      assert.ok(statuses.filter((status) => status === 200).length >= 5)
      const refused = server.stats().limits.connectionsPerSecond
      assert.ok(refused >= 1 && refused <= 3, `${refused}`)
      assert.equal(statuses.filter((status) => status === 503).length, then === 'answer' ? refused : 0)
    }
  })
}

test('a server whose connections wait can be closed', async (t) => {
  const { server, connect } = await serve(t, { limits: { connections: 1 } }, answerUrl)
  const first = await open(connect)
  const waiting = connect()
  await once(waiting.socket, 'connect')
  const closed = once(server, 'close')
  server.close()
  first.socket.destroy()
  await closed
  assert.deepEqual(await waiting.end(), [])
})

test('a server that lets no more connections in this second can be closed, and others are served', async (t) => {
  const { server, connect } = await serve(t, { limits: { connectionsPerSecond: 0 } }, (request, response) => response.end('served'))
  await connect().send(get('/')).until('served')
  const ended = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await ended
  const other = await serve(t, {}, (request, response) => response.end('served'))
  await other.connect().send(get('/')).until('served')
})

test('a Unix socket has connections, and no addresses', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'limits-'))
  const at = path.join(folder, 'socket')
  const server = http.createServer({ limits: { connections: { max: 3, then: 'close' }, connectionsPerAddress: 1 } }, answerUrl)
  server.listen(at)
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
    fs.rmSync(folder, { recursive: true })
  })
  const connect = () => new Client(net.connect(at))
  const clients = [await open(connect), await open(connect), await open(connect)]
  assert.deepEqual(await connect().send(get('/')).end(), [])
  for (const { socket } of clients) socket.destroy()
})

test('connections that a cluster deals have the limits of the worker that gets them', async (t) => {
  const child = fork(path.join(__dirname, '../../fixtures/limits/cluster.js'))
  t.after(() => child.kill())
  const [port] = await once(child, 'message')
  const connect = () => new Client(net.connect(port, '127.0.0.1'))
  const first = await open(connect)
  assert.deepEqual(await connect().send(get('/beyond')).end(), [503])
  first.socket.destroy()
})

// ---------------------------------------------------------------------------------------------- bytes that wait

test('a peer that does not read its answers is not read from while as much as the limit waits', async (t) => {
  const seen = { asked: 0 }
  const big = Buffer.alloc(100_000, 'x')
  const { server, connect } = await serve(t, { limits: { bufferedBytes: 300_000 } }, (request, response) => {
    seen.asked++
    response.end(big)
  })
  const client = connect()
  client.socket.pause()
  client.send(get('/', 'GET', `X: ${'x'.repeat(2000)}`).repeat(1000))
  let before = -1
  // Until nothing moves any more.
  while (before !== seen.asked || seen.asked === 0) {
    before = seen.asked
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  assert.ok(seen.asked < 1000, `${seen.asked}`)
  client.socket.resume()
  while (seen.asked < 1000) await once(server, 'request')
  client.socket.destroy()
})

test('a connection that holds more than the limit is closed, if the limit says so', async (t) => {
  const { server, connect } = await serve(t, { limits: { bufferedBytes: { max: 1_000_000, then: 'close' } } }, (request, response) => {
    if (request.url === '/small') return response.end('/small')
    // An application that does not heed write().
    for (let count = 0; count < 300; count++) response.write(Buffer.alloc(100_000))
    response.end()
  })
  const innocent = await open(connect, '/small')
  const told = once(server, 'limit')
  const client = connect()
  client.socket.pause()
  client.send(get('/big'))
  assert.deepEqual(await told, [{ bufferedBytes: 1 }])
  client.socket.resume()
  await client.closed
  await innocent.send(get('/small')).until('/small', 2)
  assert.equal(server.stats().connections.closed.limit, 1)
})

test('a connection whose bytes wait for a blocked JavaScript is closed beyond the limit', async (t) => {
  const { next, connect } = await serveApart(t, { limits: { bufferedBytes: { max: 100_000, then: 'close' } } })
  const kept = connect()
  await open(() => kept)
  connect().send(get('/block'))
  assert.equal(await next(), 'blocked')
  kept.send(get('/', 'POST', 'Content-Length: 400000') + 'x'.repeat(400_000))
  // JavaScript is blocked still.
  await kept.closed
  assert.deepEqual(kept.statuses, [200])
})

test('all connections together hold no more than the limit, and the one that comes over it is closed', async (t) => {
  const { server, connect } = await serve(t, { limits: { bufferedBytesInAll: { max: 4_000_000, then: 'close' } } }, (request, response) => {
    if (request.url === '/small') response.end('/small')
    else response.write(Buffer.alloc(20_000_000, 'x'))
  })
  const clients = []
  // The kernel takes some of each.
  while (server.stats().limits.bufferedBytesInAll === undefined) {
    assert.ok(clients.length < 100)
    const client = connect()
    client.socket.pause()
    client.send(get('/'))
    clients.push(client)
    await once(server, 'request')
    await new Promise(setImmediate)
  }
  for (const { socket } of clients) socket.destroy()
  while (server.stats().connections.open !== 0) await new Promise(setImmediate)
  // What they held counts no more.
  await open(connect, '/small')
})

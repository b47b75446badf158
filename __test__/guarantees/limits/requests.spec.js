'use strict'

/** limits: how many requests are under way, or wait for JavaScript; and the server's health. */

const assert = require('node:assert')
const diagnostics = require('node:diagnostics_channel')
const { once } = require('node:events')
const net = require('node:net')
const { test } = require('node:test')
const { Client, TRANSPORTS, get, serve, serveApart, serveOthers } = require('./served')

/** A listener that leaves requests for /held unanswered until they are released. */
function holding () {
  const held = []
  const listener = (request, response) => {
    if (request.url === '/held') held.push(response)
    else response.end(request.url)
  }
  return { held, listener, release () { for (const response of held.splice(0)) response.end('released') } }
}

for (const [name, transport] of Object.entries(TRANSPORTS)) {
  test(`${name}: requests beyond the limit are answered with 503, and served again when there is room`, async (t) => {
    const { held, listener, release } = holding()
    const { server, connect } = await serve(t, { limits: { requests: 2, retryAfter: 7 } }, listener, transport)
    const told = once(server, 'limit')
    const first = connect().send(get('/held'))
    const second = connect().send(get('/held'))
    while (held.length < 2) await once(server, 'request')
    const third = connect().send(get('/one'))
    await third.until('\r\n\r\n')
    assert.match(third.text, /^HTTP\/1\.1 503 Service Unavailable\r\nRetry-After: 7\r\n/)
    assert.match(third.text, /\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/)
    assert.match(third.text, /\r\nConnection: keep-alive\r\n/)
    assert.deepEqual(await told, [{ requests: 1 }])
    release()
    await Promise.all([first.until('released'), second.until('released')])
    // The same connection, which was kept.
    while (server.stats().requests.active !== 0) await new Promise(setImmediate)
    third.send(get('/two'))
    await third.until('/two')
    assert.deepEqual(third.statuses, [503, 200])
    assert.deepEqual(server.stats().limits, { requests: 1 })
    assert.equal(server.stats().requests.byStatus['5xx'], 1)
  })

  test(`${name}: a request beyond the limit is answered behind those before it`, async (t) => {
    const { held, listener, release } = holding()
    const { server, connect } = await serve(t, { limits: { requests: 1, healthPath: '/health' } }, listener, transport)
    const client = connect().send(get('/held') + get('/beyond') + get('/health') + get('/health', 'HEAD') + get('/last', 'GET', 'Connection: close'))
    while (held.length < 1) await once(server, 'request')
    assert.equal(client.text, '')
    release()
    assert.deepEqual(await client.end(), [200, 503, 503, 503, 503])
    assert.match(client.text, /"status":"shedding"/)
  })

  test(`${name}: a request with a body that is beyond the limit is answered, and its connection closed`, async (t) => {
    const { held, listener } = holding()
    const { server, connect } = await serve(t, { limits: { requests: 1 } }, listener, transport)
    connect().send(get('/held'))
    while (held.length < 1) await once(server, 'request')
    const client = connect().send(get('/beyond', 'POST', 'Content-Length: 200000') + 'x'.repeat(100000))
    assert.deepEqual(await client.end(), [503])
    assert.match(client.text, /\r\nConnection: close\r\n/)
  })

  test(`${name}: a request to upgrade and a CONNECT that are beyond the limit are answered`, async (t) => {
    const { held, listener } = holding()
    const { server, connect } = await serve(t, { limits: { requests: 1 } }, listener, transport)
    server.on('upgrade', () => assert.fail('was not to be heard of')).on('connect', () => assert.fail('nor this'))
    connect().send(get('/held'))
    while (held.length < 1) await once(server, 'request')
    const upgrade = connect().send(get('/', 'GET', 'Connection: Upgrade', 'Upgrade: x'))
    const tunnel = connect().send('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n')
    assert.deepEqual(await Promise.all([upgrade.end(), tunnel.end()]), [[503], [503]])
  })
}

test('requests beyond a limit that waits are served when there is room', async (t) => {
  const { held, listener, release } = holding()
  const { server, connect } = await serve(t, { limits: { requests: { max: 1, then: 'wait' } } }, listener)
  connect().send(get('/held'))
  while (held.length < 1) await once(server, 'request')
  const waiting = Array.from({ length: 20 }, (_, index) => connect().send(get(`/${index}`) + get(`/again${index}`)))
  await once(waiting[19].socket, 'connect')
  await serveOthers(t)
  assert.deepEqual(waiting.map(({ text }) => text), waiting.map(() => ''))
  release()
  await Promise.all(waiting.map((client, index) => client.until(`/again${index}`)))
  assert.deepEqual(server.stats().limits, {})
})

/** How clients go that are answered no sooner, and what they have said beyond the limit; FIN behind more requests is no end for those. */
const GOES = { end: '', destroy: '', resetAndDestroy: '', 'resetAndDestroy, with more in the packet': get('/more'), 'resetAndDestroy, with more in the kernel': get('/more') }

for (const [way, more] of Object.entries(GOES)) {
  for (const max of [1, 2]) {
    test(`clients that go while a limit that waits is full make room: ${way}, ${max}`, { timeout: 20_000 }, async (t) => {
      const { held, listener } = holding()
      const { server, connect } = await serve(t, { limits: { requests: { max, then: 'wait' } } }, listener)
      const isLater = way.endsWith('kernel')
      const clients = []
      for (let count = 1; count <= max; count++) {
        clients.push(connect().send(get('/held') + (count === max && !isLater ? more : '')))
        while (held.length < count) await once(server, 'request')
      }
      if (isLater) for (const client of clients) client.send(more)
      const waiting = Array.from({ length: max + 1 }, (_, index) => connect().send(get(`/${index}`, 'GET', 'Connection: close')))
      await once(waiting[max].socket, 'connect')
      await serveOthers(t)
      // Each, and not only the first that makes room.
      const gone = held.map((response) => once(response, 'close'))
      for (const { socket } of clients) socket[way.split(',')[0]]()
      await Promise.all(gone)
      for (const client of waiting) assert.deepEqual(await client.end(), [200])
    })
  }
}

test('requests beyond a limit that closes cost their connections', async (t) => {
  const { held, listener } = holding()
  const { server, connect } = await serve(t, { limits: { requests: { max: 1, then: 'close' } } }, listener)
  connect().send(get('/held'))
  while (held.length < 1) await once(server, 'request')
  const client = connect().send(get('/beyond'))
  assert.deepEqual(await client.end(), [])
  assert.equal(client.error?.code, 'ECONNRESET')
  assert.equal(server.stats().connections.closed.limit, 1)
})

// ------------------------------------------------------------------------------------ while JavaScript is blocked

test('a server whose JavaScript is blocked answers those beyond its limits, also on kept connections, and loses no other', async (t) => {
  const { worker, next, open, connect } = await serveApart(t, { limits: { requestsWaiting: 3, healthPath: '/health' } })
  const kept = connect()
  for (let count = 1; count <= 5; count++) await kept.send(get('/kept')).until('/kept', count)
  const blocking = connect().send(get('/block'))
  assert.equal(await next(), 'blocked')
  // Which of them are the first three is not known: several I/O threads may read them.
  const clients = Array.from({ length: 13 }, (_, index) => connect().send(get(`/one${index}`, 'GET', 'Connection: close')))
  const refused = []
  await new Promise((resolve) => {
    for (const client of clients) client.closed.then(() => { if (refused.push(client) === 10) resolve() })
  })
  assert.deepEqual(refused.map(({ statuses }) => statuses), Array(10).fill([503]))
  const accepted = clients.filter((client) => !refused.includes(client))
  await kept.send(get('/beyond')).until(' 503 ')
  // Not in one direction: it is busy, and says for how long. Nor in the other: it is not well.
  const probe = connect().send(get('/health?turn', 'GET', 'Connection: close'))
  assert.deepEqual(await probe.end(), [503])
  const { status, turn } = JSON.parse(probe.text.split('\r\n\r\n')[1])
  assert.equal(status, 'shedding')
  assert.ok(turn > 0 && turn < 60, `${turn}`)
  open()
  await blocking.until('/block')
  assert.deepEqual(await Promise.all(accepted.map((client) => client.end())), [[200], [200], [200]])
  assert.deepEqual(await next(), { requestsWaiting: 11 })
  worker.postMessage('end')
  assert.deepEqual(await next(), { requestsWaiting: 11 })
})

test('the health of a blocked server tells the age of its turn, and that it is stuck', async (t) => {
  const { next, connect } = await serveApart(t, { limits: { healthPath: '/health' } })
  const ask = async (query = '') => {
    const client = connect().send(get(`/health${query}`, 'GET', 'Connection: close'))
    await client.end()
    return [client.statuses[0], JSON.parse(client.text.split('\r\n\r\n')[1])]
  }
  assert.deepEqual(await ask(), [200, { status: 'ok' }])
  const [, { turn: idle }] = await ask('?turn')
  connect().send(get('/block'))
  assert.equal(await next(), 'blocked')
  let age = 0
  while (age < 0.2) [, { turn: age }] = await ask('?turn')
  assert.ok(idle < age, `${idle} ${age}`)
  assert.deepEqual(await ask(), [200, { status: 'ok' }])
  const [status, body] = await ask('?turn=0.1')
  assert.deepEqual([status, body.status], [503, 'stuck'])
  assert.deepEqual((await ask('?turn=3600'))[0], 200)
})

test('a server that shuts down says so on its kept connections', async (t) => {
  const { held, listener, release } = holding()
  const { server, connect } = await serve(t, { limits: { healthPath: '/health' } }, listener)
  const client = connect().send(get('/held'))
  while (held.length < 1) await once(server, 'request')
  const summary = server.shutdown({ timeout: 5000 })
  const begun = new Promise((resolve) => diagnostics.subscribe('http.server.request.start', resolve))
  client.send(get('/health'))
  await begun
  release()
  assert.deepEqual(await client.end(), [200, 503])
  assert.match(client.text, /"status":"stopping"/)
  await summary
})

test('a server that shuts down ends the connections of what it answers natively, behind the last of a pipeline, and does not stop any more when it listens again', async (t) => {
  const { held, listener, release } = holding()
  const { server, connect } = await serve(t, { limits: { requests: 1, healthPath: '/health' } }, listener)
  const [probe, beyond, pipeline, holder] = [connect(), connect(), connect(), connect()]
  for (const client of [probe, beyond, pipeline]) await client.send(get('/health')).until('"ok"')
  holder.send(get('/held'))
  while (held.length < 1) await once(server, 'request')
  // They do not rest for so long: what closes them is their answer.
  const ended = server.shutdown({ idleTimeout: 60_000 })
  probe.send(get('/health'))
  beyond.send(get('/beyond'))
  pipeline.send(get('/health') + get('/beyond') + get('/health'))
  assert.deepEqual(await Promise.all([probe, beyond, pipeline].map((client) => client.end())), [[200, 503], [200, 503], [200, 503, 503, 503]])
  for (const client of [probe, beyond, pipeline]) assert.match(client.text.split('HTTP/1.1 ').at(-1), /Connection: close/)
  release()
  await holder.end()
  await ended
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const again = new Client(net.connect(server.address().port, '127.0.0.1'))
  again.send(get('/health', 'GET', 'Connection: close'))
  await again.end()
  // It may still be shedding.
  assert.match(again.text, /"(ok|shedding)"/)
})

test('the health path is that path alone, asked for by GET or HEAD', async (t) => {
  const { connect } = await serve(t, { limits: { healthPath: '/health' } }, (request, response) => response.end(`app ${request.url}`))
  const client = connect().send(get('/healthy') + get('/health/') + get('/health', 'OPTIONS') + get('/health', 'HEAD') + get('/health?', 'GET', 'Connection: close'))
  assert.deepEqual(await client.end(), [200, 200, 200, 200, 200])
  assert.equal(client.text.split('app /').length - 1, 3)
  assert.equal(client.text.split('"ok"').length - 1, 1)
})

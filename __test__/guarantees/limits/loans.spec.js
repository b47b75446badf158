'use strict'

/** limits: the sockets of a busy connection are lent to JavaScript's thread, and taken back when that is needed. */

const assert = require('node:assert')
const { test } = require('node:test')
const { native } = require('../../../lib/binding')
const { get, serve, serveApart } = require('./served')

const { lent } = native.objects()

/** Asks until the connection's socket is lent. */
async function borrow (client) {
  while (native.objects().lent === lent) await client.send(get('/asked')).until('HTTP/1.1 ', client.statuses.length + 1)
}

test('a busy connection\'s socket is lent, taken back when it is idle, and lent again', async (t) => {
  const { connect } = await serve(t, { limits: { requests: 10 } }, (request, response) => response.end(request.url))
  const client = connect()
  for (let count = 0; count < 2; count++) {
    await borrow(client)
    while (native.objects().lent !== lent) await new Promise(setImmediate)
  }
})

test('what JavaScript\'s thread reads from a lent socket is beyond the limits, too', async (t) => {
  const held = []
  const { server, connect } = await serve(t, { limits: { requests: 1, bodySize: 10, bodyTimeout: 200, headersTimeout: 200, healthPath: '/health' } }, (request, response) => {
    if (request.url === '/held') held.push(response)
    else if (request.url === '/slow') request.resume().on('end', () => response.end())
    else response.end(request.url)
  })
  const client = connect()
  await borrow(client)
  client.send(get('/held') + get('/beyond') + get('/health'))
  while (held.length === 0) await new Promise(setImmediate)
  held.pop().end('released')
  await client.until('shedding')
  assert.deepEqual(client.statuses.slice(-3), [200, 503, 503])
  await borrow(client)
  await client.send(get('/large', 'POST', 'Content-Length: 11')).end()
  assert.equal(client.statuses.at(-1), 413)
  for (const late of ['GET / HTTP/1.1\r\n', get('/slow', 'POST', 'Content-Length: 5')]) {
    const slow = connect()
    await borrow(slow)
    assert.equal((await slow.send(late).end()).at(-1), 408)
  }
  const { requests, ...others } = server.stats().limits
  assert.ok(requests >= 1)
  assert.deepEqual(others, { bodySize: 1, headersTimeout: 1, bodyTimeout: 1 })
})

test('a request on a lent socket is answered though JavaScript is blocked', async (t) => {
  const { next, open, connect } = await serveApart(t, { limits: { requestsWaiting: 1, healthPath: '/health' } })
  const clients = Array.from({ length: 8 }, () => connect())
  for (let count = 1; count <= 5; count++) {
    for (const client of clients) await client.send(get('/kept')).until('/kept', count)
  }
  connect().send(get('/block'))
  assert.equal(await next(), 'blocked')
  // All of them had their sockets lent a moment ago, of which nothing is heard now. One request waits.
  for (const client of clients) client.send(get('/waits'))
  let refused = 0
  await new Promise((resolve) => {
    for (const client of clients) client.until(' 503 ').then(() => { if (++refused === clients.length - 1) resolve() }, () => {})
  })
  open()
  await Promise.all(clients.map((client) => client.text.includes(' 503 ') ? client : client.until('/waits')))
})

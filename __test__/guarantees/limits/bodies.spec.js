'use strict'

/** limits: how large bodies are, how fast they come, and how long a message takes. */

const assert = require('node:assert')
const { once } = require('node:events')
const { test } = require('node:test')
const { TRANSPORTS, get, serve, serveApart } = require('./served')

const post = (...fields) => get('/', 'POST', ...fields)

/** A listener that reads bodies, and what it has seen of each request. */
function reading () {
  const seen = []
  const listener = (request, response) => {
    const events = []
    seen.push(events)
    let size = 0
    request.on('data', ({ length }) => { size += length })
      .on('end', () => {
        events.push('end')
        response.end(`read ${size}`)
      })
      .on('error', ({ code }) => events.push(code))
      .on('close', () => events.push(request.complete ? 'complete' : 'incomplete'))
  }
  return { seen, listener }
}

for (const [name, transport] of Object.entries(TRANSPORTS)) {
  test(`${name}: a body whose length is beyond the limit is refused before it comes`, async (t) => {
    const { seen, listener } = reading()
    const { server, connect } = await serve(t, { limits: { bodySize: 10 } }, listener, transport)
    const right = await connect().send(post('Content-Length: 10') + '0123456789').until('read 10')
    const wrong = connect().send(post('Content-Length: 11'))
    assert.deepEqual(await wrong.end(), [413])
    const expecting = connect().send(post('Content-Length: 11', 'Expect: 100-continue'))
    assert.deepEqual(await expecting.end(), [413])
    assert.deepEqual(seen, [['end', 'complete']])
    assert.deepEqual(server.stats().limits, { bodySize: 2 })
    await right.send(get('/')).until('read 0')
  })

  test(`${name}: a chunked body that grows beyond the limit is answered, and its request fails`, async (t) => {
    const { seen, listener } = reading()
    const { server, connect } = await serve(t, { limits: { bodySize: 10 } }, listener, transport)
    await connect().send(post('Transfer-Encoding: chunked') + '5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n').until('read 10')
    const client = connect().send(post('Transfer-Encoding: chunked') + '5\r\n01234\r\n')
    await once(server, 'request')
    client.send('6\r\n567890\r\n0\r\n\r\n' + get('/never'))
    assert.deepEqual(await client.end(), [413])
    while (seen[1].length < 2) await new Promise(setImmediate)
    assert.deepEqual(seen, [['end', 'complete'], ['ECONNRESET', 'incomplete']])
    assert.deepEqual(server.stats().limits, { bodySize: 1 })
  })

  test(`${name}: a body that grows beyond the limit when its answer has begun costs the connection`, async (t) => {
    const { server, connect } = await serve(t, { limits: { bodySize: 10 } }, (request, response) => {
      request.on('error', () => {}).resume()
      response.write('begun')
    }, transport)
    const client = connect().send(post('Transfer-Encoding: chunked') + '5\r\n01234\r\n')
    await client.until('begun')
    client.send('6\r\n567890\r\n')
    assert.deepEqual(await client.end(), [200])
    assert.deepEqual(server.stats().limits, { bodySize: 1 })
  })
}

test('a chunked body that grows beyond the limit is answered behind the answers before it', async (t) => {
  const answers = []
  const { server, connect } = await serve(t, { limits: { bodySize: 10 } }, (request, response) => {
    if (request.url === '/first') answers.push(response)
    else request.on('error', () => {}).resume()
  })
  const client = connect().send(get('/first') + post('Transfer-Encoding: chunked') + 'ff\r\n' + 'x'.repeat(255))
  while (server.stats().limits.bodySize !== 1 || answers.length === 0) await new Promise(setImmediate)
  answers[0].end('first')
  assert.deepEqual(await client.end(), [200, 413])
  assert.match(client.text, /first/)
})

test('a head that does not come is answered with 408, also of a client that says nothing', async (t) => {
  // Enough for a client that is kept waiting for a processor.
  const { server, connect } = await serve(t, { limits: { headersTimeout: 500 } }, (request, response) => response.end('served'))
  server.on('clientError', () => assert.fail('core has not heard of it'))
  const [silent, trickling, kept] = [connect(), connect().send('GET / HT'), await connect().send(get('/')).until('served')]
  assert.deepEqual(await Promise.all([silent.end(), trickling.end()]), [[408], [408]])
  // Between messages it has another time.
  await kept.send(get('/')).until('served', 2)
  kept.send('GE')
  assert.deepEqual(await kept.end(), [200, 200, 408])
  assert.deepEqual(server.stats().limits, { headersTimeout: 3 })
})

test('a body that takes too long is answered with 408, and one that comes in time is served', async (t) => {
  const { listener } = reading()
  const { server, connect } = await serve(t, { limits: { bodyTimeout: 300 } }, listener)
  const slow = connect().send(post('Content-Length: 100') + 'x')
  const trickle = setInterval(() => slow.send('x'), 50)
  t.after(() => clearInterval(trickle))
  const right = connect().send(post('Content-Length: 2') + 'x')
  right.send('x')
  await right.until('read 2')
  assert.deepEqual(await slow.end(), [408])
  assert.deepEqual(server.stats().limits, { bodyTimeout: 1 })
})

test('a body that comes too slowly is answered with 408', async (t) => {
  const { listener } = reading()
  const { server, connect } = await serve(t, { limits: { bodyBytesPerSecond: 1000, bodyGrace: 200 } }, listener)
  const slow = connect().send(post('Content-Length: 100000') + 'x')
  const trickle = setInterval(() => slow.send('x'), 20)
  t.after(() => clearInterval(trickle))
  assert.deepEqual(await slow.end(), [408])
  assert.deepEqual(server.stats().limits, { bodyBytesPerSecond: 1 })
})

test('a body that is slow since the application does not read it is not cut off', async (t) => {
  let go
  const { server, connect } = await serve(t, { limits: { bodyBytesPerSecond: 100_000, bodyGrace: 250, bodyTimeout: 500 } }, (request, response) => {
    request.on('error', () => {})
    go = () => request.resume().on('end', () => response.end('read'))
  })
  const client = connect().send(post('Content-Length: 2000000'))
  client.send('x'.repeat(2000000))
  await once(server, 'request')
  await new Promise((resolve) => setTimeout(resolve, 1200))
  go()
  await client.until('read')
  assert.deepEqual(server.stats().limits, {})
})

test('a head that is not read, since JavaScript has not seen its connection, is not cut off', async (t) => {
  const { next, open, connect } = await serveApart(t, { limits: { headersTimeout: 200 } }, true)
  connect().send(get('/block'))
  assert.equal(await next(), 'blocked')
  const client = connect().send(get('/seen'))
  await once(client.socket, 'connect')
  await new Promise((resolve) => setTimeout(resolve, 500))
  open()
  await client.until('/seen')
  assert.deepEqual(client.statuses, [200])
  // Between its bytes it has the time again, and no more.
  client.send('GET')
  assert.deepEqual(await client.end(), [200, 408])
})

test('what is beyond a limit that closes gets no answer', async (t) => {
  const { listener } = reading()
  const limits = { bodySize: { max: 10, then: 'close' }, headersTimeout: { max: 100, then: 'close' } }
  const { server, connect } = await serve(t, { limits }, listener)
  const clients = [connect().send(post('Content-Length: 11')), connect().send('GET'), connect().send(post('Transfer-Encoding: chunked') + 'b\r\n01234567890\r\n')]
  assert.deepEqual(await Promise.all(clients.map((client) => client.end())), [[], [], []])
  assert.deepEqual(server.stats().limits, { bodySize: 2, headersTimeout: 1 })
})

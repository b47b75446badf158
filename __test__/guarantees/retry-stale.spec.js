'use strict'

/** An Agent's `retryStale`: which requests are sent once more when the server closes a kept connection, and which are not. */

const assert = require('node:assert')
const { spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { describe, test } = require('node:test')
const tls = require('node:tls')
const http = require('../..')

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

const keys = path.join(__dirname, '../fixtures/https')
const certificate = { key: fs.readFileSync(path.join(keys, 'key.pem')), cert: fs.readFileSync(path.join(keys, 'cert.pem')) }

class TlsAgent extends http.Agent {
  createConnection (options, callback) {
    return tls.connect({ ...options, rejectUnauthorized: false }, callback)
  }
}

/** What carries a request: a socket that the addon has, or a stream of JavaScript's. */
const CARRIERS = {
  'native sockets': { createServer: net.createServer, Agent: http.Agent },
  TLS: { createServer: (listener) => tls.createServer(certificate, listener), Agent: TlsAgent }
}

/**
 * An origin that answers each request that is whole, but does `ends` to the second and later of a connection; `spare` of them
 * are answered first.
 */
async function serveBy ({ createServer }, t, end, { spare = 1, on = () => true } = {}) {
  const origin = createServer((socket) => {
    const connection = origin.connections.push('') - 1
    let left = spare
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      origin.connections[connection] += bytes
      if (left-- > 0 || !on(connection)) socket.write(/^HEAD/m.test(bytes) ? ANSWER.slice(0, -2) : ANSWER)
      else end(socket)
    })
  })
  origin.connections = []
  origin.listen(0, '127.0.0.1')
  await once(origin, 'listening')
  t.after(() => origin.close())
  return origin
}

/** Asks, and gives what came of it: the events in their order. */
function ask (origin, agent, options = {}, send = (request) => request.end()) {
  return new Promise((resolve) => {
    const events = []
    const request = http.request({ agent, host: '127.0.0.1', port: origin.address().port, path: '/', ...options }, (response) => {
      events.push(`response ${response.statusCode}`)
      response.on('end', () => events.push('end')).resume()
    })
    for (const event of ['socket', 'finish', 'abort', 'timeout']) request.on(event, () => events.push(event))
    request.on('error', ({ code }) => events.push(code))
    request.on('close', () => {
      events.push('close')
      resolve({ events, request })
    })
    send(request)
  })
}

const once2 = ['socket', 'finish', 'socket', 'response 200', 'end', 'close']
const never = ['socket', 'finish', 'ECONNRESET', 'close']
const first = { on: (connection) => connection === 0 }

const ENDS = {
  FIN: (socket) => socket.end(),
  'a close': (socket) => socket.destroy(),
  RST: (socket) => (socket._parent ?? socket).resetAndDestroy()
}

for (const [name, carrier] of Object.entries(CARRIERS)) {
  describe(name, () => play(carrier))
}

function play (carrier) {
  const serve = (...args) => serveBy(carrier, ...args)
  const agentOf = (t, options) => {
    const agent = new carrier.Agent({ keepAlive: true, retryStale: true, ...options })
    t.after(() => agent.destroy())
    return agent
  }

  for (const [name, end] of Object.entries(ENDS)) {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE', 'PUT']) {
      test(`${method} is sent once more behind ${name}`, async (t) => {
        const origin = await serve(t, end, first)
        const agent = agentOf(t)
        await ask(origin, agent)
        const { events, request } = await ask(origin, agent, { method })
        assert.deepStrictEqual(events, once2)
        assert.strictEqual(request.reusedSocket, false)
        assert.strictEqual(origin.connections.length, 2)
        const [before, again] = origin.connections
        assert.strictEqual(before.slice(before.lastIndexOf(`${method} /`)), again)
      })
    }

    for (const method of ['POST', 'PATCH', 'LOCK']) {
      test(`${method} is not sent once more behind ${name}`, async (t) => {
        const origin = await serve(t, end)
        const agent = agentOf(t)
        await ask(origin, agent)
        assert.deepStrictEqual((await ask(origin, agent, { method })).events, never)
        assert.strictEqual(origin.connections.length, 1)
      })
    }

    test(`without the option nothing is sent once more behind ${name}`, async (t) => {
      const origin = await serve(t, end)
      const agent = agentOf(t, { retryStale: false })
      await ask(origin, agent)
      assert.deepStrictEqual((await ask(origin, agent)).events, never)
    })

    test(`a request on a connection of its own is not sent once more behind ${name}`, async (t) => {
      const origin = await serve(t, end, { spare: 0 })
      assert.deepStrictEqual((await ask(origin, agentOf(t))).events, never)
      assert.strictEqual(origin.connections.length, 1)
    })

    test(`there is no third attempt behind ${name}`, async (t) => {
      const origin = await serve(t, end, { spare: 0, on: (connection) => connection > 0 || origin.connections[0].length > 200 })
      const agent = agentOf(t)
      await ask(origin, agent)
      const { events } = await ask(origin, agent, { headers: { padding: 'x'.repeat(200) } })
      assert.deepStrictEqual(events, ['socket', 'finish', 'socket', 'ECONNRESET', 'close'])
      assert.strictEqual(origin.connections.length, 2)
    })
  }

  test('once a byte of the answer has come the request fails', async (t) => {
    const origin = await serve(t, (socket) => socket.end('H'))
    const agent = agentOf(t)
    await ask(origin, agent)
    const { events } = await ask(origin, agent)
    assert.match(events.join(), /^socket,finish,(ECONNRESET|HPE_INVALID_EOF_STATE),close$/)
    assert.strictEqual(origin.connections.length, 1)
  })

  test('an informational answer is an answer', async (t) => {
    const origin = await serve(t, (socket) => socket.end('HTTP/1.1 102 Processing\r\n\r\n'))
    const agent = agentOf(t)
    await ask(origin, agent)
    assert.deepStrictEqual((await ask(origin, agent)).events, never)
  })

  test('a body is sent again as it was, though its memory is used for something else', async (t) => {
    const origin = await serve(t, ENDS.FIN, first)
    const agent = agentOf(t)
    await ask(origin, agent)
    const body = Buffer.alloc(20000, 'a')
    const { events } = await ask(origin, agent, { method: 'PUT' }, (request) => {
      request.on('finish', () => body.fill('b'))
      request.end(body)
    })
    assert.deepStrictEqual(events, once2)
    assert.match(origin.connections[1], /^PUT [^]*\r\n\r\na{20000}$/)
  })

  test('a body of several writes is sent again as it was', async (t) => {
    const origin = await serve(t, ENDS.RST, { spare: 1, on: (connection) => connection === 0 && origin.connections[0].endsWith('0\r\n\r\n') })
    const agent = agentOf(t)
    await ask(origin, agent)
    const { events } = await ask(origin, agent, { method: 'PUT' }, (request) => {
      request.write('one')
      request.write(Buffer.from('two'))
      request.end('three')
    })
    assert.deepStrictEqual(events.filter((event) => event !== 'response 200'), once2.filter((event) => event !== 'response 200'))
    assert.match(origin.connections[1], /one[^]*two[^]*three[^]*0\r\n\r\n$/)
  })

  test('a body that is too large to be kept is not sent again', async (t) => {
    const origin = await serve(t, ENDS.RST, { on: () => true })
    const agent = agentOf(t)
    await ask(origin, agent)
    const { events } = await ask(origin, agent, { method: 'PUT' }, (request) => request.end(Buffer.alloc(65537)))
    assert.match(events.join(), /(ECONNRESET|EPIPE),close$/)
    assert.strictEqual(origin.connections.length, 1)
  })

  test('a head that is too large to be kept is not sent again', async (t) => {
    const origin = await serve(t, ENDS.FIN)
    const agent = agentOf(t)
    await ask(origin, agent)
    const { events } = await ask(origin, agent, { headers: { padding: 'x'.repeat(70000) } })
    assert.deepStrictEqual(events.slice(-2), ['ECONNRESET', 'close'])
    assert.strictEqual(origin.connections.length, 1)
  })

  test('a request that is not over is not sent again', async (t) => {
    const origin = await serve(t, ENDS.FIN)
    const agent = agentOf(t)
    await ask(origin, agent)
    const { events } = await ask(origin, agent, { method: 'PUT' }, (request) => request.write('begun'))
    assert.deepStrictEqual(events, ['socket', 'ECONNRESET', 'close'])
  })

  test('a request that was given up is not sent again', async (t) => {
    const origin = await serve(t, () => {})
    const agent = agentOf(t)
    await ask(origin, agent)
    const { events } = await ask(origin, agent, {}, (request) => {
      request.end()
      request.on('finish', () => request.destroy())
    })
    assert.deepStrictEqual(events, never)
    assert.strictEqual(origin.connections.length, 1)
  })

  test('a socket that the application destroys is not the server\'s doing', async (t) => {
    const origin = await serve(t, () => {})
    const agent = agentOf(t)
    await ask(origin, agent)
    const { events } = await ask(origin, agent, {}, (request) => {
      request.end()
      request.on('finish', () => request.socket.destroy())
    })
    assert.deepStrictEqual(events, never)
  })

  test('requests that wait for the only socket are answered, too', async (t) => {
    const origin = await serve(t, ENDS.FIN)
    const agent = agentOf(t, { maxSockets: 1 })
    const all = await Promise.all(Array.from({ length: 20 }, (_, index) => ask(origin, agent, { path: `/${index}` })))
    for (const { events } of all) assert.deepStrictEqual(events.slice(-3), ['response 200', 'end', 'close'])
    assert.deepStrictEqual([Object.keys(agent.requests), Object.values(agent.sockets)], [[], []])
  })

  for (const limit of ['maxSockets', 'maxTotalSockets']) {
    test(`requests that wait for one of some sockets are sent once more on a new one, ${limit}`, async (t) => {
      const origin = await serve(t, ENDS.RST)
      const agent = agentOf(t, { [limit]: 4 })
      const all = await Promise.all(Array.from({ length: 40 }, (_, index) => ask(origin, agent, { path: `/${index}` })))
      for (const { events } of all) assert.deepStrictEqual(events.slice(-3), ['response 200', 'end', 'close'])
      assert.deepStrictEqual(Object.keys(agent.requests), [])
    })
  }

  test('the other idle connections stay in the pool', async (t) => {
    const origin = await serve(t, ENDS.FIN, { on: (connection) => connection === 1 })
    const agent = agentOf(t)
    await Promise.all([ask(origin, agent), ask(origin, agent)])
    const [name] = Object.keys(agent.freeSockets)
    const kept = [...agent.freeSockets[name]]
    assert.strictEqual(kept.length, 2)
    await ask(origin, agent)
    await new Promise(setImmediate)
    assert.ok(agent.freeSockets[name].some((socket) => kept.includes(socket)))
  })

  test('the request\'s time runs on the other connection', async (t) => {
    const origin = await serve(t, (socket) => { if (origin.connections.length === 1) socket.end() }, { spare: 0, on: () => origin.connections.length > 1 || origin.connections[0].length > 200 })
    const agent = agentOf(t)
    await ask(origin, agent)
    const { events } = await ask(origin, agent, { timeout: 50, headers: { padding: 'x'.repeat(200) } }, (request) => {
      request.end()
      request.on('timeout', () => request.destroy())
    })
    assert.deepStrictEqual(events, ['socket', 'finish', 'socket', 'timeout', 'ECONNRESET', 'close'])
  })
}

test('the option is a boolean', () => {
  for (const retryStale of [1, 'yes', null]) {
    assert.throws(() => new http.Agent({ retryStale }), { code: 'ERR_INVALID_ARG_TYPE', name: 'TypeError', message: /^The "options\.retryStale" property must be of type boolean\. Received / })
  }
})

test('register: requests of https are sent once more', { timeout: 30000 }, () => {
  const root = path.join(__dirname, '../..')
  const { stdout, stderr } = spawnSync(process.execPath, ['-r', path.join(root, 'register.js'), path.join(keys, 'retried.js')], { encoding: 'utf8' })
  assert.strictEqual(stdout, '{"bodies":["1","2"],"retried":1}\n', stderr)
})

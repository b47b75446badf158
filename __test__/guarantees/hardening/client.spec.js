'use strict'

/**
 * The option `hardening` of request() and Agent: answers that core takes although the RFCs forbid them, and requests that core sends
 * so, in three modes, over both drivers: 'off' and 'audit' are core's, 'strict' refuses.
 */

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { once } = require('node:events')
const core = require('node:http')
const net = require('node:net')
const path = require('node:path')
const { test } = require('node:test')
const { wrap } = require('../../oracle/connections')

const root = path.join(__dirname, '../../..')
const index = process.env.OURS ?? path.join(root, 'index.js')
const ours = require(index)

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const TRANSPORTS = ['native', 'duplex']

/** Answers that core takes: the row that each is in, and its bytes; `ends`: the server ends the connection behind them. */
const answers = [
  { row: 'bare-line-end', name: 'a bare LF before', bytes: `\n${OK}` },
  { row: 'bare-line-end', name: 'a bare CR before', bytes: `\r${OK}` },
  { row: 'empty-lines', name: 'a thousand empty lines before', bytes: '\r\n'.repeat(1000) + OK },
  { row: 'version-other', name: 'HTTP/0.9', bytes: OK.replace('1.1', '0.9'), ends: true },
  { row: 'version-other', name: 'HTTP/2.0', bytes: OK.replace('1.1', '2.0'), ends: true },
  { row: 'protocol-other', name: 'ICE', bytes: OK.replace('HTTP', 'ICE') },
  { row: 'protocol-other', name: 'RTSP', bytes: OK.replace('HTTP', 'RTSP') },
  { row: 'field-count', name: '3000', bytes: OK.replace('\r\n\r\n', `\r\n${'a:\r\n'.repeat(3000)}\r\n`) },
  { row: 'reason-control', name: 'a control character', bytes: OK.replace('OK', 'O\x01K') },
  { row: 'reason-control', name: 'NUL', bytes: OK.replace('OK', 'O\0K') },
  { row: 'status-range', name: '099', bytes: OK.replace('200', '099') },
  { row: 'status-range', name: '000', bytes: OK.replace('200', '000') },
  { row: 'status-range', name: '600', bytes: OK.replace('200', '600') },
  { row: 'coding-unknown', name: 'chunked twice', bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n' },
  { row: 'coding-not-chunked', name: 'gzip', bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\r\nok', ends: true },
  { row: 'coding-in-1.0', name: 'chunked', bytes: 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', ends: true },
  { row: 'body-unframed', name: 'without Connection', bytes: 'HTTP/1.1 200 OK\r\n\r\nok', ends: true },
  { row: 'body-unframed', name: 'that says keep-alive', bytes: 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nok', ends: true },
  { row: 'interim-flood', name: 'a thousand', bytes: 'HTTP/1.1 103 Early\r\n\r\n'.repeat(1000) + OK },
  { row: 'switch-unnamed', name: '101', bytes: 'HTTP/1.1 101 Switching\r\n\r\n' },
  { row: 'switch-unasked', name: '101', bytes: 'HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n' },
  { row: 'chunk-size-digits', name: 'zeros', bytes: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'0'.repeat(1000)}2\r\nok\r\n0\r\n\r\n` },
  { row: 'chunk-extension-empty', name: 'two semicolons', bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;;a\r\nok\r\n0\r\n\r\n' },
  { row: 'trailer-field', name: 'Host', bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nHost: a\r\n\r\n' }
]

/** Starts a raw server that answers the first packet of each connection. @returns {Promise<{port: number, received: string[]}>} */
async function origin (t, bytes, ends = false) {
  const received = []
  const server = net.createServer((socket) => {
    const at = received.push('') - 1
    socket.on('error', () => {})
    socket.on('data', (data) => { received[at] += data.toString('latin1') })
    socket.once('data', () => {
      socket.write(bytes, 'latin1')
      if (ends) socket.end()
    })
    t.after(() => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  return { port: server.address().port, received }
}

/** An agent that keeps connections alive, native ones or streams that are no sockets. */
function agentOf (t, http, transport, options) {
  const agent = new http.Agent({ keepAlive: true, ...options })
  t.after(() => agent.destroy())
  if (transport === 'duplex') {
    agent.createConnection = ({ port }) => Object.assign(wrap(net.connect(port, '127.0.0.1')), { setKeepAlive () {}, unref () {}, ref () {}, setTimeout () {} })
  }
  return agent
}

/** Gives what a request sees until its 'close'. */
function ask (http, options, send = (request) => request.end()) {
  return new Promise((resolve) => {
    const seen = []
    const request = http.request({ host: '127.0.0.1', ...options })
    request.on('error', ({ code, row }) => seen.push(`error ${code}${row === undefined ? '' : ` ${row}`}`))
    request.on('response', (response) => {
      let body = ''
      seen.push(response.statusCode)
      response.on('data', (chunk) => { body += chunk })
      response.on('error', ({ code, row }) => seen.push(`response error ${code}${row === undefined ? '' : ` ${row}`}`))
      response.on('close', () => seen.push(`${body}, complete: ${response.complete}`))
    })
    request.on('close', () => setImmediate(setImmediate, resolve, seen))
    send(request)
  })
}

for (const transport of TRANSPORTS) {
  for (const { row, name, bytes, ends } of answers) {
    test(`an answer: ${row} (${name}), ${transport}`, async (t) => {
      const of = async (http, hardening) => {
        const { port } = await origin(t, bytes, ends)
        const agent = agentOf(t, http, transport, { hardening })
        return { agent, seen: await ask(http, { port, agent }) }
      }
      const reference = await of(core)
      const off = await of(ours, 'off')
      assert.deepEqual(off.seen, reference.seen)
      assert.deepEqual(off.agent.hardeningCounts(), {})
      const audit = await of(ours, 'audit')
      assert.deepEqual(audit.seen, reference.seen)
      assert.equal(audit.agent.hardeningCounts()[row], 1)
      const strict = await of(ours, 'strict')
      assert.ok(strict.seen.includes(`error HPE_HARDENING ${row}`), strict.seen.join())
      assert.ok(!strict.seen.some((what) => /complete: true/.test(what)), strict.seen.join())
      assert.deepEqual(strict.agent.hardeningCounts(), { [row]: 1 })
      assert.deepEqual([strict.agent.freeSockets, strict.agent.sockets].map((table) => Object.keys(table).length), [0, 0])
    })
  }

  // No request is misread by it, and it hears of the reset: docs/HARDENING.md.
  test(`a body without length that a reset ends is told as in core in each mode, ${transport}`, async (t) => {
    const of = async (http, hardening) => {
      const server = net.createServer((socket) => {
        socket.on('error', () => {})
        socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\na part'))
        server.socket = socket
      })
      server.listen(0, '127.0.0.1')
      t.after(() => server.close())
      await once(server, 'listening')
      const agent = agentOf(t, http, transport, { hardening })
      return ask(http, { port: server.address().port, agent }, (request) => {
        request.on('response', (response) => response.once('data', () => server.socket.resetAndDestroy()))
        request.end()
      })
    }
    const reference = await of(core)
    assert.ok(reference.includes('error ECONNRESET'), reference.join())
    for (const mode of ['off', 'audit', 'strict']) assert.deepEqual(await of(ours, mode), reference)
  })

  for (const [name, stray] of Object.entries({ garbage: 'garbage', 'another answer': OK, 'a byte': 'H' })) {
    test(`strict: an answer is whole with ${name} behind it, which reaches no other request, ${transport}`, async (t) => {
      const { port, received } = await origin(t, OK + stray)
      const agent = agentOf(t, ours, transport, { hardening: 'strict', maxSockets: 1 })
      const [first, second] = await Promise.all([ask(ours, { port, agent }), ask(ours, { port, agent })])
      assert.deepEqual(first, [200, 'ok, complete: true'])
      assert.deepEqual(second, first)
      assert.equal(received.length, 2, 'each on a connection of its own')
      assert.deepEqual(agent.hardeningCounts(), { unasked: 2 })
    })
  }

  test(`strict: what is allowed is as ever, and the connection is used again, ${transport}`, async (t) => {
    const chunked = 'HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nA: b\r\n\r\n'
    const { port } = await origin(t, chunked)
    const agent = agentOf(t, ours, transport, { hardening: 'strict' })
    assert.deepEqual(await ask(ours, { port, agent }), [200, 'ok, complete: true'])
    assert.equal(Object.keys(agent.freeSockets).length, 1)
    assert.deepEqual(agent.hardeningCounts(), {})
  })

  // ----------------------------------------------------------------------------------------------- its own requests

  const WAYS = {
    'end(body)': (request) => request.end('body'),
    'write(body)': (request) => {
      request.write('body')
      request.end()
    },
    'end()': (request) => request.end()
  }
  const FRAMED = { 'end(body)': 'Content-Length: 4\r\n', 'write(body)': 'Transfer-Encoding: chunked\r\n', 'end()': undefined }
  const BODIES = { 'end(body)': 'body', 'write(body)': '4\r\nbody\r\n0\r\n\r\n', 'end()': '' }

  for (const method of ['GET', 'DELETE', 'OPTIONS']) {
    for (const [way, send] of Object.entries(WAYS)) {
      test(`a request: ${method} with ${way}, ${transport}`, async (t) => {
        const of = async (http, hardening) => {
          const { port, received } = await origin(t, OK)
          const agent = agentOf(t, http, transport, { hardening })
          const seen = await ask(http, { port, agent, method, path: '/p' }, send)
          return { agent, seen, text: received.join('').replace(String(port), 'PORT') }
        }
        const reference = await of(core)
        const off = await of(ours, 'off')
        const audit = await of(ours, 'audit')
        assert.deepEqual([off.text, off.seen], [reference.text, reference.seen])
        assert.deepEqual([audit.text, audit.seen], [reference.text, reference.seen])
        const strict = await of(ours, 'strict')
        assert.deepEqual(strict.seen, [200, 'ok, complete: true'])
        const [head, body] = [reference.text.slice(0, reference.text.indexOf('\r\n\r\n') + 2), BODIES[way]]
        assert.equal(strict.text, `${head}${FRAMED[way] ?? ''}\r\n${body}`)
        const counts = way === 'end()' ? {} : { 'own-body-unframed': 1 }
        assert.deepEqual([off.agent, audit.agent, strict.agent].map((agent) => agent.hardeningCounts()), [{}, counts, counts])
      })
    }
  }
}

for (const hardening of ['strict', 'audit']) {
  test(`${hardening}: bytes on an idle connection are counted, and it is closed`, async (t) => {
    let peer
    const server = net.createServer((socket) => {
      peer = socket.on('error', () => {})
      socket.once('data', () => socket.write(OK))
    }).listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const agent = agentOf(t, ours, 'native', { hardening })
    const freed = once(agent, 'free')
    assert.deepEqual(await ask(ours, { port: server.address().port, agent }), [200, 'ok, complete: true'])
    const [socket] = await freed
    const closed = once(socket, 'close')
    peer.write(OK)
    await closed
    assert.deepEqual(agent.hardeningCounts(), { unasked: 1 })
  })
}

const WRONG = {
  'Content-Length with Transfer-Encoding': { row: 'own-framing', headers: { 'Content-Length': 4, 'Transfer-Encoding': 'chunked' } },
  'both and Expect': { row: 'own-framing', headers: { 'Content-Length': 4, 'Transfer-Encoding': 'chunked', Expect: '100-continue' } },
  'Content-Length twice': { row: 'own-framing', headers: ['Host', 'a', 'Content-Length', '4', 'Content-Length', '4'] },
  'a path beyond ASCII': { row: 'own-target-byte', path: '/\xe9' }
}

for (const [name, { row, ...options }] of Object.entries(WRONG)) {
  test(`a request that core sends with ${name} is not sent in strict mode`, async (t) => {
    const of = async (http, hardening) => {
      const { port, received } = await origin(t, OK)
      const agent = agentOf(t, http, 'native', { hardening })
      const given = Array.isArray(options.headers) ? { ...options, headers: [...options.headers] } : options
      await ask(http, { port, agent, method: 'POST', ...given }, (request) => request.end('body'))
      return { agent, text: received.join('').replace(String(port), 'PORT') }
    }
    const reference = await of(core)
    assert.equal((await of(ours, 'off')).text, reference.text)
    const audit = await of(ours, 'audit')
    assert.equal(audit.text, reference.text)
    assert.deepEqual(audit.agent.hardeningCounts(), { [row]: 1 })

    const agent = agentOf(t, ours, 'native', { hardening: 'strict' })
    const { port, received } = await origin(t, OK)
    assert.throws(() => {
      const request = ours.request({ host: '127.0.0.1', port, agent, method: 'POST', ...options })
      request.on('error', () => {})
      t.after(() => request.destroy())
      request.end('body')
    }, { code: 'ERR_HTTP_HARDENING', message: new RegExp(row) })
    assert.deepEqual(agent.hardeningCounts(), { [row]: 1 })
    assert.deepEqual(received, [])
  })
}

test('strict: a body that its Content-Length does not fit is not sent', async (t) => {
  const { port, received } = await origin(t, OK)
  const post = (length, send) => {
    const request = ours.request({ host: '127.0.0.1', port, method: 'POST', hardening: 'strict', headers: { 'Content-Length': length } })
    request.on('error', () => {})
    t.after(() => request.destroy())
    return () => send(request)
  }
  const mismatch = { code: 'ERR_HTTP_CONTENT_LENGTH_MISMATCH' }
  assert.throws(post(3, (request) => request.end('body')), mismatch)
  assert.throws(post(5, (request) => request.end('body')), mismatch)
  assert.throws(post(3, (request) => request.write('body')), mismatch)
  assert.deepEqual(received.join(''), '')
  const parts = (request) => {
    request.write('bo')
    request.end('dy')
  }
  for (const send of [(request) => request.end('body'), parts]) {
    const seen = await ask(ours, { port, method: 'POST', hardening: 'strict', agent: false, headers: { 'Content-Length': 4 } }, send)
    assert.deepEqual(seen, [200, 'ok, complete: true'])
  }
})

// ---------------------------------------------------------------------------------------------- the option, the events

test('the option of a request outranks its agent\'s', async (t) => {
  const { port } = await origin(t, OK.replace('200', '600'))
  const strict = agentOf(t, ours, 'native', { hardening: 'strict' })
  assert.deepEqual(await ask(ours, { port, agent: strict, hardening: 'off' }), [600, 'ok, complete: true'])
  const off = agentOf(t, ours, 'native', {})
  assert.deepEqual(await ask(ours, { port, agent: off, hardening: 'strict' }), ['error HPE_HARDENING status-range'])
  assert.deepEqual(await ask(ours, { port, agent: false, hardening: 'strict' }), ['error HPE_HARDENING status-range'])
})

test('strict: a request without an agent, on a connection of its own', async (t) => {
  const { port } = await origin(t, OK.replace('200', '600'))
  assert.deepEqual(await ask(ours, { port, hardening: 'strict', createConnection: (options) => net.connect(options) }), ['error HPE_HARDENING status-range'])
})

test('the option of a request and of an agent is checked', () => {
  for (const value of [1, null, {}]) {
    assert.throws(() => new ours.Agent({ hardening: value }), { code: 'ERR_INVALID_ARG_TYPE' })
    assert.throws(() => ours.request({ hardening: value }), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  assert.throws(() => new ours.Agent({ hardening: 'lax' }), { code: 'ERR_INVALID_ARG_VALUE' })
  assert.throws(() => ours.request({ hardening: 'lax' }), { code: 'ERR_INVALID_ARG_VALUE' })
})

test('the agent emits \'hardening\' with the socket', async (t) => {
  const { port } = await origin(t, OK.replace('200', '600'))
  const agent = agentOf(t, ours, 'native', { hardening: 'audit' })
  const events = []
  agent.on('hardening', (event) => events.push(event))
  await ask(ours, { port, agent })
  const [{ socket, ...rest }, ...others] = events
  assert.deepEqual(rest, { row: 'status-range', count: 1, refused: false, remoteAddress: '127.0.0.1' })
  assert.equal(socket.remotePort, port)
  assert.deepEqual(others, [])
})

test('HTTP_NATIVE_HARDENING is for requests without the option', () => {
  const text = `
    const http = require(${JSON.stringify(index)})
    const server = require('node:net').createServer((socket) => socket.once('data', () => {
      socket.end('HTTP/1.1 600 No\\r\\nContent-Length: 0\\r\\n\\r\\n')
    })).listen(0, async () => {
      const ask = (options) => new Promise((resolve) => {
        http.get({ port: server.address().port, ...options }, (response) => resolve(response.resume().statusCode)).on('error', ({ row }) => resolve(row))
      })
      console.log(await ask({}), await ask({ hardening: 'off' }))
      server.close()
    })
  `
  const run = (hardening) => {
    return spawnSync(process.execPath, ['-e', text], { env: { ...process.env, HTTP_NATIVE_HARDENING: hardening }, encoding: 'utf8' }).stdout.trim()
  }
  assert.equal(run('strict'), 'status-range 600')
  assert.equal(run('audit'), '600 600')
})

'use strict'

/**
 * createServer({ hardening }): each row that core lets through although the RFCs forbid it, in three modes, over both drivers:
 * 'off' and 'audit' are core's to the byte, 'strict' answers once, with the row's status, and closes, and nothing else is lost.
 */

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const core = require('node:http')
const net = require('node:net')
const path = require('node:path')
const { test } = require('node:test')
const { setImmediate: turn } = require('node:timers/promises')

const root = path.join(__dirname, '../../..')
const index = process.env.OURS ?? path.join(root, 'index.js')
const ours = require(index)
const { HARDENING_ROWS } = require('../../../lib/addon')
const { requests } = require('./requests')
const { GOOD, LAST, TRANSPORTS, serve, exchange, answers } = require('./raw-client')

const statuses = Object.fromEntries(HARDENING_ROWS.map(([name, status]) => [name, status]))

async function untilCounted (server) {
  while (Object.keys(server.hardeningCounts()).length === 0) await turn()
}

const enoughOf = (hangs, before) => hangs ? (text) => answers(text).length > before : undefined

for (const { row, name, bytes, hangs } of requests) {
  for (const transport of TRANSPORTS) {
    test(`off and audit: ${row} (${name}), ${transport}: as in core, and counted`, async (t) => {
      for (const wire of [bytes + LAST, GOOD + bytes + LAST]) {
        const before = wire.startsWith(GOOD) ? 1 : 0
        const of = async (http, hardening) => {
          const { server, connect, seen } = await serve(t, http, { hardening }, transport, { hangs })
          const received = await exchange(connect, wire, enoughOf(hangs, before))
          return { server, shown: { received, seen } }
        }
        const reference = await of(core)
        const off = await of(ours, 'off')
        assert.deepEqual(off.shown, reference.shown)
        assert.deepEqual(off.server.hardeningCounts(), {})
        const audit = await of(ours, 'audit')
        assert.deepEqual(audit.shown, reference.shown)
        // What never ends is counted when its connection has.
        if (hangs) await untilCounted(audit.server)
        assert.equal(audit.server.hardeningCounts()[row], 1)
      }
    })
  }

  for (const transport of [...TRANSPORTS, 'tls']) {
    test(`strict: ${row} (${name}), ${transport}: answered with ${statuses[row]}, once`, async (t) => {
      const { server, connect, seen } = await serve(t, ours, { hardening: 'strict' }, transport)
      assert.deepEqual(answers(await exchange(connect, bytes + LAST)), [statuses[row]])
      assert.deepEqual(answers(await exchange(connect, GOOD + GOOD + bytes + LAST)), ['200 GET /good', '200 GET /good', statuses[row]])
      assert.ok(!seen.includes('GET /last'), 'nothing behind it is read')
      assert.equal(server.hardeningCounts()[row], 2)
    })
  }
}

// ------------------------------------------------------------------------------------------- what is read otherwise

/** An answer that is given once something has been counted. */
async function answerBehindError (server, response, body) {
  await untilCounted(server)
  response.end(body)
}

/** An answer to a request that was refused meanwhile. */
function answerLate (request, response) {
  request.on('error', () => setImmediate(() => {
    response.on('error', () => {})
    response.end(String(response.socket?.destroyed))
  }))
}

/** Starts a strict or auditing server whose answers to /slow wait until something was counted. */
async function serveSlowly (t, hardening, transport) {
  const { server, connect } = await serve(t, ours, { hardening }, transport)
  const [listener] = server.listeners('request')
  server.removeAllListeners('request')
  server.on('request', (request, response) => {
    if (request.url === '/slow') answerBehindError(server, response, 'slow')
    else if (request.url === '/late') answerLate(request, response)
    else listener(request, response)
  })
  return { server, connect }
}

const SLOW = 'GET /slow HTTP/1.1\r\nHost: a\r\n\r\n'
const TWO_HOSTS = 'GET /bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'
const BAD_CHUNK = 'POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;=\r\na\r\n0\r\n\r\n'
const CLOSING = 'GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
const PROXIED = 'GET /good HTTP/1.1\r\nHost: a\r\nProxy-Connection: close\r\n\r\n'

for (const transport of TRANSPORTS) {
  for (const [name, bytes] of Object.entries({ 'a head': TWO_HOSTS, 'a body': BAD_CHUNK })) {
    test(`strict: what is wrong with ${name} is answered behind slow answers to earlier requests, ${transport}`, async (t) => {
      const { connect } = await serveSlowly(t, 'strict', transport)
      assert.deepEqual(answers(await exchange(connect, SLOW + SLOW + bytes + GOOD)), ['200 slow', '200 slow', '400'])
    })
  }

  test(`strict: a handler that answers what was refused meanwhile is not heard, ${transport}`, async (t) => {
    const { server, connect } = await serveSlowly(t, 'strict', transport)
    const late = BAD_CHUNK.replace('/bad', '/late')
    assert.deepEqual(answers(await exchange(connect, late)), ['400'])
    assert.deepEqual(answers(await exchange(connect, SLOW + late)), ['200 slow', '400'])
    assert.deepEqual(server.hardeningCounts(), { 'chunk-extension-empty': 2 })
  })

  test(`strict: a handler that destroys its socket ends the connection as ever, ${transport}`, async (t) => {
    const { server, connect } = await serve(t, ours, { hardening: 'strict' }, transport)
    server.removeAllListeners('request')
    const errors = []
    server.on('clientError', (error, socket) => {
      errors.push(error.message)
      socket.destroy()
    })
    server.once('request', ({ socket }) => socket.destroy(new Error('mine')))
    assert.equal(await exchange(connect, GOOD), '')
    assert.deepEqual(errors, ['mine'])
  })

  test(`strict: large answers are whole before a refusal, ${transport}`, async (t) => {
    const { server, connect } = await serve(t, ours, { hardening: 'strict' }, transport)
    const large = 'x'.repeat(4 * 1024 * 1024)
    server.removeAllListeners('request')
    server.on('request', (request, response) => answerBehindError(server, response, large))
    assert.deepEqual(answers(await exchange(connect, GOOD + GOOD + TWO_HOSTS)).map((text) => text.length), [large.length + 4, large.length + 4, 3])
  })

  test(`strict: bytes behind the last request are ignored, ${transport}`, async (t) => {
    const { server, connect } = await serve(t, ours, { hardening: 'strict' }, transport)
    assert.deepEqual(answers(await exchange(connect, CLOSING + GOOD)), ['200 GET /slow'])
    await untilCounted(server)
    assert.deepEqual(server.hardeningCounts(), { 'after-close': 1 })
  })

  test(`audit: answers that an error replaces are counted, ${transport}`, async (t) => {
    for (const [wire, row] of [[`${SLOW}GET / HTTP/9.9\r\n\r\n`, 'version-other'], [CLOSING + GOOD, 'after-close']]) {
      const { server, connect } = await serveSlowly(t, 'audit', transport)
      assert.deepEqual(answers(await exchange(connect, wire)), ['400'])
      assert.deepEqual(server.hardeningCounts(), { [row]: 1, 'answer-replaced': 1 })
    }
  })

  for (const [name, answer] of [['has begun', (response) => response.write('begun')], ['is over', (response) => response.end('begun and over')]]) {
    test(`strict: an answer that ${name} is not followed by another, ${transport}`, async (t) => {
      const { server, connect } = await serve(t, ours, { hardening: 'strict' }, transport)
      server.removeAllListeners('request')
      server.on('request', (request, response) => {
        request.on('error', () => {})
        answer(response)
      })
      const head = 'POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
      const received = await new Promise((resolve) => {
        const socket = connect(() => socket.write(head))
        let text = ''
        socket.on('data', (chunk) => {
          text += chunk
          // The second turn: what is over has left by then.
          if (text.includes('begun')) setImmediate(() => setImmediate(() => socket.write('1;;a\r\na\r\n')))
        })
        socket.on('error', () => {})
        socket.on('close', () => resolve(text))
      })
      assert.equal(received.match(/HTTP\/1\.1/g).length, 1)
    })
  }

  test(`strict: Proxy-Connection means nothing, ${transport}`, async (t) => {
    const { server, connect } = await serve(t, ours, { hardening: 'strict' }, transport)
    assert.deepEqual(answers(await exchange(connect, PROXIED + LAST)), ['200 GET /good', '200 GET /last'])
    assert.deepEqual(server.hardeningCounts(), { 'proxy-connection': 1 })
  })

  test(`behind maxRequestsPerSocket a connection is kept, or closed, ${transport}`, async (t) => {
    const shown = { off: ['200 GET /good', '503 0', '503 0'], audit: ['200 GET /good', '503 0', '503 0'], strict: ['200 GET /good'] }
    for (const [hardening, expected] of Object.entries(shown)) {
      const { server, connect } = await serve(t, ours, { hardening }, transport)
      server.maxRequestsPerSocket = 1
      assert.deepEqual(answers(await exchange(connect, GOOD + GOOD + LAST)), expected)
      assert.deepEqual(server.hardeningCounts(), { off: {}, audit: { 'max-requests': 2 }, strict: { 'max-requests': 1 } }[hardening])
    }
  })

  test(`CONNECT without a listener is dropped, or answered with 501, ${transport}`, async (t) => {
    const CONNECT = 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n'
    for (const [hardening, expected] of [['off', []], ['audit', []], ['strict', ['501']]]) {
      const { server, connect } = await serve(t, ours, { hardening }, transport)
      assert.deepEqual(answers(await exchange(connect, CONNECT)), expected)
      assert.deepEqual(server.hardeningCounts(), hardening === 'off' ? {} : { 'connect-unheard': 1 })
    }
  })

  test(`strict: what is allowed is served as ever, ${transport}`, async (t) => {
    const { server, connect } = await serve(t, ours, { hardening: 'strict' }, transport)
    const chunked = 'POST /chunked HTTP/1.1\r\nHost: [::1]:80\r\nExpect: 100-continue\r\nTransfer-Encoding: Chunked\r\n\r\n1;a=b\r\na\r\n0\r\nA: b\r\n\r\n'
    const received = await exchange(connect, `\r\n${GOOD}\r\n\r\n${chunked}OPTIONS * HTTP/1.1\r\nHost:\r\n\r\nGET /?a[b]=c HTTP/1.1\r\nHost: a\r\n\r\n${LAST}`)
    assert.deepEqual(answers(received), ['200 GET /good', '100', '200 POST /chunked', '200 OPTIONS *', '200 GET /?a[b]=c', '200 GET /last'])
    assert.deepEqual(server.hardeningCounts(), {})
  })
}

// ---------------------------------------------------------------------------------------------- the option, the events

test('the option is checked as core checks its own', () => {
  for (const value of [1, null, {}]) {
    assert.throws(() => ours.createServer({ hardening: value }), { code: 'ERR_INVALID_ARG_TYPE', name: 'TypeError' })
  }
  for (const value of ['', 'Strict', 'toString']) {
    assert.throws(() => ours.createServer({ hardening: value }), { code: 'ERR_INVALID_ARG_VALUE', name: 'TypeError' })
  }
})

test('a server without the option has nothing more to enumerate than core\'s', () => {
  const keysOf = (server) => {
    const keys = []
    for (const key in server) keys.push(key)
    return keys.sort()
  }
  assert.deepEqual(keysOf(ours.createServer({ hardening: 'strict' })), keysOf(core.createServer()))
})

test('strict: outranks insecureHTTPParser', async (t) => {
  const { connect } = await serve(t, ours, { hardening: 'strict', insecureHTTPParser: true }, 'native')
  const both = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
  assert.deepEqual(answers(await exchange(connect, both)), ['400'])
})

test('\'hardening\' is emitted at most once a second for each row, with the count since', async (t) => {
  const { server, connect } = await serve(t, ours, { hardening: 'audit' }, 'native')
  const events = []
  server.on('hardening', (event) => events.push(event))
  await exchange(connect, TWO_HOSTS + TWO_HOSTS + PROXIED.replace('close', 'keep-alive') + TWO_HOSTS + LAST)
  assert.deepEqual(events.map(({ row, count, refused }) => ({ row, count, refused })), [
    { row: 'host-repeated', count: 1, refused: false },
    { row: 'proxy-connection', count: 1, refused: false }
  ])
  for (const { socket, remoteAddress } of events) {
    assert.ok(socket instanceof net.Socket)
    assert.equal(socket.remoteAddress, '127.0.0.1')
    assert.equal(remoteAddress, '127.0.0.1')
  }
  assert.deepEqual(server.hardeningCounts(), { 'host-repeated': 3, 'proxy-connection': 1 })
})

test('\'hardening\' is emitted in strict mode, too, and \'clientError\' has the row and the status code', async (t) => {
  const { server, connect } = await serve(t, ours, { hardening: 'strict' }, 'native')
  const events = []
  server.on('hardening', ({ row, refused }) => events.push({ row, refused }))
  server.on('clientError', (error, socket) => {
    events.push({ code: error.code, row: error.row, statusCode: error.statusCode, message: error.message })
    socket.end('mine')
  })
  assert.equal(await exchange(connect, TWO_HOSTS), 'mine')
  assert.deepEqual(events, [
    { code: 'HPE_HARDENING', row: 'host-repeated', statusCode: 400, message: 'Parse Error: More than one Host' },
    { row: 'host-repeated', refused: true }
  ])
})

test('HTTP_NATIVE_HARDENING is for servers without the option', () => {
  const text = `
    const http = require(${JSON.stringify(index)})
    const net = require('node:net')
    const ask = (options) => new Promise((resolve) => {
      const server = http.createServer(options, (request, response) => response.end()).listen(0, () => {
        const socket = net.connect(server.address().port, () => socket.write('GET * HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n'))
        socket.on('data', (data) => {
          server.close()
          resolve(String(data).slice(9, 12))
        })
      })
    })
    ask({}).then(async (first) => console.log(first, await ask({ hardening: 'off' }), await ask({ hardening: 'strict' })))
  `
  const run = (hardening) => {
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', text], { env: { ...process.env, HTTP_NATIVE_HARDENING: hardening }, encoding: 'utf8' })
    return { stdout: stdout.trim(), code: /HTTP_NATIVE_\\w+/.exec(stderr)?.[0] }
  }
  assert.deepEqual(run('strict'), { stdout: '400 200 400', code: undefined })
  assert.deepEqual(run('audit'), { stdout: '200 200 400', code: undefined })
  assert.deepEqual(run('off'), { stdout: '200 200 400', code: undefined })
  assert.equal(run('strikt').stdout, '200 200 400')
})

test('register: https servers have the option', { timeout: 30000 }, () => {
  const text = `
    const https = require('node:https')
    const tls = require('node:tls')
    const fs = require('node:fs')
    const folder = ${JSON.stringify(path.join(root, '__test__/fixtures/https'))}
    const [key, cert] = ['key', 'cert'].map((name) => fs.readFileSync(folder + '/' + name + '.pem'))
    const server = https.createServer({ key, cert, hardening: 'strict' }, (request, response) => response.end()).listen(0, () => {
      const socket = tls.connect({ port: server.address().port, rejectUnauthorized: false }, () => socket.write('GET * HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'))
      socket.on('data', (data) => {
        console.log(String(data).slice(9, 12), JSON.stringify(server.hardeningCounts()))
        server.close()
        socket.destroy()
      })
    })
  `
  const { stdout } = spawnSync(process.execPath, ['-r', path.join(root, 'register.js'), '-e', text], { encoding: 'utf8' })
  assert.equal(stdout.trim(), '400 {"target-asterisk":1}')
})

'use strict'

/** HTTP_NATIVE_SHUTDOWN under register: SIGTERM shuts the servers down. And shutdown() of a server of TLS. */

const assert = require('node:assert')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const tls = require('node:tls')
const { spawnSync } = require('node:child_process')
const { once } = require('node:events')
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { test } = require('node:test')
const { Child } = require('../child')

const execArgv = ['-r', path.join(__dirname, '..', '..', 'register.js')]
const get = (url) => `GET ${url} HTTP/1.1\r\nHost: x\r\n\r\n`

function stopping (kind, ways, env = {}) {
  return new Child('lifecycle/stopping.js', { args: [kind, ...ways], execArgv, env })
}

/** Connects, and keeps what comes. */
async function dial (kind, port) {
  const socket = kind === 'https' ? tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }) : net.connect(port, '127.0.0.1')
  socket.text = ''
  socket.on('data', (chunk) => { socket.text += chunk })
  await once(socket, kind === 'https' ? 'secureConnect' : 'connect')
  return socket
}

/**
 * Has one request held, and a request begun on another connection, which therefore does not rest; then `stop` begins the
 * end, and both are answered.
 */
async function playEnd (kind, child, stop) {
  const port = await child.port()
  const [held, used] = await Promise.all([dial(kind, port), dial(kind, port)])
  const ends = Promise.all([once(held, 'end'), once(used, 'end')])
  used.write(get('/') + 'GET /release HTTP/1.1\r\n')
  held.write(get('/held'))
  await Promise.all([child.line('held'), once(used, 'data')])
  await stop(port)
  used.write('Host: x\r\n\r\n')
  await ends
  assert.match(held.text, /Connection: close\r\n[^]*held until now\n$/)
  assert.match(used.text, /Connection: close\r\n[^]*done\n$/)
}

for (const kind of ['http', 'https']) {
  test(`SIGTERM shuts a server of ${kind} down, and ends the process behind it`, async () => {
    const child = stopping(kind, [], { HTTP_NATIVE_SHUTDOWN: '5s' })
    await playEnd(kind, child, async (port) => {
      child.kill('SIGTERM')
      await child.line('deaf')
      await assert.rejects(once(net.connect(port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' })
    })
    const { code, signal } = await child.ended()
    assert.deepStrictEqual([code, signal], [null, 'SIGTERM'])
  })

  test(`shutdown() of a server of ${kind} under register`, async () => {
    const child = stopping(kind, [])
    await playEnd(kind, child, async (port) => {
      (await dial(kind, port)).write(get('/stop'))
      await child.line('deaf')
    })
    const { code, stdout } = await child.ended()
    assert.strictEqual(code, 0)
    assert.match(stdout, /^\{"served":3,"refused":0,"cut":0\}$/m)
  })

  test(`requests that came while a server of ${kind} was busy shutting down are served`, async (t) => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'shutdown-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const GATE = path.join(folder, 'open')
    const child = stopping(kind, [], { GATE })
    const port = await child.port()
    const clients = await Promise.all(Array.from({ length: 4 }, () => dial(kind, port)))
    const ends = clients.map((client) => once(client, 'end'))
    for (const client of clients) {
      client.write(get('/'))
      await once(client, 'data')
    }
    const busy = await dial(kind, port)
    busy.write(get('/block'))
    await child.line('blocked')
    await Promise.all(clients.map((client) => new Promise((resolve) => client.write(get('/'), resolve))))
    // And some that nothing of the server's process has accepted yet, if it is one of TLS.
    const late = await Promise.all(Array.from({ length: 4 }, async () => {
      const socket = net.connect(port, '127.0.0.1')
      await once(socket, 'connect')
      const said = kind === 'https' ? tls.connect({ socket, rejectUnauthorized: false }) : socket
      said.setEncoding('latin1').write(get('/'))
      return said
    }))
    writeFileSync(GATE, '')
    for (const [answer] of await Promise.all(late.map((said) => once(said, 'data')))) assert.match(answer, /Connection: close/)
    await Promise.all(ends)
    for (const { text } of clients) assert.match(text, /Connection: keep-alive[^]*done\n[^]*Connection: close[^]*done\n$/)
    assert.match((await child.ended()).stdout, /^\{"served":9,"refused":0,"cut":0\}$/m)
  })
}

/** Has a request held, and begins the end; gives the client, and the process. */
async function beginEnd (options) {
  const child = new Child('lifecycle/stopping.js', { args: ['http', 'busy'], execArgv, env: { HTTP_NATIVE_SHUTDOWN: '5s' }, ...options })
  const port = await child.port()
  const [held, other] = [await dial('http', port), await dial('http', port)]
  held.write(get('/held'))
  await child.line('held')
  other.write('GET /release HTTP/1.1\r\n')
  return { child, held, other }
}

test('a SIGTERM that comes twice is one: npm, and a primary, pass on what a group of processes gets', async () => {
  const { child, held, other } = await beginEnd()
  child.kill('SIGTERM')
  await child.line('deaf')
  child.kill('SIGTERM')
  other.write('Host: x\r\n\r\n')
  await Promise.all([once(held, 'end'), once(other, 'end')])
  assert.match(held.text, /held until now\n$/)
  assert.strictEqual((await child.ended()).signal, 'SIGTERM')
})

test('a later SIGTERM ends the process at once', async () => {
  const { child, held } = await beginEnd()
  child.kill('SIGTERM')
  await child.line('deaf')
  const again = setInterval(() => child.kill('SIGTERM'), 50)
  assert.strictEqual((await child.ended()).signal, 'SIGTERM')
  clearInterval(again)
  assert.strictEqual(held.text, '')
})

/** The first process of a namespace of its own, as in a container; undefined where that is not allowed. */
const CONTAINER = ['unshare', '--fork', '--pid', '--kill-child', '--mount-proc']
const isAllowed = spawnSync(CONTAINER[0], [...CONTAINER.slice(1), 'true']).status === 0

test('the first process of a container ends behind its servers, too', { skip: !isAllowed }, async () => {
  const { child, held, other } = await beginEnd({ launcher: CONTAINER })
  // Signals come from outside of the container.
  const [pid] = readFileSync(`/proc/${child.process.pid}/task/${child.process.pid}/children`, 'latin1').split(' ')
  process.kill(Number(pid), 'SIGTERM')
  await child.line('deaf')
  other.write('Host: x\r\n\r\n')
  await Promise.all([once(held, 'end'), once(other, 'end')])
  assert.match(held.text, /held until now\n$/)
  assert.strictEqual((await child.ended()).code, 143)
})

test('the primary of a cluster passes SIGTERM on, and ends behind its workers, which have ended as they were told', async () => {
  const child = new Child('cluster/stopping.js', { execArgv, env: { HTTP_NATIVE_SHUTDOWN: '5s' } })
  const held = await dial('http', await child.port())
  held.write(get('/held'))
  await child.line('held')
  child.kill('SIGTERM')
  await once(held, 'end')
  assert.match(held.text, /Connection: close\r\n[^]*held until now\n$/)
  const { signal, stdout } = await child.ended()
  assert.strictEqual(signal, 'SIGTERM')
  assert.deepStrictEqual(stdout.match(/^exit.*$/mg), ['exit true', 'exit true'])
})

test('an application that listens for SIGTERM decides itself', async () => {
  const child = stopping('http', ['own'], { HTTP_NATIVE_SHUTDOWN: '5s' })
  await child.port()
  child.kill('SIGTERM')
  const { code, stdout } = await child.ended()
  assert.strictEqual(code, 7)
  assert.match(stdout, /^own$/m)
})

test('it decides itself if it has listened once before register was loaded', async () => {
  const child = new Child('lifecycle/listening-before.js', { env: { HTTP_NATIVE_SHUTDOWN: '5s' } })
  await child.port()
  child.kill('SIGTERM')
  const { code, stdout } = await child.ended()
  assert.deepStrictEqual([code, stdout.split('\n')[1]], [7, 'own true'])
})

test('without the variable SIGTERM ends the process at once', async () => {
  const child = stopping('http', [])
  await child.port()
  child.kill('SIGTERM')
  assert.strictEqual((await child.ended()).signal, 'SIGTERM')
})

test('a value that is no time is warned of', async () => {
  const child = stopping('http', [], { HTTP_NATIVE_SHUTDOWN: 'soon' })
  await child.port()
  child.kill('SIGTERM')
  assert.match((await child.ended()).stderr, /HTTP_NATIVE_SHUTDOWN must be a time like 30s or 500ms, not soon/)
})

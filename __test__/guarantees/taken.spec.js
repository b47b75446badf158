'use strict'

/** The callback of a write comes when its bytes are taken, and not before: see State::take in src/net/state.rs. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const http = require('../..')
const { Child } = require('../child')

const RUNS = 8

async function output (script, module, args = []) {
  const { stdout, stderr } = await new Child(`taken/${script}.js`, { module, args, deadline: 60000 }).ended()
  return stdout + stderr
}

test('memory that is used again as soon as it may be arrives as it was', async () => {
  const lines = (await output('reused-buffers', 'ours')).trim().split('\n')
  assert.equal(lines.length, 48)
  assert.deepEqual(lines.filter((line) => !line.endsWith(': 0')), [])
})

// Core's comes with the 'drain' of its socket, before a tick's parts are sent as one chunk (Node 26, and 24.22).
test("'drain' comes behind the parts of its tick, also if earlier ones leave meanwhile", async (t) => {
  const size = 65537
  const server = net.createServer((socket) => {
    t.after(() => socket.destroy())
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (text.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      if (text.endsWith('\r\n0\r\n\r\n')) server.emit('body', text)
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const { port } = server.address()
  // The next request has its connection when it writes.
  const [first] = await once(http.get({ host: '127.0.0.1', port, agent }), 'response')
  await once(first.resume(), 'end')
  const request = http.request({ host: '127.0.0.1', port, agent, method: 'POST' })
  request.on('error', () => {})
  await once(request, 'socket')
  const second = Buffer.alloc(size, 'b')
  request.write(Buffer.alloc(size, 'a'))
  request.once('drain', () => {
    request.write(second)
    request.once('drain', () => {
      second.fill('X')
      request.end()
    })
  })
  const [text] = await once(server, 'body')
  assert.ok(text.includes('b'.repeat(size)))
  assert.equal(text.includes('X'), false)
})

/** Writes a part in 'drain', the last by `how`, and calls back when it was told that it is taken. */
const DRAINING = {
  write: (message, part, told) => {
    message.write(part, told)
    message.end()
  },
  end: (message, part, told) => message.end(part, told),
  finish: (message, part, told) => message.once('finish', told).end(part)
}

/** Sends a part that is overwritten when it may be, in 'drain'. */
function sendInDrain (message, how) {
  message.on('error', () => {})
  message.once('drain', () => {
    const part = Buffer.alloc(1_000_000, 'b')
    DRAINING[how](message, part, () => part.fill('X'))
  })
  message.write(Buffer.alloc(1_000_000, 'a'))
}

/** Reads a socket to the end, a part in each turn of the event loop. */
function readSlowly (socket, ends, done) {
  let text = ''
  socket.pause()
  const read = () => {
    text += socket.read()?.toString('latin1') ?? ''
    if (ends(text)) done(text)
    else setImmediate(read)
  }
  read()
}

for (const how of Object.keys(DRAINING)) {
  test(`what a response writes in 'drain' arrives as it was: ${how}`, async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'http-native-taken-'))
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
    const server = http.createServer((request, response) => sendInDrain(response, how))
    t.after(() => server.close())
    await once(server.listen(path.join(folder, 's')), 'listening')
    for (let i = 0; i < 5; i++) {
      const socket = net.connect(path.join(folder, 's'))
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
      const text = await new Promise((resolve) => readSlowly(socket, () => socket.readableEnded || socket.destroyed, resolve))
      assert.equal(text.includes('X'), false)
      assert.equal(text.match(/b/g).length >= 1_000_000, true)
    }
  })

  test(`what a request writes in 'drain' arrives as it was: ${how}`, async (t) => {
    const server = net.createServer((socket) => {
      readSlowly(socket, (text) => text.endsWith('\r\n0\r\n\r\n'), (text) => {
        server.emit('body', text)
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
      })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    t.after(() => server.close())
    for (let i = 0; i < 5; i++) {
      const request = http.request({ host: '127.0.0.1', port: server.address().port, method: 'POST', agent: false })
      request.on('response', (response) => response.resume())
      sendInDrain(request, how)
      const [text] = await once(server, 'body')
      assert.equal(text.includes('X'), false)
      assert.equal(text.match(/b/g).length >= 1_000_000, true)
    }
  })
}

for (const args of [['server'], ['client'], ['client', 'early']]) {
  test(`the callbacks of parts that a resetting peer never took come as with core: ${args.join(', ')}`, async () => {
    const ours = await output('lost-writes', 'ours', args)
    // Whether a read or a write meets the reset first is left to the kernel: core shows either.
    let core
    for (let run = 0; run < RUNS && core !== ours; run++) core = await output('lost-writes', 'core', args)
    assert.equal(ours, core)
  })
}

test('callbacks come once each, in order, and in the context of their part, as with core', async () => {
  assert.equal(await output('callbacks', 'ours'), await output('callbacks', 'core'))
})

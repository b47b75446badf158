'use strict'

/** The callback of a write comes when its bytes are taken, and not before: see State::take in src/net/state.rs. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { once } = require('node:events')
const net = require('node:net')
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

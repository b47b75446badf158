'use strict'

/** What a client whose reader is behind takes from its server: no more than buffers hold, however it came to be behind. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { once } = require('node:events')
const net = require('node:net')
const http = require('../..')

/** Far beyond what buffers of streams, I/O threads and a call hold together. */
const MAX = 3 * 2 ** 20

const BLOCK = Buffer.alloc(2 ** 16, 'x')

/** A server that answers each connection with this head, and sends after it for as long as the kernel takes more. */
async function endless (t, head, block = BLOCK) {
  const server = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(head)
      const more = () => { while (socket.write(block)); }
      socket.on('drain', more)
      more()
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  return server.address().port
}

/** Bytes that were read when no more come. */
async function readAtRest (socket) {
  for (let before = -1, quiet = 0; quiet < 10;) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    quiet = socket.bytesRead === before ? quiet + 1 : 0
    before = socket.bytesRead
    if (before > MAX) break
  }
  return socket.bytesRead
}

async function responseOf (t, port) {
  const request = http.get({ port, agent: false })
  request.on('error', () => {})
  t.after(() => request.destroy())
  const [response] = await once(request, 'response')
  response.on('error', () => {})
  return response
}

const LENGTH = 'HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n'
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
const bodies = {
  'with a length': [LENGTH],
  'until close': ['HTTP/1.1 200 OK\r\n\r\n'],
  'in chunks': [CHUNKED, `10000\r\n${BLOCK}\r\n`],
  'in chunks of a byte': [CHUNKED, '1\r\nx\r\n'.repeat(10000)]
}

for (const [what, [head, block]] of Object.entries(bodies)) {
  test(`a response ${what} that is not read takes no more than buffers hold`, async (t) => {
    const { socket } = await responseOf(t, await endless(t, head, block))
    const read = await readAtRest(socket)
    assert.ok(read > 0 && read < MAX, `${read} bytes`)
  })

  test(`a response ${what} that is paused and resumed again and again, and then paused, takes no more than buffers hold`, async (t) => {
    const response = await responseOf(t, await endless(t, head, block))
    const seen = { taken: 0 }
    response.on('data', (chunk) => { seen.taken += chunk.length })
    for (let count = 0; count < 200; count++) {
      response.pause()
      response.resume()
      if (count % 3 === 0) await new Promise(setImmediate)
      response.pause()
      if (count % 7 === 0) await new Promise(setImmediate)
      response.resume()
    }
    response.pause()
    const before = seen.taken
    const read = await readAtRest(response.socket)
    assert.ok(read - before < MAX, `${read} bytes, ${before} taken`)
    assert.equal(seen.taken, before)
    response.resume()
    while (seen.taken === before) await new Promise(setImmediate)
  })
}

test('an upgraded connection that is paused takes no more than buffers hold', async (t) => {
  const port = await endless(t, 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
  const request = http.get({ port, agent: false, headers: { Connection: 'upgrade', Upgrade: 'x' } })
  const [, socket] = await once(request, 'upgrade')
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  socket.on('data', () => {})
  for (let count = 0; count < 50; count++) {
    await new Promise(setImmediate)
    socket.pause()
    await new Promise(setImmediate)
    socket.resume()
  }
  socket.pause()
  const before = socket.bytesRead
  const read = await readAtRest(socket)
  assert.ok(read - before < MAX, `${read - before} bytes`)
})

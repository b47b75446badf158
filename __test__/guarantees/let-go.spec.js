'use strict'

/** Memory that JavaScript gave is let go of when it is written, though JavaScript has not returned to the event loop since. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const core = require('node:http')
const ours = require('../..')
const net = require('node:net')
const { once } = require('node:events')
const v8 = require('node:v8')
const vm = require('node:vm')

v8.setFlagsFromString('--expose-gc')
const gc = vm.runInNewContext('gc')

const COUNT = 100
const SIZE = 200_000
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

/** Of a server with limits an I/O thread has the sockets. */
const OPTIONS = { 'a plain server': {}, 'a server with limits': { limits: { connections: 1000 } } }

/** Bytes of Buffers that are held when so many requests, which came at one time, were answered. */
async function held (http, options) {
  let count = 0
  const server = http.createServer(options).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peers = Array.from({ length: COUNT }, () => net.connect(server.address().port, '127.0.0.1').pause())
  await Promise.all(peers.map((peer) => once(peer, 'connect')))
  gc()
  const before = process.memoryUsage().arrayBuffers
  const over = new Promise((resolve) => {
    server.on('request', (request, response) => {
      if (++count === COUNT) compute()
      response.end(Buffer.alloc(SIZE))
      if (count !== COUNT) return
      // What one collection finds is freed beside it, and counted off no later than with the next.
      gc()
      gc()
      resolve(process.memoryUsage().arrayBuffers - before)
    })
  })
  for (const peer of peers) peer.write(GET)
  compute()
  const bytes = await over
  for (const peer of peers) peer.destroy()
  await once(server.close(), 'close')
  return bytes
}

/** Blocks the event loop for as long as the I/O thread may want to read, or to write. */
function compute () {
  for (const until = performance.now() + 100; performance.now() < until;);
}

for (const [what, options] of Object.entries(OPTIONS)) {
  test(`Buffers that were written are let go of in the turn, of ${what}`, { timeout: 20_000 }, async () => {
    const expected = await held(core, options)
    const actual = await held(ours, options)
    // The I/O thread may be slow on a busy machine.
    assert(actual <= expected + COUNT * SIZE / 2, `${actual} bytes are held, core ${expected}`)
  })
}

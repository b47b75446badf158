'use strict'

/**
 * A client that reads slowly gets all of its answer: the keep-alive time begins when that is written. Until then the times that the
 * application has set hold, and are heard of.
 */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const core = require('node:http')
const ours = require('../..')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { once } = require('node:events')
const { setTimeout: sleep } = require('node:timers/promises')

/** More than the kernel's buffers take, ever so far as they grow on a loopback. */
const SIZE = 20_000_000

const KEEP_ALIVE_MS = 100

/** Node adds a second to that, on some lines: the time is over by then, and has been looked at. */
const OVER_MS = 1600

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

const ways = {
  'one buffer': (response) => response.end(Buffer.alloc(SIZE)),
  'one string with a length': (response) => response.writeHead(200, { 'Content-Length': SIZE }).end('x'.repeat(SIZE)),
  'many parts': (response) => {
    for (let part = 0; part < 20; part++) response.write(Buffer.alloc(SIZE / 20))
    response.end()
  }
}

async function serve (http, listener, address) {
  const server = http.createServer(listener)
  server.keepAliveTimeout = KEEP_ALIVE_MS
  await once(server.listen(address), 'listening')
  const to = server.address()
  const peer = net.connect(typeof to === 'string' ? { path: to } : { port: to.port, host: '127.0.0.1' })
  await once(peer, 'connect')
  return { server, peer: peer.pause().on('error', () => {}) }
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'slow-readers-'))
process.on('exit', () => fs.rmSync(folder, { recursive: true }))

const addresses = {
  TCP: () => ({ port: 0, host: '127.0.0.1' }),
  Unix: (way) => ({ path: path.join(folder, way) })
}

for (const [kind, address] of Object.entries(addresses)) {
  for (const [way, answer] of Object.entries(ways)) {
    test(`an answer of ${way} to a slow reader is whole: ${kind}`, { timeout: 30_000 }, async () => {
      const { server, peer } = await serve(ours, (request, response) => answer(response), address(way))
      peer.write(REQUEST)
      await sleep(OVER_MS)
      let got = 0
      peer.on('data', (chunk) => { got += chunk.length }).resume()
      // The keep-alive time ends it now.
      await once(peer, 'end')
      assert(got > SIZE, `got ${got} bytes`)
      peer.destroy()
      await once(server.close(), 'close')
    })
  }
}

const settings = {
  'server.timeout': { prepare: (server) => { server.timeout = 300 } },
  'server.setTimeout': { prepare: (server, heard) => server.setTimeout(300, () => heard('server')) },
  'response.setTimeout': { handle: (response, heard) => response.setTimeout(300, () => heard('response')) },
  'socket.setTimeout': { handle: (response, heard) => response.socket.setTimeout(300, () => heard('socket')) }
}

/** What is heard of a client that reads nothing: the times that were over, until the response closes. */
async function heardOf (http, { prepare = () => {}, handle = () => {} }) {
  const events = []
  let closed
  const isClosed = new Promise((resolve) => { closed = resolve })
  const heard = (what) => {
    events.push(what)
    if (events.length === 1) setImmediate(() => server.closeAllConnections())
  }
  const { server, peer } = await serve(http, (request, response) => {
    response.on('close', closed)
    handle(response, heard)
    response.end(Buffer.alloc(SIZE))
  }, addresses.TCP())
  peer.destroy()
  server.keepAliveTimeout = 60_000
  prepare(server, heard)
  const reader = net.connect(server.address().port, '127.0.0.1').pause().on('error', () => {})
  reader.write(REQUEST)
  await isClosed
  reader.destroy()
  await once(server.close(), 'close')
  return events
}

for (const [what, setting] of Object.entries(settings)) {
  test(`${what} is heard of while an answer waits for its reader`, { timeout: 20_000 }, async () => {
    assert.deepEqual(await heardOf(ours, setting), await heardOf(core, setting))
  })
}

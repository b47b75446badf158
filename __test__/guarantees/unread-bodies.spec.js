'use strict'

/**
 * A body that nothing reads is read no further than with core, though JavaScript was busy when it came: what the I/O thread reads ahead
 * is little until JavaScript has taken some.
 */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const core = require('node:http')
const ours = require('../..')
const net = require('node:net')
const { once } = require('node:events')
const { setImmediate: turn } = require('node:timers/promises')

const BODY = Buffer.alloc(600_000, 'x')
const HEAD = `Content-Length: ${BODY.length}\r\n\r\n`

/** Of a server with limits an I/O thread accepts, and has the sockets; and it has those of clients in the same process. */
const LIMITED = { limits: { connections: 1000 } }

/** What one read gives at most; a reader that is behind has core read on until its buffer is full, with one more. */
const READ = 64 * 1024

/** Keeps JavaScript from the bytes that come, for as long as the I/O thread may want. */
function block () {
  for (const until = performance.now() + 100; performance.now() < until;);
}

/** Goes round the event loop, with the kernel asked each time. */
async function settle () {
  for (let turns = 0; turns < 200; turns++) await turn()
}

/** How much of an upload is read that no handler reads. */
async function ofRequest (http) {
  const server = http.createServer(LIMITED).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = net.connect(server.address().port, '127.0.0.1')
  peer.on('error', () => {}).write(`POST / HTTP/1.1\r\nHost: a\r\n${HEAD}`)
  const [request] = await once(server, 'request')
  peer.write(BODY)
  block()
  await settle()
  const read = request.socket.bytesRead
  request.on('error', () => {}).destroy()
  await once(server.close(), 'close')
  return read
}

/** The same of a response. */
async function ofResponse (http) {
  const other = http.createServer(LIMITED).listen(0, '127.0.0.1')
  const server = net.createServer().listen(0, '127.0.0.1')
  await Promise.all([once(other, 'listening'), once(server, 'listening')])
  const request = http.get({ port: server.address().port, host: '127.0.0.1', agent: false })
  const [peer] = await once(server, 'connection')
  await once(peer.on('error', () => {}), 'data')
  peer.write(`HTTP/1.1 200 OK\r\n${HEAD}`)
  const [response] = await once(request, 'response')
  peer.write(BODY)
  block()
  await settle()
  const read = response.socket.bytesRead
  response.on('error', () => {}).destroy()
  peer.destroy()
  await Promise.all([once(other.close(), 'close'), once(server.close(), 'close')])
  return read
}

for (const [what, read] of Object.entries({ request: ofRequest, response: ofResponse })) {
  test(`the body of a ${what} that nothing reads stays in the kernel`, { timeout: 20_000 }, async () => {
    const expected = await read(core)
    for (let round = 0; round < 5; round++) {
      const actual = await read(ours)
      assert(actual <= expected + 2 * READ, `read ${actual} bytes, core ${expected}`)
    }
  })
}

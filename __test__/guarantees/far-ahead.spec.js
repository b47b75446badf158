'use strict'

/**
 * A peer that is further ahead than the requests that may be unanswered: the rest waits in the kernel, and nothing of it, nor the
 * peer's end, is lost or late, though no handler answers. What is heard is what node:http hears, beside it.
 */

const { test, after } = require('node:test')
const assert = require('node:assert/strict')
const core = require('node:http')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { once } = require('node:events')
const ours = require('../../index.js')

const PEERS = 5
const REQUESTS = 2000

/** Requests that may be unanswered (`READ_AHEAD` in src/net/limits.rs). */
const AHEAD = 1024

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'far-ahead-'))
after(() => { fs.rmSync(folder, { recursive: true }) })

/** What a server hears of peers that leave (`how`) when so many of their requests have been heard as may be. */
async function heard (http, how, where) {
  const counts = { requests: 0, aborted: 0, errors: 0, closed: 0, responses: 0, sockets: 0 }
  const peers = []
  const server = http.createServer((request, response) => {
    counts.requests++
    request.on('aborted', () => { counts.aborted++ })
    request.on('error', () => { counts.errors++ })
    request.on('close', () => { counts.closed++ })
    response.on('close', () => { counts.responses++ })
    const { socket } = request
    socket.heard = (socket.heard ?? 0) + 1
    if (socket.heard === AHEAD) leave()
  })
  // All leave when the last has got so far.
  let ahead = 0
  const leave = () => {
    if (++ahead === PEERS) for (const peer of peers) peer[how]()
  }
  const over = new Promise((resolve) => {
    server.on('connection', (socket) => {
      socket.on('close', () => { if (++counts.sockets === PEERS) resolve() })
    })
  })
  await once(server.listen(where), 'listening')
  for (let i = 0; i < PEERS; i++) {
    const peer = net.connect(where.path ? where : { ...where, port: server.address().port })
    peers.push(peer.on('error', () => {}).resume())
    peer.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(REQUESTS))
  }
  await over
  await new Promise((resolve) => { server.close(resolve) })
  return counts
}

for (const how of ['end', 'destroy', 'resetAndDestroy']) {
  for (const kind of ['TCP', 'Unix']) {
    if (kind === 'Unix' && how === 'resetAndDestroy') continue
    test(`a peer that leaves behind unanswered requests is heard of: ${how}, ${kind}`, { timeout: 20_000 }, async () => {
      const where = (name) => kind === 'Unix' ? { path: path.join(folder, `${how}-${name}`) } : { port: 0, host: '127.0.0.1' }
      const expected = await heard(core, how, where('core'))
      assert.deepEqual(await heard(ours, how, where('ours')), expected)
    })
  }
}

test('what came meanwhile is heard as answers are said, in order, and then the end', { timeout: 20_000 }, async () => {
  const [waiting, urls] = [[], []]
  const first = AHEAD + 500
  const requests = (from, to) => Array.from({ length: to - from }, (_, i) => `GET /${from + i} HTTP/1.1\r\nHost: a\r\n\r\n`).join('')
  const server = ours.createServer((request, response) => {
    urls.push(request.url)
    waiting.push(response)
    if (urls.length === AHEAD) {
      // While nothing is read.
      peer.write(requests(first, REQUESTS))
      peer.end()
      answer()
    }
  })
  server.httpAllowHalfOpen = true
  const answer = () => {
    for (const response of waiting.splice(0, 7)) response.end('x')
    if (!peer.readableEnded) setImmediate(answer)
  }
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const peer = net.connect(server.address().port, '127.0.0.1')
  peer.write(requests(0, first))
  let answers = ''
  peer.setEncoding('latin1').on('data', (chunk) => { answers += chunk })
  await once(peer, 'end')
  await new Promise((resolve) => { server.close(resolve) })
  assert.deepEqual(urls, Array.from({ length: REQUESTS }, (_, i) => `/${i}`))
  assert.equal(answers.split('HTTP/1.1 200 ').length - 1, REQUESTS)
})

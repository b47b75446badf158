'use strict'

/**
 * What a handler says leaves in the call, as with core: its peer has it though the handler computes on until the peer has, or though
 * the process is killed in the same turn.
 */

const { test, after } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { once } = require('node:events')
const { Child } = require('../child')
const { tickMergesChunks } = require('../../lib/core/versions')

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'at-once-'))
after(() => { fs.rmSync(folder, { recursive: true }) })

const ask = (url) => `GET ${url} HTTP/1.1\r\nHost: a\r\n\r\n`

/** Clients that ask for something else, requests in one packet of each, and times that they do so: then load is not low. */
const CROWD = 16
const PACKET = 50
const ROUNDS = 20

/** Has a client ask, and resolves when all is answered. */
function askMuch (peer) {
  peer.write(ask('/load').repeat(PACKET))
  let left = PACKET
  return new Promise((resolve) => {
    peer.on('data', function count (chunk) {
      left -= chunk.split('HTTP/1.1 200').length - 1
      if (left === 0) resolve(peer.off('data', count))
    })
  })
}

/** Has a crowd of clients ask, and this one among them, again and again. Gives a function that has the others ask once more, and leave. */
async function crowd (port, peer) {
  const peers = await Promise.all(Array.from({ length: CROWD }, async () => {
    const peer = net.connect(port, '127.0.0.1').on('error', () => {}).setEncoding('latin1')
    await once(peer, 'connect')
    return peer
  }))
  for (let count = 0; count < ROUNDS; count++) await Promise.all([peer, ...peers].map(askMuch))
  return () => {
    for (const peer of peers) peer.end(ask('/load'))
  }
}

/** What the peer of such a server gets. */
async function got (how, isLoaded = false) {
  const file = path.join(folder, how + isLoaded)
  const child = new Child('at-once.js', { args: [how, file], deadline: 20_000 })
  const port = await child.port()
  const peer = net.connect(port, '127.0.0.1')
  peer.on('error', () => {}).setEncoding('latin1')
  const askMore = isLoaded ? await crowd(port, peer) : () => {}
  let text = ''
  peer.on('data', (chunk) => {
    text += chunk
    // The server computes until this is there.
    fs.writeFileSync(file, '')
  })
  peer.write(ask('/'))
  askMore()
  await once(peer, 'close')
  child.process.kill('SIGKILL')
  return text
}

const ways = ['end', 'flushHeaders', 'early-hints', 'continue', 'socket', 'timer', 'immediate', 'uncork', 'cork', 'tick']
// Where the parts of a tick make one chunk they wait in the message, not in the socket.
if (!tickMergesChunks) ways.push('socket-uncork', 'cork-behind')

for (const how of ways) {
  test(`it leaves before the handler computes on: ${how}`, { timeout: 30_000 }, async () => {
    assert.match(await got(how), /^HTTP\/1\.1 \d\d\d [^]*(?<!not )heard$/)
  })
}

for (const how of ways) {
  test(`it leaves before the handler computes on, under load: ${how}`, { timeout: 30_000 }, async () => {
    assert.match(await got(how, true), /^HTTP\/1\.1 \d\d\d [^]*(?<!not )heard$/)
  })
}

const ends = ['SIGTERM', 'SIGKILL', 'exit-listener']
if (!tickMergesChunks) ends.push('socket-end')

for (const how of ends) {
  test(`it leaves before the process ends: ${how}`, { timeout: 30_000 }, async () => {
    assert.match(await got(how), /\r\n\r\n(?:186a0\r\n)?x{100000}/)
  })
}

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

/** What the peer of such a server gets. */
async function got (how) {
  const file = path.join(folder, how)
  const child = new Child('at-once.js', { args: [how, file], deadline: 20_000 })
  const peer = net.connect(await child.port(), '127.0.0.1')
  let text = ''
  peer.on('error', () => {}).setEncoding('latin1').on('data', (chunk) => {
    text += chunk
    // The server computes until this is there.
    fs.writeFileSync(file, '')
  })
  peer.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
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

for (const how of ['SIGTERM', 'SIGKILL', 'exit-listener']) {
  test(`it leaves before the process ends: ${how}`, { timeout: 30_000 }, async () => {
    assert.match(await got(how), /\r\n\r\nx{100000}/)
  })
}

'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const path = require('node:path')
const { once } = require('node:events')
const { anew, root } = require('../fixtures/copies')
const { Child } = require('../child')

const BODY = 'x'.repeat(100_000)

/** Answers with the length of the body, in two parts. */
function measure (req, res) {
  let length = 0
  req.on('data', (chunk) => { length += chunk.length })
  req.on('end', () => {
    res.write('bytes: ')
    res.end(String(length))
  })
}

function ask ({ request }, port, agent, options) {
  return new Promise((resolve, reject) => {
    const req = request({ port, agent, method: 'POST', ...options }, (res) => {
      let text = ''
      res.setEncoding('latin1').on('data', (part) => { text += part }).on('end', () => resolve(text))
    })
    req.on('error', reject)
    req.end(BODY)
  })
}

async function listening (server) {
  await once(server.listen(0), 'listening')
  return server.address().port
}

async function close (server) {
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
}

const WAYS = { 'the same addon': { addonToo: false }, 'an addon that was loaded again': { addonToo: true } }

for (const [way, options] of Object.entries(WAYS)) {
  test(`servers, requests and agents of two copies over ${way} work with each other`, async () => {
    const copies = [require(root), anew(options)]
    assert.notEqual(copies[0].Server, copies[1].Server)
    const servers = copies.map(({ createServer }) => createServer(measure))
    const ports = await Promise.all(servers.map(listening))
    const agents = copies.map(({ Agent }) => new Agent({ keepAlive: true, maxSockets: 1 }))
    for (const port of ports) {
      for (const copy of copies) {
        for (const agent of [...agents, ...agents, false]) assert.equal(await ask(copy, port, agent), 'bytes: 100000')
        await assert.rejects(ask(copy, 1, agents[0], { host: '127.0.0.1' }), { code: 'ECONNREFUSED' })
      }
    }
    for (const agent of agents) agent.destroy()
    await Promise.all(servers.map(close))
  })

  test(`a stream that left HTTP on one copy is served by the other's server, over ${way}`, async () => {
    const copies = [require(root), anew(options)]
    for (const [outer, inner] of [copies, copies.toReversed?.() ?? [...copies].reverse()]) {
      const tunnel = outer.createServer()
      const server = inner.createServer(measure)
      tunnel.on('connect', (req, socket) => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        server.emit('connection', socket)
      })
      const port = await listening(tunnel)
      const req = inner.request({ port, method: 'CONNECT', path: 'a:1' }).end()
      const [, socket] = await once(req, 'connect')
      assert.equal(await ask(outer, port, undefined, { createConnection: () => socket }), 'bytes: 100000')
      socket.destroy()
      await close(tunnel)
    }
  })
}

test('the process waits for one copy at its end, not for each', () => {
  const before = process.listenerCount('exit')
  anew()
  assert.equal(process.listenerCount('exit'), before)
})

for (const script of ['realms.js', 'registers.js']) {
  test(`copies in processes of their own: ${script}`, async () => {
    const { code, stdout, stderr } = await new Child(path.join('lifecycle', script)).ended()
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: 'done\n', stderr: '' })
  })
}

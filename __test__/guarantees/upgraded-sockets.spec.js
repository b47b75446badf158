'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { execFile, spawn } = require('node:child_process')
const { once } = require('node:events')
const net = require('node:net')
const path = require('node:path')
const { promisify } = require('node:util')

const http = require(process.env.OURS ?? '../../index.js')

/** Ten connections leave HTTP, and what reads from them keeps its own property in each, as ws does. */
const script = `
  const http = require('node:http')
  const { createServer } = require(process.argv[1])
  const mine = Symbol('mine')
  const upgraded = []
  const server = createServer()
  server.on('upgrade', (request, socket) => {
    socket[mine] = upgraded.push(socket)
    socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: x\\r\\n\\r\\n')
  })
  server.listen(0, '127.0.0.1', async () => {
    const headers = { Connection: 'Upgrade', Upgrade: 'x' }
    for (let i = 0; i < 10; i++) {
      const request = http.get({ host: '127.0.0.1', port: server.address().port, agent: false, headers })
      await new Promise((resolve, reject) => request.on('upgrade', resolve).on('error', reject))
    }
    const [one, ...others] = upgraded
    console.log(JSON.stringify([
      upgraded.length,
      others.every((other) => %HaveSameMap(one, other)),
      others.every((other) => %HaveSameMap(one._handle, other._handle))
    ]))
    process.exit()
  })`

test('sockets that left HTTP have one shape, and so have their handles', async () => {
  const { stdout } = await promisify(execFile)(process.execPath,
    ['--allow-natives-syntax', '--eval', script, path.join(__dirname, '../..')])
  assert.deepEqual(JSON.parse(stdout), [10, true, true])
})

for (const [name, implementation] of [['core', require('node:http')], ['ours', http]]) {
  test(`what came through a tunnel is there to be read, although both sides have ended it meanwhile (${name})`, { timeout: 10000 }, async (t) => {
    const SENT = 70000
    const proxy = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.once('data', () => socket.write(`HTTP/1.1 200 Connected\r\n\r\n${'a'.repeat(SENT)}`))
      socket.on('end', () => socket.end())
    }).listen(0, '127.0.0.1')
    t.after(() => proxy.close())
    await once(proxy, 'listening')
    const request = implementation.request({ host: '127.0.0.1', port: proxy.address().port, method: 'CONNECT', path: 'x:1', agent: false })
    // The socket still connects: what it has sent is ended before there is an answer.
    request.flushHeaders()
    process.nextTick(() => request.socket.end())
    const [left] = await once(proxy, 'connection')
    const over = once(left, 'close')
    const [, socket, head] = await once(request, 'connect')
    await over
    // The end has come here by then, too.
    for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate)
    const parts = [head]
    socket.on('data', (part) => parts.push(part))
    await once(socket, 'close')
    assert.deepEqual([Buffer.concat(parts).length, socket.readableEnded, socket.writableFinished], [SENT, true, true])
  })
}

for (const keepOpen of [false, true]) {
  test(`a socket that speaks HTTP cannot be sent to another process, and this one goes on; keepOpen: ${keepOpen}`, { timeout: 20000 }, async (t) => {
    const child = spawn(process.execPath, ['-e', 'process.on(\'message\', () => {})'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    t.after(() => child.kill())
    const server = http.createServer((req, res) => {
      child.send('socket', req.socket, { keepOpen }, (error) => server.emit('sent', error))
      res.end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const sent = once(server, 'sent')
    const peer = net.connect(server.address().port, '127.0.0.1')
    t.after(() => peer.destroy())
    peer.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n')
    assert.equal((await sent)[0].code, 'EINVAL')
    server.closeAllConnections()
    server.close()
  })
}

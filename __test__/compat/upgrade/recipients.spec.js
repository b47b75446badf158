'use strict'

/**
 * A socket that left HTTP behind other answers, small and large, which are still on their way: those come first, and whoever gets the
 * socket then (a server, TLS, another process) can use it.
 */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { EventEmitter, once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { Child } = require('../../child')

const play = async (module, recipient, env, ...how) => {
  const { code, stdout, stderr } = await new Child('recipients/server.js', { module, args: [recipient, ...how], env, deadline: 30000 }).ended()
  return { code, stdout, stderr }
}

const recipients = ['none', 'same', 'other', 'a process', 'who comes later', 'lost', 'destroyed']
if (process.versions.openssl) recipients.push('wrapped', 'a TLS server')

for (const recipient of recipients) {
  for (const threads of [1, 4]) {
    test(`a socket that leaves HTTP behind an answer goes to: ${recipient}; ${threads} I/O threads`, async () => {
      const expected = await play('core', recipient, {})
      assert.match(expected.stdout, /^over$/m)
      assert.deepEqual(await play('ours', recipient, { HTTP_NATIVE_IO_THREADS: String(threads) }), expected)
    })
  }

  test(`so does one whose bytes the application has listened to: ${recipient}`, async () => {
    const expected = await play('core', recipient, {}, 'tapped')
    assert.match(expected.stdout, /^over$/m)
    assert.deepEqual(await play('ours', recipient, {}, 'tapped'), expected)
  })
}

for (const [name, implementation] of [['core', require('node:http')], ['ours', require(process.env.OURS ?? '../../../index.js')]]) {
  test(`a client's socket is TLS's although its request is still on its way (${name})`, { skip: !process.versions.openssl, timeout: 20000 }, async (t) => {
    const SIZE = 8000000
    const tls = require('node:tls')
    const pem = (file) => fs.readFileSync(path.join(__dirname, '../../fixtures/https', file))
    const secrets = tls.createServer({ key: pem('key.pem'), cert: pem('cert.pem') }, (secure) => secure.pipe(secure))
    let body = 0
    const server = net.createServer((socket) => {
      let head = ''
      socket.on('error', () => {})
      socket.on('readable', function read () {
        while (!head.endsWith('\r\n\r\n')) {
          const byte = socket.read(1)
          if (byte === null) return
          head += byte
          if (head.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tls\r\n\r\n')
        }
        // The rest is read when the client has left HTTP.
        if (!hasLeft) {
          left.once('left', read)
          return
        }
        for (let part; body < SIZE && (part = socket.read(Math.min(socket.readableLength, SIZE - body)) ?? null) !== null;) body += part.length
        if (body < SIZE) return
        socket.removeListener('readable', read)
        secrets.emit('connection', socket)
      })
    }).listen(0, '127.0.0.1')
    t.after(() => server.close())
    const left = new EventEmitter()
    let hasLeft = false
    await once(server, 'listening')
    const headers = { Connection: 'Upgrade', Upgrade: 'tls', 'Content-Length': SIZE }
    const request = implementation.request({ host: '127.0.0.1', port: server.address().port, method: 'POST', agent: false, headers })
    const finished = once(request, 'finish')
    request.end(Buffer.alloc(SIZE, 'body '))
    const [, socket] = await once(request, 'upgrade')
    const secure = tls.connect({ socket, rejectUnauthorized: false })
    hasLeft = true
    left.emit('left')
    await once(secure, 'secureConnect')
    secure.write('ping')
    assert.equal(String((await once(secure, 'data'))[0]), 'ping')
    await finished
    assert.equal(body, SIZE)
    secure.destroy()
  })
}

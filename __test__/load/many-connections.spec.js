'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const { once } = require('node:events')
const http = require(process.env.OURS ?? '../..')

const CONNECTIONS = 200
const REQUESTS = 50

const connections = (server) => new Promise((resolve, reject) => server.getConnections((error, count) => error ? reject(error) : resolve(count)))

/** Sends all requests at once and gives the bodies of the answers, in the order in which they came. */
function pipeline (port, name) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1')
    let received = ''
    socket.setEncoding('latin1').on('data', (text) => { received += text })
    socket.on('error', reject)
    socket.on('close', () => resolve([...received.matchAll(/\[(\w+\/\d+)\]/g)].map(([, body]) => body)))
    for (let index = 0; index < REQUESTS; index++) {
      const body = 'x'.repeat(index)
      const last = index === REQUESTS - 1 ? 'Connection: close\r\n' : ''
      socket.write(`POST /${name}/${index} HTTP/1.1\r\nHost: x\r\n${last}Content-Length: ${body.length}\r\n\r\n${body}`)
    }
  })
}

test('ten thousand pipelined requests over two hundred connections are answered in order', async () => {
  const server = http.createServer((req, res) => {
    let length = 0
    req.on('data', (chunk) => { length += chunk.length })
    req.on('end', () => {
      const answer = () => res.end(Number(req.url.split('/')[2]) === length ? `[${req.url.slice(1)}]` : '[wrong]')
      if (length % 3 === 0) setImmediate(answer)
      else answer()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const names = Array.from({ length: CONNECTIONS }, (_, index) => `c${index}`)
  const answers = await Promise.all(names.map((name) => pipeline(server.address().port, name)))
  names.forEach((name, index) => {
    assert.deepEqual(answers[index], Array.from({ length: REQUESTS }, (_, request) => `${name}/${request}`))
  })
  while (await connections(server) > 0) await new Promise(setImmediate)
  server.close()
  await once(server, 'close')
})

test('connections that come and go in every state leave nothing behind', async () => {
  const server = http.createServer((req, res) => {
    if (req.url === '/half') res.write('half')
    else if (req.url !== '/never') res.end('whole')
  })
  server.on('clientError', (error, socket) => socket.destroy(error))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  const says = ['', 'GET /', 'garbage\r\n\r\n', 'GET /half HTTP/1.1\r\nHost: x\r\n\r\n', 'GET /never HTTP/1.1\r\nHost: x\r\n\r\n', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    'POST /never HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc']
  const leaves = [(socket) => socket.destroy(), (socket) => socket.resetAndDestroy(), (socket) => socket.end()]
  for (let round = 0; round < 10; round++) {
    await Promise.all(says.flatMap((bytes) => leaves.map(async (leave) => {
      const socket = net.connect(port, '127.0.0.1').on('error', () => {}).resume()
      await once(socket, 'connect')
      socket.write(bytes)
      if (round % 2 === 0) await new Promise(setImmediate)
      leave(socket)
      if (!socket.destroyed) await Promise.race([once(socket, 'close'), new Promise((resolve) => setTimeout(resolve, 50))])
      socket.destroy()
    })))
  }
  while (await connections(server) > 0) await new Promise(setImmediate)
  server.close()
  await once(server, 'close')
})

test('a thousand connections at a time are all served, and give back what they took', async () => {
  const descriptors = () => process.platform === 'linux' ? fs.readdirSync('/proc/self/fd').length : 0
  const server = http.createServer((req, res) => res.end('hello'))
  server.keepAliveTimeout = 60_000
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1000 })
  await once(server, 'listening')
  const before = descriptors()
  const sockets = Array.from({ length: 1000 }, () => net.connect(server.address().port, '127.0.0.1'))
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  // Each twice, so that the second round finds all of them open.
  for (let round = 0; round < 2; round++) {
    const answers = sockets.map((socket) => once(socket, 'data'))
    for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    for (const [answer] of await Promise.all(answers)) assert.match(answer.toString(), /hello$/)
    assert.equal(await connections(server), 1000)
  }
  for (const socket of sockets) socket.destroy()
  while (await connections(server) > 0) await new Promise(setImmediate)
  // A socket's descriptor is closed by the I/O thread, soon after its 'close'.
  while (descriptors() > before) await new Promise(setImmediate)
  server.close()
  await once(server, 'close')
})

'use strict'

/**
 * A reset that comes right behind data, again and again: by the tenth time the socket is on loan to the JS thread,
 * whose event loop reports the error once, together with the data.
 */

const assert = require('node:assert/strict')
const net = require('node:net')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { test } = require('node:test')

const http = require('../../index.js')

const OFTEN = 40

test('a client learns of every reset behind a part of the body', { timeout: 10000 }, async (t) => {
  const origin = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\nuntil the reset')
      setImmediate(() => socket.resetAndDestroy())
    })
  })
  t.after(() => origin.close())
  await once(origin.listen(0, '127.0.0.1'), 'listening')
  for (let count = 0; count < OFTEN; count++) {
    const request = http.get({ port: origin.address().port, host: '127.0.0.1', agent: new http.Agent() }, (response) => response.resume())
    const errors = []
    request.on('error', (error) => errors.push(error.code))
    await new Promise((resolve) => request.on('close', resolve))
    assert.deepEqual(errors, ['ECONNRESET'])
  }
})

test('a server learns of every reset behind a part of a request', { timeout: 10000 }, async (t) => {
  let begun
  let closed
  const server = http.createServer((req, res) => {
    if (req.method === 'GET') return res.end('ok')
    req.once('data', () => begun())
    req.on('close', () => closed())
  })
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  for (let count = 0; count < OFTEN; count++) {
    const peer = net.connect(server.address().port, '127.0.0.1')
    peer.on('error', () => {})
    for (let asked = 0; asked < 12; asked++) {
      peer.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      await once(peer, 'data')
    }
    const over = new Promise((resolve) => { closed = resolve })
    const started = new Promise((resolve) => { begun = resolve })
    peer.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\npart')
    if (count % 2 === 0) await started
    peer.resetAndDestroy()
    if (count % 2 === 0) await over
  }
})

/** A server of its own process that resets each connection at once: the reset meets the client at any moment. */
const RESETTING = `
  const server = require('node:net').createServer({ pauseOnConnect: true }, (socket) => socket.resetAndDestroy())
  server.listen(0, '127.0.0.1', () => console.log(server.address().port))
`

/** On 24.21 and later, and on 26, a request whose write fails at once has no 'finish'. */
const [major, minor] = process.versions.node.split('.').map(Number)
const failsFirst = major >= 26 || (major === 24 && minor >= 21)

/**
 * The orders that core shows: the reset comes before the connection is made, before the request is written, or behind it. A
 * request whose connection was made is written in that event, before anything is read.
 */
const ORDERS = [
  'error connect ECONNRESET close',
  `connect ${failsFirst ? '' : 'finish '}error write ECONNRESET close`,
  'connect finish error read ECONNRESET close'
]

test('a request to a server that resets at once hears of it in one of the orders that core has', { timeout: 20000 }, async (t) => {
  const origin = spawn(process.execPath, ['-e', RESETTING], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => origin.kill())
  const port = Number(await once(origin.stdout, 'data'))
  for (let count = 0; count < 5 * OFTEN; count++) {
    const heard = []
    const request = http.get({ port, host: '127.0.0.1', agent: false })
    request.on('socket', (socket) => socket.on('connect', () => heard.push('connect')))
    request.on('finish', () => heard.push('finish'))
    request.on('error', (error) => heard.push(`error ${error.syscall} ${error.code}`))
    await new Promise((resolve) => request.on('close', resolve))
    heard.push('close')
    assert.ok(ORDERS.includes(heard.join(' ')), heard.join(' '))
  }
})

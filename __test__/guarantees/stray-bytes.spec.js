'use strict'

/**
 * Servers that send bytes without a request, behind answers and while other requests wait for the connection: no request
 * gets two errors for it, each one ends, and the agent goes on with another connection.
 */

const assert = require('node:assert/strict')
const net = require('node:net')
const path = require('node:path')
const { once } = require('node:events')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')

const http = require(process.env.OURS ?? '../../index.js')

const REQUESTS = 1000

const fixture = (name) => path.join(__dirname, '..', 'fixtures', name)

/** The events of a request, in order. */
function ask (options) {
  return new Promise((resolve) => {
    const seen = []
    const request = http.get({ host: '127.0.0.1', ...options })
    request.on('error', (error) => seen.push(error.code))
    request.on('response', (response) => {
      let body = ''
      response.on('data', (chunk) => { body += chunk })
      response.on('error', (error) => seen.push(`response: ${error.code}`))
      response.on('end', () => seen.push(body))
    })
    // A second error, or a response behind it, would come later.
    request.once('close', () => setImmediate(setImmediate, resolve, seen))
  })
}

const strays = {
  garbage: ['garbage bytes', 'garbage bytes', 'more'],
  'a second answer': ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray'],
  'the beginning of one': ['HTTP/1.1 200 OK\r\nContent-Le'],
  'a second answer and garbage': ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray', 'garbage bytes']
}

for (const [name, packets] of Object.entries(strays)) {
  for (const maxSockets of [1, 8]) {
    test(`${REQUESTS} requests that wait for ${maxSockets} connections end once each, with ${name} behind each answer`, { timeout: 60000 }, async (t) => {
      const origin = new Worker(fixture('stray-origin.js'), { workerData: packets })
      t.after(() => origin.terminate())
      const [port] = await once(origin, 'message')
      const agent = new http.Agent({ keepAlive: true, maxSockets })
      const ended = await Promise.all(Array.from({ length: REQUESTS }, (_, index) => ask({ port, agent, path: `/${index}` })))
      let own = 0
      ended.forEach((seen, index) => {
        const shown = `request ${index}: ${seen.join(', ')}`
        const errors = seen.filter((what) => /^(HPE_|ECONNRESET)/.test(what))
        // A stray answer that comes behind the next request is the answer to that: a client cannot tell them apart.
        const answers = seen.filter((what) => /^(\/\d+|stray)$/.test(what))
        // What comes behind the answer in one packet with it is an error behind the answer, as in core.
        assert.ok(errors.length < 2 && answers.length < 2 && seen.length === errors.length + answers.length && seen.length !== 0, shown)
        if (seen.includes(`/${index}`)) own++
      })
      assert.notEqual(own, 0)
      agent.destroy()
      await new Promise((resolve) => setImmediate(setImmediate, resolve))
      assert.deepEqual([Object.keys(agent.sockets), Object.keys(agent.freeSockets), Object.keys(agent.requests), agent.totalSocketCount], [[], [], [], 0])
    })
  }
}

for (const deed of ['answer', 'begin', 'end', 'reset']) {
  for (const milliseconds of [0, 30]) {
    test(`a request that waits for a connection is not given one with ${deed} behind the last answer, seen ${milliseconds} ms later`, { timeout: 10000 }, async (t) => {
      const done = new Int32Array(new SharedArrayBuffer(4))
      const origin = new Worker(fixture('fickle-origin.js'), { workerData: done })
      t.after(() => origin.terminate())
      const [port] = await once(origin, 'message')
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
      const bodies = []
      const get = () => new Promise((resolve, reject) => {
        http.get({ host: '127.0.0.1', port, agent }, (response) => {
          let body = ''
          response.on('data', (chunk) => { body += chunk })
          response.on('end', () => {
            bodies.push(body)
            if (bodies.length === 1) {
              // Nothing happens here meanwhile.
              origin.postMessage(deed)
              assert.notEqual(Atomics.wait(done, 0, 0, 5000), 'timed-out')
              Atomics.wait(done, 0, 1, milliseconds)
            }
            resolve()
          })
        }).on('error', reject)
      })
      await Promise.all([get(), get(), get()])
      assert.deepEqual(bodies, ['connection 1', 'connection 2', 'connection 2'])
      agent.destroy()
    })
  }
}

for (const [name, [stray]] of Object.entries(strays)) {
  test(`${name} behind an answer that is still to be read is no error, and its connection carries no other request`, { timeout: 10000 }, async (t) => {
    let connections = 0
    const origin = net.createServer((socket) => {
      const body = `connection ${++connections}`
      socket.on('data', () => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`))
      socket.on('error', () => {})
      if (connections === 1) origin.once('stray', () => socket.write(stray))
    }).listen(0, '127.0.0.1')
    t.after(() => origin.close())
    await once(origin, 'listening')
    const { port } = origin.address()
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => agent.destroy())
    const errors = []
    const first = http.get({ host: '127.0.0.1', port, agent }).on('error', (error) => errors.push(error.code))
    const [response] = await once(first, 'response')
    const { socket } = response
    const before = socket.bytesRead
    origin.emit('stray')
    while (socket.bytesRead === before) await new Promise(setImmediate)
    await new Promise((resolve) => setImmediate(setImmediate, resolve))
    assert.deepEqual([response.complete, errors], [true, []])
    let body = ''
    response.on('data', (chunk) => { body += chunk })
    await once(response, 'end')
    assert.equal(body, 'connection 1')
    assert.deepEqual(await ask({ port, agent }), ['connection 2'])
  })
}

'use strict'

/**
 * A pooled connection is checked before it is used again: what the peer did while our event loop was blocked, or what it
 * has not reported yet, must not reach the next request.
 */

const assert = require('node:assert/strict')
const net = require('node:net')
const path = require('node:path')
const { once } = require('node:events')
const { after, before, test } = require('node:test')
const { Worker } = require('node:worker_threads')

const http = require('../../index.js')

const done = new Int32Array(new SharedArrayBuffer(4))
let origin
let port

before(async () => {
  origin = new Worker(path.join(__dirname, '..', 'fixtures', 'fickle-origin.js'), { workerData: done })
  port = (await once(origin, 'message'))[0]
})

after(() => origin.terminate())

/** Has the origin do something to its latest connection, and is back when it is done; nothing happens here meanwhile. */
function have (deed) {
  Atomics.store(done, 0, 0)
  origin.postMessage(deed)
  assert.notEqual(Atomics.wait(done, 0, 0, 5000), 'timed-out')
}

async function ask (agent) {
  const request = http.get({ host: '127.0.0.1', port, agent })
  const [response] = await once(request, 'response')
  let body = ''
  for await (const chunk of response) body += chunk
  // The agent gets the connection back behind the end.
  await new Promise(setImmediate)
  return { body, isReused: request.reusedSocket }
}

const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

for (const requests of [1, 50]) {
  for (const milliseconds of [0, 30]) {
    for (const deed of ['end', 'reset', 'answer', 'begin']) {
      test(`${deed} behind ${requests} responses, seen ${milliseconds} ms later`, async () => {
        const agent = new http.Agent({ keepAlive: true })
        const { body } = await ask(agent)
        for (let count = 1; count < requests; count++) assert.deepEqual(await ask(agent), { body, isReused: true })
        have(deed)
        // Time for an I/O thread to see it as well.
        pause(milliseconds)
        const next = await ask(agent)
        assert.match(next.body, /^connection/)
        assert.notEqual(next.body, body)
        assert.equal(next.isReused, false)
        agent.destroy()
      })
    }
  }
}

test('a connection on which nothing happened is used again', async () => {
  const agent = new http.Agent({ keepAlive: true })
  const { body } = await ask(agent)
  have('nothing')
  assert.deepEqual(await ask(agent), { body, isReused: true })
  agent.destroy()
})

test('an agent that may have one connection makes another for the one that went stale', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1, maxTotalSockets: 1 })
  const { body } = await ask(agent)
  have('end')
  const next = await ask(agent)
  assert.notEqual(next.body, body)
  assert.equal(agent.totalSocketCount, 1)
  agent.destroy()
})

for (const deed of ['answer', 'begin']) {
  test(`${deed} on an idle stream of the application destroys it`, async () => {
    class Own extends http.Agent {
      createConnection (options) { return net.connect(options) }
    }
    const agent = new Own({ keepAlive: true })
    const { body } = await ask(agent)
    const [[socket]] = Object.values(agent.freeSockets)
    const closed = once(socket, 'close')
    have(deed)
    await closed
    const next = await ask(agent)
    assert.match(next.body, /^connection/)
    assert.notEqual(next.body, body)
    agent.destroy()
  })
}

test('a server that takes the place of a closed one gets requests over a connection of its own', async (t) => {
  const agent = new http.Agent({ keepAlive: true })
  const get = (port) => new Promise((resolve, reject) => {
    const request = http.get({ port, host: '127.0.0.1', agent }, (response) => {
      response.resume().on('end', () => setImmediate(resolve, request.reusedSocket))
    })
    request.on('error', reject)
  })
  let port = 0
  for (let generation = 0; generation < 20; generation++) {
    const server = http.createServer((req, res) => res.end('x'))
    // What fails here must not keep the process, which would hide it.
    t.after(() => { server.close() })
    await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))
    port = server.address().port
    assert.equal(await get(port), false)
    assert.equal(await get(port), true)
    // The client has not learned of it when the next server listens.
    await new Promise((resolve) => server.close(resolve))
  }
  agent.destroy()
})

'use strict'

/**
 * Panics in the native part, put in on purpose (src/panics.rs): each ends the connection that it hits, with an error, and
 * nothing else. All others are served, server.close() calls back, nothing is left, and the process ends by itself.
 *
 * They need an addon that is built for them: `npm run test:panics`.
 */

const assert = require('node:assert/strict')
const { fork } = require('node:child_process')
const { once } = require('node:events')
const core = require('node:http')
const net = require('node:net')
const path = require('node:path')
const { test } = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')
const { addon } = require('../../scripts/panics')

const file = addon()
const options = { timeout: 15000, skip: file === null && 'npm run test:panics builds what this needs' }

/** A process of ours, which does what it is asked for. */
class Process {
  constructor (t, env = {}) {
    this.asked = new Map()
    this.stderr = ''
    this.child = fork(path.join(__dirname, '../fixtures/panics.js'), {
      env: { ...process.env, NODE_OPTIONS: '', NODE_TEST_CONTEXT: '', HTTP_NATIVE_ADDON: file, ...env },
      stdio: ['ignore', 'inherit', 'pipe', 'ipc']
    })
    this.child.stderr.setEncoding('utf8').on('data', (text) => { this.stderr += text })
    this.child.on('message', ({ id, result }) => this.asked.get(id).resolve(result))
    this.ended = once(this.child, 'exit')
    this.ended.then(([code, signal]) => {
      for (const { reject } of this.asked.values()) reject(new Error(`it ended: ${signal ?? code}\n${this.stderr}`))
    })
    t.after(() => this.child.kill('SIGKILL'))
  }

  ask (name, ...args) {
    const id = this.asked.size
    this.child.send({ id, name, args })
    return new Promise((resolve, reject) => this.asked.set(id, { resolve, reject }))
  }

  /** Asks until the answer is as wanted. */
  async until (wanted, name, ...args) {
    let answer
    while (!wanted(answer = await this.ask(name, ...args))) await sleep(5)
    return answer
  }

  /** What is said of a panic: its place. */
  panicked (place) {
    return this.until((isDue) => !isDue, 'due', place)
  }

  /** Nothing is left, and the process ends by itself. */
  async end () {
    const nothing = { connections: 0, known: 0, lent: 0, listeners: 0, waiting: 0 }
    const left = await this.until((objects) => JSON.stringify(objects) === JSON.stringify(nothing), 'objects')
    assert.deepEqual(left, nothing)
    this.child.disconnect()
    assert.deepEqual(await this.ended, [0, null], this.stderr)
  }
}

/** A peer on a raw socket, which keeps what it gets. */
class Peer {
  constructor (port) {
    this.text = ''
    this.socket = net.connect(port, '127.0.0.1')
    this.socket.on('data', (chunk) => { this.text += chunk.latin1Slice() })
    this.socket.on('error', () => {})
    this.closed = new Promise((resolve) => this.socket.on('close', resolve))
    this.connected = once(this.socket, 'connect')
  }

  send (text) {
    this.socket.write(text)
    return this
  }

  get (url) {
    return this.send(`GET ${url} HTTP/1.1\r\nHost: x\r\n\r\n`)
  }

  /** Waits for a text. False if the connection is closed before it has come. */
  async got (text) {
    while (!this.text.includes(text)) {
      const event = await Promise.race([once(this.socket, 'data'), this.closed.then(() => null)])
      if (event === null) return this.text.includes(text)
    }
    return true
  }
}

/**
 * Plays a panic beside a server's other connections: one at rest, one with a request that has no answer yet, and one made behind it.
 * @param {(ours: Process, victim: Peer, port: number) => Promise} play has the panic come
 */
async function beside (t, place, { serve = {}, env, front = false }, play) {
  const ours = new Process(t, env)
  const port = await ours.ask('listen', serve)
  const [resting, waiting] = [new Peer(port).get('/rest'), new Peer(port).get('/held')]
  assert.ok(await resting.got('hello /rest'))
  await ours.until(areDriven(2), 'objects')
  // Their drivers run when they have read something: an empty line, which says nothing.
  const received = await ours.ask('received')
  for (const peer of [resting, waiting]) peer.send('\r\n')
  await ours.until((bytes) => bytes === received + 4, 'received')
  let log = []
  while (!log.includes('held /held')) log.push(...await ours.ask('log'))
  const victimPort = front ? await ours.ask('front') : port
  const told = await play(ours, () => new Peer(victimPort), place)
  await ours.panicked(place)
  resting.get('/again')
  assert.ok(await resting.got('hello /again'), 'a connection at rest is served')
  await ours.ask('release', '/held')
  assert.ok(await waiting.got('released'), 'a request that waited gets its answer')
  const later = new Peer(victimPort).get('/later')
  assert.ok(await later.got('hello /later'), 'a new connection is served')
  for (const peer of [resting, waiting, later]) peer.socket.end()
  await ours.ask('close')
  log = await ours.ask('log')
  await ours.end()
  return { log, told }
}

/** True of so many connections, none of which the JS thread has by itself any more, as it has them for a second. */
const areDriven = (count) => ({ known, lent }) => known === count && lent === 0

/** The victim's request comes to no answer, and its connection is closed. */
async function isCut (ours, dial, place) {
  const victim = dial()
  await ours.until(areDriven(3), 'objects')
  await ours.ask('arm', place)
  victim.get('/victim')
  await victim.closed
  return victim.text
}

/** The victim's connection is lent before. */
async function isCutLent (ours, dial, place) {
  const victim = dial()
  for (let round = 0; (await ours.ask('objects')).lent === 0; round++) {
    victim.get(`/warm${round}`)
    assert.ok(await victim.got(`hello /warm${round}`))
  }
  await ours.ask('arm', place)
  victim.text = ''
  victim.get('/victim')
  await victim.closed
  return victim.text
}

for (const place of ['parse', 'act', 'send', 'write', 'encode']) {
  test(`a server's connection is cut by a panic: ${place}`, options, async (t) => {
    const { log, told } = await beside(t, place, {}, isCut)
    assert.equal(told, '')
    assert.ok(log.includes('clientError EIO'), log.join())
  })
}

for (const place of ['parse', 'send', 'write', 'encode', 'lent']) {
  test(`a server's lent connection is cut by a panic: ${place}`, options, async (t) => {
    const { log, told } = await beside(t, place, {}, isCutLent)
    assert.equal(told, '')
    assert.ok(log.includes('clientError EIO'), log.join())
  })
}

test('a connection that is accepted is cut by a panic, and the next is accepted', options, async (t) => {
  await beside(t, 'accept', {}, async (ours, dial, place) => {
    await ours.ask('arm', place)
    await dial().closed
  })
})

test('a connection of which JavaScript has heard nothing is cut by a panic', options, async (t) => {
  await beside(t, 'encode', {}, async (ours, dial, place) => {
    await ours.ask('arm', place)
    await dial().closed
  })
})

for (const threads of ['1', '2']) {
  test(`a connection that an I/O thread is given is cut by a panic, threads: ${threads}`, options, async (t) => {
    await beside(t, 'drive', { env: { HTTP_NATIVE_IO_THREADS: threads } }, async (ours, dial, place) => {
      await ours.ask('arm', place)
      await dial().closed
    })
  })
}

test('a panic in the dispatch of a batch costs nothing', options, async (t) => {
  await beside(t, 'dispatch', {}, async (ours, dial, place) => {
    const victim = dial()
    await victim.connected
    await ours.ask('arm', place)
    assert.ok(await victim.get('/victim').got('hello /victim'))
    victim.socket.end()
  })
})

test('a connection whose output waits for room is cut by a panic of its I/O thread', options, async (t) => {
  const { log } = await beside(t, 'write', {}, async (ours, dial, place) => {
    const victim = dial()
    victim.socket.pause()
    victim.get('/large')
    await ours.until((log) => log.length === 0, 'log')
    await sleep(100)
    await ours.ask('arm', place)
    victim.socket.resume()
    await victim.closed
    assert.ok(victim.text.length < 32 * 1024 * 1024)
  })
  assert.ok(log.includes('res /large close'), log.join())
})

test('a connection whose time has passed is closed, though its timer panics', options, async (t) => {
  await beside(t, 'timer', {}, async (ours, dial, place) => {
    const victim = dial()
    await ours.ask('arm', place)
    victim.get('/idle')
    await victim.closed
  })
})

test('a connection whose head takes too long is closed, though the look at it panics', options, async (t) => {
  const serve = { headersTimeout: 50, requestTimeout: 100, connectionsCheckingInterval: 20 }
  await beside(t, 'expire', { serve }, async (ours, dial, place) => {
    const victim = dial()
    await ours.ask('arm', place)
    victim.send('GET / HTTP/1.1\r\n')
    await victim.closed
  })
})

for (const place of ['finish', 'release']) {
  test(`the end of a connection is its end, though it panics: ${place}`, options, async (t) => {
    const { log } = await beside(t, place, {}, async (ours, dial, place) => {
      const victim = dial()
      assert.ok(await victim.get('/victim').got('hello /victim'))
      await ours.ask('arm', place)
      victim.socket.end()
      await victim.closed
    })
    assert.ok(log.includes('res /victim close'), log.join())
  })
}

for (const place of ['parse', 'encode']) {
  test(`a stream that carries HTTP is destroyed by a panic: ${place}`, options, async (t) => {
    const { log, told } = await beside(t, place, { front: true }, isCut)
    assert.equal(told, '')
    assert.ok(log.includes('stream close'), log.join())
    assert.ok(log.includes('clientError ERR_HTTP_NATIVE'), log.join())
  })
}

// ------------------------------------------------------------------------------------------------ the client

/** Plays a panic beside a client's other requests: one that waits for its answer, and one made behind it. */
async function besideRequests (t, place, play) {
  const origin = core.createServer((req, res) => {
    if (req.url === '/held') origin.emit('held', res)
    else res.end(`hello ${req.url}`)
  }).listen(0, '127.0.0.1')
  await once(origin, 'listening')
  t.after(() => origin.closeAllConnections())
  const { port } = origin.address()
  const ours = new Process(t)
  const waiting = ours.ask('request', { port, path: '/held', fresh: true })
  const [held] = await once(origin, 'held')
  // Behind this one's answer the I/O thread has both connections.
  assert.equal((await ours.ask('request', { port, path: '/first' })).status, 200)
  const { error } = await play(ours, port, place)
  await ours.panicked(place)
  held.end('released')
  assert.deepEqual(await waiting, { status: 200, text: 'released' })
  assert.deepEqual(await ours.ask('request', { port, path: '/later' }), { status: 200, text: 'hello /later' })
  await ours.ask('leave')
  await ours.end()
  origin.close()
  return error
}

for (const place of ['carry', 'drive', 'write', 'encode']) {
  test(`a request of a client ends with an error by a panic: ${place}`, options, async (t) => {
    const error = await besideRequests(t, place, async (ours, port, place) => {
      await ours.ask('arm', place)
      // What watches an idle time is a driver: a connection without one is the JS thread's alone, which could have the answer first.
      const asked = place === 'drive' ? { path: '/held', timeout: 60_000 } : { path: '/victim' }
      return ours.ask('request', { port, fresh: true, ...asked })
    })
    assert.match(String(error), /^(EIO|ECONNRESET|ERR_HTTP_NATIVE)$/)
  })
}

for (const place of ['parse', 'encode', 'lent', 'send', 'write']) {
  test(`a request on a kept connection of a client ends with an error by a panic: ${place}`, options, async (t) => {
    const error = await besideRequests(t, place, async (ours, port, place) => {
      for (let round = 0; (await ours.ask('objects')).lent === 0; round++) {
        assert.equal((await ours.ask('request', { port, path: `/warm${round}` })).status, 200)
      }
      await ours.ask('arm', place)
      return ours.ask('request', { port, path: '/victim', body: 'a' })
    })
    assert.match(String(error), /^(EIO|ECONNRESET|ERR_HTTP_NATIVE)$/)
  })
}

test('the end of a kept connection of a client is its end, though it panics', options, async (t) => {
  await besideRequests(t, 'finish', async (ours, port, place) => {
    assert.equal((await ours.ask('request', { port, path: '/victim' })).status, 200)
    await ours.ask('arm', place)
    await ours.ask('leave')
    return {}
  })
})

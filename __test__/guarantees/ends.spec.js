'use strict'

/** How connections end when both threads work on them, when the peer hangs up at any moment, and when the process ends. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { once } = require('node:events')
const { setTimeout: sleep } = require('node:timers/promises')
const { Child } = require('../child')
const { createServer } = require('../../index.js')

/** A server of fixtures/ends in a process of its own. */
async function serve (script, args = []) {
  const child = new Child(`ends/${script}.js`, { args, deadline: 60_000 })
  return { child, port: await child.port() }
}

function spin (microseconds) {
  const until = process.hrtime.bigint() + BigInt(Math.round(microseconds * 1000))
  while (process.hrtime.bigint() < until);
}

test('a connection that is to close does, whatever comes from its peer at that moment', async () => {
  const { child, port } = await serve('closing')
  let latest = 0
  for (let i = 0; i < 400; i++) {
    await new Promise((resolve) => {
      let answered = 0
      const socket = net.connect(port, '127.0.0.1', () => {
        socket.setNoDelay()
        socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        spin(20 + Math.random() * 250)
        socket.write('\r\n')
      })
      socket.on('data', () => { answered = performance.now() })
      socket.on('error', () => {})
      socket.on('close', () => {
        if (answered !== 0) latest = Math.max(latest, performance.now() - answered)
        resolve()
      })
    })
  }
  child.kill()
  assert.ok(latest < 2000, `${Math.round(latest)} ms behind the answer`)
})

test('a request that comes with FIN gets the answer of an immediate, beside pipelines', async () => {
  const { child, port } = await serve('later')
  const head = (path, last = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${last}\r\n`
  const talk = (text, ends) => new Promise((resolve) => {
    let received = ''
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => {
      socket.write(text)
      if (ends) socket.end()
    })
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => { received += chunk })
    socket.on('end', () => { socket.end() })
    socket.on('error', () => {})
    socket.on('close', () => { resolve(received) })
  })
  const pipeline = head('/').repeat(10) + head('/later', 'Connection: close\r\n')
  let [left, unanswered] = [4000, 0]
  const visitor = async () => {
    while (left-- > 0) {
      const ends = left % 3 === 0
      const received = await talk(ends ? head('/later') : pipeline, ends)
      if (!received.endsWith('later')) unanswered++
    }
  }
  await Promise.all(Array.from({ length: 12 }, visitor))
  child.kill()
  assert.equal(unanswered, 0)
})

for (const way of ['connection-close', 'destroySoon', 'end-and-destroy', 'finish-and-destroy']) {
  test(`a client that is still sending its body gets the answer and then FIN: ${way}`, async () => {
    const { child, port } = await serve('closing')
    const seen = { answered: 0, ended: 0, reset: 0 }
    for (let i = 0; i < 40; i++) {
      await new Promise((resolve) => {
        const size = 500_000 + Math.floor(Math.random() * 1_500_000)
        let received = ''
        let ended = false
        const socket = net.connect(port, '127.0.0.1', () => {
          socket.write(`POST /${way} HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`)
          socket.write(Buffer.alloc(size))
        })
        socket.on('data', (chunk) => { received += chunk })
        socket.on('end', () => { ended = true })
        socket.on('error', () => { if (!ended) seen.reset++ })
        socket.on('close', () => {
          seen.answered += /^HTTP\/1\.1 413 [^]*\r\n\r\n(2\r\n)?no/.test(received)
          seen.ended += ended
          resolve()
        })
      })
    }
    child.kill()
    // Core itself resets a part of them, when it closes on what it has not read.
    assert.deepEqual(seen, { answered: 40, ended: 40, reset: 0 })
  })
}

test("a socket that ends behind its last answer finishes before it closes, whichever thread hears of the peer's end", async () => {
  const count = 8000
  const { child, port } = await serve('unfinished', [String(count)])
  const requests = 'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  let left = count
  const goOn = () => {
    if (left-- <= 0) return
    const socket = net.connect(port, '127.0.0.1', () => socket.write(requests))
    socket.on('error', () => {})
    socket.on('data', () => {})
    // The peer's close follows its end at once.
    socket.on('end', () => socket.destroy())
    socket.on('close', goOn)
  }
  for (let i = 0; i < 24; i++) goOn()
  const { stdout } = await child.ended()
  assert.match(stdout, /^unfinished 0$/m)
})

test('a client that sends nothing but empty lines gets a 408, as with core', async () => {
  const told = async (module) => {
    const child = new Child('ends/closing.js', { module, deadline: 20_000 })
    const socket = net.connect(await child.port(), '127.0.0.1')
    let received = ''
    socket.on('data', (chunk) => { received += chunk }).on('error', () => {})
    const timer = setInterval(() => socket.write('\r\n'), 50)
    await new Promise((resolve) => socket.on('close', resolve))
    clearInterval(timer)
    child.kill()
    return received
  }
  assert.deepEqual(await told('ours'), await told('core'))
})

for (const kind of ['pipeline', 'parts', 'echo']) {
  test(`no connection stays open after its client has hung up, at whatever moment: ${kind}`, async () => {
    const child = new Child('ends/hang-ups.js', { args: [kind], deadline: 60_000 })
    const port = await child.port()
    const bytes = kind === 'echo'
      ? ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n', ...Array.from({ length: 20 }, () => Buffer.alloc(1 << 20))]
      : ['GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(60)]
    for (let round = 0; round < 8; round++) {
      await Promise.all(Array.from({ length: 20 }, () => new Promise((resolve) => {
        const socket = net.connect(port, '127.0.0.1', () => {
          for (const part of bytes) socket.write(part)
          setTimeout(() => socket.destroy(), Math.random() * 60)
        })
        socket.on('data', () => {}).on('error', () => {}).on('close', resolve)
      })))
    }
    child.kill('SIGUSR2')
    const { stdout } = await child.ended()
    assert.match(stdout, /^closed$/m)
  })
}

for (const [name, size] of [['little', 5], ['much', 3_000_000], ['more than a slow peer takes', 8_000_000]]) {
  for (const where of ['port', 'path']) {
    test(`a request on a socket that is not referenced is sent before the process ends: ${name}, by ${where}`, async (t) => {
      let received = 0
      const origin = net.createServer((socket) => {
        socket.pause()
        setTimeout(() => socket.resume(), 200)
        socket.on('data', (chunk) => { received += chunk.length }).on('error', () => {})
      })
      origin.listen(where === 'port' ? 0 : path.join(os.tmpdir(), `http-native-${process.pid}-${size}.sock`))
      t.after(() => origin.close())
      await once(origin, 'listening')
      const address = where === 'port' ? origin.address().port : origin.address()
      const child = new Child('ends/unreferenced.js', { args: [address, size], deadline: 20_000 })
      const [socket] = await once(origin, 'connection')
      await Promise.all([child.ended(), once(socket, 'close')])
      assert.ok(received > size, `${received} bytes came`)
    })
  }
}

for (const size of [1000, 200_000]) {
  test(`bytes whose callback has come reach a slow peer although the process exits: ${size} bytes`, async () => {
    const { child, port } = await serve('exit', [size])
    const socket = net.connect(port, '127.0.0.1')
    let received = 0
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    socket.pause()
    await sleep(200)
    socket.on('data', (chunk) => { received += chunk.length }).on('error', () => {})
    socket.resume()
    await Promise.all([once(socket, 'close'), child.ended()])
    assert.ok(received > size, `${received} bytes came`)
  })
}

const NEXT = ', though the next one was destroyed'

for (const [method, behind] of [['close', ''], ['closeIdleConnections', ''], ['close', NEXT], ['closeIdleConnections', NEXT]]) {
  test(`an answer that is still being sent is sent to its end, and its connection closes then: ${method}()${behind}`, { timeout: 20_000 }, async (t) => {
    const size = 8_000_000
    const server = createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
      if (req.url === '/next') res.on('error', () => {}).destroy(new Error('on purpose'))
      if (req.url !== '/') return res.end()
      req.resume().on('end', () => {
        res.end(Buffer.alloc(size))
        server[method]()
      })
    })
    server.listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const socket = net.connect(server.address().port, '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n.' + (behind && 'GET /next HTTP/1.1\r\nHost: a\r\n\r\nGET /last HTTP/1.1\r\nHost: a\r\n\r\n'))
    await sleep(100)
    let received = 0
    socket.on('data', (chunk) => { received += chunk.length })
    await once(socket, 'end')
    assert.ok(received > size, `${received} bytes`)
    socket.destroy()
  })
}

for (const socketIsMade of [false, true]) {
  test(`what a request gets of its body behind an early answer is its beginning, ${socketIsMade ? 'with' : 'without'} a socket`, { timeout: 20_000 }, async (t) => {
    const size = 1 << 20
    const body = Buffer.alloc(size)
    for (let at = 0; at < size; at += 4) body.writeUInt32BE(at, at)
    for (let count = 0; count < 5; count++) {
      const chunks = []
      const server = createServer((req, res) => {
        if (socketIsMade) req.socket.on('timeout', () => {})
        req.on('data', (chunk) => chunks.push(chunk)).pause()
        setTimeout(() => {
          req.resume()
          setImmediate(() => {
            // The I/O thread reads on meanwhile, since the request is being read again.
            spin(20_000)
            res.setHeader('Connection', 'close')
            res.end('early')
          })
        }, 30)
      })
      server.listen(0, '127.0.0.1')
      t.after(() => server.close())
      await once(server, 'listening')
      const socket = net.connect(server.address().port, '127.0.0.1')
      socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`)
      socket.write(body)
      socket.on('error', () => {})
      socket.resume()
      await once(socket, 'close')
      await new Promise((resolve) => server.close(resolve))
      const got = Buffer.concat(chunks)
      assert.ok(got.length > 0 && got.equals(body.subarray(0, got.length)), chunks.map((chunk) => `${chunk.length} from ${chunk.readUInt32BE(0)}`).join())
    }
  })
}

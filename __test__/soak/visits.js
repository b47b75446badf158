'use strict'

/** The visitors' exchanges, one by one; each throws if it did not go as it should. */

const http = require('node:http')
const https = require('node:https')
const net = require('node:net')
const { once } = require('node:events')
const { setTimeout: sleep } = require('node:timers/promises')
const { text } = require('node:stream/consumers')
const { pattern, readPattern } = require('./pattern')

const LARGE = 1_000_000
const PART = 16 * 1024

const random = (most) => Math.floor(Math.random() * most)

function expect (value, expected) {
  if (value !== expected) throw new Error(`${JSON.stringify(value)} instead of ${JSON.stringify(expected)}`)
}

/** Resolves with 'close', whatever else is told before. */
function closing (emitter) {
  emitter.on('error', () => {})
  return new Promise((resolve) => emitter.on('close', resolve))
}

/** The response to a request; an error before that rejects. */
async function respond (request) {
  // Behind the response an error is the response's.
  request.on('error', () => {})
  const [response] = await once(request, 'response')
  return response
}

async function ask ({ port, agent }, path, options = {}) {
  const request = http.request({ port, host: '127.0.0.1', agent, path, ...options })
  const response = respond(request.end())
  return text(await response)
}

async function echo (request, size) {
  const response = respond(request)
  for (let sent = 0; sent < size; sent += PART) {
    if (!request.write(pattern(sent, Math.min(PART, size - sent)))) await once(request, 'drain')
  }
  request.end()
  expect(await readPattern(await response), size)
}

/** The bytes that come on a raw socket until its end. */
async function talk ({ port }, bytes, { end = false } = {}) {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const closed = closing(socket)
  socket.write(bytes)
  if (end) socket.end()
  let told = ''
  socket.setEncoding('latin1').on('data', (chunk) => { told += chunk }).on('end', () => socket.end())
  await closed
  return told
}

/** A raw socket that has got so many bytes. */
async function dial ({ port }, bytes, enough) {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(bytes)
  for (let got = 0; got < enough;) got += (await once(socket, 'data'))[0].length
  return socket
}

async function close (socket, how) {
  socket.resume()
  const closed = closing(socket)
  socket[how]()
  await closed
}

const HOST = 'Host: h\r\n'

module.exports = {
  async 'small, kept' (place) {
    expect(await ask(place, '/small'), 'small')
  },

  async 'small, fresh' (place) {
    expect(await ask({ ...place, agent: false }, '/small'), 'small')
  },

  async later (place) {
    expect(await ask(place, '/later'), 'later')
  },

  async echo ({ port, agent }) {
    const size = random(300_000)
    await echo(http.request({ port, host: '127.0.0.1', agent, path: '/echo', method: 'POST' }), size)
  },

  async 'echo of known length' ({ port, agent }) {
    const size = random(100_000)
    await echo(http.request({ port, host: '127.0.0.1', agent, path: '/echo', method: 'POST', headers: { 'Content-Length': size } }), size)
  },

  async 'echo behind a 100' ({ port }) {
    const request = http.request({ port, host: '127.0.0.1', agent: false, path: '/echo', method: 'PUT', headers: { Expect: '100-continue' } })
    request.flushHeaders()
    await once(request, 'continue')
    await echo(request, 5000)
  },

  async 'large, read slowly' ({ port, agent }) {
    const response = await respond(http.get({ port, host: '127.0.0.1', agent, path: `/large?${LARGE}` }))
    response.pause()
    await sleep(random(20))
    expect(await readPattern(response), LARGE)
  },

  async 'an upload that is given up' ({ port }) {
    const request = http.request({ port, host: '127.0.0.1', agent: false, path: '/echo', method: 'POST' })
    const closed = closing(request)
    request.on('response', (response) => response.on('error', () => {}).resume())
    request.write(pattern(0, PART))
    await sleep(random(4))
    request.destroy()
    await closed
  },

  async 'a download that is given up' ({ port, agent }) {
    const request = http.get({ port, host: '127.0.0.1', agent, path: `/large?${LARGE}` })
    const response = await respond(request)
    const closed = closing(request)
    response.on('error', () => {})
    await once(response, 'data')
    response.destroy()
    await closed
  },

  async 'a time that is up' (place) {
    const request = http.get({ port: place.port, host: '127.0.0.1', agent: place.agent, path: '/never', timeout: 20 + random(20) })
    request.on('timeout', () => request.destroy(new Error('late')))
    await closing(request)
  },

  async 'an answer that breaks' ({ port }) {
    const response = await respond(http.get({ port, host: '127.0.0.1', agent: false, path: '/broken' }))
    await closing(response.resume())
    expect(response.complete, false)
  },

  async 'an early answer' ({ port }) {
    const request = http.request({ port, host: '127.0.0.1', agent: false, path: '/early', method: 'POST' })
    const response = respond(request)
    request.write(pattern(0, PART))
    expect(await text(await response), 'too much')
    request.destroy()
  },

  async hints ({ port, agent }) {
    let count = 0
    const request = http.get({ port, host: '127.0.0.1', agent, path: '/hints' })
    request.on('information', () => count++)
    expect(await text(await respond(request)), 'hints')
    expect(count, 2)
  },

  async trailers ({ port, agent }) {
    const response = await respond(http.get({ port, host: '127.0.0.1', agent, path: '/trailers' }))
    expect(await text(response), 'body')
    expect(response.trailers['x-end'], 'end')
  },

  async upgrade ({ port }) {
    const request = http.get({ port, host: '127.0.0.1', agent: false, path: '/', headers: { Connection: 'Upgrade', Upgrade: 'echo' } })
    const [, socket] = await once(request, 'upgrade')
    socket.write('over here')
    let got = 0
    while (got < 9) got += (await once(socket, 'data'))[0].length
    await close(socket, random(2) === 0 ? 'end' : 'destroy')
  },

  async connect ({ port }) {
    const request = http.request({ port, host: '127.0.0.1', agent: false, method: 'CONNECT', path: 'h:1' }).end()
    const [response, socket] = await once(request, 'connect')
    expect(response.statusCode, 403)
    await close(socket, 'end')
  },

  async 'a pipeline' (place) {
    const depth = 1 + random(30)
    const told = await talk(place, `GET /small HTTP/1.1\r\n${HOST}\r\n`.repeat(depth) + `GET /later HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)
    expect(told.split('small').length - 1, depth)
    expect(told.endsWith('later'), true)
  },

  async 'a half-closed request' (place) {
    const told = await talk(place, `GET /later HTTP/1.1\r\n${HOST}\r\n`, { end: true })
    expect(told.endsWith('later'), true)
  },

  async garbage (place) {
    expect((await talk(place, 'GARBAGE\r\n\r\n')).slice(0, 12), 'HTTP/1.1 400')
  },

  async 'a head that is too large' (place) {
    expect((await talk(place, `GET / HTTP/1.1\r\n${HOST}X: ${'x'.repeat(20_000)}\r\n\r\n`)).slice(0, 12), 'HTTP/1.1 431')
  },

  async 'a head that does not end' ({ hastyPort: port }) {
    expect((await talk({ port }, `GET / HTTP/1.1\r\n${HOST}`)).slice(0, 12), 'HTTP/1.1 408')
  },

  async 'a body that does not end' ({ hastyPort: port }) {
    const told = await talk({ port }, `POST /echo HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nhello`)
    expect(/ (408|200) /.test(told), true)
  },

  async 'a peer that resets' (place) {
    const socket = await dial(place, `GET /large?${LARGE} HTTP/1.1\r\n${HOST}\r\n`, 1000)
    await close(socket, 'resetAndDestroy')
  },

  async 'a peer that goes' (place) {
    const socket = await dial(place, `GET /small HTTP/1.1\r\n${HOST}\r\nGET /never HTTP/1.1\r\n${HOST}\r\n`, 100)
    await close(socket, 'destroy')
  },

  async 'an idle peer' ({ hastyPort: port }) {
    const told = await talk({ port }, `GET /small HTTP/1.1\r\n${HOST}\r\n`)
    // On a machine that stops for longer than headersTimeout the head comes too late.
    expect(/^HTTP\/1\.1 408 |small$/.test(told), true)
  },

  async 'many at a time, at a limited server' ({ limitedPort: port }) {
    const told = await Promise.all(Array.from({ length: 4 }, (_, index) => {
      const { path, body } = [{ path: '/later' }, { path: '/health' }, { path: '/echo', body: 'x'.repeat(100) }, { path: '/echo', body: 'x'.repeat(25_000) }][index]
      const head = `${body ? 'POST' : 'GET'} ${path} HTTP/1.1\r\n${HOST}Connection: close\r\n${body ? `Content-Length: ${body.length}\r\n` : ''}\r\n`
      return talk({ port }, head + (body ?? ''))
    }))
    // On a busy machine the head or the body comes too late.
    for (const text of told) expect(/^HTTP\/1\.1 (?:200|408|413|429|503) /.exec(text)?.[0] ?? JSON.stringify(text), text.slice(0, 13))
  },

  async 'a pipeline at a limited server' ({ limitedPort: port }) {
    const told = await talk({ port }, `GET /later HTTP/1.1\r\n${HOST}\r\n`.repeat(9) + `GET /small HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)
    const answers = told.match(/HTTP\/1\.1 \d+/g) ?? []
    // One if there are too many connections, or on a busy machine if the first head comes too late.
    const isTurnedAway = answers.length === 1 && /^HTTP\/1\.1 (?:408|429|503) /.test(told)
    const isServed = answers.length === 10 && answers.every((answer) => /(?:200|503)$/.test(answer))
    if (!isTurnedAway && !isServed) expect(JSON.stringify(told), '10 answers')
  },

  async 'a slow body, and a slow head, at a limited server' ({ limitedPort: port }) {
    const told = await Promise.all([
      talk({ port }, `POST /echo HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhel`),
      talk({ port }, 'GET / HT')
    ])
    for (const text of told) expect(/ (200|408|429|503) /.test(text), true)
  },

  async 'a response that is not taken, of a limited server' ({ limitedPort: port }) {
    const socket = net.connect(port, '127.0.0.1')
    const closed = closing(socket)
    socket.write(`GET /heedless HTTP/1.1\r\n${HOST}\r\n`)
    await sleep(random(50))
    socket.resume()
    await sleep(random(20))
    socket.destroy()
    await closed
  },

  async 'https, kept' ({ securePort, secureAgent }) {
    const request = https.request({ port: securePort, host: '127.0.0.1', agent: secureAgent, path: '/echo', method: 'POST' })
    await echo(request, random(100_000))
  },

  async 'https, fresh' ({ securePort, secureAgent }) {
    const { ca, checkServerIdentity } = secureAgent.options
    const response = await respond(https.get({ port: securePort, host: '127.0.0.1', agent: false, path: '/small', ca, checkServerIdentity }))
    expect(await text(response), 'small')
  }
}

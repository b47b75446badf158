'use strict'

/**
 * A strict server, given pipelines of good requests with one that is refused among them, cut into pieces at random: whatever the
 * pieces are, each good request before it is answered, in order, then it is, once, and the connection ends.
 */

const assert = require('node:assert/strict')
const path = require('node:path')
const { test } = require('node:test')
const { setImmediate: turn } = require('node:timers/promises')
const { HARDENING_ROWS } = require('../../../lib/addon')
const { requests } = require('./requests')
const { TRANSPORTS, serve, answers } = require('./raw-client')

const ours = require(process.env.OURS ?? path.join(__dirname, '../../../index.js'))

const PIPELINES = 100

const statuses = Object.fromEntries(HARDENING_ROWS.map(([name, status]) => [name, status]))

/** Gives the same numbers for the same seed (xorshift). */
function numbers (seed) {
  return (limit) => {
    seed ^= seed << 13
    seed ^= seed >>> 17
    seed ^= seed << 5
    return (seed >>> 0) % limit
  }
}

/** Answers at once, in a later turn, or in parts. */
function answer (request, response, random) {
  const text = `${request.method} ${request.url}`
  const end = async () => {
    const ways = random(3)
    if (ways > 0) for (let turns = random(4); turns > 0; turns--) await turn()
    if (ways < 2) return response.end(text)
    response.write(text.slice(0, 3))
    await turn()
    response.end(text.slice(3))
  }
  request.on('error', () => {})
  request.on('end', end).resume()
}

function good (random, number) {
  const body = 'b'.repeat(random(50))
  return [
    `GET /${number} HTTP/1.1\r\nHost: a\r\n\r\n`,
    `POST /${number} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    `POST /${number} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nab\r\n0\r\n\r\n`
  ][random(3)]
}

/** Sends bytes in pieces. @returns {Promise<string>} all that came, chunks joined */
function exchange (connect, bytes, random) {
  return new Promise((resolve) => {
    let received = ''
    const socket = connect(async () => {
      for (let at = 0; at < bytes.length && !socket.destroyed;) {
        const size = 1 + random(random(4) === 0 ? 1000 : 40)
        socket.write(bytes.slice(at, at + size), 'latin1')
        at += size
        await turn()
      }
    })
    socket.setEncoding('latin1').on('data', (text) => { received += text })
    socket.on('error', () => {})
    socket.on('close', () => resolve(received.replace(/Date: [^\r]*\r\n/g, '')))
  })
}

/** An answer in parts is chunked. */
const joined = (text) => text.replace(/^(\d+ )3\r\n(...)\r\n[0-9a-f]+\r\n(.*)\r\n0$/, '$1$2$3')

for (const transport of [...TRANSPORTS, 'tls']) {
  test(`${PIPELINES} pipelines with a request that is refused, ${transport}`, { timeout: 60000 }, async (t) => {
    const random = numbers(20261127)
    const { server, connect } = await serve(t, ours, { hardening: 'strict' }, transport)
    server.removeAllListeners('request')
    server.on('request', (request, response) => answer(request, response, random))
    for (let count = 0; count < PIPELINES; count++) {
      const before = Array.from({ length: random(6) }, (_, number) => good(random, number))
      const { row, name, bytes } = requests[random(requests.length)]
      const wire = before.join('') + bytes + good(random, 'behind')
      const expected = before.map((text) => `200 ${text.slice(0, text.indexOf(' HTTP'))}`)
      const shown = answers(await exchange(connect, wire, random)).map(joined)
      assert.deepEqual(shown, [...expected, statuses[row]], `${count}: ${row} (${name})`)
    }
  })
}

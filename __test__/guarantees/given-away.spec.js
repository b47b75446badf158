'use strict'

/**
 * Arrays that are written, and whose memory the application gives away in the same tick: the peer gets their bytes as they were, or
 * sees that the message is not whole. Core sends the size of the chunk, and less than that.
 */

const assert = require('node:assert/strict')
const net = require('node:net')
const { once } = require('node:events')
const { test } = require('node:test')
const http = require('../..')

/** Bytes: little, and so much that no thread copies it without need. */
const SIZES = [10, 300000]

function giveAway ({ buffer }) {
  structuredClone(buffer, { transfer: [buffer] })
}

const fill = (size) => new Uint8Array(size).fill(97)

/** What is left of a message, written on this way. */
const WAYS = {
  'write(), end()' (message, size) {
    const array = fill(size)
    message.write(array)
    giveAway(array)
    message.end('last')
  },
  'write(), and end() in a later tick' (message, size) {
    const array = fill(size)
    message.write(array)
    giveAway(array)
    setImmediate(() => message.end('last'))
  },
  'write(), uncork(), end()' (message, size) {
    const array = fill(size)
    message.write('first')
    message.write(array)
    giveAway(array)
    message.uncork()
    message.end('last')
  },
  'write() with a Content-Length' (message, size) {
    const array = fill(size)
    message.setHeader('Content-Length', size + 4)
    message.write(array)
    giveAway(array)
    message.end('last')
  },
  'write(), of a Buffer' (message, size) {
    const array = Buffer.from(fill(size).buffer)
    message.write('first')
    message.write(array)
    giveAway(array)
    setImmediate(() => message.end('last'))
  },
  'write(), and less memory' (message, size) {
    const array = new Uint8Array(new ArrayBuffer(size, { maxByteLength: size })).fill(97)
    message.write(array)
    array.buffer.resize(size - 3)
    message.end('last')
  }
}

/** The size of the whole body. */
const whole = (way, size) => size + (/uncork|of a Buffer/.test(way) ? 9 : 4)

for (const [way, send] of Object.entries(WAYS)) {
  for (const size of SIZES) {
    for (const turn of ['at once', 'behind another']) {
      // Of what waits, or is left where it is, only all of its memory is missed.
      if (way.includes('less memory') && (turn === 'behind another' || size !== SIZES[0])) continue
      test(`a response by ${way}, of ${size} bytes, sent ${turn}, is whole or seen not to be`, { timeout: 5000 }, async () => {
        const server = http.createServer((req, res) => {
          if (req.url === '/first') {
            setTimeout(() => res.end('first'), 10)
            return
          }
          if (req.url === '/next') {
            res.end('next')
            return
          }
          send(res, size)
        })
        await once(server.listen(0, '127.0.0.1'), 'listening')
        const { port } = server.address()
        const peer = net.connect(port, '127.0.0.1')
        const requests = turn === 'at once' ? ['/'] : ['/first', '/']
        for (const path of requests) peer.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${path === '/' ? 'Connection: close\r\n' : ''}\r\n`)
        const chunks = []
        peer.on('data', (chunk) => chunks.push(chunk)).on('error', () => {})
        await once(peer, 'close')
        const text = Buffer.concat(chunks).toString('latin1')
        const body = bodyOf(turn === 'at once' ? text : text.slice(text.indexOf('\r\n\r\nfirst') + 9))
        if (body !== null) assert.deepEqual([body.length, /^(?:first)?a+last$/.test(body)], [whole(way, size), true])

        const [response] = await once(http.get({ port, path: '/next', agent: false }), 'response')
        assert.equal(String(await once(response, 'data')), 'next', 'the server goes on')
        server.close()
      })
    }
  }

  if (way.includes('less memory')) continue
  for (const size of SIZES) {
    test(`a request by ${way}, of ${size} bytes, written before it has a socket, is whole or seen not to be`, { timeout: 5000 }, async () => {
      let received = null
      const server = http.createServer((req, res) => {
        let text = ''
        req.setEncoding('latin1')
        req.on('data', (chunk) => { text += chunk }).on('error', () => {})
        req.on('end', () => {
          received = text
          res.end()
        })
      })
      await once(server.listen(0, '127.0.0.1'), 'listening')
      const request = http.request({ port: server.address().port, method: 'POST', agent: false })
      const errors = []
      request.on('error', (error) => errors.push(error.code)).on('response', (response) => response.resume())
      const closed = new Promise((resolve) => request.on('close', resolve))
      send(request, size)
      await closed
      if (received === null) assert.deepEqual(errors, ['ERR_INVALID_STATE'])
      else assert.deepEqual([received.length, /^(?:first)?a+last$/.test(received)], [whole(way, size), true])
      server.close()
      server.closeAllConnections()
    })
  }
}

/** The body of a response, null if it is not whole. */
function bodyOf (text) {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return null
  const head = text.slice(0, end)
  let rest = text.slice(end + 4)
  const length = /content-length: (\d+)/i.exec(head)
  if (length !== null) return rest.length === Number(length[1]) ? rest : null
  let body = ''
  for (;;) {
    const line = /^([0-9a-f]+)\r\n/.exec(rest)
    if (line === null) return null
    const size = parseInt(line[1], 16)
    rest = rest.slice(line[0].length)
    if (rest.slice(size, size + 2) !== '\r\n') {
      assert.ok(rest.length < size + 2, 'a chunk is as long as it says')
      return null
    }
    if (size === 0) return body
    body += rest.slice(0, size)
    rest = rest.slice(size + 2)
  }
}

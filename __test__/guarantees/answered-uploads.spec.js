'use strict'

/** An upload that is answered before it is over goes on: in core its request hears of no room any more. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { once } = require('node:events')
const net = require('node:net')
const { Readable } = require('node:stream')
const http = require('../..')

/** More than the kernel buffers. */
const SIZE = 16 * 2 ** 20

/** A server that answers heads, and reads bodies when all of the answer was read. */
async function hasty (t, response) {
  let received = 0
  const server = net.createServer((socket) => {
    t.after(() => socket.destroy())
    socket.once('data', (head) => {
      received = head.length - head.indexOf('\r\n\r\n') - 4
      socket.pause()
      socket.write(response)
      socket.on('data', (chunk) => { received += chunk.length })
    })
    server.read = () => socket.resume()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  server.received = () => received
  return server
}

const RESPONSES = {
  'a body': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly',
  'no body': 'HTTP/1.1 204 No Content\r\n\r\n'
}

const WAYS = {
  'by itself' () {},
  'when core sends it': corkBriefly
}

/** Makes the request core's. */
function corkBriefly (request) {
  request.cork()
  process.nextTick(() => request.uncork())
}

for (const [what, response] of Object.entries(RESPONSES)) {
  for (const [how, begin] of Object.entries(WAYS)) {
    test(`an upload goes on behind an answer with ${what}, ${how}`, async (t) => {
      const server = await hasty(t, response)
      const { port } = server.address()
      const agent = new http.Agent({ keepAlive: true })
      t.after(() => agent.destroy())
      const request = http.request({ host: '127.0.0.1', port, agent, method: 'POST', headers: { 'Content-Length': SIZE } })
      begin(request)
      request.flushHeaders()
      const [answer] = await once(request, 'response')
      answer.resume()
      await once(answer, 'end')
      const blocks = function * () { for (let left = SIZE; left > 0; left -= 2 ** 16) yield Buffer.alloc(2 ** 16, 'x') }
      Readable.from(blocks()).pipe(request)
      server.read()
      await once(agent, 'free')
      assert.equal(request.writableFinished, true)
      await new Promise((resolve) => {
        const look = () => server.received() === SIZE ? resolve() : setImmediate(look)
        look()
      })
    })
  }
}

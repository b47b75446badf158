'use strict'

/** What the servers under the soak do, by path. */

const { pattern } = require('./pattern')

const OPTIONS = { maxHeaderSize: 8192 }

/** Of a server whose visitors come to wait until their time is up. */
const HASTY = { ...OPTIONS, headersTimeout: 200, requestTimeout: 400, keepAliveTimeout: 300, connectionsCheckingInterval: 50 }

/** Of a server that takes little at a time; core has no such limits, and serves its visitors. */
const LIMITED = {
  ...HASTY,
  limits: {
    requests: 4,
    requestsWaiting: 4,
    connectionsPerAddress: { max: 20, then: 'answer' },
    bufferedBytes: { max: 600_000, then: 'close' },
    bodySize: 20_000,
    bodyBytesPerSecond: 1_000,
    bodyGrace: 100,
    headersTimeout: 100,
    healthPath: '/health'
  }
}

const BLOCK = 16 * 1024

const answers = {
  '/small' (request, response) {
    response.end('small')
  },
  '/later' (request, response) {
    setImmediate(() => response.end('later'))
  },
  '/echo' (request, response) {
    request.pipe(response)
  },
  '/large' (request, response, size) {
    let sent = 0
    const go = () => {
      while (sent < size) {
        const length = Math.min(BLOCK, size - sent)
        const goesOn = response.write(pattern(sent, length))
        sent += length
        if (!goesOn) return response.once('drain', go)
      }
      response.end()
    }
    go()
  },
  '/early' (request, response) {
    response.writeHead(413, { Connection: 'close' }).end('too much')
  },
  '/broken' (request, response) {
    response.writeHead(200, { 'Content-Length': 1000 })
    response.write('a part', () => response.destroy())
  },
  '/hints' (request, response) {
    response.writeProcessing()
    response.writeEarlyHints({ link: '</a>; rel=preload' })
    response.end('hints')
  },
  '/trailers' (request, response) {
    response.writeHead(200, { Trailer: 'X-End' })
    response.write('body')
    response.addTrailers({ 'X-End': 'end' })
    response.end()
  },
  '/heedless' (request, response) {
    for (let sent = 0; sent < 1_000_000; sent += BLOCK) response.write(pattern(sent, BLOCK))
    response.end()
  },
  '/never' (request, response) {
    request.on('close', () => {})
    response.on('close', () => {})
  }
}

/** Has a server answer. */
function answer (server) {
  server.on('request', (request, response) => {
    const [path, query] = request.url.split('?')
    request.on('error', () => {})
    response.on('error', () => {})
    // Core has no health to tell.
    const own = answers[path] ?? answers['/small']
    own(request, response, Number(query))
  })
  server.on('checkContinue', (request, response) => {
    response.writeContinue()
    server.emit('request', request, response)
  })
  server.on('upgrade', (request, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    socket.pipe(socket)
  })
  server.on('connect', (request, socket) => {
    socket.on('error', () => {})
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
  })
}

module.exports = { answer, OPTIONS, HASTY, LIMITED }

'use strict'

/** Servers of one module over each of our drivers, and a raw client. */

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const tls = require('node:tls')
const { once } = require('node:events')
const { wrap } = require('../../oracle/connections')

const GOOD = 'GET /good HTTP/1.1\r\nHost: a\r\n\r\n'
const LAST = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

/** Whether a server accepts by itself, or is given streams that are no sockets. There is 'tls', too: it is given sockets of core's. */
const TRANSPORTS = ['native', 'duplex']

const [key, cert] = ['key', 'cert'].map((name) => fs.readFileSync(path.join(__dirname, `../../fixtures/https/${name}.pem`)))

/** Makes what accepts in the place of a server. */
const fronts = {
  native: (server) => server,
  duplex: (server) => net.createServer((socket) => server.emit('connection', wrap(socket))),
  tls: (server) => tls.createServer({ key, cert }, (socket) => server.emit('connection', socket))
}

/**
 * Starts a server that answers each request with its method and target, when its body has ended; if that never does, at once.
 * @param {object} http the module
 * @param {object} settings options of createServer
 * @param {'native'|'duplex'|'tls'} transport
 * @param {{hangs?: boolean}} kind of the requests
 */
async function serve (t, http, settings, transport, { hangs = false } = {}) {
  const seen = []
  const server = http.createServer({ maxHeaderSize: 512, ...settings }, (request, response) => {
    const { method, url } = request
    seen.push(`${method} ${url}`)
    const answer = () => response.end(`${method} ${url}`)
    request.on('error', ({ code }) => seen.push(`${url}: ${code}`))
    if (hangs) answer()
    else request.on('end', answer).resume()
  })
  server.maxHeadersCount = 40
  const sockets = new Set()
  const front = fronts[transport](server)
  front.on('connection', (socket) => sockets.add(socket))
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.closeAllConnections()
    front.close()
  })
  const options = { port: front.address().port, host: '127.0.0.1', rejectUnauthorized: false }
  const { connect } = transport === 'tls' ? tls : net
  return { server, connect: (connected) => connect(options, connected), seen }
}

/** Sends bytes, and gives all that comes until the server closes, or until it has `enough`. */
function exchange (connect, bytes, enough = () => false) {
  return new Promise((resolve) => {
    const socket = connect(() => socket.write(bytes, 'latin1'))
    let received = ''
    socket.setEncoding('latin1')
    socket.on('data', (text) => {
      received += text
      if (enough(received)) socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(received.replace(/Date: [^\r]*\r\n/g, '')))
  })
}

/** The status code and the body of each answer. */
function answers (received) {
  return Array.from(received.matchAll(/HTTP\/1\.1 (\d+) [^\r]*\r\n(?:[^\r]+\r\n)*\r\n((?:(?!HTTP\/1\.1)[^])*)/g), ([, status, body]) => `${status} ${body}`.trim())
}

module.exports = { GOOD, LAST, TRANSPORTS, serve, exchange, answers }

'use strict'

/** A server with limits, over native sockets or over TLS, and clients that speak bytes. */

const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const tls = require('node:tls')
const { Worker } = require('node:worker_threads')
const http = require('../../..')

const keys = path.join(__dirname, '../../fixtures/https')
const certificate = { key: fs.readFileSync(path.join(keys, 'key.pem')), cert: fs.readFileSync(path.join(keys, 'cert.pem')) }

/** A request without a body. */
const get = (url = '/', method = 'GET', ...fields) => [`${method} ${url} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')

/** A client that keeps what it gets. */
class Client {
  text = ''
  error = null

  constructor (socket) {
    this.socket = socket
    this.closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('data', (chunk) => { this.text += chunk.toString('latin1') }).on('error', (error) => { this.error = error })
  }

  send (text) {
    this.socket.write(text)
    return this
  }

  /** Waits until what was got contains the text so many times. */
  async until (text, times = 1) {
    while (this.text.split(text).length <= times) {
      if (this.socket.destroyed) throw new Error(`closed with ${JSON.stringify(this.text)}`)
      await Promise.race([once(this.socket, 'data'), this.closed])
    }
    return this
  }

  /** The statuses of the answers so far. */
  get statuses () {
    return Array.from(this.text.matchAll(/HTTP\/1\.1 (\d+) /g), ([, status]) => Number(status))
  }

  /** Waits for the end of the connection. @returns {Promise<number[]>} the statuses */
  async end () {
    await this.closed
    return this.statuses
  }
}

/** How clients reach a server: over a socket that the addon has, or over TLS, whose stream is JavaScript's. */
const TRANSPORTS = {
  native: { wrap: (server) => server, connect: (port) => net.connect(port, '127.0.0.1') },
  TLS: {
    // As https does under register: its connections are served by the server's own listener.
    wrap: (server) => tls.createServer(certificate, (socket) => server.emit('connection', socket)),
    connect: (port) => tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  }
}

/**
 * Serves.
 * @returns {Promise<{ server: object, port: number, connect: () => Client }>}
 */
async function serve (t, options, listener, { wrap, connect } = TRANSPORTS.native) {
  const server = http.createServer(options, listener)
  const listening = wrap(server)
  listening.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const { port } = listening.address()
  const clients = []
  t.after(() => {
    for (const { socket } of clients) socket.destroy()
    server.closeAllConnections()
    listening.close()
  })
  return {
    server,
    port,
    connect () {
      const client = new Client(connect(port))
      clients.push(client)
      return client
    }
  }
}

/** Connections that another server serves one after the other, in the time of which an answer of this one would have come. */
const OTHERS = 20

/** Waits until another server, on the same I/O threads, has accepted and answered so many. */
async function serveOthers (t) {
  const { connect } = await serve(t, {}, (request, response) => response.end('other'))
  for (let count = 0; count < OTHERS; count++) await connect().send(get()).until('other')
}

/**
 * Serves in a thread of its own, which a request for /block blocks until `open()` is called.
 * @param {boolean} [isWatched] true if the application listens to 'connection'
 */
async function serveApart (t, options, isWatched = false) {
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(path.join(__dirname, '../../fixtures/limits/blocked.js'), { workerData: { options, gate, isWatched } })
  const messages = []
  worker.on('message', (message) => messages.push(message))
  const next = async () => {
    while (messages.length === 0) await once(worker, 'message')
    return messages.shift()
  }
  const port = await next()
  const open = () => {
    Atomics.store(gate, 0, 1)
    Atomics.notify(gate, 0)
  }
  t.after(async () => {
    open()
    await worker.terminate()
  })
  return { worker, next, open, connect: () => new Client(net.connect(port, '127.0.0.1')) }
}

module.exports = { Client, TRANSPORTS, certificate, get, serve, serveApart, serveOthers }

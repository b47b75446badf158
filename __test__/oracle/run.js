'use strict'

/** One run of a scenario with one pairing: its tracks, its wire, and everything that must be torn down after it. */

const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { once } = require('node:events')
const { setTimeout: sleep } = require('node:timers/promises')
const { Peer } = require('./peer')
const { Relay } = require('./relay')
const { summary, lines } = require('./summary')

/** How long the graceful part of the tear-down may take. */
const GRACE = 250

/** Milliseconds that a server may take to close after its last connection. */
const CLOSING = 2000

/** Node's warning to itself; a scenario that ends with open requests provokes them. */
const EXPECTED_AFTERWARDS = new Set(['ECONNRESET', 'EPIPE', 'ECONNREFUSED', 'ABORT_ERR', 'ERR_STREAM_PREMATURE_CLOSE', 'HPE_INVALID_EOF_STATE'])

let unixSockets = 0

class Run {
  /**
   * @param {object} modules `server` and `client`: the http module that plays the part
   * @param {boolean} relayed both sides are http, so a relay listens in
   */
  constructor (modules, relayed) {
    this.server = modules.server
    this.client = modules.client
    this.http = modules.server ?? modules.client
    this.relayed = relayed
    this.tracks = {}
    this.masks = []
    this.servers = []
    this.relays = []
    this.peers = []
    this.agents = []
    this.frozen = false
    this.strays = []
    this.port = undefined
    for (const name of ['log', 'watch', 'once', 'closed', 'serve', 'listen', 'listenAt', 'dial', 'origin', 'target', 'request', 'exchange', 'read', 'agent', 'attempt', 'mask', 'unixPath']) {
      this[name] = this[name].bind(this)
    }
    this.sleep = sleep
    this.summary = summary
  }

  /** Adds a line to a track. Tracks are compared one by one: nothing is said about their order to each other. */
  log (track, what, ...values) {
    if (this.frozen) return
    const lines = this.tracks[track] ??= []
    lines.push(values.length === 0 ? what : `${what}: ${values.map(summary).join(', ')}`)
  }

  /** Logs events of an emitter with their arguments; consecutive 'data' are one line. */
  watch (track, emitter, names, prefix = '') {
    for (const name of names) {
      if (name === 'data') this.watchData(track, emitter, prefix)
      else emitter.on(name, (...values) => this.log(track, prefix + name, ...values))
    }
    return emitter
  }

  watchData (track, emitter, prefix) {
    const chunks = []
    let line = -1
    emitter.on('data', (chunk) => {
      if (this.frozen) return
      const lines = this.tracks[track] ??= []
      if (line === -1 || line !== lines.length - 1) {
        line = lines.length
        chunks.length = 0
      }
      chunks.push(chunk)
      const all = typeof chunk === 'string' ? chunks.join('') : Buffer.concat(chunks)
      lines[line] = `${prefix}data: ${summary(all)}`
    })
  }

  /** The arguments of the next such event; unlike that of node:events it listens to nothing else. */
  once (emitter, name) {
    return new Promise((resolve) => emitter.once(name, (...values) => resolve(values)))
  }

  /** Waits until all of them have closed, which may have happened before. */
  closed (...emitters) {
    return Promise.all(emitters.map((emitter) => emitter.closed || this.once(emitter, 'close')))
  }

  /** Calls a function and logs what it returned or threw. */
  attempt (track, what, action) {
    try {
      const value = action()
      this.log(track, what, value)
      return value
    } catch (error) {
      this.log(track, `${what} throws`, error)
    }
  }

  /** Texts that differ from run to run. */
  mask (text, name) {
    this.masks.push([String(text), `<${name}>`])
  }

  /** A server with this handler, listening. */
  async serve (options, handler) {
    const server = this.server.createServer(options, handler)
    await this.listen(server)
    return server
  }

  /** Lets a server listen on a free port; a relay stands in front of it when both sides are http. Returns the port to dial. */
  async listen (server) {
    await this.listenAt(server, { port: 0, host: '127.0.0.1' })
    return this.port
  }

  /** As `listen`, anywhere. */
  async listenAt (server, where) {
    this.servers.push(server)
    server.listen(where)
    if (!server.listening || !server.address()) await once(server, 'listening')
    const address = server.address()
    this.port = address.port
    this.path = typeof address === 'string' ? address : undefined
    if (this.port !== undefined) this.mask(this.port, 'port')
    if (!this.relayed) return
    const relay = new Relay(typeof address === 'string' ? { path: address } : { port: address.port, host: '127.0.0.1' })
    this.relays.push(relay)
    if (this.path !== undefined) this.path = this.unixPath()
    this.port = await relay.listen(this.path === undefined ? { port: 0, host: '127.0.0.1' } : { path: this.path })
    if (this.port !== undefined) this.mask(this.port, 'port')
  }

  unixPath () {
    const file = path.join(os.tmpdir(), `oracle-${process.pid}-${unixSockets++}.sock`)
    fs.rmSync(file, { force: true })
    this.mask(file, 'path')
    return file
  }

  /** A raw client to the server that listens. */
  dial (options = {}) {
    const where = this.path === undefined ? { host: '127.0.0.1', port: this.port } : { path: this.path }
    const peer = new Peer(net.connect({ ...where, allowHalfOpen: true, ...options }))
    this.peers.push(peer)
    return peer
  }

  /** A raw server, on a port or a path; `serve` gets a Peer for each connection. Returns its port. */
  async origin (serve, path) {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      const peer = new Peer(socket)
      this.peers.push(peer)
      Promise.resolve(serve(peer)).catch((error) => this.fail(error))
    })
    this.servers.push(server)
    if (path === undefined) server.listen(0, '127.0.0.1')
    else server.listen(path)
    await once(server, 'listening')
    if (path !== undefined) return
    this.port = server.address().port
    this.mask(this.port, 'port')
    return this.port
  }

  /** A port on which no server listens. */
  async refusedPort () {
    const server = net.createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address()
    server.close()
    await once(server, 'close')
    this.mask(port, 'refused port')
    return port
  }

  /** An agent that is destroyed after the run. */
  agent (options) {
    const agent = new this.client.Agent(options)
    this.agents.push(agent)
    return agent
  }

  /** Request options that lead to the server that listens. */
  target (options = {}) {
    this.keepAlive ??= this.agent({ keepAlive: true })
    const where = this.path === undefined ? { host: '127.0.0.1', port: this.port } : { socketPath: this.path }
    return { ...where, agent: this.keepAlive, ...options }
  }

  /** A client request to the server that listens, not yet ended. */
  request (options, listener) {
    return this.client.request(this.target(options), listener)
  }

  /** Sends a request, reads the response and logs both ends of the story; resolves when the exchange is over. */
  exchange (options = {}, body = undefined) {
    const { track = 'client', ...rest } = options
    return new Promise((resolve) => {
      const request = this.request(rest)
      request.on('error', (error) => {
        this.log(track, 'request error', error)
        resolve({ error })
      })
      request.on('response', async (response) => resolve(await this.read(track, response)))
      request.end(body)
    })
  }

  /** Reads a response to its end and logs it. */
  async read (track, response) {
    this.log(track, 'response', response.statusCode, response.statusMessage, response.httpVersion, maskDate(response.rawHeaders))
    const chunks = []
    try {
      for await (const chunk of response) chunks.push(chunk)
    } catch (error) {
      this.log(track, 'response error', error)
    }
    const body = Buffer.concat(chunks)
    this.log(track, 'body', body, response.complete, response.rawTrailers)
    return { response, body }
  }

  fail (error) {
    if (!this.frozen) {
      this.log('uncaught', 'uncaught', error)
      this.onUncaught?.(error)
    } else if (!EXPECTED_AFTERWARDS.has(error?.code)) {
      this.strays.push(error)
    }
  }

  /** Ends everything that is still open, gracefully first: late bytes belong to the wire too. */
  async tearDown () {
    this.frozen = true
    for (const agent of this.agents) agent.destroy()
    for (const peer of this.peers) peer.end()
    const grace = new AbortController()
    const closed = Promise.all([...this.relays.map((relay) => relay.closed()), ...this.peers.map((peer) => peer.ended())])
    await Promise.race([closed, sleep(GRACE, undefined, { signal: grace.signal }).catch(() => {})])
    grace.abort()
    this.wire = this.record()
    for (const relay of this.relays) relay.destroy()
    for (const peer of this.peers) peer.destroy()
    const leaks = (await Promise.all(this.servers.map(closeServer))).filter(Boolean)
    if (leaks.length > 0) this.strays.push(...leaks)
  }

  /** The bytes of each connection; one that carried none may or may not have come into being. */
  record () {
    const crossings = this.relays.flatMap((relay) => relay.crossings).filter(({ toServer, toClient }) => toServer.length + toClient.length > 0)
    const peers = this.peers.filter(({ sent, chunks }) => sent.length + chunks.length > 0)
    const text = (chunks) => lines(chunks, (text) => this.masked(text))
    return [
      ...crossings.map((crossing) => ({ toServer: text(crossing.toServer), toClient: text(crossing.toClient) })),
      ...peers.map((peer) => ({ sent: text(peer.sent), received: text(peer.chunks) }))
    ]
  }

  masked (text) {
    return maskDate(this.masks.reduce((masked, [from, to]) => masked.replaceAll(new RegExp(`(?<!\\d)${escape(from)}(?!\\d)`, 'g'), to), text))
  }

  /** All that both sides saw, as comparable text. */
  report () {
    return { tracks: JSON.parse(this.masked(JSON.stringify(this.tracks))), wire: this.wire ?? this.record() }
  }
}

function escape (text) {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

function maskDate (value) {
  if (Array.isArray(value)) return value.map((item, index) => /^date$/i.test(value[index - 1]) ? '<date>' : item)
  return value.replaceAll(/(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, '<date>')
}

async function closeServer (server) {
  const timer = new AbortController()
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeAllConnections?.()
  const late = await Promise.race([
    closed.then(() => false),
    sleep(CLOSING, true, { signal: timer.signal }).catch(() => false)
  ])
  timer.abort()
  return late ? new Error('the server did not close although it has no connection any more') : undefined
}

module.exports = { Run, maskDate }

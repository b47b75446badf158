'use strict'

/**
 * Messages put together at random, over streams in memory: what both sides of the protocol accept, refuse, report and
 * answer is what core does. Another seed: RANDOM_SEED=7 npm test -- random-messages
 */

const { Duplex } = require('node:stream')
const { scenario } = require('../../oracle')
const { RandomMessages } = require('../../fixtures/random-messages')

const SEED = Number(process.env.RANDOM_SEED ?? 1)
const MESSAGES = Number(process.env.RANDOM_MESSAGES ?? 400)

const turn = () => new Promise(setImmediate)

/** A stream whose other end is the test: `arrive` is what the peer sends, `said` what it receives. */
class Wire extends Duplex {
  constructor (log) {
    super()
    this.said = ''
    this.on('error', (error) => log('socket error', error))
    this.on('close', () => log('socket close'))
  }

  _read () {}

  _write (chunk, encoding, callback) {
    this.said += chunk.toString('latin1')
    callback()
  }

  async arrive (packets, ends) {
    for (const packet of packets) {
      if (this.destroyed || this.readableEnded) break
      this.push(Buffer.from(packet, 'latin1'))
      await turn()
      await turn()
    }
    if (ends && !this.destroyed) this.push(null)
    for (let turns = 0; turns < 4; turns++) await turn()
  }
}

/** What an agent calls on its sockets. */
for (const name of ['setKeepAlive', 'setNoDelay', 'setTimeout', 'ref', 'unref']) Wire.prototype[name] = function () { return this }

scenario.module(`a server gets random requests, seed ${SEED}`, async (run) => {
  const random = new RandomMessages(SEED)
  for (let index = 0; index < MESSAGES; index++) {
    const text = random.requests()
    const packets = random.packets(text)
    const [switches, listensToErrors, ends] = [random.oneIn(3), !random.oneIn(3), random.oneIn(3)]
    const log = (what, ...values) => run.log('requests', `${index} ${what}`, ...values)
    log('is', text, packets.length)
    const server = run.server.createServer({ keepAliveTimeout: 0 }, (req, res) => {
      log('request', req.method, req.url, req.httpVersion, req.rawHeaders, req.upgrade)
      const body = []
      req.on('data', (chunk) => body.push(chunk.toString('latin1')))
      req.on('end', () => {
        log('end', body.join(''), req.rawTrailers, req.complete)
        res.sendDate = false
        res.end(`answer to ${req.url}`)
      })
      req.on('error', (error) => log('request error', error))
      req.on('close', () => log('request close', req.complete))
    })
    if (listensToErrors) {
      server.on('clientError', (error, socket) => {
        log('clientError', error, error.bytesParsed, error.rawPacket?.length)
        socket.destroy()
      })
    }
    if (switches) {
      for (const event of ['upgrade', 'connect']) {
        server.on(event, (req, socket, head) => {
          log(event, req.method, req.url, req.rawHeaders, head.toString('latin1'))
          socket.on('error', () => {})
          socket.end('switched')
        })
      }
    }
    const wire = new Wire(log)
    server.emit('connection', wire)
    await wire.arrive(packets, ends)
    log('answers', wire.said.replaceAll(/^Date: .*\r\n/gm, ''))
    wire.destroy()
  }
}, { deadline: 60_000 })

scenario.module(`a client gets random responses, seed ${SEED}`, async (run) => {
  const random = new RandomMessages(SEED)
  for (let index = 0; index < MESSAGES; index++) {
    const text = random.responses()
    const packets = random.packets(text)
    const method = random.pick(['GET', 'HEAD', 'CONNECT'], 1)
    const [switches, ends, keepAlive] = [random.oneIn(3), random.oneIn(2), random.oneIn(2)]
    const log = (what, ...values) => run.log('responses', `${index} ${what}`, ...values)
    log('is', method, text, packets.length)
    const wire = new Wire(log)
    const agent = new run.client.Agent({ keepAlive })
    agent.createConnection = () => wire
    const request = run.client.request({ method, agent }, (response) => {
      log('response', response.statusCode, response.statusMessage, response.httpVersion, response.rawHeaders, response.upgrade)
      const body = []
      response.on('data', (chunk) => body.push(chunk.toString('latin1')))
      response.on('end', () => log('end', body.join(''), response.rawTrailers, response.complete))
      response.on('aborted', () => log('aborted'))
      response.on('error', (error) => log('response error', error))
      response.on('close', () => log('response close', response.complete))
    })
    request.on('error', (error) => log('error', error, error.bytesParsed, error.rawPacket?.length))
    // Core may emit it twice for a stream that is no socket (docs/COMPATIBILITY.md).
    request.once('close', () => log('close'))
    request.on('continue', () => log('continue'))
    request.on('information', ({ statusCode, statusMessage, rawHeaders }) => log('information', statusCode, statusMessage, rawHeaders))
    if (switches) {
      request.on(method === 'CONNECT' ? 'connect' : 'upgrade', (response, socket, head) => {
        log('switched', response.statusCode, response.rawHeaders, head.toString('latin1'))
      })
    }
    request.end()
    await turn()
    await turn()
    await wire.arrive(packets, ends)
    log('said', wire.said)
    log('agent', Object.keys(agent.sockets).length, Object.keys(agent.freeSockets).length)
    wire.destroy()
    agent.destroy()
  }
}, { deadline: 60_000 })

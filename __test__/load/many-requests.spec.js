'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const core = require('node:http')
const { once } = require('node:events')
const http = require(process.env.OURS ?? '../..')

const REQUESTS = 3000
const IN_FLIGHT = 64

async function listen (handler) {
  const server = core.createServer(handler)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function echo (port, agent, index) {
  return new Promise((resolve, reject) => {
    const body = `${index}:${'x'.repeat(index * 37 % 5000)}`
    const request = http.request({ port, host: '127.0.0.1', agent, method: 'POST', path: `/${index}`, headers: { 'x-index': index } }, (response) => {
      let text = ''
      response.setEncoding('latin1').on('data', (part) => { text += part })
      response.on('error', reject)
      response.on('end', () => text === body && response.headers['x-index'] === String(index)
        ? resolve()
        : reject(new Error(`the answer to ${index} belongs to another request`)))
    })
    request.on('error', reject)
    request.end(body)
  })
}

for (const options of [{ keepAlive: true, maxSockets: IN_FLIGHT }, { keepAlive: true, maxSockets: 2 }, { keepAlive: false, maxSockets: IN_FLIGHT }]) {
  test(`every one of ${REQUESTS} requests gets its own answer, with ${JSON.stringify(options)}`, async () => {
    const server = await listen((req, res) => {
      res.setHeader('x-index', req.headers['x-index'])
      req.pipe(res)
    })
    const agent = new http.Agent(options)
    let next = 0
    const worker = async () => {
      while (next < REQUESTS) await echo(server.address().port, agent, next++)
    }
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
    agent.destroy()
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
    assert.equal(next, REQUESTS)
  })
}

test('requests to a server that drops connections at random either succeed or fail, and all end', async () => {
  const server = await listen((req, res) => {
    const index = Number(req.url.slice(1))
    if (index % 7 === 0) return req.socket.resetAndDestroy()
    if (index % 11 === 0) {
      res.writeHead(200, { 'Content-Length': 100 })
      res.write('half')
      return setImmediate(() => req.socket.destroy())
    }
    res.end('whole')
  })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 })
  const { port } = server.address()
  const outcomes = await Promise.all(Array.from({ length: 500 }, (_, index) => new Promise((resolve) => {
    const request = http.get({ port, host: '127.0.0.1', agent, path: `/${index}` })
    let outcome = 'nothing'
    request.on('error', (error) => { outcome = error.code })
    request.on('response', (response) => {
      response.on('error', (error) => { outcome = error.code })
      response.on('end', () => { outcome = 'whole' })
      response.resume()
    })
    request.on('close', () => setImmediate(() => resolve(outcome)))
  })))
  outcomes.forEach((outcome, index) => {
    if (index % 7 === 0 || index % 11 === 0) assert.match(outcome, /ECONNRESET|EPIPE/, `request ${index}`)
    else assert.equal(outcome, 'whole', `request ${index}`)
  })
  assert.deepEqual(Object.keys(agent.requests), [])
  agent.destroy()
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
})

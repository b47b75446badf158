'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { once } = require('node:events')
const { Worker } = require('node:worker_threads')
const { createServer } = require('../..')

const FRAGMENT = Buffer.alloc(64 * 1024, 'x')
const FRAGMENTS = 16
const REQUESTS = 2000

/** Core's client, one request after the other on one connection. */
const client = `
  const http = require('node:http')
  const { workerData: { port, requests }, parentPort } = require('node:worker_threads')
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  let answers = 0
  let bytes = 0
  function ask () {
    http.get({ port, host: '127.0.0.1', agent }, (response) => {
      response.on('data', (chunk) => { bytes += chunk.length })
      response.on('end', () => {
        if (++answers < requests) return ask()
        agent.destroy()
        parentPort.postMessage({ answers, bytes })
      })
    })
  }
  ask()
`

test('a connection that is alone and busy never stalls', { timeout: 60000 }, async () => {
  const server = createServer((req, res) => {
    let left = FRAGMENTS
    const more = () => {
      while (left > 0) {
        left--
        if (!res.write(FRAGMENT) && left > 0) return res.once('drain', more)
      }
      res.end()
    }
    more()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const worker = new Worker(client, { eval: true, workerData: { port: server.address().port, requests: REQUESTS } })
  const [seen] = await once(worker, 'message')
  assert.deepEqual(seen, { answers: REQUESTS, bytes: REQUESTS * FRAGMENTS * FRAGMENT.length })
  server.close()
  await once(server, 'close')
})

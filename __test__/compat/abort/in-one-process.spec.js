'use strict'

/** Both sides in one process: what a server's connection has come to first is told first, whichever thread reads it. */

const assert = require('node:assert')
const { once } = require('node:events')
const { test } = require('node:test')
const http = require('../../..')

/** Rounds: with another order once in fifty of them, the test fails nearly always. */
const ROUNDS = 200

async function listening (t, handler) {
  const server = http.createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return server.address()
}

test('a proxy hears that its client has gone before the answer that was sent behind that', async (t) => {
  let client
  const origin = await listening(t, (request, response) => {
    setImmediate(() => {
      client.destroy()
      response.end('too late')
    })
  })
  const told = []
  let isOver
  const proxy = await listening(t, (request, response) => {
    const events = []
    told.push(events)
    response.on('finish', () => events.push('finish'))
    response.on('close', () => {
      events.push('close')
      isOver()
    })
    http.get({ host: origin.address, port: origin.port, agent: false }, (answer) => answer.pipe(response))
  })
  for (let round = 0; round < ROUNDS; round++) {
    const over = new Promise((resolve) => { isOver = resolve })
    client = http.get({ host: proxy.address, port: proxy.port, agent: false })
    client.on('error', () => {})
    await over
  }
  assert.deepStrictEqual(told, Array.from({ length: ROUNDS }, () => ['close']))
})

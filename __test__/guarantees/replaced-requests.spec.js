'use strict'

/**
 * `res.req` is the application's to replace, on either side: what an exchange does at its end does not depend on it. Core's server reads
 * it from Node 26 on, and fails with an internal assertion, so that core cannot be the judge there.
 */

const assert = require('node:assert')
const { once } = require('node:events')
const { test } = require('node:test')
const http = require('../..')

const REPLACEMENTS = {
  null: () => null,
  'an object': ({ url, method, headers }) => ({ url, method, headers }),
  'a wrapper with an end of its own': (req) => ({ raw: req, on () {}, destroy () { assert.fail('destroyed') }, _dump () { assert.fail('dumped') } }),
  'another request': (req) => new http.IncomingMessage(req.socket)
}

for (const [what, replace] of Object.entries(REPLACEMENTS)) {
  test(`a server's response whose request is replaced by ${what}`, async (t) => {
    const events = []
    const server = http.createServer((req, res) => {
      res.req = replace(req)
      req.on('close', () => events.push('request close'))
      res.on('finish', () => events.push('finish')).on('close', () => events.push('close'))
      res.end('answer')
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const agent = new http.Agent({ keepAlive: true })
    t.after(() => { agent.destroy() })
    // Bodies that nothing reads: the end of the response discards them.
    const bodies = ['', 'x'.repeat(1000), 'x'.repeat(100000)]
    for (const body of bodies) {
      const request = http.request({ port: server.address().port, host: '127.0.0.1', method: 'POST', agent }).end(body)
      const [response] = await once(request, 'response')
      assert.strictEqual(Buffer.concat(await response.toArray()).toString(), 'answer')
    }
    agent.destroy()
    await new Promise((resolve) => { server.close(resolve) })
    for (const event of ['request close', 'finish', 'close']) {
      assert.strictEqual(events.filter((one) => one === event).length, bodies.length, `${event}: ${events}`)
    }
  })

  test(`a client's response whose request is replaced by ${what}`, async (t) => {
    const server = http.createServer((req, res) => { res.end('answer') })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const agent = new http.Agent({ keepAlive: true })
    t.after(() => {
      agent.destroy()
      server.close()
    })
    for (const isReused of [false, true]) {
      const request = http.request({ port: server.address().port, host: '127.0.0.1', agent }).end()
      const [response] = await once(request, 'response')
      response.req = replace(request)
      const closed = once(request, 'close')
      assert.strictEqual(Buffer.concat(await response.toArray()).toString(), 'answer')
      await closed
      assert.strictEqual(request.reusedSocket, isReused)
    }
  })
}

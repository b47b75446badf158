'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const http = require('node:http')
const { Readable } = require('node:stream')
const { Child } = require('../child')
const { pattern, digest } = require('../fixtures/pattern')

const GIBIBYTE = 2 ** 30

/** What a gigabyte may take, and by how much it may make a process grow. */
const LIMIT_MS = 20000
const LIMIT_MIB = 96

/** The digest of the pattern, computed once without any http. */
const expected = digest(Readable.from(pattern(GIBIBYTE), { objectMode: false }))

const ask = (port, path) => new Promise((resolve, reject) => {
  http.get({ port, host: '127.0.0.1', path, agent: false }, async (response) => resolve((await response.toArray()).join(''))).on('error', reject)
})

for (const way of ['upload', 'download']) {
  for (const [server, client] of [['ours', 'core'], ['core', 'ours'], ['ours', 'ours']]) {
    test(`${way === 'upload' ? 'an' : 'a'} ${way} of 1 GiB arrives intact and leaves memory alone, server ${server}, client ${client}`, async () => {
      const wanted = await expected
      const serving = new Child('large-server.js', { module: server, deadline: LIMIT_MS + 10000 })
      const port = await serving.port()
      const start = Date.now()
      const asking = new Child('large-client.js', { module: client, args: [way, port, GIBIBYTE], deadline: LIMIT_MS + 5000 })
      await asking.line('started')
      await new Promise((resolve) => setTimeout(resolve, 500))
      await ask(port, '/mark')
      const { code, stdout } = await asking.ended()
      const elapsed = Date.now() - start
      const growth = Number(await ask(port, '/memory'))
      serving.kill()
      assert.equal(code, 0)
      const taken = JSON.parse(stdout.split('\n')[1])
      assert.deepEqual({ length: taken.length, hash: taken.hash }, wanted)
      assert.ok(elapsed < LIMIT_MS, `took ${elapsed} ms`)
      if (server === 'ours') assert.ok(growth < LIMIT_MIB, `the server grew by ${growth} MiB`)
      if (client === 'ours') assert.ok(taken.growth < LIMIT_MIB, `the client grew by ${taken.growth} MiB`)
    })
  }
}

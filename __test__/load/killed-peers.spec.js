'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { Child } = require('../child')

const GIBIBYTE = 2 ** 30

/** How long the flow goes on before the kill. */
const FLOW_MS = 200

for (const way of ['upload', 'download']) {
  test(`a client that is killed in the middle of its ${way} leaves no request and no connection`, async () => {
    const server = new Child('large-server.js', { module: 'ours' })
    const client = new Child('large-client.js', { module: 'core', args: [way, await server.port(), 100 * GIBIBYTE] })
    await server.line(`${way} complete`)
    await new Promise((resolve) => setTimeout(resolve, FLOW_MS))
    client.kill()
    await server.line(`${way} ECONNRESET`)
    await server.when(() => server.stdout.slice(server.stdout.indexOf(`${way} ECONNRESET`)).includes('connections 0\n'))
    server.kill()
  })

  test(`a server that is killed in the middle of the ${way} fails the request and lets the client end`, async () => {
    const server = new Child('large-server.js', { module: 'core' })
    const client = new Child('large-client.js', { module: 'ours', args: [way, await server.port(), 100 * GIBIBYTE] })
    await server.line(`${way} complete`)
    await new Promise((resolve) => setTimeout(resolve, FLOW_MS))
    server.kill()
    const { code, signal, stdout } = await client.ended()
    assert.deepEqual({ code, signal }, { code: 0, signal: null })
    assert.match(stdout, /^failed (ECONNRESET|EPIPE)$/m)
  })
}

'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const path = require('node:path')
const { promisify } = require('node:util')

/** Ten connections leave HTTP, and what reads from them keeps its own property in each, as ws does. */
const script = `
  const http = require('node:http')
  const { createServer } = require(process.argv[1])
  const mine = Symbol('mine')
  const upgraded = []
  const server = createServer()
  server.on('upgrade', (request, socket) => {
    socket[mine] = upgraded.push(socket)
    socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: x\\r\\n\\r\\n')
  })
  server.listen(0, '127.0.0.1', async () => {
    const headers = { Connection: 'Upgrade', Upgrade: 'x' }
    for (let i = 0; i < 10; i++) {
      const request = http.get({ host: '127.0.0.1', port: server.address().port, agent: false, headers })
      await new Promise((resolve, reject) => request.on('upgrade', resolve).on('error', reject))
    }
    const [one, ...others] = upgraded
    console.log(JSON.stringify([
      upgraded.length,
      others.every((other) => %HaveSameMap(one, other)),
      others.every((other) => %HaveSameMap(one._handle, other._handle))
    ]))
    process.exit()
  })`

test('sockets that left HTTP have one shape, and so have their handles', async () => {
  const { stdout } = await promisify(execFile)(process.execPath,
    ['--allow-natives-syntax', '--eval', script, path.join(__dirname, '../..')])
  assert.deepEqual(JSON.parse(stdout), [10, true, true])
})

'use strict'

/**
 * A socket that left HTTP behind other answers, small and large, which are still on their way: those come first, and whoever gets the
 * socket then (a server, TLS, another process) can use it.
 */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { Child } = require('../../child')

const play = async (module, recipient, env) => {
  const { code, stdout, stderr } = await new Child('recipients/server.js', { module, args: [recipient], env, deadline: 30000 }).ended()
  return { code, stdout, stderr }
}

const recipients = ['none', 'same', 'other', 'a process', 'lost', 'destroyed']
if (process.versions.openssl) recipients.push('wrapped', 'a TLS server')

for (const recipient of recipients) {
  for (const threads of [1, 4]) {
    test(`a socket that leaves HTTP behind an answer goes to: ${recipient}; ${threads} I/O threads`, async () => {
      const expected = await play('core', recipient, {})
      assert.match(expected.stdout, /^over$/m)
      assert.deepEqual(await play('ours', recipient, { HTTP_NATIVE_IO_THREADS: String(threads) }), expected)
    })
  }
}

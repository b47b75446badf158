'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { Child } = require('../child')

async function run (module) {
  const { code, stdout, stderr } = await new Child('lifecycle/stacks.js', { module }).ended()
  return { code, stdout, stderr }
}

test('stacks name messages and sockets as in core', async () => {
  const expected = await run('core')
  assert.match(expected.stdout, /request end: IncomingMessage\n/)
  assert.deepEqual(await run('ours'), expected)
})

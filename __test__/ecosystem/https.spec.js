'use strict'

/** Under register, https and the HTTP/1 of http2 are of one family with http, as in core. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { Child } = require('../child')
const { register } = require('./frameworks')

async function run (script, execArgv) {
  const { code, stdout, stderr } = await new Child(script, { execArgv }).ended()
  return { code, stdout, stderr }
}

test('https and http2 have the classes of http, and what is patched or derived of them counts there', async () => {
  const expected = await run('https/classes.js', [])
  assert.match(expected.stdout, /^some text(?!.*not so).*\ndone\n$/s)
  assert.deepEqual(await run('https/classes.js', ['--require', register]), expected)
})

test('https that was loaded before register works, and its objects are instances of the classes of http', async () => {
  const execArgv = ['--require', 'node:https', '--require', register]
  assert.deepEqual(await run('https/before.js', execArgv), await run('https/before.js', []))
})

'use strict'

/** Under register, https and the HTTP/1 of http2 are of one family with http, as in core. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const path = require('node:path')
const { Child } = require('../child')
const { register } = require('./frameworks')

const fixtures = path.join(__dirname, '..', 'fixtures')

async function run (script, execArgv, args = []) {
  const { code, stdout, stderr } = await new Child(script, { execArgv, args }).ended()
  return { code, stdout, stderr }
}

test('https and http2 have the classes of http, and what is patched or derived of them counts there', async () => {
  const expected = await run('https/classes.js', [])
  assert.match(expected.stdout, /^some text(?!.*not so).*\ndone\n$/s)
  assert.deepEqual(await run('https/classes.js', ['--require', register]), expected)
})

test('https: bodies, upgrades and pipelines as in core, with and without listeners on the socket', async () => {
  const expected = await run('https/reads.js', [])
  assert.match(expected.stdout, /\ndone\n$/, expected.stderr)
  assert.deepEqual(await run('https/reads.js', ['--require', register]), expected)
})

test('https and http2 that were loaded before register have the classes of http, too', async () => {
  const before = ['--require', 'node:https', '--require', 'node:http2', '--require', register]
  const expected = await run('https/classes.js', [])
  assert.match(expected.stdout, /^some text(?!.*not so).*\ndone\n$/s)
  assert.deepEqual(await run('https/classes.js', before), expected)
  assert.deepEqual(await run('https/before.js', before), await run('https/before.js', []))
})

test('functions of http, https and http2 that were held or wrapped before register construct ours, and work as core\'s', async () => {
  const hold = ['--require', path.join(fixtures, 'earlier', 'hold.js')]
  const expected = await run('earlier/app.js', hold)
  assert.match(expected.stdout, /\ndone\n$/, expected.stderr)
  assert.deepEqual(await run('earlier/app.js', [...hold, '--require', register]), expected)
  assert.deepEqual(await run('earlier/app.js', [...hold, '--require', register], ['own']), { code: 0, stdout: 'done\n', stderr: '' })
})

'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { Child } = require('../child')
const { sameUnderRegister, register } = require('./frameworks')

sameUnderRegister('an ES module', 'ecosystem/module.mjs', [['GET', '/'], ['POST', '/', 'some body']])

test('require, import and getBuiltinModule all see our classes under register', async () => {
  const child = new Child('ecosystem/registered.mjs', { execArgv: ['--require', register] })
  const { code, stdout, stderr } = await child.ended()
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: 'all ours\n', stderr: '' })
})

test('NODE_DEBUG=http-native says what was replaced, in one line', async () => {
  const child = new Child('apm/app.js', { execArgv: ['--require', register], env: { NODE_DEBUG: 'http-native' } })
  const { code, stderr } = await child.ended()
  assert.deepEqual({ code, stderr: stderr.replace(/\d+/, 'N') },
    { code: 0, stderr: 'HTTP-NATIVE N: http is ours, in 6 modules of Node; https will be\n' })
})

test('unregister puts core back', async () => {
  const child = new Child('ecosystem/unregistered.mjs')
  assert.deepEqual(await child.ended(), { code: 0, signal: null, stdout: 'all as before\n', stderr: '' })
})

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

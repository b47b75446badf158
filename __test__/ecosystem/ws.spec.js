'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { Child } = require('../child')
const { register } = require('./frameworks')

test('ws talks, server and client, under register as it does without', async () => {
  const runs = []
  for (const execArgv of [[], ['--require', register]]) runs.push(await new Child('ecosystem/ws.js', { execArgv }).ended())
  assert.match(runs[0].stdout, /close 1000 done\nclosed/)
  assert.deepEqual(runs[1], runs[0])
})

'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { REQUESTS, converse, sameUnderRegister } = require('./frameworks')

sameUnderRegister('express', 'ecosystem/express.js')

test('express answers behind a server of require(\'http-native\') as behind core\'s', async () => {
  const script = 'ecosystem/required/express.js'
  const expected = await converse(script, { module: 'core' }, REQUESTS)
  assert.equal(expected[0].status, 200)
  assert.deepEqual(await converse(script, { module: 'ours' }, REQUESTS), expected)
})

test('express answers behind a function, too, from the second request on', async () => {
  const script = 'ecosystem/required/express.js'
  const options = { args: ['wrapped'], isWarmedUp: true }
  const expected = await converse(script, { module: 'core', ...options }, REQUESTS)
  assert.deepEqual(await converse(script, { module: 'ours', ...options }, REQUESTS), expected)
})

'use strict'

/** What is left in the process, on either side, when exchanges of all kinds are over. `npm run soak` has the same for hours. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { setTimeout: sleep } = require('node:timers/promises')
const { Soaked } = require('../soak/soaked')

const VISITORS = 12

test('exchanges of all kinds, good and bad, leave no connection, no event and no descriptor', async () => {
  const ours = new Soaked('ours', VISITORS)
  let some
  do {
    await sleep(200)
    some = await ours.ask('sample')
  } while (Object.values(some.visits).includes(0) && some.failures.length === 0)
  const left = await ours.end()
  assert.deepEqual(ours.last.failures, [])
  assert.deepEqual(left, [])
})

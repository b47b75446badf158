'use strict'

/** The callback of a write comes when its bytes are taken, and not before: see State::take in src/net/state.rs. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { Child } = require('../child')

const RUNS = 8

async function output (script, module, args = []) {
  const { stdout, stderr } = await new Child(`taken/${script}.js`, { module, args, deadline: 60000 }).ended()
  return stdout + stderr
}

test('memory that is used again as soon as it may be arrives as it was', async () => {
  const lines = (await output('reused-buffers', 'ours')).trim().split('\n')
  assert.equal(lines.length, 48)
  assert.deepEqual(lines.filter((line) => !line.endsWith(': 0')), [])
})

for (const args of [['server'], ['client'], ['client', 'early']]) {
  test(`the callbacks of parts that a resetting peer never took come as with core: ${args.join(', ')}`, async () => {
    const ours = await output('lost-writes', 'ours', args)
    // Whether a read or a write meets the reset first is left to the kernel: core shows either.
    let core
    for (let run = 0; run < RUNS && core !== ours; run++) core = await output('lost-writes', 'core', args)
    assert.equal(ours, core)
  })
}

test('callbacks come once each, in order, and in the context of their part, as with core', async () => {
  assert.equal(await output('callbacks', 'ours'), await output('callbacks', 'core'))
})

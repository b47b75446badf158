'use strict'

/** Clocks that an application has replaced do not change the dates and timeouts of ours. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { Child } = require('../../child')

const REPLACED = ['Date without now', 'Date of 1970', 'Date.now', 'a Date that throws', 'performance.now', 'timers that never fire', 'the timers of node:test']

async function run (module, args) {
  const { code, stdout, stderr } = await new Child('lifecycle/clocks.js', { module, args }).ended()
  return { code, stdout, stderr: stderr.replaceAll(/\(node:\d+\) .*|\(Use .*/g, '') }
}

for (const what of REPLACED) {
  // Those of the module `timers` we take where core took them.
  for (const moment of what === 'the timers of node:test' ? ['after'] : ['before', 'after']) {
    test(`dates and times are Node's own, whatever the application put there ${moment} it loaded http: ${what}`, async () => {
      const core = await run('core', [what, moment])
      assert.equal(core.code, 0, core.stderr)
      assert.deepEqual(await run('ours', [what, moment]), core)
    })
  }
}

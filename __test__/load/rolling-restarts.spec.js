'use strict'

/**
 * Workers of a cluster are replaced under load: shutdown() loses no request. ROLLING_RESTARTS and ROLLING_CLIENTS ask for more
 * than the few of a quick run.
 */

const assert = require('node:assert/strict')
const path = require('node:path')
const { test } = require('node:test')
const { Child } = require('../child')

const { ROLLING_RESTARTS: restarts = '5', ROLLING_CLIENTS: clients = '40' } = process.env

for (const policy of ['rr', 'none']) {
  test(`workers are replaced under load, policy ${policy}`, async () => {
    const child = new Child('cluster/rolling.js', { args: [policy, restarts, clients], deadline: 20000 + Number(restarts) * 5000 })
    const { stdout, stderr } = await child.ended()
    assert.equal(stderr, '')
    assert.deepEqual(JSON.parse(stdout), { restarts: Number(restarts), cut: 0, failures: [], asked: true })
  })
}

test('workers that get SIGTERM under load give back what the primary has sent them meanwhile', async () => {
  const execArgv = ['-r', path.join(__dirname, '../../register.js')]
  const child = new Child('cluster/replaced.js', { args: [restarts], execArgv, env: { HTTP_NATIVE_SHUTDOWN: '5s' }, deadline: 30000 + Number(restarts) * 5000 })
  const { stdout, stderr } = await child.ended()
  assert.equal(stderr, '')
  assert.deepEqual(JSON.parse(stdout), { asked: true, others: [] })
})

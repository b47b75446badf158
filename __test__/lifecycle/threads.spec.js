'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { Child } = require('../child')

const TASKS = ['an unreferenced server', 'a server that was closed', 'a server that never listened', 'a client with a keep-alive agent',
  'a client of the global agent', 'a request that is never ended', 'a worker that is terminated', 'a worker that exits', 'a worker that throws',
  'a worker with requests under way', 'workers that come and go', 'exit with a worker that serves', 'exit at once', 'exit with requests under way']

async function end (module, task) {
  const child = new Child('lifecycle/quiet.js', { module, args: [task] })
  const { code, signal, stdout, stderr } = await child.ended()
  return { code, signal, stdout, stderr: stderr.replaceAll(/\(node:\d+\)/g, '(node)') }
}

for (const task of TASKS) {
  test(`a script comes to its end as with core: ${task}`, async () => {
    const core = await end('core', task)
    const ours = await end('ours', task)
    assert.deepEqual(ours, core)
  })
}

test('workers that are terminated while they load it end alone', async () => {
  const { code, signal, stdout, stderr } = await new Child('lifecycle/terminated-loading.js', { deadline: 60_000 }).ended()
  assert.deepEqual({ code, signal, stdout }, { code: 0, signal: null, stdout: 'all ended\n' }, stderr)
})

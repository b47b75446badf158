'use strict'

/** Ten thousand connections at a time: each is served, and what they took is given back. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { Child } = require('../child')

const CONNECTIONS = 10_000
/** What the process has open besides. */
const SPARE = 100
/** KiB. What an allocator keeps, and a garbage collector has not found yet. */
const SLACK = 16 * 1024

function reasonToSkip () {
  if (process.platform !== 'linux') return 'counts in /proc'
  const limit = spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).stdout.trim()
  return Number(limit) < CONNECTIONS + SPARE && `ulimit -n is ${limit}`
}

test('ten thousand connections are served, and give back descriptors and memory', { skip: reasonToSkip() }, async (t) => {
  const child = new Child('lifecycle/ten-thousand.js', { args: [String(CONNECTIONS)], execArgv: ['--expose-gc'], deadline: 120_000 })
  const { code, stdout, stderr } = await child.ended()
  assert.equal(code, 0, stderr)
  t.diagnostic(stdout.trim())
  const { idle, rounds: [first, second] } = JSON.parse(stdout)
  for (const [index, { open, closed }] of [first, second].entries()) {
    assert.equal(open.connections, CONNECTIONS)
    assert.equal(open.served, CONNECTIONS * (index + 1))
    assert.ok(closed.descriptors <= idle, stdout)
  }
  assert.ok(second.closed.size <= first.closed.size + SLACK, stdout)
  assert.ok(second.open.size <= first.open.size + SLACK, stdout)
})

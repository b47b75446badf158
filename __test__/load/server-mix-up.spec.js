'use strict'

/**
 * Thousands of requests of all kinds at once from peers on raw sockets (fixtures/mix-up): every answer belongs to its
 * request, every request object ends once, and connections and servers come to nothing. `ROUNDS=100 SEED=7 node --test
 * __test__/load/server-mix-up.spec.js` goes on for longer, from a seed that was printed.
 */

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spawnSync } = require('node:child_process')
const { Child } = require('../child')

const ROUNDS = Number(process.env.ROUNDS ?? 1)
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))

const hasTaskset = spawnSync('taskset', ['-c', '0', 'true']).status === 0

for (const threads of [1, 4]) {
  for (const cores of hasTaskset ? [2, 1] : [2]) {
    test(`every answer reaches the peer whose request it belongs to, with I/O threads: ${threads}, cores: ${cores}`, async (t) => {
      t.diagnostic(`SEED=${SEED}`)
      const child = new Child('mix-up/server.js', {
        env: { HTTP_NATIVE_IO_THREADS: String(threads), SEED: String(SEED), ROUNDS: String(ROUNDS) },
        launcher: cores === 1 ? ['taskset', '-c', '0'] : [],
        deadline: 30000 + ROUNDS * 10000
      })
      const { stdout, stderr } = await child.ended()
      assert.equal(stdout + stderr, 'right\n')
    })
  }
}

'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { Fuzzer } = require('./fuzzer')
const { report } = require('./report')

/** Another seed: FUZZ_SEED=7. The cases of a seed are the same everywhere. */
const seed = Number(process.env.FUZZ_SEED ?? 1)

/** As many cases as are played by then; the rest is for `npm run fuzz`. */
const LIMIT_MS = 25000
const COUNT = 120

for (const side of ['server', 'client']) {
  test(`random programs on the ${side}'s side do what they do with node:http`, async (t) => {
    const fuzzer = new Fuzzer({ sides: [side], seed, count: COUNT, until: Date.now() + LIMIT_MS, jobs: 2, shrinkMs: 0, each: 1, ignored: [] })
    const unknown = []
    fuzzer.on('found', ({ index, signature, program, found, known }) => {
      if (known === undefined) unknown.push(`${side} ${index}: ${signature}\n${report(found)}\n${JSON.stringify(program)}`)
    })
    const { played } = await fuzzer.run()
    t.diagnostic(`${played} cases of seed ${seed}`)
    assert.equal(unknown.join('\n\n'), '')
  })
}

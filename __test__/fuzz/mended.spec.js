'use strict'

/** Programs that the fuzzer found to differ from node:http, made small, and that no longer do. */

const { test, after } = require('node:test')
const assert = require('node:assert/strict')
const { Pair } = require('./pair')
const { examine } = require('./examine')
const { report } = require('./report')
const mended = require('./mended.json')

const pair = new Pair()
after(() => pair.stop())

for (const { title, program } of mended) {
  test(title, async () => {
    const found = await examine(pair, program)
    assert.ok(found.length === 0, report(found))
  })
}

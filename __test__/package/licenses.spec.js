'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const { file, render } = require('../../scripts/licenses')

test('THIRD-PARTY.md names what is linked into the binary', (t) => {
  if (spawnSync('cargo', ['--version']).status !== 0) return t.skip('there is no cargo')
  assert.equal(fs.readFileSync(file, 'utf8'), render(), 'npm run licenses writes it')
})

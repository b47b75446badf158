'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const path = require('node:path')
const { compare, isLoss, read } = require('../../benchmark/records')
const { parse } = require('../../benchmark/check')
const { SCENES } = require('../../benchmark/replay')

const folder = path.join(__dirname, '..', '..', 'benchmark')

test('a number that grew by more than a tenth is lost, by less it is kept, and one that shrank is won', () => {
  const rows = compare({ a: 100, b: 100, c: 100, d: 100 }, { a: 111, b: 110, c: 90, d: 89 })
  assert.deepEqual(rows.map(({ verdict }) => verdict), ['lost', 'kept', 'kept', 'won'])
  assert.deepEqual(rows.filter(isLoss).map(({ name, ratio }) => [name, ratio]), [['a', 1.11]])
})

test('what is measured for the first time is no loss, and what is not measured any more is one', () => {
  const rows = compare({ old: 1, kept: 1 }, { kept: 1, fresh: 1 })
  assert.deepEqual(rows.map(({ name, verdict }) => [name, verdict]), [['old', 'gone'], ['kept', 'kept'], ['fresh', 'new']])
  assert.deepEqual(rows.filter(isLoss).map(({ name }) => name), ['old'])
  assert.deepEqual(compare(undefined, { fresh: 1 }).filter(isLoss), [])
})

test('the command line says which parts are checked, and whether they are recorded', () => {
  assert.deepEqual(parse([]), { only: ['instructions', 'javascript'], isRecording: false, builds: true, helps: false })
  assert.deepEqual(parse(['--only', 'javascript', '--record', '--no-build']),
    { only: ['javascript'], isRecording: true, builds: false, helps: false })
  assert.throws(() => parse(['--only', 'rust']), /no part is called rust; there are: instructions javascript/)
  assert.throws(() => parse(['--fast']), /--fast/)
})

test('without valgrind the instructions are skipped with a message, and the check passes', () => {
  const { status, stdout } = spawnSync(process.execPath, [path.join(folder, 'check.js'), '--only', 'instructions'],
    { encoding: 'utf8', env: { ...process.env, PATH: '' } })
  assert.match(stdout, /^instructions: skipped, valgrind is not installed/)
  assert.equal(status, 0)
})

test('each scene that is recorded can be replayed', () => {
  const { javascript } = read()
  for (const ratios of Object.values(javascript)) assert.deepEqual(Object.keys(ratios), Object.keys(SCENES))
})

for (const name of Object.keys(SCENES)) {
  test(`${name} is replayed through lib/ without sockets`, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--single-threaded', path.join(folder, 'replay.js'), name, '640'],
      { encoding: 'utf8', timeout: 60_000 })
    assert.equal(status, 0, stderr)
    const { nanoseconds, yardstick } = JSON.parse(stdout)
    assert.ok(nanoseconds > 0 && yardstick > 0)
  })
}

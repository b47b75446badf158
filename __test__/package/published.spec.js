'use strict'

/** lib/ as it is published, in one file of which a part is compiled when it is needed, does what it does in the clone. */

const { before, after, test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Child, root } = require('../child')
const { layOutMain } = require('../../scripts/targets/packages')

const fixtures = path.join(root, '__test__', 'fixtures')

let folder
let register

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'http-native-published-'))
  const published = await layOutMain(folder)
  fs.cpSync(path.join(root, 'native'), path.join(published, 'native'), { recursive: true })
  register = path.join(published, 'register.js')
})

after(() => fs.rmSync(folder, { recursive: true, force: true }))

async function run (script, execArgv) {
  const { code, stdout, stderr } = await new Child(script, { execArgv }).ended()
  return { code, stdout, stderr }
}

test('what serves is compiled with the first listener', async () => {
  assert.deepEqual(await run('package/late.js', ['--require', register]), {
    code: 0,
    stdout: 'at the start: false\ntext\nbehind an exchange: true\n',
    stderr: ''
  })
})

test('an exception that nobody catches shows a short line of the file', async () => {
  const { code, stderr } = await run('package/uncaught.js', ['--require', register])
  assert.notEqual(code, 0)
  assert.match(stderr, /^\S+http-native\.js:\d+\n.+\n\s*\^\n\nError: connect ECONNREFUSED/m)
  assert.ok(Math.max(...stderr.split('\n').map((line) => line.length)) < 250, stderr)
})

for (const [order, preloaded] of Object.entries({ 'before it': (tracer) => [tracer, register], 'behind it': (tracer) => [register, tracer] })) {
  test(`a tracer that is loaded ${order} sees what the application requires, and nothing of ours but register`, async () => {
    const tracer = path.join(fixtures, 'package', 'requires.js')
    const { code, stdout, stderr } = await run('package/late.js', preloaded(tracer).flatMap((file) => ['--require', file]))
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    // The first thing that register requires.
    assert.match(stdout, order === 'before it' ? /^required: node:module,http,inspector$/m : /^required: http,inspector$/m)
  })
}

for (const [what, script, earlier] of [
  ['https and http2 have the classes of http', 'https/classes.js', []],
  ['https is served, and requests are made over it', 'https/reads.js', []],
  ['stacks name the class of what emits', 'package/emitters.js', []],
  ['what was held before register constructs ours', 'earlier/app.js', ['--require', path.join(fixtures, 'earlier', 'hold.js')]],
  ['connections of a patched net are left to it', 'apm/app.js', ['--require', path.join(fixtures, 'apm', 'net.js')]],
  ['a tracer that came before sees everything', 'apm/app.js', ['--require', path.join(fixtures, 'apm', 'eager.js')]]
]) {
  test(`as it is published, ${what}`, async () => {
    const expected = await run(script, earlier)
    assert.equal(expected.code, 0, expected.stderr)
    assert.deepEqual(await run(script, [...earlier, '--require', register]), expected)
  })
}

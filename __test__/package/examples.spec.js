'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const path = require('node:path')

const root = path.join(__dirname, '..', '..')

for (const program of ['scripts/start.js', 'examples/app.js', 'examples/hello.js', 'examples/proxy.js']) {
  test(`${program} says what is wrong with a port that is none`, () => {
    for (const port of ['70000', 'abc', '-1', '80.5']) {
      const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(root, program)], { env: { ...process.env, PORT: port }, encoding: 'utf8' })
      assert.deepEqual({ status, stdout, stderr }, { status: 1, stdout: '', stderr: `PORT must be a number from 0 to 65535, and is "${port}".\n` })
    }
  })
}

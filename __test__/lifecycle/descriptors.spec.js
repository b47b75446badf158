'use strict'

/** Descriptors and threads: what is taken is given back, and a process that has none left still serves the connections that have one. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { Child } = require('../child')

const linux = process.platform !== 'linux' && 'counts in /proc'

const ENDS = ['by themselves', 'under load', 'while a socket is lent']
const WORKERS = 200

for (const how of ENDS) {
  test(`workers that end ${how} give back what they took`, { skip: linux }, async () => {
    const child = new Child('lifecycle/workers.js', { args: [how, String(WORKERS)], deadline: 120_000 })
    const { code, stdout, stderr } = await child.ended()
    assert.equal(code, 0, stderr)
    const { before, after } = JSON.parse(stdout)
    assert.ok(after.descriptors <= before.descriptors && after.threads <= before.threads, stdout)
  })
}

const SCENES = [
  'more clients than descriptors',
  'a large answer on a busy connection when there is no descriptor left',
  'a client that comes when there is a descriptor again'
]

async function play (module, scene) {
  const { code, stdout, stderr } = await new Child('lifecycle/few-descriptors.js', { module, args: [scene] }).ended()
  return { code, stdout, stderr }
}

for (const scene of SCENES) {
  test(`few descriptors are as with core: ${scene}`, { skip: process.platform === 'win32' }, async () => {
    const core = await play('core', scene)
    assert.equal(core.code, 0, core.stderr)
    assert.deepEqual(await play('ours', scene), core)
  })
}

test('a request whose connection cannot be taken over for want of a descriptor ends with an error', async () => {
  const { code, stdout, stderr } = await new Child('lifecycle/not-carried.js').ended()
  assert.deepEqual({ code, stdout }, { code: 0, stdout: 'EMFILE\nEMFILE\n200\n' }, stderr)
})

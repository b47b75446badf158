'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { Child } = require('../child')

const [major] = process.versions.node.split('.').map(Number)

const SCENES = ['a server sent to a child', 'a handle sent to a child', 'connections sent to a child', 'a server in each thread',
  'threads that share a port', 'a port that another thread has', 'a server that moves to a thread']

const SKIPPED = { 'threads that share a port': major < 22 && 'this Node has no reusePort' }

async function tell (module, scene) {
  const child = new Child('lifecycle/sharing.js', { module, args: [scene] })
  const { code, signal, stdout, stderr } = await child.ended()
  return { code, signal, stdout, stderr: stderr.replaceAll(/^\(.*\n/gm, '') }
}

for (const scene of SCENES) {
  test(`as with core: ${scene}`, { skip: SKIPPED[scene] || false }, async () => {
    const core = await tell('core', scene)
    assert.equal(core.code, 0)
    assert.equal(core.stderr, '')
    assert.deepEqual(await tell('ours', scene), core)
  })
}

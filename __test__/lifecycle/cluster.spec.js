'use strict'

/** Servers in the workers of a cluster, under both policies: the story of each scene is core's. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { Child } = require('../child')

const [major] = process.versions.node.split('.').map(Number)

const SCENES = ['port 0', 'host', 'IPv6 only', 'path', 'exclusive', 'reusePort', 'address in use', 'the same port for all',
  'keep-alive, bodies and upgrades', 'a worker disconnects', 'a worker that is slow disconnects',
  'a worker that is slow is told to disconnect by a request', 'a worker is killed', 'a worker closes its server', 'a worker closes and disconnects',
  'a worker listens again', 'an unreferenced server', 'maxConnections', 'dropMaxConnection', 'timeouts', 'pauseOnConnect', 'contexts', 'descriptors', 'descriptor']

const SKIPPED = {
  'a worker that is slow is told to disconnect by a request': major >= 26 && 'core closes those connections that it has not read from yet',
  reusePort: major < 22 && 'this Node has no reusePort',
  dropMaxConnection: major < 22 && 'this Node has no dropMaxConnection',
  descriptors: process.platform !== 'linux' && 'there is no /proc'
}

async function tell (module, scene, policy) {
  const child = new Child('cluster/serve.js', { module, args: [scene, policy], deadline: 15000 })
  const { code, signal, stdout, stderr } = await child.ended()
  assert.equal(stderr.replaceAll(/^\(.*\n/gm, ''), '')
  assert.deepEqual([code, signal], [0, null])
  return JSON.parse(stdout)
}

for (const policy of ['rr', 'none']) {
  for (const scene of SCENES) {
    test(`a cluster, policy ${policy}: ${scene}`, { skip: SKIPPED[scene] || false }, async () => {
      assert.deepEqual(await tell('ours', scene, policy), await tell('core', scene, policy))
    })
  }
}

for (const policy of ['rr', 'none']) {
  for (const scene of ['carriers', 'carriers of a path']) {
    test(`a cluster, policy ${policy}: I/O threads carry the connections, not streams (${scene})`, async () => {
      const { client } = await tell('ours', scene, policy)
      assert.deepEqual(client, Array(3).fill(['an I/O thread']))
    })
  }
}

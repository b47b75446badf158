'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const os = require('node:os')
const path = require('node:path')
const { Child } = require('../child')

const [major] = process.versions.node.split('.').map(Number)

/** What gives a process everything but the network; before Node 25 that cannot be withheld. */
const ALL = ['--permission', '--allow-addons', '--allow-worker', '--allow-fs-read=*', '--allow-fs-write=*', '--no-warnings']

async function ways (module, execArgv) {
  const socket = path.join(os.tmpdir(), `permission-${process.pid}.sock`)
  const child = new Child('lifecycle/permission.js', { module, args: [socket], execArgv })
  return child.ended()
}

const skip = major < 24 && 'addons are not allowed under the permission model of this Node'

test('under the permission model we open the sockets that core opens, and no others', { skip }, async () => {
  for (const execArgv of major < 25 ? [ALL] : [ALL, [...ALL, '--allow-net']]) {
    const core = await ways('core', execArgv)
    const ours = await ways('ours', execArgv)
    assert.equal(core.stderr, 'core\n')
    assert.equal(ours.stderr, 'ours\n')
    assert.equal(core.code, 0)
    assert.equal(ours.stdout, core.stdout)
    assert.equal(ours.stdout.includes('ERR_ACCESS_DENIED'), major >= 25 && execArgv === ALL)
  }
})

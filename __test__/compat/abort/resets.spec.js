'use strict'

/** A peer has reset the connection, and JavaScript has not heard of it yet. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Child } = require('../../child')

async function play (module, where) {
  const { stdout, stderr } = await new Child('ends/unheard.js', { module, args: [where] }).ended()
  return stdout + stderr
}

test('a TCP socket that was reset, of which nothing is known yet, can be reset as in core', async () => {
  assert.equal(await play('ours', 'tcp'), await play('core', 'tcp'))
})

test('a Unix socket that was reset, of which nothing is known yet, cannot be reset, as in core', { skip: process.platform === 'win32' }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'unheard-'))
  try {
    assert.equal(await play('ours', path.join(folder, 'ours')), await play('core', path.join(folder, 'core')))
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})

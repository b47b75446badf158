'use strict'

/** Packages that build on http, each at its work: they say under register what they say without. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { Child } = require('../child')
const { register } = require('./frameworks')

const folder = path.join(__dirname, '..', 'fixtures', 'ecosystem', 'clients')

for (const file of fs.readdirSync(folder).filter((file) => file !== 'origin.js')) {
  test(`${path.parse(file).name.replace(/^@(\w+)-/, '@$1/')} does under register what it does without`, async () => {
    const runs = []
    for (const execArgv of [[], ['--require', register]]) {
      const { stderr, ...ended } = await new Child(`ecosystem/clients/${file}`, { execArgv, deadline: 20000 }).ended()
      runs.push({ ...ended, stderr: stderr.replaceAll(/\(node:\d+\)/g, '(node)') })
    }
    assert.match(runs[0].stdout, /\ndone\n$/, runs[0].stderr)
    assert.deepEqual(runs[1], runs[0])
  })
}

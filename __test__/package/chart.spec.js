'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { draw } = require('../../benchmark/chart')
const { scenarios } = require('../../benchmark/scenarios')

/** Pixels of a character of 12 px in a wide font (Verdana), on average. */
const CHARACTER = 7.1

test('the chart shows the names of all scenarios whole', () => {
  const results = scenarios.map(({ title }) => ({ title, ratios: { native: { rps: 2, cpu: 0.5 } } }))
  const chart = draw({ machine: 'a machine', node: '24.0.0', generator: 'a generator', rounds: 1, seconds: 1, date: '2026-01-01', results })
  const lines = [...chart.matchAll(/<text class="label" x="(\d+)" y="[^"]*">([^<]*)</g)].map(([, x, text]) => ({ x: Number(x), text }))
  assert.equal(lines.map(({ text }) => text).join(' '), scenarios.map(({ title }) => title).join(' '))
  for (const { x, text } of lines) assert.ok(text.length * CHARACTER <= x, `"${text}" begins outside`)
})

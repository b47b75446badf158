'use strict'

const assert = require('node:assert')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const native = require('../../lib/addon')

const text = fs.readFileSync(path.join(__dirname, '../../docs/BOUNDARY.md'), 'utf8')

/** What stands between two texts. */
function between (start, end) {
  const from = text.indexOf(start)
  assert.notStrictEqual(from, -1, `docs/BOUNDARY.md has ${start}`)
  return text.slice(from, text.indexOf(end, from + start.length))
}

/** The names of a text that stand before a number, as in `NAME 8` or NAME 8. */
function numbersIn (part) {
  return Object.fromEntries(Array.from(part.matchAll(/`([A-Z][A-Z0-9_]+) (-?\d+)`/g), ([, name, number]) => [name, Number(number)]))
}

function rowOf (kind) {
  return between(`| ${native.EVENTS[kind]} | ${kind} |`, '\n')
}

test('the table of events has the kinds of the addon', () => {
  const rows = Array.from(text.matchAll(/^\| (\d+) \| ([A-Z_]+) \|/gm), ([, number, name]) => [name, Number(number)])
  assert.deepStrictEqual(Object.fromEntries(rows), native.EVENTS)
})

test('the flags of heads and of send are those of the addon', () => {
  assert.deepStrictEqual(numbersIn(between('Head flags:', '\n\n')), native.HEAD_FLAGS)
  assert.deepStrictEqual(numbersIn(between('`send(id, flags', '\n\nConnections:')), native.SEND_FLAGS)
})

test('the numbers in the rows of events are those of the addon', () => {
  assert.deepStrictEqual(numbersIn(rowOf('DATA')), native.DATA_PARTS)
  assert.deepStrictEqual(numbersIn(rowOf('END')), native.END_FLAGS)
  assert.deepStrictEqual(numbersIn(rowOf('CLOSED')), native.SYSCALLS)
  assert.deepStrictEqual(numbersIn(rowOf('EXPIRED')), native.DEADLINES)
})

test('the numbers of a configuration are those of the addon', () => {
  assert.deepStrictEqual(numbersIn(between('## The configuration of a parser', '\n## ')), { ...native.SURPLUS, ...native.LENIENCY, ...native.HARDENING })
})

test('the numbers of the stats are those of the addon', () => {
  assert.deepStrictEqual(numbersIn(between('## Stats', '\n## ')), { ...native.BLOCKS, ...native.CLOSES })
})

test('the layout of records and the limits are those of the addon', () => {
  assert.deepStrictEqual(numbersIn(between('encodes up to', '\n\n')), native.RECORDS)
  assert.deepStrictEqual(numbersIn(between('## Limits', '\n## ')), native.LIMITS)
})

test('the rows of docs/HARDENING.md are those of the addon', () => {
  const page = fs.readFileSync(path.join(__dirname, '../../docs/HARDENING.md'), 'utf8')
  const rows = Array.from(page.matchAll(/^\| `([a-z0-9.-]+)` \| .* \| (RFC [\d. ]+) \| .* \| ([^|]+) \|$/gm), ([, name, section, strict]) => [name, section, /^\d+$/.test(strict) ? strict : '0'])
  const known = native.HARDENING_ROWS.map(([name, status, section]) => [name, section, status])
  assert.deepStrictEqual(rows, known)
})

test('every call of the addon is described', () => {
  const calls = Object.keys(native).filter((name) => typeof native[name] === 'function')
  assert.ok(calls.length > 40)
  const missing = calls.filter((name) => !new RegExp(`\`${name}[(\`]`).test(text))
  assert.deepStrictEqual(missing, [])
})

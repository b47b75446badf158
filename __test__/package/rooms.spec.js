'use strict'

/** The modules of lib/ require downwards only: no circle, and no room a room above it (ARCHITECTURE.md). */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')

const LIB = path.join(__dirname, '..', '..', 'lib')

/** Each room may require those before it; but the client not the server. */
const ROOMS = ['host', 'addon-failure', 'addon-file', 'addon', 'fallback', 'binding', 'core', 'stats', 'connection', 'message', 'server', 'client', 'register']

const nameOf = (file) => path.relative(LIB, file).split(path.sep).join('/').replace(/\.js$/, '')

/** Module -> the modules of lib/ that it requires, wherever in its text. */
function graph () {
  const files = fs.readdirSync(LIB, { recursive: true }).filter((name) => name.endsWith('.js')).map((name) => path.join(LIB, name))
  return new Map(files.map((file) => {
    const text = fs.readFileSync(file, 'utf8')
    const targets = [...text.matchAll(/require\('(\.[^']+)'\)/g)].map(([, target]) => path.resolve(path.dirname(file), target))
    const within = targets.filter((target) => target.startsWith(LIB + path.sep))
    return [nameOf(file), within.map((target) => nameOf(fs.existsSync(`${target}.js`) ? target : path.join(target, 'index')))]
  }))
}

/** A path of modules that comes back to its beginning, or undefined. */
function circle (modules) {
  const done = new Set()
  const visit = (name, above) => {
    if (above.includes(name)) return [...above.slice(above.indexOf(name)), name]
    if (done.has(name)) return undefined
    for (const target of modules.get(name)) {
      const found = visit(target, [...above, name])
      if (found !== undefined) return found
    }
    done.add(name)
    return undefined
  }
  for (const name of modules.keys()) {
    const found = visit(name, [])
    if (found !== undefined) return found
  }
  return undefined
}

test('all modules that lib/ requires are there', () => {
  const modules = graph()
  for (const [name, targets] of modules) {
    for (const target of targets) assert.ok(modules.has(target), `${name} requires ${target}`)
  }
  assert.ok(modules.size > 20)
})

test('no module of lib/ requires itself, by however many others', () => {
  assert.equal(circle(graph())?.join(' -> '), undefined)
  assert.deepEqual(circle(new Map([['a', ['b']], ['b', ['c']], ['c', ['b']]])), ['b', 'c', 'b'])
})

test('no room of lib/ requires a room above it, nor the client the server', () => {
  const roomOf = (name) => name.split('/')[0]
  for (const [name, targets] of graph()) {
    for (const target of targets) {
      const [from, to] = [ROOMS.indexOf(roomOf(name)), ROOMS.indexOf(roomOf(target))]
      assert.ok(from !== -1 && to !== -1, `${name} or ${target} is in no known room`)
      assert.ok(to <= from && !(roomOf(name) === 'client' && roomOf(target) === 'server'), `${name} requires ${target}`)
    }
  }
})

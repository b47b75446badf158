'use strict'

/** What register adds to the start of a process, as the package is published, beside what Node needs for its own http. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { layOutMain } = require('../../scripts/targets/packages')

const root = path.join(__dirname, '..', '..')

/** Of the processor time that Node itself needs with http: a busy machine makes both longer. */
const SHARE = 0.75

/** MiB of the process's own; and with the pages of files, Node's own among them, which processes share. */
const [OWN_MEMORY, MEMORY] = [4, 10]

const ROUNDS = 21

/** In the process itself, when everything is loaded: milliseconds of processor time, and bytes (its own are known on Linux only). */
const REPORT = `require('http')
const { user, system } = process.cpuUsage()
const { rss } = process.memoryUsage()
const own = process.platform === 'linux' ? /Anonymous: +(\\d+)/.exec(require('fs').readFileSync('/proc/self/smaps_rollup'))[1] * 1024 : 0
console.log(JSON.stringify([(user + system) / 1000, rss, own]))`

function start (...options) {
  const { stdout, stderr } = spawnSync(process.execPath, [...options, '-e', REPORT], { encoding: 'utf8' })
  assert.equal(stderr, '')
  return JSON.parse(stdout)
}

test('register adds little to the start of a process', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'http-native-start-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  const published = await layOutMain(folder)
  fs.cpSync(path.join(root, 'native'), path.join(published, 'native'), { recursive: true })
  const register = path.join(published, 'register.js')
  const rounds = Array.from({ length: ROUNDS }, () => [start(), start('--require', register)])
  // What disturbs only adds.
  const least = (side, what) => Math.min(...rounds.map((round) => round[side][what]))
  const time = least(1, 0) - least(0, 0)
  const [memory, own] = [1, 2].map((what) => (least(1, what) - least(0, what)) / 1024 ** 2)
  t.diagnostic(`core ${least(0, 0).toFixed(1)} ms; register ${time.toFixed(1)} ms and ${memory.toFixed(1)} MiB more, ${own.toFixed(1)} of them its own`)
  assert.ok(time <= SHARE * least(0, 0), `${time} ms beside ${least(0, 0)} ms`)
  assert.ok(memory <= MEMORY, `${memory} MiB`)
  assert.ok(own <= OWN_MEMORY, `${own} MiB of its own`)
})

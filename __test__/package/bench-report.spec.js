'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { execFileSync, spawnSync } = require('node:child_process')
const path = require('node:path')
const implementations = require('../../benchmark/implementations')
const peers = require('../../benchmark/peers')
const report = require('../../benchmark/report')
const { scenarios } = require('../../benchmark/scenarios')
const usage = require('../../benchmark/usage')

const program = path.join(__dirname, '..', '..', 'benchmark', 'index.js')

const header = { date: '2026-01-01', machine: 'a machine', node: '24.0.0', generator: 'a generator', baseline: 'core', rounds: 1, seconds: 1 }

/** A result of which core serves 100 requests per second and we serve so many. */
function served (title, rps) {
  const numbers = { p50: 1, p99: 2, cpu: 10, js: 5, peak: 1e6 }
  return {
    name: title,
    title,
    medians: { core: { rps: 100, ...numbers, idle: 0.25 }, native: { rps, ...numbers, idle: 0.5 } },
    ratios: { native: { rps: rps / 100, p50: 1, p99: 1, cpu: 1, js: 1, peak: 1, idle: 2 } },
    errors: 0
  }
}

test('a row below core is printed as such, on the terminal and for README.md', () => {
  const outcome = { ...header, results: [served('slow', 98), served('fast', 102), served('level', 100)] }
  const below = report.terminal(outcome).split('\n').filter((line) => line.includes('BELOW'))
  assert.deepEqual(below, ['slow: native is BELOW core, 0.98× of its requests per second'])
  const rows = report.markdown(outcome).split('\n').filter((line) => /below core\*\*/.test(line))
  assert.equal(rows.length, 1)
  assert.match(rows[0], /^\| slow: \*\*below core\*\* \|/)
})

test('each row shows how much of the machine idled', () => {
  const outcome = { ...header, results: [served('a', 200)] }
  const [titles, core, native] = report.terminal(outcome).split('\n')
  assert.match(titles, /idle %$/)
  assert.match(core, / 25$/)
  assert.match(native, / 50$/)
  assert.match(report.markdown(outcome), /\| 25 → 50 \|$/m)
})

test('a row that nobody finished a request of has no ratio, and is not below', () => {
  const outcome = { ...header, results: [served('none', NaN)] }
  assert.doesNotMatch(report.terminal(outcome), /BELOW|NaN/)
})

test('the time and memory of a start are told in lines of their own', () => {
  const medians = { core: { wall: 50, processor: 40, resident: 50e6 }, native: { wall: 60, processor: 52, resident: 55e6 } }
  const result = { name: 'start', title: 'start', medians, ratios: { native: { wall: 1.2, processor: 1.3, resident: 1.1 } }, errors: 0 }
  const text = report.terminal({ ...header, results: [result] })
  assert.match(text, /^start, resident memory then, native: 55\.0 MB \(1\.10× core\)$/m)
  assert.match(report.markdown({ ...header, results: [result] }), /50 ms in core, 60 here; 50 MB resident, 55 here/)
})

test('the idle share of the machine is between none and all', async () => {
  const idle = usage.idle()
  const end = Date.now() + 50
  while (Date.now() < end);
  const share = idle()
  assert.ok(Number.isNaN(share) || (share >= 0 && share <= 1), `${share}`)
})

test('a peer is started with its own program, and ours with the node that was asked for', () => {
  assert.deepEqual(peers.start(undefined, '/a/node'), { execPath: '/a/node', execArgv: ['--expose-gc'] })
  for (const name of ['bun', 'deno']) {
    const { execPath } = peers.start(implementations[name].runtime, '/a/node')
    assert.match(execPath, new RegExp(`http-native-peers.*${name}`))
  }
})

test('the help names each option and each scenario, and unknown ones are refused', () => {
  const text = execFileSync(process.execPath, [program, '--help'], { encoding: 'utf8' })
  for (const { name } of scenarios) assert.match(text, new RegExp(` ${name}\\b`))
  assert.match(text, /--peers/)
  for (const args of [['--only', 'nothing'], ['--against', 'nobody'], ['--rounds', '0'], ['--fast']]) {
    const { status, stderr } = spawnSync(process.execPath, [program, '--no-build', ...args], { encoding: 'utf8' })
    assert.equal(status, 1, args.join(' '))
    assert.match(stderr, /no scenario is called nothing|no implementation is called nobody|--rounds must be|--fast/)
  }
})

'use strict'

/**
 * npm run bench:check: replays recorded exchanges, and fails if one costs over 10 % more than what is recorded in records.json.
 *
 * The Rust part is counted in instructions (replay/main.rs under callgrind): the same binary gives the same count. JavaScript's
 * part (replay.js) is processor time, as a ratio to the time of fixed work measured in turns with it.
 */

const { execFileSync, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const records = require('./records')
const { SCENES } = require('./replay')

const root = path.join(__dirname, '..')

const help = `usage: npm run bench:check -- [options]

  --only PART   instructions (the Rust part; needs valgrind and cargo) or javascript
  --record      write what is measured into benchmark/records.json instead of comparing
  --no-build    take the binaries as they are

Less is better. What costs over ${records.TOLERANCE * 100} % more than recorded ends it with status 1.`

/** Exchanges that callgrind counts. */
const COUNT = 300

/** Processes that measure a scene of JavaScript's, of which the best counts; and how many more are started before it is called a loss. */
const PROCESSES = 3
const MORE = 4

function has (program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0
}

/** Instructions of one exchange. */
function count (binary, name, folder) {
  const out = path.join(folder, 'callgrind.out')
  const { status, stderr } = spawnSync('valgrind', ['--tool=callgrind', '--toggle-collect=replay::measured',
    `--callgrind-out-file=${out}`, binary, name, String(COUNT)], { encoding: 'utf8', timeout: 120_000 })
  const total = status === 0 ? /^(?:summary|totals): (\d+)/m.exec(fs.readFileSync(out, 'latin1')) : null
  if (total === null || total[1] === '0') throw new Error(`valgrind counted nothing of "${name}"\n${stderr}`)
  return Math.round(Number(total[1]) / COUNT)
}

/** @returns {Record<string, number>|null} null, with a message, if it cannot be had here */
function countInstructions (builds) {
  for (const program of ['valgrind', 'cargo']) {
    if (has(program)) continue
    console.log(`instructions: skipped, ${program} is not installed${program === 'valgrind' ? ' (Debian: apt-get install valgrind)' : ''}`)
    return null
  }
  const profile = ['--quiet', '--profile', 'counted', '--example', 'replay']
  if (builds) execFileSync('cargo', ['build', ...profile], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  const { target_directory: target } = JSON.parse(execFileSync('cargo', ['metadata', '--format-version', '1', '--no-deps'], { cwd: root, encoding: 'utf8' }))
  const binary = path.join(target, 'counted', 'examples', 'replay')
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'http-native-'))
  try {
    const names = execFileSync(binary, { encoding: 'utf8' }).trim().split('\n')
    return Object.fromEntries(names.map((name) => [name, count(binary, name, folder)]))
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

/** One process's measurement of a scene. V8 works on its thread alone, so that all of its work is counted. */
function replay (name) {
  const out = execFileSync(process.execPath, ['--single-threaded', path.join(__dirname, 'replay.js'), name], { encoding: 'utf8', timeout: 60_000 })
  return JSON.parse(out)
}

/**
 * Ratios by scene, and nanoseconds for people. The least times of all processes make the ratio: V8 does not compile the same
 * program equally well each time, the yardstick included.
 */
function measureJavaScript (recorded) {
  const nanoseconds = {}
  let yardstick = Infinity
  const ratios = () => Object.fromEntries(Object.entries(nanoseconds).map(([name, time]) => [name, Number((time / yardstick).toFixed(2))]))
  const measure = (name) => {
    const once = replay(name)
    nanoseconds[name] = Math.min(once.nanoseconds, nanoseconds[name] ?? Infinity)
    yardstick = Math.min(once.yardstick, yardstick)
  }
  for (let i = 0; i < PROCESSES; i++) Object.keys(SCENES).forEach(measure)
  for (let i = 0; i < MORE; i++) {
    const lost = records.compare(recorded, ratios()).filter(({ verdict }) => verdict === 'lost')
    for (const { name } of lost) measure(name)
  }
  return { ratios: ratios(), nanoseconds }
}

function show (rows, unit, notes = {}) {
  for (const { name, recorded, measured, ratio, verdict } of rows) {
    const change = ratio === undefined ? verdict : `${ratio.toFixed(3)} × ${recorded}${verdict === 'kept' ? '' : `, ${verdict}`}`
    console.log(`  ${name.padEnd(28)} ${String(measured ?? '–').padStart(8)} ${unit}  ${change}${notes[name] === undefined ? '' : `  (${notes[name]} ns)`}`)
  }
}

/** The parts of the check, each: measures, shows, and gives the rows and what would be recorded. */
const parts = {
  instructions (all, { builds }) {
    const measured = countInstructions(builds)
    if (measured === null) return { rows: [], record: all.instructions }
    const rustc = execFileSync('rustc', ['--version'], { encoding: 'utf8' }).split(' ')[1]
    const recorded = all.instructions
    console.log(`instructions of an exchange, rustc ${rustc}${recorded && recorded.rustc !== rustc ? `; recorded with ${recorded.rustc}` : ''}`)
    const rows = records.compare(recorded?.counts, measured)
    show(rows, 'instructions')
    return { rows, record: { rustc, counts: measured } }
  },
  javascript (all, { builds, isRecording }) {
    if (builds) require('../scripts/prepare').buildRelease()
    const line = process.versions.node.split('.')[0]
    const recorded = all.javascript?.[line]
    if (recorded === undefined && !isRecording) {
      console.log(`javascript: skipped, nothing is recorded for Node ${line} (--record)`)
      return { rows: [], record: all.javascript }
    }
    console.log(`JavaScript's time for an exchange, as a ratio to that of fixed work, Node ${process.versions.node}`)
    const { ratios, nanoseconds } = measureJavaScript(isRecording ? undefined : recorded)
    const rows = records.compare(recorded, ratios)
    show(rows, 'yardsticks', nanoseconds)
    return { rows, record: { ...all.javascript, [line]: ratios } }
  }
}

/** @returns {{ only: string[], isRecording: boolean, builds: boolean, helps: boolean }} */
function parse (args) {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string' },
      record: { type: 'boolean', default: false },
      'no-build': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  const only = values.only?.split(',') ?? Object.keys(parts)
  for (const name of only) {
    if (!Object.hasOwn(parts, name)) throw new Error(`no part is called ${name}; there are: ${Object.keys(parts).join(' ')}`)
  }
  return { only, isRecording: values.record, builds: !values['no-build'], helps: values.help }
}

function main () {
  const options = parse(process.argv.slice(2))
  if (options.helps) return console.log(help)
  const all = records.read()
  const lost = []
  for (const name of options.only) {
    const { rows, record } = parts[name](all, options)
    if (record !== undefined) all[name] = record
    lost.push(...rows.filter(records.isLoss))
  }
  if (options.isRecording) {
    records.write(all)
    console.log('recorded in benchmark/records.json')
  } else if (lost.length > 0) {
    console.log(`\nworse than recorded: ${lost.map(({ name }) => name).join('; ')}`)
    process.exitCode = 1
  }
}

if (require.main === module) {
  try {
    main()
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}

module.exports = { parse }

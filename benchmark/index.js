'use strict'

/**
 * npm run bench: the same scripts on core's http and on ours, in turns, and what each cost.
 * docs: `npm run bench -- --help`. Everything it starts listens on 127.0.0.1 and ends with it.
 */

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const chart = require('./chart')
const implementations = require('./implementations')
const load = require('./load')
const measure = require('./measure')
const peers = require('./peers')
const report = require('./report')
const { scenarios } = require('./scenarios')
const { median } = require('./statistics')

const root = path.join(__dirname, '..')

const help = `usage: npm run bench -- [options]

  --rounds N        rounds, each with a turn for every implementation (5)
  --seconds S       whole seconds measured in a turn (4)
  --warm-up S       whole seconds of load before that (2)
  --only a,b        only these scenarios: ${scenarios.map(({ name }) => name).join(' ')}
  --connections a,b with so many connections instead of a scenario's own: the sweep is 1,2,3,4,5,6,8,12,16,32,64,256,512
  --against a,b     implementations, the first is the baseline (core,native,undici,bare);
                    undici is a client only, bare a Rust program that does no HTTP, guarded ours with limits and strict hardening
  --peers           node:http of Bun and Deno beside them, from npm, which puts them into a temporary folder
                    (only for Linux on x64); frameworks are left out there
  --node FILE       the node to run servers and clients with (this one)
  --json FILE       write everything measured there
  --from FILE       measure nothing, report what --json wrote
  --chart           draw docs/benchmark.svg
  --readme          put the table into README.md
  --no-build        do not build the native part first`

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    'warm-up': { type: 'string', default: '2' },
    only: { type: 'string' },
    connections: { type: 'string' },
    against: { type: 'string', default: 'core,native,undici,bare' },
    peers: { type: 'boolean', default: false },
    node: { type: 'string', default: process.execPath },
    json: { type: 'string' },
    from: { type: 'string' },
    chart: { type: 'boolean', default: false },
    readme: { type: 'boolean', default: false },
    'no-build': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
})

function fail (text) {
  console.error(text)
  process.exit(1)
}

/** Names out of a,b,c that must all be known. */
function choose (text, known, what) {
  const names = text.split(',')
  for (const name of names) {
    if (!known.includes(name)) fail(`no ${what} is called ${name}; there are: ${known.join(' ')}`)
  }
  return names
}

function positive (name, text = options[name]) {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) fail(`--${name} must be a whole number above 0`)
  return value
}

/** The scenarios, each with the numbers of connections that were asked for. */
function swept (chosen) {
  if (options.connections === undefined) return chosen
  const counts = options.connections.split(',').map((count) => positive('connections', count))
  return chosen.flatMap((scenario) => counts.map((connections) => ({
    ...scenario,
    title: `${scenario.title.replace(/, \d+ connections?$/, '')}, ${connections} connection${connections === 1 ? '' : 's'}`,
    load: { ...scenario.load, connections }
  })))
}

/** A progress line that is overwritten on a terminal, and none elsewhere. */
function progress (text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

function values (rounds, key) {
  return median(rounds.map((round) => round[key] ?? NaN))
}

/** Those of the implementations that can play a part in a scenario. */
function thatServe (names, { kind, framework, isBare, isSecure }) {
  return names.filter((name) => {
    const { http, client, bare, runtime } = implementations[name]
    if (bare) return isBare
    // What is registered there as http is core's only: of frameworks they would be told nothing.
    if (runtime !== undefined && framework !== undefined && !isSecure) return false
    return (kind === 'client' ? client : http) !== undefined
  })
}

/** Medians of every number, and the medians of the rounds' own ratios: a slow minute hits both sides of a ratio. */
function summarise (scenario, rounds, names) {
  const [baseline, ...others] = names
  const keys = Object.keys(rounds[0][baseline]).filter((key) => key !== 'errors')
  const each = (list, value) => Object.fromEntries(list.map((name) => [name, value(name)]))
  return {
    name: scenario.name,
    title: scenario.title,
    medians: each(names, (name) => each(keys, (key) => values(rounds.map((round) => round[name]), key))),
    ratios: each(others, (name) => each(keys, (key) =>
      median(rounds.map((round) => round[name][key] / round[baseline][key])))),
    errors: rounds.flatMap((round) => names.map((name) => round[name].errors)).reduce((sum, n) => sum + n, 0),
    rounds
  }
}

async function measureAll (chosen, names, settings) {
  const results = []
  const turns = chosen.reduce((sum, scenario) => sum + settings.rounds * thatServe(names, scenario).length, 0)
  let done = 0
  for (const scenario of chosen) {
    const rounds = []
    const measured = thatServe(names, scenario)
    for (let round = 0; round < settings.rounds; round++) {
      const turn = {}
      // The one that goes first changes from round to round.
      for (const name of round % 2 === 0 ? measured : [...measured].reverse()) {
        progress(`${Math.round(done / turns * 100)} %  ${scenario.title}, round ${round + 1}/${settings.rounds}, ${name}`)
        turn[name] = await measure[scenario.kind](settings, name, scenario)
        done++
      }
      rounds.push(turn)
    }
    const result = summarise(scenario, rounds, measured)
    results.push(result)
    progress('')
    const ratios = Object.entries(result.ratios).map(([name, { rps, cpu, ...singles }]) => rps === undefined
      ? `${name} ${Object.entries(singles).map(([key, value]) => `${report.ratio(value)} ${key}`).join(', ')}`
      : `${name} ${report.ratio(rps)} req/s${cpu === null ? '' : `, ${report.ratio(cpu)} CPU per request`}`)
    console.error(`${scenario.title}: ${ratios.join('; ')}`)
  }
  return results
}

function machine () {
  const cpus = os.cpus()
  return `${os.type()} ${os.arch()}, ${cpus.length} × ${cpus[0]?.model.trim() ?? 'unknown processor'}`
}

async function main () {
  if (options.help) return console.log(help)
  let outcome
  if (options.from !== undefined) {
    outcome = JSON.parse(fs.readFileSync(options.from, 'utf8'))
  } else {
    const names = choose(options.against, Object.keys(implementations), 'implementation')
    if (options.peers) names.push(...['bun', 'deno'].filter((name) => !names.includes(name)))
    const runtimes = names.filter((name) => implementations[name].runtime !== undefined)
    if (runtimes.length > 0) peers.install()
    if (implementations[names[0]].http === undefined) fail(`${names[0]} is not an http module: it cannot be the baseline`)
    const wanted = options.only === undefined
      ? null
      : choose(options.only, scenarios.map(({ name }) => name), 'scenario')
    const settings = {
      node: options.node,
      rounds: positive('rounds'),
      seconds: positive('seconds'),
      warmUp: positive('warm-up')
    }
    if (!options['no-build'] && names.includes('native') && process.env.BENCH_NATIVE === undefined) {
      require('../scripts/prepare').buildRelease()
    }
    const node = execFileSync(options.node, ['--version'], { encoding: 'utf8' }).trim().slice(1)
    const header = {
      date: new Date().toISOString().slice(0, 10),
      machine: machine(),
      node,
      generator: load.generator,
      baseline: names[0],
      rounds: settings.rounds,
      seconds: settings.seconds,
      ...(runtimes.length > 0 && { peers: peers.versions() })
    }
    console.error(report.method(header))
    const chosen = swept(scenarios.filter(({ name }) => wanted === null || wanted.includes(name)))
    outcome = { ...header, results: await measureAll(chosen, names, settings) }
  }
  console.log(`\n${report.terminal(outcome)}`)
  if (options.json !== undefined) fs.writeFileSync(options.json, `${JSON.stringify(outcome, null, 2)}\n`)
  if (options.chart) fs.writeFileSync(path.join(root, 'docs', 'benchmark.svg'), chart.draw(outcome))
  if (options.readme) {
    const file = path.join(root, 'README.md')
    fs.writeFileSync(file, report.insert(fs.readFileSync(file, 'utf8'), report.markdown(outcome)))
  }
  if (outcome.results.some(({ errors }) => errors > 0)) process.exitCode = 1
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))

main().catch((error) => {
  progress('')
  fail(error.stack)
})

'use strict'

/**
 * npm run bench:profile -- SCENARIO: where a request spends its time, by what perf samples of the measured process.
 * docs/PERFORMANCE.md has what it showed. With the addon of the profile `counted`, which has its symbols
 * (`cargo build --profile counted`), its parts are told apart.
 */

const { fork, spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const load = require('./load')
const { scenarios } = require('./scenarios')
const usage = require('./usage')

const help = `usage: npm run bench:profile -- SCENARIO [IMPLEMENTATION]

  SCENARIO         a server's or a client's of npm run bench -- --help
  IMPLEMENTATION   native (if none is given) or core

Needs Linux's perf. Of a client it needs the responder: cargo build --release --example responder.`

/** Samples a second, of each thread that runs. */
const FREQUENCY = 1_999
const WARM_UP = 2
const SECONDS = 4

/** Where a sample fell, by the first that fits. [part, file, symbol] */
const PARTS = [
  ['kernel', /^\[kernel|^\[guest|vmlinux/, /^/],
  ['proto', /http.native/, /http_native_proto|httparse|memchr::/],
  ['net', /http.native/, /http_native::net|tokio|mio::|socket2/],
  ['binding', /http.native/, /http_native::binding|napi/],
  ['addon, the rest of it', /http.native/, /^/],
  ['JavaScript', /\.map$|^\[JIT/, /^/],
  ['JavaScript', /^/, /^Builtins_/],
  ['Node-API', /node/, /^napi_|node_napi|v8impl/],
  ['garbage collection', /node/, /Scavenge|MarkCompact|Heap::|Sweeper|Marking|Evacuat|gc_/i],
  ['Node and V8', /node/, /^/],
  ['libc', /^/, /^/]
]

/** @returns {string} the part of a sample's file and symbol */
function partOf (file, symbol) {
  return PARTS.find(([, files, symbols]) => files.test(path.basename(file)) && symbols.test(symbol))[0]
}

/**
 * Counts samples by thread and part.
 * @param {string} script what `perf script -F comm,ip,sym,dso` says: a line each
 * @returns {Map<string, Map<string, number>>}
 */
function countSamples (script) {
  const threads = new Map()
  for (const line of script.split('\n')) {
    const match = /^\s*(.*?)\s+([0-9a-f]+) (.*) \((.*?)\)$/.exec(line)
    if (match === null) continue
    const thread = match[1].startsWith('http-native') ? 'I/O' : /^(node|MainThread)$/.test(match[1]) ? 'JS' : 'others'
    const part = partOf(match[4], match[3])
    if (!threads.has(thread)) threads.set(thread, new Map())
    const parts = threads.get(thread)
    parts.set(part, (parts.get(part) ?? 0) + 1)
  }
  return threads
}

/**
 * Lines for people: microseconds of a request, and shares of all.
 * @param {Map<string, Map<string, number>>} threads
 * @param {number} each microseconds of processor time that the system has counted for a request
 */
function table (threads, each) {
  const all = [...threads.values()].flatMap((parts) => [...parts.values()]).reduce((sum, count) => sum + count, 0)
  const time = (count) => (count / all * each).toFixed(2).padStart(8)
  const share = (count) => `${(count / all * 100).toFixed(1)} %`.padStart(8)
  const lines = [`${'all'.padEnd(32)}${time(all)} µs`]
  for (const [thread, parts] of [...threads].sort()) {
    for (const [part, count] of [...parts].sort(([, one], [, other]) => other - one)) {
      lines.push(`${`${thread}: ${part}`.padEnd(32)}${time(count)} µs${share(count)}`)
    }
  }
  return lines.join('\n')
}

/** Starts a script of this folder; V8 tells perf what it compiles, in /tmp, and writes a log besides. */
function start (folder, file, ...args) {
  return fork(path.join(__dirname, file), args.map(String), {
    execArgv: ['--perf-basic-prof', `--logfile=${path.join(folder, 'v8.log')}`],
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc']
  })
}

function end (child) {
  child.kill('SIGKILL')
  fs.rmSync(`/tmp/perf-${child.pid}.map`, { force: true })
}

/** Samples a process while something goes on. */
async function sample (pid, folder, meanwhile) {
  const data = path.join(folder, 'perf.data')
  const perf = spawn('perf', ['record', '-q', '-e', 'cpu-clock', '-F', String(FREQUENCY), '-p', String(pid), '-o', data], { stdio: 'ignore' })
  const result = await meanwhile()
  perf.kill('SIGINT')
  await once(perf, 'exit')
  const { stdout } = spawnSync('perf', ['script', '-i', data, '-F', 'comm,ip,sym,dso'], { encoding: 'utf8', maxBuffer: 2 ** 30 })
  return { each: result.spent.all / 1000 / result.requests, script: stdout }
}

async function server (scenario, implementation, folder) {
  const child = start(folder, 'server.js', implementation, scenario.name)
  try {
    const [{ port }] = await once(child, 'message')
    const url = `${scenario.isSecure ? 'https' : 'http'}://127.0.0.1:${port}/`
    await load.run(url, scenario.load, WARM_UP)
    return await sample(child.pid, folder, async () => {
      const before = usage.read(child.pid)
      const result = await load.run(url, scenario.load, SECONDS)
      return { ...result, spent: usage.between(before, usage.read(child.pid)) }
    })
  } finally {
    end(child)
  }
}

async function client (scenario, implementation, folder) {
  const responder = spawn(path.join(__dirname, '..', 'target', 'release', 'examples', 'responder'), { stdio: ['pipe', 'pipe', 'inherit'] })
  const [port] = await once(responder.stdout, 'data')
  const child = start(folder, 'client.js', implementation, scenario.name, Number(port), WARM_UP, SECONDS)
  try {
    // Its warm-up is its own business.
    const told = once(child, 'message')
    await new Promise((resolve) => setTimeout(resolve, WARM_UP * 1000))
    return await sample(child.pid, folder, async () => (await told)[0])
  } finally {
    end(child)
    responder.kill()
  }
}

async function main ([name, implementation = 'native']) {
  const scenario = scenarios.find((one) => one.name === name)
  const play = { server, client }[scenario?.kind]
  if (play === undefined) return console.log(help)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'http-native-'))
  try {
    const { each, script } = await play(scenario, implementation, folder)
    console.log(`${scenario.title}, ${implementation}: processor time of a request\n${table(countSamples(script), each)}`)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

if (require.main === module) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(error.message)
    process.exitCode = 1
  })
}

module.exports = { countSamples, partOf, table }

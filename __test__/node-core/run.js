'use strict'

/**
 * Runs Node's own http tests with our register preloaded, each beside a run without it:
 *
 *     npm run test:node-core -- --suite DIR --node BIN
 *
 * DIR is a `test` folder of Node's source tree, of the version (or near it) that BIN is. A file that fails on core is
 * left out. One that passes on core and fails with us must be in exceptions.json, by major version of BIN and with the
 * reason; one that is there and passes fails the run, so that the list only shrinks. A whole run that passes is recorded in
 * .cache/node-core.json.
 */

const { spawn, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')

const root = path.join(__dirname, '..', '..')
const register = path.join(root, 'register.js')

const USAGE = `usage: npm run test:node-core -- --suite DIR [options]

  --suite DIR      Node's test folder, with common/, parallel/, sequential/ and client-proxy/
  --node BIN       the node to test with (this one)
  --only TEXT      only the files whose path contains TEXT; may be repeated
  --jobs N         files of parallel/ at a time (the cores of this machine)
  --limit N        seconds a file may take (120, as with Node's own runner)
  --first MODULE   load this before register; may be repeated
  --no-core        do not run the files on core first
  --verbose        print what failing files printed
`

/**
 * The record of which tree of the code a suite has passed as a whole: a check before a change is handed over reads
 * from it whether the suite was run since.
 */
const record = path.join(root, '.cache', 'node-core.json')

/**
 * What the suites call themselves, and which of their files are about http, or https. Where the client or the server that is
 * tested is a child of the test, the children are ours, too.
 */
const FOLDERS = [
  { name: 'parallel', about: /^test-(http-|diagnostics-channel-http-|async-hooks-http-|cluster-http-|domain-http|stream-pipeline-http|worker-http|async-http|set-http-max|http\.)/ },
  { name: 'parallel', about: /^test-(https-|http2-(allow-http1|https-fallback|server-unknown-protocol)|tls-over-http-tunnel|permission-net-https)/ },
  { name: 'parallel', about: /^test-(async-wrap-tlssocket|tls-(handshake-exception|junk-server|set-default-ca|set-secure-context|use-after-free|write-error))/ },
  { name: 'parallel', about: /^test-(listen-fd-|cluster-(basic|bind-|ipc-throw|primary-|rr-domain-|send-socket-to-worker-http|worker-))/, children: true },
  { name: 'sequential', about: /^test-https?-/, alone: true },
  { name: 'client-proxy', about: /^test-/, children: true }
]

function options () {
  try {
    const { values } = parseArgs({
      options: {
        suite: { type: 'string' },
        node: { type: 'string', default: process.execPath },
        only: { type: 'string', multiple: true, default: [] },
        jobs: { type: 'string', default: String(os.availableParallelism()) },
        limit: { type: 'string', default: '120' },
        first: { type: 'string', multiple: true, default: [] },
        'no-core': { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false }
      }
    })
    if (values.suite === undefined) throw new Error('--suite is missing')
    return values
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`)
    process.exit(2)
  }
}

function filesOf (suite, only) {
  return FOLDERS.flatMap(({ name, about, alone = false, children = false }) => {
    const folder = path.join(suite, name)
    if (!fs.existsSync(folder)) return []
    return fs.readdirSync(folder)
      .filter((file) => about.test(file) && /\.m?js$/.test(file))
      .map((file) => ({ name: `${name}/${file}`, file: path.join(folder, file), alone, children }))
  }).filter(({ name }) => only.length === 0 || only.some((text) => name.includes(text)))
}

/** The options and the environment that the comments of a test demand of its runner. */
function demands (file) {
  const source = fs.readFileSync(file, 'utf8')
  const line = (title) => new RegExp(`^// ${title}:\\s*(.+)$`, 'm').exec(source)?.[1].trim().split(/\s+/) ?? []
  return {
    flags: line('Flags'),
    env: Object.fromEntries(line('Env').map((pair) => pair.split('=')))
  }
}

/** @returns {Promise<{ passed: boolean, output: string }>} */
function run ({ node, limit }, file, preload, id, nodeOptions = '') {
  const { flags, env } = demands(file)
  const child = spawn(node, [...preload, ...flags, file], {
    env: { ...process.env, NODE_OPTIONS: nodeOptions, TEST_THREAD_ID: String(id), TEST_SERIAL_ID: String(id), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: Number(limit) * 1000,
    killSignal: 'SIGKILL'
  })
  let output = ''
  child.stdout.on('data', (chunk) => { output += chunk })
  child.stderr.on('data', (chunk) => { output += chunk })
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      if (signal !== null) output += `\nended by ${signal}`
      resolve({ passed: code === 0, output })
    })
  })
}

function git (...args) {
  return spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? ''
}

/** The ids of the code's folders; '' if they hold what is not committed. */
function treeIds () {
  if (git('status', '--porcelain', '--', 'lib', 'src', 'crates') !== '') return ''
  return git('rev-parse', 'HEAD:lib', 'HEAD:src', 'HEAD:crates').split('\n').join(' ')
}

/** A suite has passed for a tree. */
function remember (suite, node, tree, counts) {
  let known = {}
  try {
    known = JSON.parse(fs.readFileSync(record, 'utf8'))
  } catch {} // There is none yet.
  known[`${suite} on ${node}`] = { suite, node, tree, counts }
  fs.mkdirSync(path.dirname(record), { recursive: true })
  fs.writeFileSync(record, JSON.stringify(known, null, 2) + '\n')
}

async function main () {
  const how = options()
  const { suite, node, only, jobs, first, 'no-core': noCore, verbose } = how
  const { stdout: version } = spawnSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' })
  const major = version.split('.')[0]
  const exceptions = require('./exceptions.json')[major] ?? {}
  const files = filesOf(path.resolve(suite), only)
  const tree = treeIds()
  const outcome = { passed: [], 'left out: fails on core': [], 'known exception': [], FAILED: [], 'PASSED, but is in exceptions.json': [] }

  async function one ({ name, file, children }, id) {
    let result
    if (!noCore && !(await run(how, file, [], id)).passed) {
      result = 'left out: fails on core'
    } else {
      const { passed, output } = await (children
        ? run(how, file, [], id, [...first, register].map((id) => `--require ${JSON.stringify(id)}`).join(' '))
        : run(how, file, [...first, register].flatMap((id) => ['-r', id]), id))
      if (passed) result = name in exceptions ? 'PASSED, but is in exceptions.json' : 'passed'
      else result = name in exceptions ? 'known exception' : 'FAILED'
      if (result === 'FAILED' && verbose) console.log(output)
    }
    outcome[result].push(name)
    if (result !== 'passed') console.log(`${result}: ${name}`)
  }

  async function all (some, atOnce) {
    const waiting = [...some]
    await Promise.all(Array.from({ length: atOnce }, async (_, index) => {
      while (waiting.length > 0) await one(waiting.shift(), index + 1)
    }))
  }

  await all(files.filter(({ alone }) => !alone), Math.max(1, Number(jobs)))
  await all(files.filter(({ alone }) => alone), 1)
  console.log(`\nNode ${version.trim()}, ${files.length} files:`)
  for (const [result, names] of Object.entries(outcome)) console.log(`  ${result}: ${names.length}`)
  const bad = outcome.FAILED.length + outcome['PASSED, but is in exceptions.json'].length
  process.exitCode = bad === 0 ? 0 : 1
  // Of what it began with: it takes a while.
  if (bad === 0 && files.length !== 0 && only.length === 0 && first.length === 0 && tree !== '' && tree === treeIds()) {
    remember(path.resolve(suite), version.trim(), tree, Object.fromEntries(Object.entries(outcome).map(([result, names]) => [result, names.length])))
  }
}

main()

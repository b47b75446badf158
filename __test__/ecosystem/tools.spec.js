'use strict'

/** What starts and runs programs: under register, their http is ours, in every process and thread that gets the flag. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const http = require('node:http')
const { once } = require('node:events')
const { pathToFileURL } = require('node:url')
const { Child, root } = require('../child')
const { register } = require('./frameworks')

const OURS = 'ours ours text'

const tools = path.join(root, '__test__', 'fixtures', 'tools')

/** The environment in which every process is under register. */
const env = { NODE_OPTIONS: `--require ${register}`, NO_COLOR: '1', FORCE_COLOR: undefined }

const flag = ['--require', register]

/** A program of a package, relative to fixtures/. */
const bin = (file) => path.join('..', '..', 'node_modules', file)

/** What an exchange said, on every line that has one. */
const exchangesOf = ({ stdout, stderr }) => `${stdout}${stderr}`.split('\n').filter((line) => /\b(ours|core) text/.test(line)).map((line) => line.replace(/^# /, '')).sort()

/** @returns {Promise<string[]>} the exchanges of a program that must end well */
async function run (script, options) {
  const ended = await new Child(script, { deadline: 60000, ...options }).ended()
  assert.equal(ended.code, 0, `${ended.stdout}${ended.stderr}`)
  return exchangesOf(ended)
}

test('forked children, workers of a cluster and threads inherit the flag', async () => {
  const inherited = ['cluster', 'fork', 'main', 'thread'].map((which) => `${which}: ${OURS}`)
  const others = ['node', 'thread without options']
  assert.deepEqual(await run('tools/processes.js', { execArgv: flag }), [...inherited, ...others.map((which) => `${which}: core core text`)].sort())
  assert.deepEqual(await run('tools/processes.js', { env }), [...inherited, ...others.map((which) => `${which}: ${OURS}`)].sort())
})

test('node --watch runs a program under register each time', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'http-native-watch-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  for (const file of ['watched.js', 'exchange.js']) fs.copyFileSync(path.join(tools, file), path.join(folder, file))
  const child = new Child(path.relative(path.join(root, '__test__', 'fixtures'), path.join(folder, 'watched.js')), { execArgv: ['--watch', ...flag], deadline: 60000 })
  const runs = () => child.stdout.split('\n').filter((line) => line.startsWith('run:'))
  await child.when(() => runs().length === 1 && /(Completed running|Waiting for)/.test(child.stdout))
  fs.appendFileSync(path.join(folder, 'watched.js'), '\n')
  await child.when(() => runs().length === 2)
  assert.deepEqual(runs(), [`run: ${OURS}`, `run: ${OURS}`])
  child.kill()
})

test('node --test runs suites under register', async () => {
  // Node's runner starts nothing where it finds itself started by another.
  const alone = { NODE_TEST_CONTEXT: undefined }
  assert.deepEqual(await run('tools/suite.js', { execArgv: [...flag, '--test'], env: alone }), [OURS])
  assert.deepEqual(await run('tools/suite.js', { execArgv: ['--test'], env: { ...env, ...alone } }), [OURS])
})

/** ts-node's own presets are gone from TypeScript 6. */
const tsNode = {
  env: {
    TS_NODE_COMPILER_OPTIONS: JSON.stringify({ module: 'commonjs', moduleResolution: 'node10', ignoreDeprecations: '6.0', noImplicitAny: false, types: ['node'] })
  }
}

for (const [name, how, execArgv, script, options] of [
  ['tsx', 'as the program that is started', [], bin('tsx/dist/cli.mjs'), { env, args: [path.join(tools, 'app.ts')] }],
  ['tsx', 'by --import', [...flag, '--import', 'tsx'], 'tools/app.ts'],
  ['tsx', 'by --import and before register', ['--import', 'tsx', '--import', pathToFileURL(register).href], 'tools/app.ts'],
  ['@swc-node/register', 'and behind it', [...flag, '--require', '@swc-node/register'], 'tools/app.ts'],
  ['@swc-node/register', 'and before it', ['--require', '@swc-node/register', ...flag], 'tools/app.ts'],
  ['ts-node', 'and behind it', [...flag, '--require', 'ts-node/register'], 'tools/app.ts', tsNode],
  ['ts-node', 'and before it', ['--require', 'ts-node/register', ...flag], 'tools/app.ts', tsNode]
]) {
  test(`${name} runs programs in TypeScript under register, ${how}`, async () => {
    assert.deepEqual(await run(script, { execArgv, ...options }), [OURS])
  })
}

/** Of two files, each with two tests of which one makes two exchanges. */
const JEST = [...Array(2).fill(`test: ${OURS}`), ...Array(2).fill(`test: ${OURS}, ${OURS}`)]

for (const [how, args] of Object.entries({ 'in one process': ['--runInBand'], 'in workers': ['--maxWorkers=2'], 'looking for what is left open': ['--detectOpenHandles'] })) {
  test(`jest runs suites ${how} under register: globalSetup, resetModules and fake timers`, async () => {
    const config = ['--config', path.join(tools, 'jest', 'jest.config.js')]
    const ended = await new Child(bin('jest/bin/jest.js'), { env, args: [...config, ...args], deadline: 60000 }).ended()
    const output = `${ended.stdout}${ended.stderr}`
    assert.equal(ended.code, 0, output)
    assert.deepEqual(exchangesOf(ended), [`globalSetup: ${OURS}`, ...JEST].sort())
    assert.doesNotMatch(output, /open handle|did not exit/)
  })
}

for (const pool of ['forks', 'threads']) {
  test(`vitest runs suites in ${pool} under register: resetModules and fake timers`, async () => {
    const config = ['run', '--config', path.join(tools, 'vitest', 'vitest.config.mjs'), '--pool', pool]
    assert.deepEqual(await run(bin('vitest/vitest.mjs'), { env, args: config }), Array(4).fill(`test: ${OURS}`))
  })
}

for (const [mode, args] of Object.entries({ fork_mode: [], cluster_mode: ['-i', '2'] })) {
  test(`pm2 runs programs in ${mode} under register`, async (t) => {
    const home = fs.mkdtempSync(path.join(os.tmpdir(), 'http-native-pm2-'))
    const child = new Child(bin('pm2/bin/pm2-runtime'), {
      args: ['start', path.join(tools, 'pm2', 'server.js'), '--raw', '--node-args', flag.join(' '), ...args],
      env: { PM2_HOME: home, PM2_DISCRETE_MODE: 'true' },
      deadline: 60000
    })
    t.after(() => fs.rmSync(home, { recursive: true, force: true }))
    const port = await child.port()
    const [response] = await once(http.get({ host: '127.0.0.1', port, agent: false }), 'response')
    assert.equal((await response.toArray()).join(''), `ours in ${mode}`)
    child.process.kill('SIGINT')
    await child.ended()
  })
}

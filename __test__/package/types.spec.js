'use strict'

/** The types, as programs see them: in each way that TypeScript resolves modules, over the types of each line of Node. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { layOut, layOutMain, pack } = require('../../scripts/targets/packages')
const { targets } = require('../../scripts/targets/list')

const root = path.join(__dirname, '..', '..')

const MODULES = `import http, { Agent, createServer, native, type HardeningEvent, type IncomingMessage, type LimitCounts, type RequestListener } from 'http-native'
import * as everything from 'http-native'
import core from 'node:http'
import { unregister } from 'http-native/register'

unregister()
const listener: RequestListener = (request, response) => {
  const url: string | undefined = request.url
  response.writeHead(200, { 'content-type': 'text/plain' }).end(url)
}
const server: core.Server = createServer({ keepAliveTimeout: 1000 }, listener)
const own: http.Server = core.createServer()
const agent: core.Agent = new Agent({ keepAlive: true, retryStale: true })
const request: core.ClientRequest = http.get({ agent, port: 80 }, (response: IncomingMessage) => response.resume())
const isActive: boolean = native.active
const ended: Promise<{ served: number, refused: number, cut: number }> | undefined = server.shutdown?.({ timeout: 5000, backlog: 'refuse' })
// @ts-expect-error There is no such backlog.
server.shutdown?.({ backlog: 'drop' })
const strict: core.Server = createServer({ hardening: 'strict' }, listener)
const counted: { [row: string]: number } | undefined = strict.hardeningCounts?.()
strict.on('hardening', ({ row, count }: HardeningEvent) => console.log(row, count))
const hardened: core.Agent = new Agent({ hardening: 'audit' })
http.get({ agent: hardened, hardening: 'strict', port: 80 }).on('close', () => hardened.hardeningCounts?.())
// @ts-expect-error There is no such mode.
createServer({ hardening: 'lax' })
const limited: core.Server = createServer({ limits: { requests: 5, connections: { max: 10, then: 'wait' }, healthPath: '/health' } }, listener)
limited.on('limit', (counts: LimitCounts) => console.log(counts.requests))
const beyond: number | undefined = limited.stats?.().limits.bodySize
// @ts-expect-error A body cannot wait.
createServer({ limits: { bodySize: { max: 5, then: 'wait' } } })
// @ts-expect-error There is no such limit.
createServer({ limits: { request: 5 } })
const served: number | undefined = server.stats?.().requests.byStatus['2xx']
const slow: number | undefined = agent.stats?.().timeToLastByte.percentile(99)
const reused: number | undefined = http.stats?.().agents.pool.reused
const text: string | undefined = server.stats?.().toPrometheus({ labels: { server: 'a' } })
// @ts-expect-error There is no such status.
server.stats?.().requests.byStatus['6xx']
const code: string | undefined = http.native.reason?.code
const same: boolean = everything.native.active
const alive: number | undefined = native.objects()?.connections
class Own extends http.ServerResponse {}
// @ts-expect-error There is no such option.
createServer({ keepAliveTimeout: 'long' })
// @ts-expect-error It is read alone.
native.active = false
export { server, own, request, isActive, ended, counted, served, slow, reused, text, code, same, alive, Own }
`

const COMMON = `import http = require('http-native')
import core = require('node:http')
import { native } from 'http-native'
require('http-native/register')

const server: core.Server = http.createServer((request, response) => response.end(request.method))
const agent: http.Agent = new core.Agent()
const isActive: boolean = native.active && http.native.active
// @ts-expect-error There is none in CommonJS.
http.default
export = { server, agent, isActive }
`

/** A project that has the package, as it is published, and some release of Node's types. */
async function projectWith (t, types) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'http-native-types-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  const modules = path.join(folder, 'node_modules')
  fs.mkdirSync(path.join(modules, '@types'), { recursive: true })
  await layOutMain(modules)
  fs.cpSync(path.join(root, 'node_modules', types), path.join(modules, '@types', 'node'), { recursive: true })
  const undici = path.join(modules, '@types', 'node', 'node_modules', 'undici-types')
  fs.cpSync(fs.existsSync(undici) ? undici : path.join(root, 'node_modules', 'undici-types'), path.join(modules, 'undici-types'), { recursive: true })
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  return folder
}

function compile (folder, files, options) {
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text)
  const args = Object.entries({ strict: 'true', noEmit: 'true', skipLibCheck: 'false', target: 'es2022', types: 'node', ...options }).flatMap(([name, value]) => [`--${name}`, value])
  const { stdout } = spawnSync(process.execPath, [path.join(root, 'node_modules', 'typescript', 'bin', 'tsc'), ...args, ...Object.keys(files)], { cwd: folder, encoding: 'utf8' })
  assert.equal(stdout, '')
}

for (const types of ['@types/node', 'types-node-22', 'types-node-24']) {
  const { version } = require(`${types}/package.json`)
  test(`ES modules and CommonJS type-check in node16 with the types of Node ${version.split('.')[0]}`, async (t) => {
    compile(await projectWith(t, types), { 'app.mts': MODULES, 'app.cts': COMMON }, { module: 'node16' })
  })
}

test('programs type-check in nodenext', async (t) => {
  compile(await projectWith(t, 'types-node-24'), { 'app.mts': MODULES, 'app.cts': COMMON }, { module: 'nodenext' })
})

test('programs type-check for bundlers', async (t) => {
  compile(await projectWith(t, 'types-node-24'), { 'app.ts': MODULES }, { module: 'esnext', moduleResolution: 'bundler', esModuleInterop: 'true' })
})

test('Are The Types Wrong finds nothing', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'http-native-types-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  const tarball = pack(await layOutMain(folder), folder)
  const attw = path.join(root, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, [attw, tarball, '--profile', 'node16', '--format', 'json'], { encoding: 'utf8' })
  assert.equal(status, 0, `${stdout}\n${stderr}`)
  assert.deepEqual(JSON.parse(stdout).problems ?? {}, {})
})

test('publint finds nothing, nor in the packages of platforms', async (t) => {
  const { publint } = await import('publint')
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'http-native-types-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  // What the file says does not matter here.
  const binary = path.join(folder, 'any.node')
  fs.writeFileSync(binary, '')
  for (const pkgDir of [await layOutMain(folder), ...targets.map((target) => layOut(folder, target, binary))]) {
    const { messages } = await publint({ pkgDir, strict: true })
    assert.deepEqual(messages, [], pkgDir)
  }
})

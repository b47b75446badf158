'use strict'

/**
 * The packages as npm gets them: which one it installs, without Rust, for which platform, and that it serves there. Those
 * of other platforms come from `npm run targets`; what this machine cannot run is skipped, and says why.
 */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { spawn, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { isCurrent, root } = require('../../scripts/prepare')
const { GLIBC, targets, packageOf, binaryOf } = require('../../scripts/targets/list')
const { layOut, layOutMain, pack } = require('../../scripts/targets/packages')
const { machineOf } = require('../../scripts/targets/machines')
const { readHeader, targetOf } = require('../../lib/addon-file')
const { serveTarballs } = require('./registry')

const { version } = require('../../package.json')
const app = path.join(__dirname, '..', 'fixtures', 'package', 'app.js')

const EXPECTED = { active: true, reason: null, small: ['200 /echo 5'], large: '200 /echo 1048576' }

/** What was built of a target, or for this machine; null if that is older than its sources. */
function builtFor (target) {
  const places = [path.join(root, 'npm', target.name), path.join(root, 'native')]
  return places.map((folder) => path.join(folder, binaryOf(target))).find((file) => fs.existsSync(file) && isCurrent(file)) ?? null
}

/** Not to run, but to be chosen or not. */
function dummy (folder) {
  const file = path.join(folder, 'dummy')
  fs.writeFileSync(file, '')
  return file
}

/** Skips what this machine cannot do; a release must not. */
function leaveOut (t, target, why) {
  if (process.env.HTTP_NATIVE_TARGETS === 'required' && target.os === 'linux') throw new Error(why)
  t.skip(why)
}

function workplace (t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'http-native-package-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** All packages, in a registry. */
async function publish (t) {
  const folder = workplace(t)
  pack(await layOutMain(folder), folder)
  for (const target of targets) pack(layOut(folder, target, builtFor(target) ?? dummy(folder)), folder)
  return serveTarballs(t, folder)
}

/** A PATH with Node, npm and a shell alone. */
function barePath (folder) {
  const bin = path.join(folder, 'bin')
  fs.mkdirSync(bin)
  for (const name of ['node', 'npm', 'sh']) {
    const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim()
    fs.symlinkSync(name === 'node' ? process.execPath : fs.realpathSync(found), path.join(bin, name))
  }
  return bin
}

function run (command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => { stdout += chunk })
    child.stderr.on('data', (chunk) => { stderr += chunk })
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, stdout, stderr }))
  })
}

/** `npm install http-native` in an empty project. @returns {Promise<string>} the project */
async function install (t, ...args) {
  const registry = await publish(t)
  const folder = workplace(t)
  const project = path.join(folder, 'project')
  fs.mkdirSync(project)
  fs.writeFileSync(path.join(project, 'package.json'), '{ "private": true }\n')
  fs.copyFileSync(app, path.join(project, 'app.js'))
  const env = { PATH: barePath(folder), HOME: folder }
  const { status, stderr } = await run('npm', ['install', 'http-native', '--registry', registry, '--no-audit', '--no-fund', ...args], { cwd: project, env })
  assert.equal(status, 0, stderr)
  return project
}

const installedIn = (project) => fs.readdirSync(path.join(project, 'node_modules')).filter((name) => name.startsWith('http-native'))

/** LC_BUILD_VERSION of Mach-O. */
const BUILD_VERSION = 0x32

/** The oldest macOS that a library says it needs, as '10.15'. */
function macosOf (file) {
  const bytes = fs.readFileSync(file)
  let at = 32
  for (let left = bytes.readUInt32LE(16); left > 0; left--) {
    if (bytes.readUInt32LE(at) === BUILD_VERSION) return `${bytes.readUInt16LE(at + 14)}.${bytes[at + 13]}`
    at += bytes.readUInt32LE(at + 4)
  }
  return null
}

const isHere = ({ os: platform, cpu, libc }) => platform === process.platform && cpu === process.arch &&
  (libc === undefined || (libc === 'glibc') === (process.report.getReport().header.glibcVersionRuntime !== undefined))

for (const target of targets) {
  test(`npm installs the package of ${target.name} there, and no other`, async (t) => {
    const project = await install(t, `--os=${target.os}`, `--cpu=${target.cpu}`, ...(target.libc ? [`--libc=${target.libc}`] : []))
    assert.deepEqual(installedIn(project), ['http-native', packageOf(target)])
    const files = fs.readdirSync(path.join(project, 'node_modules', packageOf(target))).sort()
    assert.deepEqual(files, ['LICENSE', 'README.md', 'THIRD-PARTY.md', binaryOf(target), 'package.json'])
  })

  test(`what is installed for ${target.name} serves and requests`, async (t) => {
    if (builtFor(target) === null) return leaveOut(t, target, 'npm run targets has not built it, or its sources have changed since')
    let machine = { node: (args, cwd) => spawnSync(process.execPath, args, { cwd, encoding: 'utf8' }) }
    if (!isHere(target)) {
      try {
        machine = machineOf(target)
      } catch (error) {
        return leaveOut(t, target, error.message)
      }
    }
    const project = await install(t, `--os=${target.os}`, `--cpu=${target.cpu}`, ...(target.libc ? [`--libc=${target.libc}`] : []))
    const { status, stdout, stderr } = machine.node(['-r', './node_modules/http-native/register.js', './app.js'], project)
    assert.equal(stderr, '')
    assert.equal(status, 0)
    assert.deepEqual(JSON.parse(stdout), { ...EXPECTED, arch: target.cpu })
  })

  test(`the binary of ${target.name} is for it, and needs no newer system`, (t) => {
    const file = builtFor(target)
    if (file === null) return leaveOut(t, target, 'npm run targets has not built it, or its sources have changed since')
    assert.ok(target.name.startsWith(targetOf(readHeader(file))))
    const text = fs.readFileSync(file, 'latin1')
    assert.match(text, /napi_register_module_v1/)
    const needed = [...text.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor))
    if (target.libc === 'musl') assert.deepEqual(needed, [])
    // A build for this machine alone may need what this machine has.
    if (path.dirname(file) === path.join(root, 'native')) return
    if (target.os === 'darwin') assert.equal(macosOf(file), target.macos)
    if (target.libc === 'glibc') {
      assert.ok(Math.max(...needed) <= Number(GLIBC.split('.')[1]), `GLIBC_2.${Math.max(...needed)}`)
    }
  })
}

test('a project that has no package of its platform runs on core', async (t) => {
  const project = await install(t, '--omit=optional')
  assert.deepEqual(installedIn(project), ['http-native'])
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-r', 'http-native/register', 'app.js'], { cwd: project, encoding: 'utf8' })
  assert.equal(status, 0)
  assert.match(stderr, /HTTP_NATIVE_NOT_INSTALLED/)
  assert.deepEqual(JSON.parse(stdout), { ...EXPECTED, active: false, reason: 'HTTP_NATIVE_NOT_INSTALLED', arch: process.arch })
})

test('everything that is published is of one version', async (t) => {
  const { VERSION } = require(builtFor(targets.find(isHere)) ?? '../../lib/addon')
  assert.equal(VERSION, version)
  const ofFile = (file, pattern) => pattern.exec(fs.readFileSync(path.join(root, file), 'utf8'))[1]
  assert.equal(ofFile('lib/addon.js', /^const VERSION = '(.*)'$/m), version)
  assert.equal(ofFile('Cargo.toml', /^\[package\]\nname = "http-native"\nversion = "(.*)"$/m), version)
  assert.equal(ofFile('Cargo.lock', /^name = "http-native"\nversion = "(.*)"$/m), version)
  assert.equal(ofFile('package-lock.json', /^ {2}"version": "(.*)",$/m), version)
  const folder = workplace(t)
  const main = require(path.join(await layOutMain(folder), 'package.json'))
  assert.equal(main.version, version)
  assert.deepEqual(main.optionalDependencies, Object.fromEntries(targets.map((target) => [packageOf(target), version])))
  for (const target of targets) assert.equal(require(path.join(layOut(folder, target, dummy(folder)), 'package.json')).version, version)
})

test('what the documents of the package link to is in it', async (t) => {
  const folder = await layOutMain(workplace(t))
  const documents = fs.readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.md'))
  assert.ok(documents.includes('README.md'))
  for (const name of documents) {
    const text = fs.readFileSync(path.join(folder, name), 'utf8')
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      assert.ok(fs.existsSync(path.join(folder, path.dirname(name), link)), `${name} links to ${link}`)
    }
  }
})

test('register is found by its path from any folder, and reaches children by NODE_OPTIONS', async (t) => {
  if (builtFor(targets.find(isHere)) === null) return t.skip('there is no current binary for this machine')
  const project = await install(t)
  const register = path.join(project, 'node_modules', 'http-native', 'register')
  const script = `const { execFileSync } = require('node:child_process')
const ours = "require('http').Server === require('" + process.argv[1] + "').Server"
console.log(eval(ours), execFileSync(process.execPath, ['-p', ours], { encoding: 'utf8' }).trim())`
  const run = (args, env) => spawnSync(process.execPath, [...args, '-e', script, path.dirname(register)], { cwd: os.tmpdir(), env: { ...process.env, ...env }, encoding: 'utf8' }).stdout
  assert.equal(run(['--require', register]), 'true false\n')
  assert.equal(run([], { NODE_OPTIONS: `--require ${register}` }), 'true true\n')
})

test('the loader, napi-rs and the packages name the same platforms', () => {
  const names = targets.map(({ name }) => name)
  const source = fs.readFileSync(path.join(root, 'lib', 'addon.js'), 'utf8')
  const listed = /^const TARGETS = \[(.*)\]$/m.exec(source)[1].match(/[\w-]+/g)
  assert.deepEqual(listed, names)
  for (const target of targets) {
    assert.ok(source.includes(`require('${packageOf(target)}')`))
    assert.ok(source.includes(`require('../native/${binaryOf(target)}')`))
  }
  assert.deepEqual(require('../../package.json').napi.targets.toSorted(), targets.map(({ triple }) => triple).sort())
})

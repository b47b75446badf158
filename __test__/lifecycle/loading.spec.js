'use strict'

/** What an application gets, and reads, where the native part cannot be loaded: one case for each cause. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawnSync } = require('node:child_process')

const root = path.join(__dirname, '..', '..')
const { addon } = findAddon()

/** The binary that this build made. */
function findAddon () {
  const folder = path.join(root, 'native')
  const name = fs.readdirSync(folder).find((file) => file.endsWith('.node'))
  return { addon: path.join(folder, name) }
}

const name = path.basename(addon)
const target = name.split('.')[1]

/** Serves one request to itself. */
const APP = `
const http = require('node:http')
const server = http.createServer((req, res) => res.end('hello')).listen(0, '127.0.0.1', () => {
  http.get({ port: server.address().port, agent: false }, (res) => {
    res.on('data', (data) => {
      const { native } = require('http-native')
      console.log(String(data), native.active, native.reason?.code, native.reason?.cause?.code)
    })
    server.close()
  })
})`

/** An installation in a folder of its own, without a native part until `arrange` brings one. */
function install (t, arrange = () => {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'http-native-loading-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  const own = path.join(folder, 'node_modules', 'http-native')
  fs.mkdirSync(path.join(own, 'native'), { recursive: true })
  for (const part of ['index.js', 'index.mjs', 'register.js', 'lib', 'package.json']) fs.cpSync(path.join(root, part), path.join(own, part), { recursive: true })
  fs.writeFileSync(path.join(folder, 'app.js'), APP)
  arrange({ own, binary: path.join(own, 'native', name), modules: path.join(folder, 'node_modules') })
  return folder
}

function run (folder, { execArgv = [], script = 'app.js', launcher = [] } = {}) {
  const [command, ...args] = [...launcher, process.execPath, ...execArgv, '-r', 'http-native/register', script]
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } })
  const warnings = [...stderr.matchAll(/\[(HTTP_NATIVE_\w+)\] HttpNativeWarning: (.*)/g)].map(([, code, text]) => ({ code, text }))
  return { status, stdout, stderr, warnings }
}

/** The application runs on core, and one warning says why. */
function fallsBack (t, code, words, arrange, options) {
  const { status, stdout, stderr, warnings } = run(install(t, arrange), options)
  assert.equal(status, 0, stderr)
  assert.match(stdout, new RegExp(`^hello false HTTP_NATIVE_${code} `), stderr)
  assert.deepEqual(warnings.map((warning) => warning.code), [`HTTP_NATIVE_${code}`], stderr)
  assert.match(warnings[0].text, words)
  return { stdout, stderr }
}

const otherProcessor = target.includes('x64') ? 183 : 62

test('with its binary it is active, and warns of nothing', (t) => {
  const folder = install(t, ({ binary }) => fs.copyFileSync(addon, binary))
  const { stdout, stderr } = run(folder)
  assert.deepEqual([stdout, stderr], ['hello true undefined undefined\n', ''])
})

/** Installs the package of this platform beside ours. @returns {string} its folder */
function installPackage (modules) {
  const own = path.join(modules, `http-native-${target}`)
  fs.mkdirSync(own)
  fs.writeFileSync(path.join(own, 'package.json'), JSON.stringify({ name: path.basename(own), version: '0.1.0', main: name }))
  fs.copyFileSync(addon, path.join(own, name))
  return own
}

test('the package of the platform serves as well as the file', (t) => {
  const folder = install(t, ({ modules }) => installPackage(modules))
  const { stdout, stderr } = run(folder)
  assert.deepEqual([stdout, stderr], ['hello true undefined undefined\n', ''])
})

test('an installation without a binary runs on core', (t) => {
  const { stderr } = fallsBack(t, 'NOT_INSTALLED', new RegExp(`not installed. Looked for native/${name} in .*, and for the package http-native-${target}`))
  assert.match(stderr, /optional dependencies/)
})

test('a checkout that was not built runs on core', (t) => {
  fallsBack(t, 'NOT_BUILT', /checkout/, ({ own }) => fs.writeFileSync(path.join(own, 'Cargo.toml'), ''))
})

test('an installation from git on a machine without Rust runs on core', (t) => {
  fallsBack(t, 'NOT_BUILT', /no cargo here/, ({ own }) => fs.writeFileSync(path.join(own, 'native', 'not-built.txt'), 'no cargo here'))
})

test('an installation that was copied from another kind of machine runs on core', (t) => {
  const other = target === 'darwin-arm64' ? 'darwin-x64' : 'darwin-arm64'
  fallsBack(t, 'WRONG_TARGET', new RegExp(`for ${other}, and this Node needs ${target}`), ({ modules }) => {
    fs.mkdirSync(path.join(modules, `http-native-${other}`))
    fs.writeFileSync(path.join(modules, `http-native-${other}`, 'index.js'), '')
  })
})

test('a binary for another processor is not loaded', { skip: process.platform !== 'linux' }, (t) => {
  fallsBack(t, 'WRONG_TARGET', new RegExp(`this Node needs ${target}`), ({ binary }) => {
    const bytes = fs.readFileSync(addon)
    bytes.writeUInt16LE(otherProcessor, 18)
    fs.writeFileSync(binary, bytes)
  })
})

test('a binary that is empty, or something else, is not loaded', (t) => {
  fallsBack(t, 'NOT_WHOLE', /is empty/, ({ binary }) => fs.writeFileSync(binary, ''))
  fallsBack(t, 'NOT_WHOLE', /is no library/, ({ binary }) => fs.writeFileSync(binary, '\x7f'))
  fallsBack(t, 'NOT_WHOLE', /is no library/, ({ binary }) => fs.writeFileSync(binary, 'version https://git-lfs.github.com/spec/v1\n'.repeat(3)))
})

test('a binary that was cut short is not loaded: it would end the process with SIGBUS', { skip: process.platform !== 'linux' }, (t) => {
  for (const size of [20, 100, 5000, fs.statSync(addon).size - 1]) {
    fallsBack(t, 'NOT_WHOLE', /was cut short/, ({ binary }) => fs.writeFileSync(binary, fs.readFileSync(addon).subarray(0, size)))
  }
})

test('a package of the platform without its binary is to be installed again', (t) => {
  const { stderr } = fallsBack(t, 'NOT_WHOLE', new RegExp(`http-native-${target} lacks its file`), ({ modules }) => fs.rmSync(path.join(installPackage(modules), name)))
  assert.match(stderr, /rm -rf node_modules/)
})

/** Root reads everything, unless it gives the capability away. */
const asRoot = process.getuid?.() === 0
const launcher = asRoot ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--inh-caps=-dac_override,-dac_read_search'] : []

test('a binary that may not be read is not loaded', { skip: asRoot && spawnSync(launcher[0], ['--version']).status !== 0 && 'no setpriv' }, (t) => {
  const { stdout } = fallsBack(t, 'NOT_READABLE', /may not be read/, ({ binary }) => fs.copyFileSync(addon, binary) ?? fs.chmodSync(binary, 0), { launcher })
  assert.match(stdout, /EACCES/)
})

/** The permission model, with the network. */
const permission = [
  process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission',
  ...process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : []
]

test('a package of the platform whose folder may not be read is not loaded', { skip: asRoot && spawnSync(launcher[0], ['--version']).status !== 0 && 'no setpriv' }, (t) => {
  fallsBack(t, 'NOT_READABLE', new RegExp(`http-native-${target}.* may not be read`), ({ modules }) => fs.chmodSync(installPackage(modules), 0), { launcher })
})

test('a process that may not load addons runs on core: the permission model without --allow-addons, and --no-addons', (t) => {
  const arrange = ({ binary }) => fs.copyFileSync(addon, binary)
  const { stderr } = fallsBack(t, 'NOT_ALLOWED', /permission model without --allow-addons/, arrange, { execArgv: [...permission, '--allow-fs-read=*'] })
  assert.match(stderr, /Start Node with --allow-addons/)
  fallsBack(t, 'NOT_ALLOWED', /--no-addons/, arrange, { execArgv: ['--no-addons'] })
})

/** The permission model, by which the application and these of its packages may be read, in an installation with `arrange`. */
function allowing (t, arrange, names) {
  const folder = install(t, arrange)
  const paths = [path.join(folder, 'app.js'), ...names.map((name) => `${path.join(folder, 'node_modules', name)}${path.sep}`)]
  return run(folder, { execArgv: [...permission, '--allow-addons', ...paths.map((file) => `--allow-fs-read=${file}`)] })
}

test('the permission model that lets ours be read, and the package of the platform, too, lets it serve', (t) => {
  const { stdout, warnings, stderr } = allowing(t, ({ modules }) => installPackage(modules), ['http-native', `http-native-${target}`])
  assert.deepEqual([stdout, warnings], ['hello true undefined undefined\n', []], stderr)
})

test('the permission model that hides the native part: the warning names the file, and what to do', (t) => {
  const hides = (arrange, names, file) => {
    const { stdout, warnings, stderr } = allowing(t, arrange, names)
    assert.equal(stdout, 'hello false HTTP_NATIVE_NOT_READABLE ERR_ACCESS_DENIED\n', stderr)
    assert.deepEqual(warnings.map(({ code }) => code), ['HTTP_NATIVE_NOT_READABLE'])
    assert.match(warnings[0].text, file)
    assert.match(stderr, /--allow-fs-read/)
  }
  hides(({ modules }) => installPackage(modules), ['http-native'], new RegExp(`http-native-${target}`))
  const parts = ['index.js', 'register.js', 'lib', 'package.json'].map((part) => path.join('http-native', part))
  // Where Node's resolver fails for what is hidden, the package is named, which may not be there either.
  hides(({ binary }) => fs.copyFileSync(addon, binary), parts, /may not be read/)
})

test('JavaScript of another version than the binary runs on core', (t) => {
  fallsBack(t, 'OTHER_VERSION', /native part is version 0\.1\.0, and the JavaScript is 9\.9\.9/, ({ own, binary }) => {
    fs.copyFileSync(addon, binary)
    const file = path.join(own, 'lib', 'addon.js')
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/VERSION = '.*'/, "VERSION = '9.9.9'"))
  })
})

/** Says something else of the process before ours is loaded. */
function pretend (t, code, words, statement) {
  fallsBack(t, code, words, ({ modules, binary }) => {
    fs.copyFileSync(addon, binary)
    fs.writeFileSync(path.join(modules, '..', 'pretend.js'), statement)
  }, { execArgv: ['-r', './pretend.js'] })
}

test('a Node that is too old runs its own http', (t) => {
  pretend(t, 'OLD_NODE', /Node 20 or newer is needed/, "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.0' } })")
})

test('a platform without a binary runs on core', (t) => {
  pretend(t, 'NO_SUCH_PLATFORM', /no native part for sunos-x64/, "for (const [key, value] of [['platform', 'sunos'], ['arch', 'x64']]) Object.defineProperty(process, key, { value })")
})

test('threads do not repeat the warning', (t) => {
  const folder = install(t)
  fs.writeFileSync(path.join(folder, 'threads.js'), `
const { Worker } = require('node:worker_threads')
for (let i = 0; i < 3; i++) new Worker("console.log(require('http-native').native.active)", { eval: true })`)
  const { stdout, warnings } = run(folder, { script: 'threads.js' })
  assert.equal(stdout, 'false\n'.repeat(3))
  assert.equal(warnings.length, 1)
})

test('the fallback has the keys of core, and passes assignments to globalAgent on', (t) => {
  const folder = install(t)
  fs.writeFileSync(path.join(folder, 'keys.js'), `
const core = require('node:http'), http = require('http-native')
http.globalAgent = new core.Agent()
console.log(Object.keys(http).join() === Object.keys(core).join(), http.Server === core.Server, core.globalAgent === http.globalAgent)`)
  assert.equal(run(folder, { script: 'keys.js' }).stdout, 'true true true\n')
})

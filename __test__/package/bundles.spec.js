'use strict'

/** Bundles of this package behave as the package: minified, with the binary copied or left outside. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { layOut, layOutMain } = require('../../scripts/targets/packages')
const { targets, binaryOf, packageOf } = require('../../scripts/targets/list')

const root = path.join(__dirname, '..', '..')
const index = path.join(root, 'index.js')
const native = path.join(root, 'native')

/** Bundlers take long enough for one line of Node in CI. */
function workplace (t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'http-native-bundle-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

function run (command, args, options) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd: root, ...options })
  assert.equal(status, 0, `${stdout}\n${stderr}`)
  return stdout
}

/** The bundle in our place, in the comparison of everything that reflection shows. */
function isLikeCore (bundle) {
  assert.equal(run(process.execPath, ['-p', 'require(process.argv[1]).native.active', bundle]), 'true\n')
  run(process.execPath, ['--test', path.join(root, '__test__', 'compat', 'module', 'exports.spec.js')], { env: { ...process.env, OURS: bundle, NODE_TEST_CONTEXT: '' } })
}

/** An application that imports it has names of its own for the classes. */
const APP = `import http, { Agent, Server, native } from ${JSON.stringify(path.join(root, 'index.mjs'))}
import { ServerResponse } from 'node:http'
console.log(native.active, http.Agent.name, Agent.name, Server.name, http.ServerResponse.name, ServerResponse === http.ServerResponse)`

test('esbuild, minified, with the binary copied', async (t) => {
  const { build } = require('esbuild')
  const folder = workplace(t)
  const outfile = path.join(folder, 'http.js')
  await build({ entryPoints: [index], outfile, bundle: true, minify: true, platform: 'node', loader: { '.node': 'copy' }, logLevel: 'error' })
  isLikeCore(outfile)
})

test('esbuild, with the application, minified and not', async (t) => {
  const { build } = require('esbuild')
  const folder = workplace(t)
  for (const minify of [true, false]) {
    const outfile = path.join(folder, `app-${minify}.js`)
    await build({ stdin: { contents: APP, resolveDir: root }, outfile, bundle: true, minify, platform: 'node', loader: { '.node': 'copy' }, logLevel: 'error' })
    assert.equal(run(process.execPath, [outfile]), 'true Agent Agent Server ServerResponse false\n')
  }
})

test('esbuild, as a module with a require of its own', async (t) => {
  const { build } = require('esbuild')
  const outfile = path.join(workplace(t), 'app.mjs')
  // As in the README.
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" }
  await build({ stdin: { contents: APP, resolveDir: root }, outfile, bundle: true, minify: true, platform: 'node', format: 'esm', banner, loader: { '.node': 'copy' }, logLevel: 'error' })
  assert.equal(run(process.execPath, [outfile]), 'true Agent Agent Server ServerResponse false\n')
})

test('as it is published, in one file', async (t) => {
  const folder = await layOutMain(workplace(t))
  fs.cpSync(native, path.join(folder, 'native'), { recursive: true })
  isLikeCore(path.join(folder, 'index.js'))
})

test('esbuild, with the package left outside', async (t) => {
  const { build } = require('esbuild')
  const folder = workplace(t)
  fs.mkdirSync(path.join(folder, 'node_modules'))
  fs.symlinkSync(root, path.join(folder, 'node_modules', 'http-native'))
  const outfile = path.join(folder, 'app.js')
  const contents = "import http from 'http-native'\nconsole.log(http.native.active)"
  await build({ stdin: { contents, resolveDir: folder }, outfile, bundle: true, minify: true, platform: 'node', external: ['http-native'], logLevel: 'error' })
  assert.equal(run(process.execPath, [outfile]), 'true\n')
})

test('a bundle without the binary runs on core, with a warning', async (t) => {
  const { build } = require('esbuild')
  const outfile = path.join(workplace(t), 'http.js')
  await build({ entryPoints: [index], outfile, bundle: true, minify: true, platform: 'node', external: ['*.node'], logLevel: 'error' })
  const { stdout, stderr } = spawnSync(process.execPath, ['-p', 'require(process.argv[1]).native.reason.code', outfile], { encoding: 'utf8' })
  assert.equal(stdout, 'HTTP_NATIVE_NOT_IN_BUNDLE\n')
  assert.match(stderr, /This is a bundle.*\n.*external/)
})

/** @returns {Promise<string>} the bundle, whose binary is beside it */
async function pack (folder, entry) {
  const webpack = require('webpack')
  const compiler = webpack({
    mode: 'production',
    target: 'node',
    context: path.dirname(entry),
    entry,
    output: { path: path.join(folder, 'dist'), filename: 'http.js', library: { type: 'commonjs2' } },
    resolveLoader: { modules: [path.join(root, 'node_modules')] },
    module: { rules: [{ test: /\.node$/, loader: 'node-loader' }] }
  })
  const stats = await new Promise((resolve, reject) => compiler.run((error, result) => error ? reject(error) : resolve(result)))
  assert.deepEqual(stats.toJson().errors, [])
  return path.join(folder, 'dist', 'http.js')
}

test('webpack, for production, with node-loader', async (t) => {
  isLikeCore(await pack(workplace(t), index))
})

test('webpack, of what npm installs: one file, and the package of the platform', async (t) => {
  const folder = workplace(t)
  const modules = path.join(folder, 'node_modules')
  fs.mkdirSync(modules)
  await layOutMain(modules)
  const [binary] = fs.readdirSync(native).filter((name) => name.endsWith('.node'))
  const target = targets.find((each) => binaryOf(each) === binary)
  fs.renameSync(layOut(modules, target, path.join(native, binary)), path.join(modules, packageOf(target)))
  const app = path.join(folder, 'app.js')
  fs.writeFileSync(app, "module.exports = require('http-native')")
  const bundle = await pack(folder, app)
  isLikeCore(bundle)
  // Where it may not be loaded, or did not come along, core serves.
  const script = "const http = require(process.argv[1]); console.log(http.native.active, http.Server === require('http').Server)"
  const without = (...flags) => spawnSync(process.execPath, [...flags, '-e', script, bundle], { encoding: 'utf8' })
  const refused = without('--no-addons')
  assert.equal(refused.stdout, 'false true\n', refused.stderr)
  assert.match(refused.stderr, /HTTP_NATIVE_NOT_ALLOWED/)
  for (const name of fs.readdirSync(path.dirname(bundle))) {
    if (name.endsWith('.node')) fs.rmSync(path.join(path.dirname(bundle), name))
  }
  const missing = without()
  assert.equal(missing.stdout, 'false true\n', missing.stderr)
  assert.match(missing.stderr, /HTTP_NATIVE_\w+\] HttpNativeWarning/)
})

test('rollup, with the binary beside the bundle', async (t) => {
  const { rollup } = require('rollup')
  const folder = workplace(t)
  fs.cpSync(native, path.join(folder, 'native'), { recursive: true })
  const bundle = await rollup({
    input: index,
    external: (id) => id.endsWith('.node') || id.startsWith('http-native-'),
    plugins: [require('@rollup/plugin-node-resolve').default({ preferBuiltins: true }), require('@rollup/plugin-commonjs').default({ ignoreDynamicRequires: true })],
    onwarn () {}
  })
  fs.mkdirSync(path.join(folder, 'dist'))
  await bundle.write({ file: path.join(folder, 'dist', 'http.js'), format: 'cjs', exports: 'auto' })
  isLikeCore(path.join(folder, 'dist', 'http.js'))
})

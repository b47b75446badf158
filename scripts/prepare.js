'use strict'

/**
 * What `npm start` and `npm test` need before they can run, on a machine with nothing but Node and Rust:
 * the tools in a usable version, the npm packages, the native binary. No dependencies: it runs before they exist.
 */

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..')
const nodeWanted = [20, 0]
const rustWanted = [1, 88]

/** Prints why it cannot go on, in plain words, and stops. */
function giveUp (...lines) {
  console.error(lines.map((line) => `  ${line}`).join('\n'))
  process.exit(1)
}

/** Runs a command in the project's folder with its output shown; stops with its exit code if it fails. */
function run (command, args, options) {
  const { error, signal, status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (error) giveUp(`Could not run ${command}: ${error.message}`)
  if (signal !== null) process.exit(130)
  if (status !== 0) process.exit(status)
}

/** npm, by the path of the npm that started us if there is one. */
function runNpm (args, options) {
  const script = process.env.npm_execpath
  if (script && /\.c?js$/.test(script)) run(process.execPath, [script, ...args], options)
  else run('npm', args, { shell: process.platform === 'win32', ...options })
}

function isOlder (version, wanted) {
  const [major, minor] = version
  return major < wanted[0] || (major === wanted[0] && minor < wanted[1])
}

/** 'cargo 1.95.0 (…)' -> [1, 95] */
function parseVersion (text) {
  const match = /(\d+)\.(\d+)/.exec(text)
  return match === null ? [0, 0] : [Number(match[1]), Number(match[2])]
}

function checkNode () {
  if (!isOlder(parseVersion(process.versions.node), nodeWanted)) return
  giveUp(`Node ${nodeWanted[0]} or newer is needed; this is ${process.version}.`,
    'Get it from nodejs.org or with your version manager (nvm install --lts), then try again.')
}

function checkRust () {
  const { error, status, stdout } = spawnSync('cargo', ['--version'], { cwd: root, encoding: 'utf8' })
  const wanted = rustWanted.join('.')
  if (error || status !== 0) {
    giveUp(`Rust ${wanted} or newer is needed to build the native part, and no working "cargo" is on the PATH.`,
      'Get it from rustup.rs (or your system\'s packages), open a new shell, then try again.')
  }
  if (isOlder(parseVersion(stdout), rustWanted)) {
    giveUp(`Rust ${wanted} or newer is needed; this is ${stdout.trim()}.`,
      'Run "rustup update stable", then try again.')
  }
}

function readJson (...parts) {
  try {
    return JSON.parse(fs.readFileSync(path.join(root, ...parts), 'utf8'))
  } catch {
    return null
  }
}

/** Whether node_modules holds the versions that package-lock.json names. */
function packagesAreCurrent () {
  const wanted = readJson('package-lock.json')
  const installed = readJson('node_modules', '.package-lock.json')
  if (wanted === null || installed === null) return false
  return Object.entries(wanted.packages).every(([where, { optional, version }]) => {
    if (where === '') return true
    const found = installed.packages[where]
    return found === undefined ? optional === true : found.version === version
  })
}

function installPackages () {
  console.error('Installing the npm packages named in package-lock.json ...')
  runNpm(['ci', '--no-audit', '--no-fund', '--loglevel=error'])
}

/** Newest change below a file or folder; folders count, so that a removed file is seen. */
function newestChange (where) {
  const stat = fs.statSync(where, { throwIfNoEntry: false })
  if (stat === undefined) return 0
  if (!stat.isDirectory()) return stat.mtimeMs
  return fs.readdirSync(where).reduce(
    (newest, name) => Math.max(newest, newestChange(path.join(where, name))), stat.mtimeMs)
}

/** Whether there is a current binary for this platform. */
function binaryIsCurrent () {
  const folder = path.join(root, 'native')
  if (!fs.existsSync(folder)) return false
  const prefix = `http-native.${process.platform}-${process.arch}`
  const binaries = fs.readdirSync(folder).filter((name) => name.startsWith(prefix) && name.endsWith('.node'))
  if (binaries.length === 0) return false
  return binaries.some((name) => isCurrent(path.join(folder, name)))
}

/** Whether a binary is newer than everything it is made from. */
function isCurrent (binary) {
  const built = fs.statSync(binary).mtimeMs
  const sources = ['Cargo.lock', 'Cargo.toml', 'build.rs', 'crates', 'src']
  return sources.every((source) => newestChange(path.join(root, source)) <= built)
}

/** Builds even if the binary looks current: a debug build would too. Cargo makes it quick when nothing changed. */
function buildRelease () {
  checkNode()
  checkRust()
  if (!packagesAreCurrent()) installPackages()
  runNpm(['run', '--silent', 'build'])
}

/**
 * Makes the project ready to run. Does nothing, quickly, when it already is; a binary that was brought along needs no Rust.
 * @param {boolean} [withRust] true if Rust is needed beyond that
 */
function prepare (withRust = false) {
  checkNode()
  const isBuilt = binaryIsCurrent()
  if (withRust || !isBuilt) checkRust()
  if (!packagesAreCurrent()) installPackages()
  if (!isBuilt) {
    console.error('Building the native part in release mode (a minute or two the first time) ...')
    runNpm(['run', 'build'])
  }
}

module.exports = { binaryIsCurrent, buildRelease, giveUp, isCurrent, prepare, root, run, runNpm }

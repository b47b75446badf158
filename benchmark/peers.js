'use strict'

/**
 * Other runtimes that have a node:http, from npm, in a folder of their own beside the system's temporary files: they are no
 * dependencies of this package. Only for Linux on x64.
 */

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const folder = path.join(os.tmpdir(), 'http-native-peers')

/** The packages, the program in each, and what it is given before a script. */
const RUNTIMES = {
  bun: { package: '@oven/bun-linux-x64', program: 'bin/bun', args: ['--expose-gc'] },
  deno: { package: '@deno/linux-x64-glibc', program: 'deno', args: ['run', '--allow-all', '--v8-flags=--expose-gc'] }
}

function programOf (name) {
  const { package: pkg, program } = RUNTIMES[name]
  return path.join(folder, 'node_modules', pkg, program)
}

/** Installs what is not there yet. */
function install () {
  const missing = Object.keys(RUNTIMES).filter((name) => !fs.existsSync(programOf(name)))
  if (missing.length === 0) return
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('--peers: Bun and Deno are measured on Linux x64 only')
  fs.mkdirSync(folder, { recursive: true })
  const packages = missing.map((name) => RUNTIMES[name].package)
  execFileSync('npm', ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--loglevel=error', ...Object.values(RUNTIMES).map(({ package: pkg }) => pkg)],
    { stdio: ['ignore', 'inherit', 'inherit'] })
  for (const name of missing) {
    if (!fs.existsSync(programOf(name))) throw new Error(`--peers: ${packages.join(', ')} did not bring ${programOf(name)}`)
    fs.chmodSync(programOf(name), 0o755)
  }
}

/**
 * How a script is started.
 * @param {string|undefined} runtime one of the above; Node if undefined
 * @param {string} node
 * @returns {{ execPath: string, execArgv: string[] }}
 */
function start (runtime, node) {
  if (runtime === undefined) return { execPath: node, execArgv: ['--expose-gc'] }
  return { execPath: programOf(runtime), execArgv: RUNTIMES[runtime].args }
}

/** The version of each, for people. */
function versions () {
  return Object.keys(RUNTIMES).map((name) => {
    const text = execFileSync(programOf(name), ['--version'], { encoding: 'utf8' })
    return `${name} ${/\d+\.\d+\.\d+/.exec(text)?.[0] ?? 'of unknown version'}`
  }).join(', ')
}

module.exports = { install, start, versions }

'use strict'

/**
 * Builds the native part for a platform that need not be this one: zig links it (cargo-zigbuild), and where the compiler
 * has no standard library for the platform, it is built along, which needs the library's sources.
 */

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { root } = require('../prepare')
const { GLIBC } = require('./list')

const cache = path.join(root, '.cache', 'targets')
const python = path.join(cache, 'python')

function output (command, args) {
  const { status, stdout } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : null
}

/** The folder of cargo-zigbuild, or '' if it is on the PATH; installs it, with zig, from PyPI if need be. */
function findZigbuild () {
  if (output('cargo-zigbuild', ['--version']) !== null) return ''
  const bin = path.join(python, 'bin')
  if (output(path.join(bin, 'cargo-zigbuild'), ['--version']) !== null) return bin
  console.error('Installing zig and cargo-zigbuild ...')
  const isInstalled = output('python3', ['-m', 'venv', python]) !== null &&
    output(path.join(bin, 'pip'), ['install', '--quiet', 'ziglang', 'cargo-zigbuild']) !== null
  return isInstalled ? bin : null
}

/**
 * What can compile for a target: rustc, and whether it builds the standard library itself.
 * @returns {{rustc: string, std: boolean}|null}
 */
function compilerFor ({ triple }) {
  const found = [process.env.RUSTC, 'rustc', '/usr/bin/rustc'].filter(Boolean)
    .map((rustc) => ({ rustc, sysroot: output(rustc, ['--print', 'sysroot']) }))
    .filter(({ sysroot }) => sysroot !== null)
  const library = (...parts) => ({ sysroot }) => fs.existsSync(path.join(sysroot, 'lib', 'rustlib', ...parts))
  const whole = found.find(library(triple, 'lib'))
  if (whole !== undefined) return { rustc: whole.rustc, std: false }
  const sources = found.find(library('src', 'rust', 'library', 'std'))
  return sources === undefined ? null : { rustc: sources.rustc, std: true }
}

function flagsFor ({ libc, os }) {
  // Node brings its own libc, and is what an addon's symbols are found in.
  if (libc === 'musl') return '-C target-feature=-crt-static'
  return os === 'darwin' ? '-C link-arg=-undefined -C link-arg=dynamic_lookup' : ''
}

/**
 * Gives the Python that cargo-zigbuild is to start zig by: one that adds the oldest macOS to what zig is to build for. Without it
 * the file says that it needs one of the newest, and cargo-zigbuild passes on neither rustc's own option nor a second target.
 */
function pythonFor (macos) {
  const file = path.join(cache, `python-macos-${macos}`)
  fs.mkdirSync(cache, { recursive: true })
  fs.writeFileSync(file, `#!/bin/sh
for arg do
  shift
  case $arg in
    *-macos-none) arg=\${arg%-none}.${macos}-none ;;
  esac
  set -- "$@" "$arg"
done
exec python3 "$@"
`, { mode: 0o755 })
  return file
}

/** @returns {string} the file that was built; throws an Error that says what is missing */
function build (target) {
  const zigbuild = findZigbuild()
  if (zigbuild === null) throw new Error('cargo-zigbuild is not on the PATH, and python3 could not install it (pip install ziglang cargo-zigbuild)')
  const compiler = compilerFor(target)
  if (compiler === null) {
    throw new Error(`no rustc has a standard library for ${target.triple}, or its sources: rustup target add ${target.triple}, or rustup component add rust-src`)
  }
  const { libc, os, triple } = target
  // A cargo beside the compiler is the one that fits it.
  const cargo = path.isAbsolute(compiler.rustc) ? path.join(path.dirname(compiler.rustc), 'cargo') : 'cargo'
  const env = {
    ...process.env,
    PATH: [zigbuild, process.env.PATH].filter(Boolean).join(path.delimiter),
    CARGO_TARGET_DIR: process.env.CARGO_TARGET_DIR ?? path.join(cache, 'cargo'),
    RUSTC: compiler.rustc,
    RUSTFLAGS: flagsFor(target)
  }
  if (os === 'darwin') {
    env.CARGO_ZIGBUILD_PYTHON_PATH = pythonFor(target.macos)
    // Debian's llvm-strip does not know all of it, and the file is hardly smaller for it.
    env.CARGO_PROFILE_RELEASE_STRIP = 'none'
  }
  const args = ['zigbuild', '--release', '--lib', '--target', libc === 'glibc' ? `${triple}.${GLIBC}` : triple]
  if (compiler.std) {
    // Building the standard library is not stable yet.
    env.RUSTC_BOOTSTRAP = '1'
    args.push('-Zbuild-std=std,panic_unwind')
  }
  const { status } = spawnSync(cargo, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) throw new Error(`cargo ${args.join(' ')} failed`)
  return path.join(env.CARGO_TARGET_DIR, triple, 'release', `libhttp_native.${os === 'darwin' ? 'dylib' : 'so'}`)
}

module.exports = { build, cache }

'use strict'

/**
 * Rust's sanitizers, which see what no test can: memory used behind its end, and two threads that meet without order.
 *
 *     npm run test:asan                 the addon with AddressSanitizer, in Node, under the spec files below
 *     npm run test:asan -- guarantees/ends  only the spec files whose path contains that
 *     npm run test:tsan                 the Rust tests of src/ with ThreadSanitizer; options go to the test binary
 *     npm run test:miri                 the Rust tests that make no system calls, in Miri (some ten minutes)
 *
 * Linux on x86-64 or ARM. `asan` needs gcc's libasan, and asks stable Rust for what is not stable; `tsan` needs nightly
 * Rust with rust-src, as std has to be built along: what it orders is not seen otherwise.
 */

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { giveUp, prepare, root, run } = require('./prepare')
const { specFiles } = require('./spec-files')

const TARGET = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-unknown-linux-gnu`

/** Of these, what measures the process's own size is left out: freed memory is kept for a while, to find its users. */
const SPECS = ['guarantees/', 'lifecycle/', 'load/', ...['abort', 'message', 'patched', 'server', 'socket', 'upgrade'].map((folder) => `compat/${folder}/`)]
const MEASURING = ['load/large-bodies', 'lifecycle/ten-thousand']

/** What Miri runs: unit tests of src/net without sockets, and those of proto that are over in minutes. */
const IN_MEMORY = ['batch', 'block', 'handover', 'input', 'output', 'timing'].map((name) => `net::${name}::`)
const PROTO_TESTS = ['exchange', 'parse_errors', 'sending']

function asan (parts) {
  prepare()
  const folder = path.join(root, '.cache', 'asan')
  run('cargo', ['build', '--release', '--target', TARGET, '--target-dir', folder], {
    env: {
      ...process.env,
      RUSTC_BOOTSTRAP: '1',
      RUSTFLAGS: '-Zsanitizer=address',
      CARGO_PROFILE_RELEASE_LTO: 'off',
      CARGO_PROFILE_RELEASE_STRIP: 'none'
    }
  })
  const addon = path.join(folder, 'http-native.node')
  fs.copyFileSync(path.join(folder, TARGET, 'release', 'libhttp_native.so'), addon)
  const runtime = spawnSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).stdout?.trim()
  // gcc gives the bare name back when it has none.
  if (!runtime || !path.isAbsolute(runtime)) giveUp('AddressSanitizer needs gcc and its libasan.')
  const env = {
    ...process.env,
    // A library's own runtime would come too late: malloc is in use by then.
    LD_PRELOAD: runtime,
    NODE_OPTIONS: `--require=${path.join(__dirname, 'other-addon.js')}`,
    HTTP_NATIVE_ADDON: addon,
    // Node leaves much to the end of the process.
    ASAN_OPTIONS: 'detect_leaks=0'
  }
  // What cannot be loaded would be replaced by node:http, and the tests would pass.
  const isLoaded = `require(${JSON.stringify(root)}).native.active && fs.readFileSync('/proc/self/maps', 'latin1').includes(process.env.HTTP_NATIVE_ADDON)`
  run(process.execPath, ['-e', `process.exitCode = ${isLoaded} ? 0 : 1`], { env })
  const wanted = parts.length === 0 ? SPECS : parts
  const files = specFiles().filter((file) => wanted.some((part) => file.includes(part)) &&
    (parts.length !== 0 || !MEASURING.some((part) => file.includes(part))))
  run(process.execPath, ['--test', '--test-concurrency=2', '--test-reporter=spec', ...files], { env })
}

function tsan (options) {
  run('cargo', ['+nightly', 'test', '-p', 'http-native', '--lib', '-Zbuild-std', '--target', TARGET,
    '--target-dir', path.join(root, '.cache', 'tsan'), '--', ...options], {
    env: {
      ...process.env,
      RUSTFLAGS: '-Zsanitizer=thread',
      TSAN_OPTIONS: `suppressions=${path.join(__dirname, 'tsan-suppressions.txt')}`
    }
  })
}

/** Miri interprets Rust, and finds what is undefined in it; it knows no sockets. */
function miri () {
  const target = ['--target-dir', path.join(root, '.cache', 'miri')]
  run('cargo', ['+nightly', 'miri', 'test', '-p', 'http-native', '--lib', ...target, '--', ...IN_MEMORY])
  run('cargo', ['+nightly', 'miri', 'test', '-p', 'http-native-proto', ...PROTO_TESTS.flatMap((name) => ['--test', name]), ...target])
}

const [, , which, ...rest] = process.argv
if (process.platform !== 'linux') giveUp('The sanitizers are set up for Linux only.')
if (which === 'asan') asan(rest)
else if (which === 'tsan') tsan(rest)
else if (which === 'miri') miri()
else giveUp('Say which: asan, tsan or miri.')

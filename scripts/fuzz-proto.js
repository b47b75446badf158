'use strict'

/**
 * libFuzzer on crates/proto: its properties (crates/proto/tests/properties) for bytes that are found by what they reach.
 *
 *     npm run fuzz:proto                          each target for 10 s
 *     npm run fuzz:proto -- --seconds 60          each for a minute
 *     npm run fuzz:proto -- --target server --runs 1000000
 *     npm run fuzz:proto -- --target server FILE  one input again
 *
 * Stable Rust and a C++ compiler; nothing is installed. It begins with the cases of tests/wire and what earlier runs reached
 * (.cache/fuzz-proto/corpus); an input for which a property does not hold is kept in .cache/fuzz-proto/found, and ends the
 * run. The layout is cargo-fuzz's: `cargo +nightly fuzz run server`, in crates/proto, adds AddressSanitizer.
 */

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { giveUp, root, run } = require('./prepare')

const CACHE = path.join(root, '.cache', 'fuzz-proto')
const MANIFEST = path.join(root, 'crates', 'proto', 'fuzz', 'Cargo.toml')

/** What cargo-fuzz gives to rustc, without a sanitizer: counters of edges, and the numbers that are compared. */
const COVERAGE = ['-Cpasses=sancov-module', '-Cllvm-args=-sanitizer-coverage-level=4',
  '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters', '-Cllvm-args=-sanitizer-coverage-pc-table',
  '-Cllvm-args=-sanitizer-coverage-trace-compares', '-Cllvm-args=-simplifycfg-branch-fold-threshold=0', '-Ccodegen-units=1']

/** Bytes of an input: longer ones cost more than they find. */
const LENGTH = 1024

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string' }, seconds: { type: 'string' }, target: { type: 'string' } }
})

function targets () {
  const folder = path.join(path.dirname(MANIFEST), 'fuzz_targets')
  const all = fs.readdirSync(folder).map((file) => path.basename(file, '.rs'))
  if (values.target === undefined) return all
  if (!all.includes(values.target)) giveUp(`No such target: ${values.target}. There are: ${all.join(', ')}.`)
  return [values.target]
}

/** Builds all targets. Returns the folder that they are in. */
function build () {
  // Named, so that what runs while building is not instrumented.
  const host = /host: (\S+)/.exec(spawnSync('rustc', ['-vV'], { encoding: 'utf8' }).stdout)?.[1]
  if (host === undefined) giveUp('No working "rustc" is on the PATH.')
  run('cargo', ['build', '--release', '--locked', '--manifest-path', MANIFEST, '--target', host, '--target-dir', path.join(CACHE, 'target')],
    { env: { ...process.env, CARGO_ENCODED_RUSTFLAGS: ['--cfg=fuzzing', ...COVERAGE].join('\x1f') } })
  return path.join(CACHE, 'target', host, 'release')
}

/** Fuzzes one target. Returns true if its property held, and prints what was reached. */
function fuzz (program, target) {
  const corpus = path.join(CACHE, 'corpus', target)
  const found = path.join(CACHE, 'found', path.sep)
  for (const folder of [corpus, found]) fs.mkdirSync(folder, { recursive: true })
  const limit = values.runs !== undefined ? [`-runs=${values.runs}`] : [`-max_total_time=${values.seconds ?? 10}`]
  const { error, status, stderr } = spawnSync(program, [...limit, `-max_len=${LENGTH}`, `-dict=${path.join(CACHE, 'seeds', 'dictionary')}`,
    `-artifact_prefix=${found}${target}-`, '-timeout=10', '-rss_limit_mb=1024', '-print_final_stats=1', corpus,
    path.join(CACHE, 'seeds', target)], { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (error) giveUp(`Could not run ${program}: ${error.message}`)
  if (status !== 0) {
    console.error(stderr.slice(-6000))
    return false
  }
  const edges = /Loaded 1 PC tables \((\d+) PCs\)/.exec(stderr)?.[1]
  const reached = stderr.match(/cov: \d+ ft: \d+ corp: \d+/g)?.at(-1).match(/\d+/g) ?? []
  const number = (name) => Number(new RegExp(`stat::${name}:\\s+(\\d+)`).exec(stderr)?.[1])
  console.log(`${target}: ${number('number_of_executed_units')} executions, ${number('average_exec_per_sec')} a second, ` +
    `edges ${reached[0]} of ${edges}, features ${reached[1]}, inputs kept ${reached[2]}`)
  return true
}

const wanted = targets()
const folder = build()
if (positionals.length !== 0) {
  if (wanted.length !== 1) giveUp('Say which target the input is for: --target NAME.')
  run(path.join(folder, wanted[0]), positionals.map((file) => path.resolve(file)))
} else {
  run('cargo', ['run', '--quiet', '--locked', '-p', 'http-native-proto', '--example', 'fuzz_seeds', '--', path.join(CACHE, 'seeds')])
  const failed = wanted.filter((target) => !fuzz(path.join(folder, target), target))
  if (failed.length !== 0) giveUp(`A property does not hold: ${failed.join(', ')}. The input is in .cache/fuzz-proto/found.`)
}

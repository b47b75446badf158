'use strict'

/**
 * `npm test`: builds what is missing, then runs the Rust tests and all of __test__/.
 *
 *     npm test                              everything
 *     npm test -- server/keep               only the spec files whose path contains "server/keep"
 *     npm test -- --node=/path/to/node      with another Node: the binary is built for all
 *     npm test -- --test-name-pattern=drain options go to `node --test`
 *
 * With arguments the Rust tests are left out.
 */

const { spawnSync } = require('node:child_process')
const path = require('node:path')
const { giveUp, prepare, root, run } = require('./prepare')
const { specFiles } = require('./spec-files')

const NODE = '--node='

/** How long one spec file may take, in milliseconds: one that takes longer hangs. */
const FILE_TIMEOUT = 420_000

const args = process.argv.slice(2)
const options = args.filter((arg) => arg.startsWith('-') && !arg.startsWith(NODE))
const node = args.find((arg) => arg.startsWith(NODE))?.slice(NODE.length) ?? process.execPath
const parts = args.filter((arg) => !arg.startsWith('-')).map((part) => path.normalize(part))

prepare(args.length === 0)

const files = specFiles().filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
if (files.length === 0) {
  console.error(`No spec file in __test__/ matches: ${parts.join(' ')}`)
  process.exit(1)
}

if (args.length === 0) run('cargo', ['test', '--workspace'])

const { stdout: version } = spawnSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' })
if (!version) giveUp(`There is no Node at ${node}.`)
const [major, minor] = version.split('.').map(Number)
// Two files at a time: many of them measure time, and CI machines have two cores.
if (major > 20 || minor >= 10) options.unshift('--test-concurrency=2')
// A test that hangs is a failure of its file, in minutes, and not the end of the run's time.
if ((major > 20 || minor >= 11) && !options.some((option) => option.startsWith('--test-timeout'))) {
  options.unshift(`--test-timeout=${FILE_TIMEOUT}`)
}
if (!options.some((option) => option.startsWith('--test-reporter'))) options.unshift('--test-reporter=spec')

const { signal, status } = spawnSync(node, ['--test', ...options, ...files], { cwd: root, stdio: 'inherit' })
process.exitCode = signal !== null ? 130 : status

'use strict'

/**
 * `npm run consumers -- [NODE ...]`: runs __test__/ecosystem with each Node, this one and those that are named, and writes
 * what came of it to docs/CONSUMERS.md, and the counts to README.md.
 */

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { root, giveUp } = require('./prepare')
const { specFiles } = require('./spec-files')

const HEAD = `# Consumers

What builds on \`http\`, and what runs programs, unmodified, at its work on core and under \`http-native/register\`: both must say the same. Written by
\`npm run consumers\`, from a run of \`__test__/ecosystem\`; versions are those of package-lock.json.
`

/** In the names of tests; the others are about ourselves. */
const CONSUMER = /^(.*?) (?:answers|does|runs|talks|sees)\b/

const PASSES = 'same'
const FAILS = '**differs**'
const LEFT_OUT = 'not on core either'

/** Installs and builds what is too heavy for every test (fixtures/consumers/), unless it is there. */
function installHeavy () {
  const source = path.join(root, '__test__', 'fixtures', 'consumers')
  for (const name of fs.readdirSync(source)) {
    const folder = path.join(root, '.cache', 'consumers', name)
    fs.cpSync(path.join(source, name), folder, { recursive: true })
    for (const args of [['install', '--no-audit', '--no-fund', '--loglevel=error'], ['run', 'build', '--if-present']]) {
      console.error(`${name}: npm ${args[0]} ...`)
      const { status } = spawnSync('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' } })
      if (status !== 0) giveUp(`npm ${args.join(' ')} failed in ${folder}.`)
    }
  }
}

/** @returns {{version: string, results: Map<string, string>}} by consumer */
function runWith (node) {
  const { stdout: version } = spawnSync(node, ['-p', 'process.version'], { encoding: 'utf8' })
  if (!version) giveUp(`There is no Node at ${node}.`)
  const files = specFiles().filter((file) => file.startsWith(path.join('__test__', 'ecosystem')))
  console.error(`${version.trim()} ...`)
  const { stdout } = spawnSync(node, ['--test', '--test-reporter=tap', ...files], { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 })
  const results = new Map()
  for (const [, result, name, directive] of stdout.matchAll(/^ *(ok|not ok) \d+ - (.*?)( # (?:SKIP|TODO).*)?$/gm)) {
    const consumer = CONSUMER.exec(name)?.[1]
    if (consumer === undefined || results.get(consumer) === FAILS) continue
    results.set(consumer, result === 'not ok' ? FAILS : directive ? LEFT_OUT : PASSES)
  }
  return { version: version.trim(), results }
}

/** With the version, if it is a package's name. */
function withVersion (name) {
  const heavy = path.join(root, '.cache', 'consumers', name, 'node_modules', name, 'package.json')
  if (fs.existsSync(heavy)) return `${name} ${require(heavy).version}`
  const { packages } = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8'))
  const version = packages[`node_modules/${name}`]?.version
  return version === undefined ? name : `${name} ${version}`
}

installHeavy()
const runs = [...new Set([process.execPath, ...process.argv.slice(2)])].map(runWith)
const names = [...new Set(runs.flatMap(({ results }) => [...results.keys()]))].sort()
const rows = names.map((name) => `| ${withVersion(name)} | ${runs.map(({ results }) => results.get(name) ?? '–').join(' | ')} |`)
const table = [`| | ${runs.map(({ version }) => version).join(' | ')} |`, `|---${'|---'.repeat(runs.length)}|`, ...rows]

fs.writeFileSync(path.join(root, 'docs', 'CONSUMERS.md'), `${HEAD}\n${table.join('\n')}\n`)
/** For README.md: how many of them, by Node line. */
const ALL = [[PASSES, 'the same as on core'], [FAILS, 'different'], [LEFT_OUT, 'do not start on core either']]
const counts = runs.map(({ version, results }) => {
  const numbers = ALL.map(([outcome]) => [...results.values()].filter((one) => one === outcome).length)
  return `| ${version} | ${numbers.join(' | ')} |`
})
const summary = [`| of ${names.length} consumers and tools | ${ALL.map(([, title]) => title).join(' | ')} |`, '|---|---|---|---|', ...counts].join('\n')
const readme = path.join(root, 'README.md')
const [START, END] = ['<!-- consumers:start -->\n', '<!-- consumers:end -->']
const page = fs.readFileSync(readme, 'utf8')
fs.writeFileSync(readme, page.slice(0, page.indexOf(START) + START.length) + summary + '\n' + page.slice(page.indexOf(END)))

if (table.some((row) => row.includes(FAILS))) process.exitCode = 1

'use strict'

/**
 * `npm run licenses`: writes THIRD-PARTY.md, which names the Rust crates that are linked into the binaries, with the texts of
 * their licences. A crate may offer a choice; then it is MIT.
 */

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { root } = require('./prepare')
const { targets } = require('./targets/list')

const file = path.join(root, 'THIRD-PARTY.md')

const HEAD = `# Third-party licences

The binaries of http-native contain Rust's standard library (MIT OR Apache-2.0, The Rust Project Contributors,
<https://github.com/rust-lang/rust>) and these crates of <https://crates.io>. Written by \`npm run licenses\`.
`

function cargo (...args) {
  const { error, status, stdout, stderr } = spawnSync('cargo', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 })
  if (error || status !== 0) throw new Error(`cargo ${args.join(' ')}: ${error?.message ?? stderr}`)
  return stdout
}

/** `name version` of what is linked, for any target; macros and build scripts are not. */
function linked () {
  const names = new Set()
  for (const { triple } of targets) {
    const tree = cargo('tree', '--locked', '--edges', 'normal,no-proc-macro', '--target', triple, '--prefix', 'none', '--format', '{p}')
    for (const line of tree.split('\n')) {
      const [, name, version, where] = /^(\S+) v(\S+)(.*)$/.exec(line) ?? []
      if (name !== undefined && !where.includes(root)) names.add(`${name} ${version}`)
    }
  }
  return [...names].sort()
}

/** The same licence as ours, for packages that do not carry the text along. */
function mitOf (holders) {
  return fs.readFileSync(path.join(root, 'LICENSE'), 'utf8').trim().replace(/^Copyright .*$/m, `Copyright (c) ${holders}`)
}

/** The text of the licence that it is used under. */
function textOf ({ manifest_path: manifest, license, name, authors, repository }) {
  const folder = path.dirname(manifest)
  const files = fs.readdirSync(folder).filter((entry) => /^(licen[cs]e|copying)/i.test(entry)).sort()
  const chosen = files.find((entry) => /mit/i.test(entry)) ?? files[0]
  if (chosen === undefined) {
    if (!license.split(/ OR |\//).includes('MIT')) throw new Error(`${name} (${license}) has no licence file`)
    return mitOf(authors.join(', ') || `the contributors of ${repository}`)
  }
  return fs.readFileSync(path.join(folder, chosen), 'utf8').replaceAll('\r\n', '\n').trim()
}

/** @returns {string} what the file must contain */
function render () {
  const packages = new Map(JSON.parse(cargo('metadata', '--locked', '--format-version', '1')).packages
    .map((found) => [`${found.name} ${found.version}`, found]))
  /** Text -> the crates that have it. */
  const texts = new Map()
  for (const id of linked()) {
    const found = packages.get(id)
    const text = textOf(found)
    if (!texts.has(text)) texts.set(text, [])
    texts.get(text).push(`${id} (${found.license})`)
  }
  const parts = [...texts].map(([text, crates]) => `## ${crates.join(', ')}\n\n\`\`\`text\n${text}\n\`\`\`\n`)
  return [HEAD, ...parts].join('\n')
}

module.exports = { file, render }

if (require.main === module) fs.writeFileSync(file, render())

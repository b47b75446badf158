'use strict'

/**
 * npm's `prepare`: builds the native part in a clone and in an installation from git, where Rust is. Where it is not, the
 * installation succeeds all the same, and a note in native/ says why to those who load it.
 */

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { binaryIsCurrent, root } = require('./prepare')

const note = path.join(root, 'native', 'not-built.txt')

function build () {
  if (spawnSync('cargo', ['--version']).status !== 0) return 'there was no working "cargo" on the PATH.'
  // npm hides what this prints; it shows it where the installation is of the clone itself.
  const { status, error } = spawnSync('npm', ['run', 'build'], { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' })
  return status === 0 ? null : `"npm run build" failed (${error ? error.message : `status ${status}`}).`
}

fs.rmSync(note, { force: true })
if (!binaryIsCurrent()) {
  const failure = build()
  if (failure !== null) {
    fs.mkdirSync(path.dirname(note), { recursive: true })
    fs.writeFileSync(note, `${failure}\n`)
    console.error(`http-native: the native part was not built, and node:http will be used: ${failure}`)
    console.error('Install Rust (rustup.rs) and a C linker, then "npm run build".')
  }
}

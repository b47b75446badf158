'use strict'

/**
 * The addon with panics that tests put in (src/panics.rs), and the tests that do: `npm run test:panics`, with `--node=BIN` for
 * another Node. It is a debug build, in .cache; what ships is built without them.
 */

const fs = require('node:fs')
const path = require('node:path')
const { isCurrent, root, run } = require('./prepare')

const FILE = path.join(root, '.cache', 'panics', 'http-native.node')

/** @returns {string|null} the addon's file, if it is built from the sources as they are */
function addon () {
  return fs.existsSync(FILE) && isCurrent(FILE) ? FILE : null
}

function build () {
  run('cargo', ['build', '--features', 'inject-panics'])
  fs.mkdirSync(path.dirname(FILE), { recursive: true })
  const name = process.platform === 'darwin' ? 'libhttp_native.dylib' : 'libhttp_native.so'
  fs.copyFileSync(path.join(root, 'target', 'debug', name), FILE)
}

module.exports = { addon }

if (require.main === module) {
  build()
  run(process.execPath, [path.join(__dirname, 'test.js'), ...process.argv.slice(2), 'guarantees/panics'])
}

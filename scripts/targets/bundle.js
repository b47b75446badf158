'use strict'

/**
 * lib/ as it is published: one file, since finding and reading sixty takes most of the time that register needs to start.
 */

const fs = require('node:fs')
const path = require('node:path')
const { build } = require('esbuild')
const { root } = require('../prepare')

const ENTRY = `exports.index = () => require('./index.js')
exports.register = () => require('./register.js')
`

const FACES = {
  'index.js': "module.exports = require('./lib/http-native.js').index()\n",
  'register.js': "const { unregister } = require('./lib/http-native.js').register()\nmodule.exports = { unregister }\n"
}

/** The native part, and what Node has, are found when they are needed. */
const outside = {
  name: 'outside',
  setup ({ onResolve }) {
    onResolve({ filter: /\.node$|^http-native-|^_http_/ }, ({ path: name }) => ({ path: name, external: true }))
  }
}

/**
 * Puts what index.js and register.js load into one file of a package.
 * @param {string} where the package's folder
 */
async function bundle (where) {
  await build({
    stdin: { contents: ENTRY, resolveDir: root },
    outfile: path.join(where, 'lib', 'http-native.js'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    // Names are seen in stacks.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    plugins: [outside],
    logLevel: 'error'
  })
  for (const [name, text] of Object.entries(FACES)) fs.writeFileSync(path.join(where, name), text)
}

module.exports = { bundle }

'use strict'

/** npm's `prepack`: a package without a native part, neither in it nor in packages of its platforms, is refused. */

const fs = require('node:fs')
const path = require('node:path')
const { giveUp, root } = require('./prepare')
const { optionalDependencies = {} } = require('../package.json')

const hasBinary = fs.readdirSync(path.join(root, 'native')).some((name) => name.endsWith('.node'))
const hasPackages = Object.keys(optionalDependencies).some((name) => name.startsWith('http-native-'))

if (!hasBinary && !hasPackages) {
  giveUp('There is no native part to pack: native/ has no .node file, and package.json names no packages of platforms.',
    'Run "npm run build" for one with the binary of this machine.')
}

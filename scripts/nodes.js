'use strict'

/**
 * Prints the path of a Node of each line that is supported, one a line, but of the one that runs this: `.ci/run` tests
 * with all of them. They come from npm's packages node-<platform>-<arch>, and stay in .cache/nodes.
 */

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { root, runNpm } = require('./prepare')

/** Major versions. */
const LINES = [20, 22, 24, 26]

const cache = path.join(root, '.cache', 'nodes')
const name = `node-${process.platform}-${process.arch}`

/** @returns {string} the binary of a line, installed if it is not there yet */
function nodeOf (line) {
  const prefix = path.join(cache, String(line))
  const binary = path.join(prefix, 'node_modules', name, 'bin', 'node')
  // An installation may have been cut short.
  if (spawnSync(binary, ['--version']).status !== 0) {
    fs.mkdirSync(prefix, { recursive: true })
    fs.writeFileSync(path.join(prefix, 'package.json'), '{ "private": true }\n')
    // Its output is no path.
    runNpm(['install', '--prefix', prefix, '--no-audit', '--no-fund', '--loglevel=error', `${name}@${line}`], { stdio: ['ignore', 2, 2] })
  }
  return binary
}

const running = Number(process.versions.node.split('.')[0])
for (const line of LINES) {
  if (line !== running) console.log(nodeOf(line))
}

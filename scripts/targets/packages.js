'use strict'

/**
 * The packages as they are published: one a platform with its binary, and the main one, which has JavaScript alone and names
 * the others as optional dependencies. npm installs the one that fits.
 */

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { root } = require('../prepare')
const { bundle } = require('./bundle')
const { targets, packageOf, binaryOf } = require('./list')

const manifest = require('../../package.json')

/** npm compares it with where a release was built, for its provenance. */
const { GITHUB_REPOSITORY } = process.env
const origin = GITHUB_REPOSITORY === undefined ? {} : { repository: { type: 'git', url: `git+https://github.com/${GITHUB_REPOSITORY}.git` } }

const LICENSES = ['LICENSE', 'THIRD-PARTY.md']

function writeManifest (folder, content) {
  fs.writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(content, null, 2)}\n`)
}

function empty (folder) {
  fs.rmSync(folder, { recursive: true, force: true })
  fs.mkdirSync(folder, { recursive: true })
}

/**
 * @param {string} folder that the package's own folder is made in
 * @param {string} binary the file that was built
 * @returns {string} the package's folder
 */
function layOut (folder, target, binary) {
  const { version, license, engines } = manifest
  const where = path.join(folder, target.name)
  empty(where)
  const main = binaryOf(target)
  fs.copyFileSync(binary, path.join(where, main))
  for (const name of LICENSES) fs.copyFileSync(path.join(root, name), path.join(where, name))
  fs.writeFileSync(path.join(where, 'README.md'), `# ${packageOf(target)}\n\nThe native part of http-native for ${target.name}. http-native depends on it; do not install it by itself.\n`)
  const { os, cpu, libc } = target
  writeManifest(where, {
    name: packageOf(target),
    version,
    description: `The native part of http-native for ${target.name}`,
    license,
    ...origin,
    type: 'commonjs',
    main,
    files: [main, ...LICENSES],
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] })
  })
  return where
}

/** The main package, of what package.json calls its files but binaries. @returns {Promise<string>} its folder */
async function layOutMain (folder) {
  const where = path.join(folder, 'http-native')
  empty(where)
  // What only a clone needs.
  const { private: isPrivate, scripts, devDependencies, napi, ...published } = manifest
  const files = manifest.files.filter((name) => !name.startsWith('native'))
  for (const name of [...files, 'README.md', 'LICENSE']) {
    if (name !== 'lib') fs.cpSync(path.join(root, name), path.join(where, name), { recursive: true })
  }
  await bundle(where)
  const optionalDependencies = Object.fromEntries(targets.map((target) => [packageOf(target), manifest.version]))
  writeManifest(where, { ...published, ...origin, files, optionalDependencies })
  return where
}

/** @returns {string} the tarball, in `folder` */
function pack (where, folder) {
  const { status, stdout, stderr } = spawnSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: where, encoding: 'utf8' })
  if (status !== 0) throw new Error(`npm pack failed in ${where}: ${stderr}`)
  return path.join(folder, JSON.parse(stdout)[0].filename)
}

module.exports = { layOut, layOutMain, pack }

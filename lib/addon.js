'use strict'

/**
 * Finds the native part and loads it: the file that a build left in native/, or the package for this platform, which is an
 * optional dependency. Throws an error that says in plain words why there is none; docs/ERRORS.md lists them by code.
 */

const fs = require('node:fs')
const { createRequire } = require('node:module')
const path = require('node:path')
const { process } = require('./host')
const { failure, explained, missing } = require('./addon-failure')
const { readHeader, targetOf, isCut } = require('./addon-file')

/** The version of this JavaScript; the native part has its own. */
const VERSION = '0.1.0'

const OLDEST_NODE = 20

const TARGETS = ['linux-x64-gnu', 'linux-x64-musl', 'linux-arm64-gnu', 'linux-arm64-musl', 'darwin-x64', 'darwin-arm64']

/** The paths of musl's dynamic loader; a system may have it beside glibc's. */
const MUSL = { x64: '/lib/ld-musl-x86_64.so.1', arm64: '/lib/ld-musl-aarch64.so.1' }

/**
 * True if a bundler has put this file into another: then paths beside it say nothing, and only what is written out below
 * is found. As this package is published, lib/ is one file.
 */
const isBundled = typeof __filename === 'undefined' ||
  !['addon.js', 'http-native.js'].some((name) => __filename.endsWith(`${path.sep}lib${path.sep}${name}`))

/** True if there is such a file; `ifHidden` where the permission model does not let this be known, for which fs.existsSync throws. */
function exists (file, ifHidden = false) {
  try {
    return fs.existsSync(file)
  } catch {
    return ifHidden
  }
}

/** True on musl. The report takes milliseconds: it is made only where there is a doubt. */
function isMusl () {
  if (!exists(MUSL[process.arch] ?? '', true)) return false
  process.report.excludeNetwork = true
  return process.report.getReport().header.glibcVersionRuntime === undefined
}

/** @returns {string} the name of this platform, as in the file and the package for it */
function targetHere () {
  const { platform, arch } = process
  const target = platform === 'linux' ? `linux-${arch}-${isMusl() ? 'musl' : 'gnu'}` : `${platform}-${arch}`
  if (!TARGETS.includes(target)) throw failure('NO_SUCH_PLATFORM', `There is no native part for ${target}; there is one for ${TARGETS.join(', ')}.`)
  return target
}

/** Requires the file of a platform. Written out, so that bundlers see them. */
function requireFile (target) {
  try {
    switch (target) {
      case 'linux-x64-gnu': return require('../native/http-native.linux-x64-gnu.node')
      case 'linux-x64-musl': return require('../native/http-native.linux-x64-musl.node')
      case 'linux-arm64-gnu': return require('../native/http-native.linux-arm64-gnu.node')
      case 'linux-arm64-musl': return require('../native/http-native.linux-arm64-musl.node')
      case 'darwin-x64': return require('../native/http-native.darwin-x64.node')
      case 'darwin-arm64': return require('../native/http-native.darwin-arm64.node')
    }
  } catch (error) {
    throw explained(error, `native/http-native.${target}.node`)
  }
}

function requirePackage (target) {
  try {
    switch (target) {
      case 'linux-x64-gnu': return require('http-native-linux-x64-gnu')
      case 'linux-x64-musl': return require('http-native-linux-x64-musl')
      case 'linux-arm64-gnu': return require('http-native-linux-arm64-gnu')
      case 'linux-arm64-musl': return require('http-native-linux-arm64-musl')
      case 'darwin-x64': return require('http-native-darwin-x64')
      case 'darwin-arm64': return require('http-native-darwin-arm64')
    }
  } catch (error) {
    throw explained(error, `http-native-${target}`)
  }
}

const isExplained = (error) => String(error.code).startsWith('HTTP_NATIVE_')

/** Throws for a file that was cut short, which would end the process with SIGBUS, or that is for another platform. */
function check (file, target) {
  try {
    const header = readHeader(file)
    const found = header === null ? null : targetOf(header)
    if (found === null) throw failure('NOT_WHOLE', `${file} is ${fs.statSync(file).size === 0 ? 'empty' : 'no library, or was cut short'}.`)
    if (!target.startsWith(found)) throw failure('WRONG_TARGET', `${file} is ${found}, and this Node needs ${target}.`)
    if (isCut(file, header)) throw failure('NOT_WHOLE', `${file} was cut short.`)
  } catch (error) {
    throw isExplained(error) ? error : explained(error, file)
  }
}

/** @returns {string|null} the package's file */
function locatePackage (target) {
  try {
    return createRequire(__filename).resolve(`http-native-${target}`)
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return null
    throw explained(error, `http-native-${target}`)
  }
}

/** Throws if the package's folder is there, of which the file was not found. */
function checkFolder (target) {
  const name = `http-native-${target}`
  for (const modules of createRequire(__filename).resolve.paths(name) ?? []) {
    const folder = path.join(modules, name)
    if (!exists(folder)) continue
    try {
      fs.accessSync(folder, fs.constants.R_OK | fs.constants.X_OK)
    } catch (error) {
      throw explained(error, folder)
    }
    throw failure('NOT_WHOLE', `The package in ${folder} lacks its file.`)
  }
}

function loadBundled (target) {
  let error
  for (const from of [requireFile, requirePackage]) {
    try {
      return from(target)
    } catch (reason) {
      if (error === undefined || reason.cause.code !== 'MODULE_NOT_FOUND') error = reason
    }
  }
  if (error.cause.code !== 'MODULE_NOT_FOUND') throw error
  throw failure('NOT_IN_BUNDLE', `This is a bundle, and the native part (http-native.${target}.node) did not come along.`, error.cause)
}

function loadFound (target) {
  const folder = path.dirname(__dirname)
  const built = `${folder}${path.sep}native${path.sep}http-native.${target}.node`
  if (exists(built)) {
    check(built, target)
    return requireFile(target)
  }
  const installed = locatePackage(target)
  if (installed === null) {
    if (exists(built, true)) check(built, target)
    checkFolder(target)
    throw missing(target, folder, TARGETS.filter((other) => locatePackage(other) !== null), exists)
  }
  check(installed, target)
  return requirePackage(target)
}

/** @returns {object} the addon's exports, of the version of this JavaScript; throws errors with a code of ERRORS.md */
function load () {
  if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
    throw failure('OLD_NODE', `Node ${OLDEST_NODE} or newer is needed; this is ${process.version}.`)
  }
  const target = targetHere()
  const addon = isBundled ? loadBundled(target) : loadFound(target)
  if (addon.VERSION !== VERSION) {
    throw failure('OTHER_VERSION', `The native part is version ${addon.VERSION ?? 'unknown'}, and the JavaScript is ${VERSION}.`)
  }
  return addon
}

try {
  module.exports = load()
} catch (error) {
  throw isExplained(error) ? error : explained(error, 'the native part')
}

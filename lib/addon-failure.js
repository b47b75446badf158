'use strict'

/** The errors for a native part that cannot be loaded, in plain words; docs/ERRORS.md lists them by code. */

const fs = require('node:fs')
const path = require('node:path')
const { process } = require('./host')

function failure (code, message, cause) {
  const error = new Error(message, cause && { cause })
  error.code = `HTTP_NATIVE_${code}`
  return error
}

/** Gives the error for a file that is there and cannot be loaded, by what Node and the system said. */
function explained (error, file) {
  const { code, message } = error
  // Loaders of bundlers keep the message alone.
  if (code === 'ERR_DLOPEN_DISABLED' || /loading addons is disabled/.test(message)) {
    const why = process.permission === undefined ? '--no-addons' : 'the permission model without --allow-addons'
    return failure('NOT_ALLOWED', `Addons may not be loaded here (${why}).`, error)
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'ERR_ACCESS_DENIED' || /permission denied/i.test(message)) {
    return failure('NOT_READABLE', `${error.resource || file} may not be read: ${message}`, error)
  }
  if (/libc\.musl-|ld-linux-/.test(message)) {
    return failure('WRONG_TARGET', `${file} is for the other C library (glibc or musl): ${message}`, error)
  }
  if (/GLIBC_|symbol not found|undefined symbol/.test(message)) {
    return failure('OLD_SYSTEM', `${file} needs a newer system library than there is: ${message}`, error)
  }
  return failure('NOT_LOADED', `${file} could not be loaded: ${message}`, error)
}

/**
 * Gives the error for a file that is not there, as far as the package's own folder tells why.
 * @param {string} folder of the package
 * @param {string[]} others the platforms whose package is there
 * @param {(file: string) => boolean} exists
 */
function missing (target, folder, others, exists) {
  const looked = `Looked for native/http-native.${target}.node in ${folder}, and for the package http-native-${target}`
  const note = path.join(folder, 'native', 'not-built.txt')
  if (exists(note)) {
    return failure('NOT_BUILT', `The native part was not built when this package was installed from its sources: ${fs.readFileSync(note, 'utf8').trim()} ${looked}.`)
  }
  if (exists(path.join(folder, 'Cargo.toml'))) {
    return failure('NOT_BUILT', `The native part was not built: this is a checkout of the sources. ${looked}.`)
  }
  if (others.length > 0) {
    return failure('WRONG_TARGET', `The native part that was installed is for ${others.join(', ')}, and this Node needs ${target}. ${looked}.`)
  }
  return failure('NOT_INSTALLED', `The native part is not installed. ${looked}.`)
}

module.exports = { failure, explained, missing }

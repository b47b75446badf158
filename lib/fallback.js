'use strict'

/** Warns once that core's http serves instead of ours, and of what can be done. */

const { getEnvironmentData, setEnvironmentData } = require('node:worker_threads')
const { process } = require('./host')

/** Key of the environment data that threads inherit. */
const SAID = 'http-native: has warned'

const REMEDIES = {
  HTTP_NATIVE_NO_SUCH_PLATFORM: 'Nothing needs to be done: the application runs as without this package.',
  HTTP_NATIVE_OLD_NODE: 'Use a newer Node.',
  HTTP_NATIVE_NOT_ALLOWED: 'Start Node with --allow-addons, or without --no-addons.',
  HTTP_NATIVE_NOT_READABLE: 'Let this user read the file (under the permission model: --allow-fs-read).',
  HTTP_NATIVE_OLD_SYSTEM: 'On a glibc older than 2.17, or a musl older than 1.2, build from source: npm run build, in a clone.',
  HTTP_NATIVE_NOT_WHOLE: 'Install again: rm -rf node_modules, then npm install.',
  HTTP_NATIVE_WRONG_TARGET: 'Install on the machine, or in the image, that runs the application: node_modules cannot be copied from another kind.',
  HTTP_NATIVE_NOT_BUILT: 'Install Rust (rustup.rs) and a C linker, then npm run build in a clone, or install again.',
  HTTP_NATIVE_NOT_INSTALLED: 'Install again with optional dependencies (no --omit=optional, --no-optional), and with a lockfile that names them for this platform.',
  HTTP_NATIVE_NOT_IN_BUNDLE: 'Mark http-native as external, or let the bundler copy .node files: see the README.',
  HTTP_NATIVE_OTHER_VERSION: 'Install http-native again, with the package of this platform in the same version; in a clone, npm run build.'
}

/**
 * Warns, once a process: threads that are started later are silent.
 * @param {Error} reason
 */
function warn (reason) {
  if (getEnvironmentData(SAID)) return
  setEnvironmentData(SAID, true)
  const remedy = REMEDIES[reason.code] ?? 'The message says what Node or the system refused.'
  process.emitWarning(`node:http is used instead of http-native. ${reason.message}`, {
    type: 'HttpNativeWarning',
    code: reason.code,
    detail: `${remedy} More: docs/ERRORS.md of http-native.`
  })
}

module.exports = { warn }

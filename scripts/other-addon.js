'use strict'

/** Loads the addon that HTTP_NATIVE_ADDON names in place of the one in native/: `node --require`, for builds that tests make. */

const Module = require('node:module')
const path = require('node:path')

Module._extensions['.node'] = (module, file) => {
  const isOurs = path.basename(file).startsWith('http-native.')
  process.dlopen(module, isOurs ? process.env.HTTP_NATIVE_ADDON : file)
}

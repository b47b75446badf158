'use strict'

const { AsyncResource } = require('node:async_hooks')

/**
 * An async context that is no handle, nor a request of libuv's: by itself it keeps no process running. Tools that look for what
 * does (jest's `--detectOpenHandles`) would take it for such, for as long as it is there, without `hasRef`.
 */
class Scope extends AsyncResource {
  hasRef () { return false }
}

module.exports = { Scope }

'use strict'

/**
 * What is compared, by name; `core` is the baseline. To add one: `http()` gives what answers like
 * `require('http')`, `register()` makes it what frameworks get when they ask for `http`.
 */

/** BENCH_NATIVE tries the benchmark itself, without a binary: BENCH_NATIVE=node:http npm run bench */
const substitute = process.env.BENCH_NATIVE

/** The package hands out core's http where its binary does not load; that must not be measured as ours. */
function notCore (before, after) {
  if (before === after) throw new Error('http-native handed out node:http: the native part did not load')
}

module.exports = {
  core: {
    http: () => require('node:http'),
    register: () => {}
  },
  native: {
    http () {
      if (substitute !== undefined) return require(substitute)
      const http = require('..')
      notCore(require('node:http').Server, http.Server)
      return http
    },
    register () {
      if (substitute !== undefined) return
      const { Server } = require('node:http')
      require('../register.js')
      notCore(Server, require('node:http').Server)
    }
  }
}

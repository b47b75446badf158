'use strict'

/**
 * What is compared, by name. `core` is what the ratios are against. To add one: its `http()` answers like
 * `require('http')`, `register()` makes it what frameworks get when they ask for `http`.
 */

const path = require('node:path')

/** BENCH_NATIVE tries the benchmark itself, without a binary: BENCH_NATIVE=node:http npm run bench */
const substitute = process.env.BENCH_NATIVE

module.exports = {
  core: {
    http: () => require('node:http'),
    register: () => {}
  },
  native: {
    http: () => require(substitute ?? '..'),
    register: () => {
      if (substitute === undefined) require(path.join('..', 'register.js'))
    }
  }
}

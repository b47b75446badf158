'use strict'

/**
 * What Node gives to its own http at startup: clocks, timers and queues that stay what they are when the application
 * puts others in the place of the global ones (fake timers, a frozen Date), also if it has done so already.
 */

const { Buffer } = require('node:buffer')
const { performance } = require('node:perf_hooks')
const timers = require('node:timers')
const { deserialize } = require('node:v8')
const { runInThisContext } = require('node:vm')

/** Those of Node's own realm: a test runner gives what it loads others. */
const { process, queueMicrotask } = runInThisContext('globalThis')

/** new Date(0), as v8.serialize writes it: whoever reads it gets a Date of the class that V8 knows. */
const EPOCH = Uint8Array.of(0xff, 0x0f, 0x44, 0, 0, 0, 0, 0, 0, 0, 0)

const { constructor: Date } = deserialize(EPOCH)

/** Its `now` may have been replaced before. */
function isNative (method) {
  return Function.prototype.toString.call(method).endsWith('{ [native code] }')
}

module.exports = {
  Buffer,
  process,
  setTimeout: timers.setTimeout,
  clearTimeout: timers.clearTimeout,
  setInterval: timers.setInterval,
  clearInterval: timers.clearInterval,
  setImmediate: timers.setImmediate,
  queueMicrotask,
  Date,
  /** Milliseconds since 1970. */
  clock: isNative(Date.now) ? Date.now : () => new Date().getTime(),
  /** Milliseconds since the process began. */
  elapsed: performance.now.bind(performance)
}

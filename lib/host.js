'use strict'

/**
 * What Node gives to its own http at startup: clocks, timers and queues that stay what they are when the application
 * puts others in the place of the global ones (fake timers, a frozen Date), also if it has done so already.
 */

const { Buffer } = require('node:buffer')
const timers = require('node:timers')
const { runInThisContext } = require('node:vm')

/** Those of Node's own realm: a test runner gives what it loads others. */
const { process, queueMicrotask, Date: GlobalDate } = runInThisContext('globalThis')

const { hrtime } = process

/** new Date(0), as v8.serialize writes it: whoever reads it gets a Date of the class that V8 knows. */
const EPOCH = Uint8Array.of(0xff, 0x0f, 0x44, 0, 0, 0, 0, 0, 0, 0, 0)

/** The modules for what is seldom needed cost milliseconds: they are loaded where it is. */
const Date = isNative(GlobalDate, 'Date') ? GlobalDate : require('node:v8').deserialize(EPOCH).constructor

/** V8's own, or put in its place before? */
function isNative (method, name) {
  return Function.prototype.toString.call(method) === `function ${name}() { [native code] }`
}

/** Milliseconds on a clock that nobody sets. */
function elapsed () {
  const [seconds, nanoseconds] = hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
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
  clock: isNative(Date.now, 'now') ? Date.now : () => new Date().getTime(),
  elapsed
}

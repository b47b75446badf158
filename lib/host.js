'use strict'

/**
 * Node's own clocks, timers and queues, as its http takes them at startup: they stay what they are when the application
 * replaces the global ones (fake timers, a frozen Date), also if it has done so already.
 */

const { Buffer } = require('node:buffer')
const timers = require('node:timers')
const { runInThisContext } = require('node:vm')

/** Of Node's own realm: a test runner gives the code that it loads other ones. */
const { process, Date: GlobalDate } = isOfNode(isOfNode) ? globalThis : runInThisContext('globalThis')

const { hrtime } = process

/** new Date(0), as v8.serialize writes it: deserialising it gives a Date of the class that V8 knows. */
const EPOCH = Uint8Array.of(0xff, 0x0f, 0x44, 0, 0, 0, 0, 0, 0, 0, 0)

/** Modules that are seldom needed cost milliseconds: they are loaded where they are needed. */
const Date = isNative(GlobalDate, 'Date') ? GlobalDate : require('node:v8').deserialize(EPOCH).constructor

/** True of a function of Node's own realm: it has the prototype that the class above all of Node's arrays has. To ask `vm` costs more. */
function isOfNode (method) {
  const Uint8Array = Object.getPrototypeOf(Buffer)
  return Object.getPrototypeOf(Object.getPrototypeOf(Uint8Array)) === Object.getPrototypeOf(method)
}

/** True if the function is V8's own. */
function isNative (method, name) {
  return Function.prototype.toString.call(method) === `function ${name}() { [native code] }`
}

/** Gives milliseconds of a monotonic clock. */
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
  Date,
  /** Milliseconds since 1970. */
  clock: isNative(Date.now, 'now') ? Date.now : () => new Date().getTime(),
  elapsed
}

'use strict'

/**
 * Messages begin without EventEmitter's object for listeners, which most of them never need. EventEmitter makes it with
 * the first listener; only the legacy Stream's eventNames() takes it for granted.
 */

/**
 * What a message's prototype stands on: a stream's prototype that can do without listeners.
 * @param {object} prototype of Stream or Readable
 */
function quiet (prototype) {
  const { eventNames } = prototype
  return Object.create(prototype, {
    eventNames: {
      value: function () { return this._events ? eventNames.call(this) : [] },
      writable: true,
      configurable: true,
      enumerable: true
    }
  })
}

module.exports = { quiet }

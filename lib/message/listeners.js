'use strict'

/**
 * Messages begin without EventEmitter's object for listeners, which most of them never need. EventEmitter makes it with
 * the first listener; only the legacy Stream's eventNames() takes it for granted. And they may do without listeners that
 * core has: `message[kListenersShown](event, listeners)` gives the list that core would have.
 */

const { EventEmitter } = require('node:events')
const { kFinished, kListenersShown, kNative } = require('../core/symbols')

const { listeners } = EventEmitter.prototype

function method (value) {
  return { value, writable: true, configurable: true, enumerable: true }
}

/**
 * Makes a prototype for messages: a stream's prototype that can do without the object for listeners.
 * @param {object} prototype of Stream or Readable
 */
function quiet (prototype) {
  const { eventNames, listenerCount } = prototype
  return Object.create(prototype, {
    eventNames: method(function () {
      return this._events ? eventNames.call(this) : []
    }),
    listenerCount: method(function (event, listener) {
      if (this[kListenersShown] === undefined) return listenerCount.call(this, event, listener)
      const found = this.listeners(event)
      return listener ? found.filter((one) => one === listener).length : found.length
    }),
    listeners: method(function (event) {
      const found = listeners.call(this, event)
      return this[kListenersShown] === undefined ? found : this[kListenersShown](event, found)
    })
  })
}

/** Stands where a callback could be. */
function nop () {}

/** Ends the exchange of a message that core sent; our own messages call kFinished themselves. A listener of 'finish'. */
function tellFinished () {
  if (this[kNative] !== true) this[kFinished]()
}

module.exports = { quiet, nop, tellFinished }

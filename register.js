'use strict'

/**
 * `node -r http-native/register app.js`: makes the built-in http ours, in place, so that require, import and
 * process.getBuiltinModule all see it. https, http2 and fetch use internals of their own and stay as they are.
 */

const core = require('node:http')
const { syncBuiltinESMExports } = require('node:module')

/** Core's classes as they were: objects made by them (https, earlier servers) keep being instances. */
const CLASSES = ['Agent', 'ClientRequest', 'IncomingMessage', 'OutgoingMessage', 'Server', 'ServerResponse']
const originals = Object.fromEntries(CLASSES.map((name) => [name, core[name]]))

const http = require('./index.js')

const isInstance = Function.prototype[Symbol.hasInstance]

/**
 * Lets instances of either class pass for instances of the other: packages may hold on to the class they saw first.
 * Subclasses inherit the method, and answer for themselves alone.
 */
function recognise (Class, other) {
  Object.defineProperty(Class, Symbol.hasInstance, {
    __proto__: null,
    value (value) {
      return isInstance.call(this, value) || (this === Class && isInstance.call(other, value))
    },
    writable: true,
    configurable: true
  })
}

function install () {
  if (http === core) return
  for (const name of Object.keys(http)) {
    Object.defineProperty(core, name, Object.getOwnPropertyDescriptor(http, name))
  }
  for (const name of CLASSES) {
    recognise(http[name], originals[name])
    recognise(originals[name], http[name])
  }
  syncBuiltinESMExports()
}

install()

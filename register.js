'use strict'

/**
 * `node -r http-native/register app.js`: makes the built-in http ours, in place, so that require, import and
 * process.getBuiltinModule all see it. https, http2 and fetch use internals of their own and stay as they are.
 */

const core = require('node:http')
const { syncBuiltinESMExports } = require('node:module')

/**
 * The modules that `http` is made of, and what of ours they show. The rest of them works with objects of core's own.
 * `Server` of `_http_server` stays: http2 looks for it when it is loaded.
 */
const PARTS = {
  _http_agent: ['Agent', 'globalAgent'],
  _http_client: ['ClientRequest'],
  _http_incoming: ['IncomingMessage'],
  _http_outgoing: ['OutgoingMessage', 'validateHeaderName', 'validateHeaderValue'],
  _http_server: ['STATUS_CODES', 'ServerResponse']
}

const CLASSES = ['Agent', 'ClientRequest', 'IncomingMessage', 'OutgoingMessage', 'Server', 'ServerResponse']

const http = require('./index.js')

const isInstance = Function.prototype[Symbol.hasInstance]

/**
 * Lets instances of either class pass for instances of the other: packages may hold on to the class they saw first, and
 * https and earlier servers make core's. Those of other copies of ours, which a test runner loads, have the same mark.
 * Subclasses inherit the method, and answer for themselves alone.
 */
function recognise (Class, other, mark) {
  Object.defineProperty(Class, Symbol.hasInstance, {
    __proto__: null,
    value (value) {
      return isInstance.call(this, value) || (this === Class && (isInstance.call(other, value) || value?.[mark] === true))
    },
    writable: true,
    configurable: true
  })
}

function install () {
  if (!http.native.active) return
  for (const name of Object.keys(http)) {
    Object.defineProperty(core, name, Object.getOwnPropertyDescriptor(http, name))
  }
  // Loaded now, it finds core's own parts.
  try { require('node:https') } catch {} // There is a Node without crypto.
  for (const [id, names] of Object.entries(PARTS)) {
    const part = require(id)
    for (const name of names) Object.defineProperty(part, name, Object.getOwnPropertyDescriptor(http, name))
  }
  const originals = require('./lib/core/classes')
  const { own } = require('./lib/core/symbols')
  for (const name of CLASSES) {
    const mark = own(`is ${name}`)
    Object.defineProperty(http[name].prototype, mark, { __proto__: null, value: true })
    recognise(http[name], originals[name], mark)
    recognise(originals[name], http[name], mark)
  }
  syncBuiltinESMExports()
}

install()

'use strict'

/**
 * `node -r http-native/register app.js`: makes the built-in http ours, in place, so that require, import and
 * process.getBuiltinModule all see it. https and the HTTP/1 of http2 are made of our parts then, also if they were loaded before;
 * fetch uses internals of its own and stays as it is.
 */

const Module = require('node:module')

const CLASSES = ['Agent', 'ClientRequest', 'IncomingMessage', 'OutgoingMessage', 'Server', 'ServerResponse']

/** The modules that `http` is made of, and what of ours they show. The rest of them works with objects of core's own. */
const parts = () => [
  [require('node:_http_agent'), ['Agent', 'globalAgent']],
  [require('node:_http_client'), ['ClientRequest']],
  [require('node:_http_incoming'), ['IncomingMessage']],
  [require('node:_http_outgoing'), ['OutgoingMessage', 'validateHeaderName', 'validateHeaderValue']],
  [require('node:_http_server'), ['STATUS_CODES', 'Server', 'ServerResponse']]
]

/** What https and http2 take of _http_server besides, when they are loaded. */
const TLS_PARTS = ['storeHTTPOptions', 'setupConnectionsTracking', '_connectionListener']

const isInstance = Function.prototype[Symbol.hasInstance]
const { isPrototypeOf } = Object.prototype

/**
 * Lets instances of either class pass for instances of the other: packages may hold on to the class they saw first, and
 * earlier servers make core's. Those of other copies of ours, which a test runner loads, have the same mark.
 * Subclasses inherit the method, and answer for themselves alone.
 */
function recognise (Class, otherPrototype, mark) {
  Object.defineProperty(Class, Symbol.hasInstance, {
    __proto__: null,
    value (value) {
      // Also where the class stands behind a proxy.
      return isInstance.call(this, value) ||
        (this.prototype === Class.prototype && (isPrototypeOf.call(otherPrototype, value) || value?.[mark] === true))
    },
    writable: true,
    configurable: true
  })
}

/** What was where before: [part, name, descriptor]. */
const replaced = []

const nop = () => {}

/** Undoes lib/register/earlier.js. */
let restoreEarlier = nop

/** Puts one of ours in the place of core's, if this Node has one there. */
function show (part, name, ours) {
  const before = Object.getOwnPropertyDescriptor(part, name)
  if (before === undefined) return
  replaced.push([part, name, before])
  Object.defineProperty(part, name, Object.getOwnPropertyDescriptor(ours, name))
}

function install () {
  // A module that was not loaded cannot have been changed.
  const loaded = new Set(['http', 'https', 'http2', 'net'].filter((id) => process.moduleLoadList?.includes(`NativeModule ${id}`) !== false))
  const core = require('node:http')
  const http = require('./index.js')
  if (!http.native.active) return
  const originals = require('./lib/core/classes')
  const tls = require('./lib/register/tls')
  const { own } = require('./lib/core/symbols')
  // Another copy of ours may have been here before.
  const isOurs = own('is Server') in core.Server.prototype
  const isFirst = !loaded.has('http') || isOurs
  const kept = isFirst ? new Set() : require('./lib/register/wrappers').carryOver(core, http, originals, CLASSES)
  if (loaded.has('net')) require('./lib/register/wrappers').heedNet()
  if (!isFirst) restoreEarlier = require('./lib/register/earlier').exchange(loaded)
  for (const name of Object.keys(http)) {
    if (!kept.has(name)) show(core, name, http)
  }
  show(core, '_connectionListener', tls)
  for (const [part, names] of parts()) {
    for (const name of names) show(part, name, http)
  }
  for (const name of TLS_PARTS) show(require('node:_http_server'), name, tls)
  for (const name of CLASSES) {
    const mark = own(`is ${name}`)
    Object.defineProperty(http[name].prototype, mark, { __proto__: null, value: true })
    const { prototype } = originals[name]
    recognise(originals[name], http[name].prototype, mark)
    recognise(http[name], prototype, mark)
  }
  Module.syncBuiltinESMExports()
  if (process.env.HTTP_NATIVE_SHUTDOWN) require('./lib/register/shutdown-signal').arm(process.env.HTTP_NATIVE_SHUTDOWN)
  if (process.env.NODE_DEBUG) tell([...kept], loaded.has('https'))
}

/** NODE_DEBUG=http-native */
function tell (kept, isHttps) {
  const ids = [...new Set(replaced.map(([part]) => part))].length
  const but = kept.length === 0 ? '' : ` below wrappers of ${kept.join(', ')}`
  require('node:util').debuglog('http-native')(`http is ours${but}, in ${ids} modules of Node; https ${isHttps ? 'is, too' : 'will be'}`)
}

/**
 * Puts everything back where it was, for tests. What was made or taken meanwhile stays ours, and so does an https that was
 * loaded meanwhile.
 */
function unregister () {
  for (const [part, name, before] of replaced.splice(0).reverse()) Object.defineProperty(part, name, before)
  restoreEarlier()
  restoreEarlier = nop
  Module.syncBuiltinESMExports()
}

/**
 * Agents that trace an application wrap what it gets from `require` when it is first asked for. They must not see what we
 * load: they would wrap core's http, find it replaced, and not look again.
 */
function unseen (load) {
  const { prototype } = Module
  const hooked = prototype.require
  prototype.require = function (id) { return Module._load(id, this, false) }
  try {
    load()
  } finally {
    prototype.require = hooked
  }
}

unseen(install)

module.exports = { unregister }

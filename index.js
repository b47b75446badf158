'use strict'

/**
 * The public face: the same keys as require('http') of the running Node, ours where there is something to gain,
 * the host's own where not; and `native` and `stats`, which are not enumerable.
 */

const core = require('node:http')

/** Why core's http serves, or null. */
let reason = null

/** Our parts by name; none where the native part cannot be loaded. */
function load () {
  try {
    require('./lib/binding/active-handles')
  } catch (error) {
    reason = error
    require('./lib/fallback').warn(error)
    return {}
  }
  const { OutgoingMessage } = require('./lib/message/outgoing')
  const { IncomingMessage } = require('./lib/message/incoming')
  const { ServerResponse } = require('./lib/server/response')
  const { likeHost } = require('./lib/core/reflection')
  const originals = require('./lib/core/classes')
  const { Agent, setGlobalProxyFromEnv } = require('./lib/client/agent')
  const { ClientRequest, get, request } = require('./lib/client/request')
  const { Server, createServer, _connectionListener } = require('./lib/server/server')
  const classes = { Agent, ClientRequest, IncomingMessage, OutgoingMessage, Server, ServerResponse }
  for (const [name, Class] of Object.entries(classes)) likeHost(Class, originals[name])
  function stats () { return require('./lib/client/pool-stats').stats() }
  return { ...classes, createServer, get, request, setGlobalProxyFromEnv, _connectionListener, stats }
}

const ours = load()

/** The module that has `globalAgent`. */
const agents = reason === null ? require('./lib/client/agent') : core

for (const name of Object.keys(core)) {
  const own = Object.getOwnPropertyDescriptor(core, name)
  if (Object.hasOwn(ours, name)) {
    module.exports[name] = ours[name]
  } else if (name === 'globalAgent') {
    Object.defineProperty(module.exports, name, {
      __proto__: null,
      get () { return agents.globalAgent },
      set (value) { agents.globalAgent = value },
      enumerable: true,
      configurable: true
    })
  } else if (own.get !== undefined) {
    // Lazy ones stay lazy: looking would load them.
    Object.defineProperty(module.exports, name, own)
  } else {
    module.exports[name] = own.value
  }
}

if (ours.stats !== undefined) Object.defineProperty(module.exports, 'stats', { __proto__: null, value: ours.stats, configurable: true })

Object.defineProperty(module.exports, 'native', {
  __proto__: null,
  value: Object.freeze({
    active: reason === null,
    reason,
    /** Counts what the native part has at the moment. */
    objects: () => reason === null ? require('./lib/addon').objects() : null
  }),
  configurable: true
})

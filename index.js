'use strict'

/**
 * The public face: the same keys as require('http') of the running Node, ours where there is something to gain,
 * the host's own where not.
 */

const core = require('node:http')

/** Our parts by name, or null where the native side cannot load: then the host's http serves. */
function load () {
  try {
    require('./lib/active-handles')
  } catch (error) {
    process.emitWarning(
      `http-native could not load its native part and hands out node:http instead: ${error.message}`,
      'HttpNativeWarning'
    )
    return null
  }
  return { ...require('./lib/server'), ...require('./lib/client'), ...require('./lib/agent') }
}

const parts = load()

if (parts === null) {
  module.exports = core
} else {
  const { OutgoingMessage } = require('./lib/outgoing')
  const { IncomingMessage } = require('./lib/incoming')
  const { ServerResponse } = require('./lib/response')
  const { likeHost } = require('./lib/likeness')
  const originals = require('./lib/core')
  const { Agent, ClientRequest, Server, createServer, get, request, _connectionListener } = parts
  const agent = require('./lib/agent')
  const { setGlobalProxyFromEnv } = require('./lib/global-proxy')
  const ours = {
    Agent,
    ClientRequest,
    IncomingMessage,
    OutgoingMessage,
    Server,
    ServerResponse,
    createServer,
    get,
    request,
    setGlobalProxyFromEnv,
    _connectionListener
  }

  for (const Class of [Agent, ClientRequest, IncomingMessage, OutgoingMessage, Server, ServerResponse]) likeHost(Class, originals[Class.name])

  for (const name of Object.keys(core)) {
    const own = Object.getOwnPropertyDescriptor(core, name)
    if (Object.hasOwn(ours, name)) {
      module.exports[name] = ours[name]
    } else if (name === 'globalAgent') {
      Object.defineProperty(module.exports, name, {
        __proto__: null,
        get () { return agent.globalAgent },
        set (value) { agent.globalAgent = value },
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
}

'use strict'

/** Core's own parts, which ours may be put in place of (register.js), by this copy of lib/ or by another. */

const http = require('node:http')
const { common } = require('../binding')

const {
  Agent, ClientRequest, IncomingMessage, OutgoingMessage, Server, ServerResponse, globalAgent, setGlobalProxyFromEnv, _connectionListener
} = http

module.exports = (common.core ??= Object.freeze({
  Agent,
  ClientRequest,
  IncomingMessage,
  OutgoingMessage,
  Server,
  ServerResponse,
  globalAgent,
  setGlobalProxyFromEnv,
  _connectionListener
}))

'use strict'

/** Core's own classes and functions, from before register.js put ours in their place, of this copy of lib/ or another. */

const http = require('node:http')
const { isLenient } = require('node:_http_common')
const { setupConnectionsTracking, storeHTTPOptions } = require('node:_http_server')
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
  isLenient,
  setupConnectionsTracking,
  storeHTTPOptions,
  _connectionListener
}))

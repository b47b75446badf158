/** Named exports: those of this Node's http, ours in the place of core's. */

import http from './index.js'

export default http

export * from 'node:http'

export const {
  Agent,
  ClientRequest,
  IncomingMessage,
  OutgoingMessage,
  Server,
  ServerResponse,
  _connectionListener,
  createServer,
  get,
  globalAgent,
  native,
  request,
  setGlobalProxyFromEnv, // Undefined in Nodes that have none.
  stats // Undefined where core's http serves.
} = http

'use strict'

/**
 * Makes a native connection: the running Node's net.Socket connects, with its lookup, its addresses, its errors and events, by a
 * handle of ours (dialling.js), or by libuv's, whose descriptor is ours from then on (ClientTransport's `carry`). What an
 * application has patched is left to core's sockets.
 */

const net = require('node:net')
const diagnostics = require('node:diagnostics_channel')
const { ClientConnection } = require('./connection')
const { connectPublishes, isPatched } = require('./net-patches')
const { HandleScope, dials, giveHandle } = require('./dialling')
const { NativeSocket } = require('../connection/socket')

const socketChannel = diagnostics.channel('net.client.socket')

/**
 * Makes a connection. As core's net.connect.
 * @param {object} options
 * @param {Function} [callback] once for 'connect'
 * @param {{ block?: number, isProxied?: boolean }} [how] the block to count in (lib/stats/block.js); whether they lead to a proxy
 * @returns {net.Socket|undefined} still connecting; undefined if the socket must be core's
 */
function connect (options, callback, { block, isProxied = false }) {
  if (isPatched(isProxied) || options.fd !== undefined || options.handle || options.onread || options.allowHalfOpen || options.signal) return undefined
  const connection = new ClientConnection(-1, null)
  if (block !== undefined) connection.stats = block
  const socket = connection.socket = new NativeSocket(connection, options)
  if (!connectPublishes && socketChannel.hasSubscribers) socketChannel.publish({ socket })
  if (options.timeout) socket.setTimeout(options.timeout)
  // The handle that connects, if it is libuv's, is given up; what comes after 'connect' belongs to the same context.
  connection.context = new HandleScope(options.path ? 'PIPEWRAP' : 'TCPWRAP', connection)
  if (dials(options)) giveHandle(connection)
  socket.connect(net._normalizeArgs([options, callback]))
  connection.isConnecting = true
  return socket
}

module.exports = { connect }

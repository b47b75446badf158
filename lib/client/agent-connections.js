'use strict'

/**
 * Makes an agent's connections, directly or through a proxy, ours or net's, and adds the listeners by which the agent
 * hears what becomes of them.
 */

const net = require('node:net')
const { canDial, createConnection, dial, kDialable } = require('./dial')
const { validateString } = require('../core/validators')

/** Agent -> the function that forwards TLS key lines, once there is a listener for them. */
const kOnKeylog = Symbol('onkeylog')

/**
 * Makes a connection.
 * @param {import('./proxy').ForwardProxy|null|undefined} proxy of the agent
 * @param {Array} args of net.connect
 * @returns {import('node:stream').Duplex}
 */
function connect (proxy, args) {
  if (proxy) {
    const [origin, callback] = net._normalizeArgs(args)
    if (proxy.serves(origin)) return connectToProxy(proxy, origin, callback)
  }
  const [options, callback] = args
  return isDialable(options) && canDial(options) ? dialWith(options, callback) : createConnection(...args)
}

/** Connects to a proxy. The origin's options are not the proxy's. */
function connectToProxy ({ host, port, isSecure }, origin, callback) {
  if (isSecure) return require('node:tls').connect({ host, port }, callback)
  const options = { host, port }
  return isDialable(origin) && canDial(options, true) ? dialWith(options, callback) : net.connect(options, callback)
}

/** Makes a native connection (lib/client/dial.js). */
function dialWith (options, callback) {
  const socket = dial(options)
  if (callback) socket.once('connect', callback)
  return socket
}

/** True if these options were made for a request of ours. */
function isDialable (options) {
  return options !== null && typeof options === 'object' && options[kDialable] === true
}

/** Gives the name for TLS: that of the Host field, '' if it is an address. As core's calculateServerName. */
function serverName (request, options) {
  let name = options.host
  const field = request.getHeader('host')
  if (field) {
    validateString(field, 'options.headers.host')
    if (field.charCodeAt(0) === 91) { // [v6]:port
      const end = field.indexOf(']')
      name = end === -1 ? field : field.slice(1, end)
    } else {
      const colon = field.indexOf(':')
      name = colon === -1 ? field : field.slice(0, colon)
    }
  }
  return net.isIP(name) ? '' : name
}

/** Adds the agent's listeners to a connection. As core's installListeners. */
function watch (agent, socket, options) {
  function onFree () {
    agent.emit('free', socket, options)
  }

  function onClose () {
    agent.totalSocketCount--
    agent.removeSocket(socket, options)
  }

  function onTimeout () {
    // In use, the time-out is the request's.
    for (const name in agent.freeSockets) {
      if (agent.freeSockets[name].includes(socket)) {
        socket.destroy()
        return
      }
    }
  }

  function onRemove () {
    agent.totalSocketCount--
    agent.removeSocket(socket, options)
    socket.removeListener('close', onClose)
    socket.removeListener('free', onFree)
    socket.removeListener('timeout', onTimeout)
    socket.removeListener('agentRemove', onRemove)
  }

  socket.on('free', onFree)
  socket.on('close', onClose)
  socket.on('timeout', onTimeout)
  socket.on('agentRemove', onRemove)
  if (agent[kOnKeylog] !== undefined) socket.on('keylog', agent[kOnKeylog])
}

module.exports = { connect, serverName, watch, kOnKeylog }

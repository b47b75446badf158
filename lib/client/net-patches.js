'use strict'

/** Whether connecting was patched: mocks and tracers that watch or replace connections patch one of these functions of net's. */

const net = require('node:net')
const { Agent } = require('../core/classes')

const { connect: socketConnect } = net.Socket.prototype
const { connect: netConnect, createConnection: netCreateConnection } = net

/** True if core's Agent reads net.createConnection for each connection; before agents knew proxies, it was the method itself. */
const readsNet = Agent.prototype.createConnection !== netCreateConnection

/** True if core's connect() publishes on the channel of client sockets; before, net.connect() did. Its text tells: a call would connect. */
const connectPublishes = /\bpublish\(/.test(Function.prototype.toString.call(socketConnect))

/** True if they were patched before this file came (lib/register/wrappers.js). */
let wasPatched = false

/** Has each connection made by the patched net. */
function noteEarlierPatch () {
  wasPatched = true
}

/** True if connecting was patched. @param {boolean} isProxied core asks net.connect for the way to a proxy */
function isPatched (isProxied) {
  if (wasPatched || net.Socket.prototype.connect !== socketConnect) return true
  return isProxied ? net.connect !== netConnect : readsNet && net.createConnection !== netCreateConnection
}

module.exports = { connectPublishes, isPatched, noteEarlierPatch }

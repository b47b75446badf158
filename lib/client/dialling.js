'use strict'

/**
 * `socket._handle` of a socket that connects: net's connect() calls it as libuv's, and it has the native side dial. Once the
 * connection is made it is a handle as any of ours, so that neither a descriptor is duplicated nor a handle exchanged.
 */

const { AsyncResource } = require('node:async_hooks')
const { native, connections, atClosePhase, common } = require('../binding')
const { Handle } = require('../connection/handle')
const { kReinitializeHandle } = require('../connection/detach')
const { process } = require('../host')
const { errnoOf } = require('../core/errors')
const { kAsyncId } = require('./pooled-socket')

/** Errors of connect() that libuv has for want of a socket: where there is one it has an address, of zeros. */
const SOCKETLESS = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EAFNOSUPPORT'].map(errnoOf))

/** As getsockname() gives a socket that has no address yet. */
const UNBOUND_4 = { address: '0.0.0.0', family: 'IPv4', port: 0 }
const UNBOUND_6 = { address: '::', family: 'IPv6', port: 0 }

const CANCELED = errnoOf('ECANCELED')

/** The handles that dial, of all copies of lib/: what `process` lists as active (lib/binding/active-handles.js). */
const dialling = common.dialling ??= new Set()

/** The context of a connection, as hooks have that of libuv's handle: it tells whether the socket keeps the process running. */
class HandleScope extends AsyncResource {
  constructor (type, connection) {
    super(type)
    this.connection = connection
  }

  // Hooks may call it while the constructor runs.
  hasRef () {
    const handle = this.connection?.socket?._handle
    // Another is there by itself.
    return handle instanceof Handle && handle.hasRef()
  }
}

class DiallingHandle extends Handle {
  /** @param {import('./connection').ClientConnection} connection */
  constructor (connection) {
    super(connection)
    /** The id of the dial, until the connection has it, or the handle is closed; -1 for none. */
    this.dial = -1
    /** net's request, whose `oncomplete` tells, until that has returned, and its context. */
    this.request = null
    this.requestResource = null
    /** True once the dial has ended. */
    this.isOver = false
    /** True once the connection has it. */
    this.isCarried = false
    /** What getsockname() gives where connecting has failed at once. */
    this.unbound = null
    /** The context of libuv's handle. */
    this.resource = connection.context
  }
}

/** True if a socket with these options is to dial by itself. */
function dials (options) {
  return kReinitializeHandle !== undefined && !options.path && !options.localAddress && !options.localPort && !options.blockList &&
    options.typeOfService === undefined && process.permission === undefined
}

/** Gives the socket of a connection, which is about to connect, its handle. */
function giveHandle (connection) {
  connection.socket[kReinitializeHandle](new DiallingHandle(connection))
}

DiallingHandle.prototype.connect = function connect (request, address, port) {
  return dial(this, request, address, port, 0)
}

DiallingHandle.prototype.connect6 = function connect6 (request, address, port) {
  const [ip, zone] = address.split('%')
  return dial(this, request, ip, port, zone === undefined ? 0 : zoneOf(zone))
}

/** Gives the number of an IPv6 zone; -1 if there is no such. */
function zoneOf (name) {
  if (/^\d+$/.test(name)) return Number(name)
  return require('node:os').networkInterfaces()[name]?.find(({ scopeid }) => scopeid !== undefined)?.scopeid ?? -1
}

function dial (handle, request, address, port, zone) {
  if (zone === -1) return errnoOf('EINVAL')
  if (handle.isCarried) return errnoOf('EISCONN')
  if (handle.request !== null && !handle.isOver) return errnoOf('EALREADY')
  if (handle.dial !== -1) hangUp(handle)
  const id = native.dial(address, port, zone)
  if (id < 0) {
    if (!SOCKETLESS.has(id)) handle.unbound = address.includes(':') ? UNBOUND_6 : UNBOUND_4
    return id
  }
  handle.dial = id
  handle.isOver = false
  handle.request = request
  handle.requestResource = new AsyncResource('TCPCONNECTWRAP')
  connections[id] = handle
  dialling.add(handle)
  return 0
}

/** Gives the dial up, or lets go of its socket. */
function hangUp (handle) {
  const { dial } = handle
  handle.dial = -1
  connections[dial] = undefined
  dialling.delete(handle)
  native.hangUp(dial)
}

/** Called when the dial has ended. @param {number} status 0, or a negative errno: then the socket stays until it is closed */
DiallingHandle.prototype.onDialled = function onDialled (status) {
  const { request, requestResource } = this
  this.isOver = true
  if (status !== 0) connections[this.dial] = undefined
  try {
    requestResource.runInAsyncScope(complete, null, this, request, status)
  } finally {
    requestResource.emitDestroy()
    if (this.request === request) this.request = null
    dialling.delete(this)
  }
}

function complete (handle, request, status) {
  request.oncomplete?.(status, handle, request, status === 0, status === 0)
}

/**
 * Makes the socket that has connected a connection.
 * @returns {number} the connection's id, or a negative errno
 */
DiallingHandle.prototype.carry = function carry (config, stats) {
  const { dial } = this
  this.dial = -1
  connections[dial] = undefined
  const status = native.carryDialled(dial, config, stats)
  if (status !== 0) return status
  this.isCarried = true
  if (!this.isReferenced) native.unref(dial)
  return dial
}

/** Closes: before there is a connection as libuv's handle does. */
DiallingHandle.prototype.close = function close (callback) {
  if (this.isCarried) return Handle.prototype.close.call(this, callback)
  const { request, requestResource, resource, isOver } = this
  // The last that is asked for is told first.
  if (callback) atClosePhase(() => resource.runInAsyncScope(callback))
  if (this.dial === -1) return
  hangUp(this)
  if (isOver) return
  atClosePhase(() => {
    requestResource.runInAsyncScope(complete, null, this, request, CANCELED)
    requestResource.emitDestroy()
  })
}

// What core's Agent gives a handle for its next request.

DiallingHandle.prototype.getProviderType = () => 0

DiallingHandle.prototype.getAsyncId = function getAsyncId () {
  return this.isCarried ? this.connection.socket[kAsyncId] : this.resource.asyncId()
}

DiallingHandle.prototype.asyncReset = function asyncReset () {
  if (!this.isCarried) this.resource = new HandleScope('TCPWRAP', this.connection)
}

for (const [name, peer] of [['getsockname', false], ['getpeername', true]]) {
  DiallingHandle.prototype[name] = function (out) {
    if (this.isCarried) return Handle.prototype[name].call(this, out)
    const found = this.dial === -1 ? (peer ? null : this.unbound) : native.address(this.dial, peer)
    if (!found) return errnoOf('EBADF')
    out.address = found.address
    out.family = found.family
    out.port = found.port
    return 0
  }
}

module.exports = { DiallingHandle, HandleScope, dials, giveHandle }

'use strict'

/**
 * What was taken from core's http, or made of it, before register came: wrappers of http.request, variables that hold it,
 * and https and http2 if they were loaded. Their functions stay core's, but what they construct becomes ours: core's Server
 * and Agent get our prototypes, and a request is made anew, in place, when it asks its agent for a connection, which is the
 * last thing that core's constructor does. What exists already stays as it is.
 */

const core = require('../core/classes')
const { kError, kIncomingMessage, kServerResponse } = require('../core/symbols')
const { Agent, listen, takeBack } = require('../client/agent')
const { ClientRequest } = require('../client/request')
const { Server, deriveWith } = require('../server/server')
const { IncomingMessage } = require('../message/incoming')
const { ServerResponse } = require('../server/response')
const tls = require('./tls')

/** Core's class of messages -> ours. */
const OURS = new Map([[core.IncomingMessage, IncomingMessage], [core.ServerResponse, ServerResponse]])

/**
 * Gives the class of messages that a server is to use. One that was derived of core's, as it was before register or was held
 * since then, is derived of ours from now on.
 */
function derivedOfOurs (Class) {
  if (OURS.has(Class)) return OURS.get(Class)
  for (let derived = Class; typeof derived === 'function'; derived = Object.getPrototypeOf(derived)) {
    const ours = OURS.get(Object.getPrototypeOf(derived))
    // A function calls its base itself.
    if (ours === undefined || !/^class\b/.test(Function.prototype.toString.call(derived))) continue
    inherit(derived.prototype, ours.prototype)
    inherit(derived, ours)
    break
  }
  return Class
}

/** The functions by which core's constructors make a server speak HTTP -> ours. */
const LISTENERS = new Map()

/** What undoes all this, for unregister(). */
const undo = []

/** Defines a property as Node's own classes have theirs, until unregister(). */
function define (object, key, value, enumerable = true) {
  const before = Object.getOwnPropertyDescriptor(object, key)
  Object.defineProperty(object, key, { __proto__: null, value, writable: true, configurable: before?.configurable ?? true, enumerable: before?.enumerable ?? enumerable })
  undo.push(() => before === undefined ? delete object[key] : Object.defineProperty(object, key, before))
}

function inherit (object, prototype) {
  const before = Object.getPrototypeOf(object)
  Object.setPrototypeOf(object, prototype)
  undo.push(() => Object.setPrototypeOf(object, before))
}

/** Finds a slot of core's by its description. */
function slotOf (object, description) {
  return Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === description)
}

// ------------------------------------------------------------------------------------------------------ servers

/** Makes the `on` of servers exchange the listeners that core's constructors add. */
function exchangeListeners (prototype) {
  const { on } = prototype
  define(prototype, 'on', {
    on (event, listener) {
      const replacement = LISTENERS.get(listener)
      if (replacement !== undefined) tls.adopt(this)
      return on.call(this, event, replacement ?? listener)
    }
  }.on, false)
}

// ----------------------------------------------------------------------------------------------------- requests

/** Makes a request of core's, as it stands at the end of its constructor, one of ours. */
function remake (request, agent, options) {
  const { _events, _eventsCount, _maxListeners, destroyed, [kError]: error } = request
  const made = Object.create(agent, { addRequest: { value () { throw made } } })
  for (const key of Reflect.ownKeys(request)) delete request[key]
  Object.setPrototypeOf(request, ClientRequest.prototype)
  try {
    ClientRequest.call(request, { ...options, agent: made })
  } catch (reason) {
    if (reason !== made) throw reason
  }
  request.agent = agent
  // The callback, and what core's constructor did for the signal.
  Object.assign(request, { _events, _eventsCount, _maxListeners })
  if (!destroyed) return
  request.destroyed = true
  request[kError] = error
}

/** The agents that are known to work as ours do. */
const seen = new WeakSet()

/** Makes an agent that core's constructor made, over our prototype, work as ours do. */
function takeOver (agent) {
  seen.add(agent)
  const [takesBack] = agent.rawListeners('free')
  if (takesBack !== undefined && takesBack !== takeBack) listen(agent)
}

function exchangeRequests () {
  const { addRequest } = Agent.prototype
  const requests = core.ClientRequest.prototype
  define(Agent.prototype, 'addRequest', {
    addRequest (request, options, port, localAddress) {
      if (!seen.has(this)) takeOver(this)
      if (Object.getPrototypeOf(request) === requests && typeof options === 'object') remake(request, this, options)
      return addRequest.call(this, request, options, port, localAddress)
    }
  }.addRequest)
}

// ------------------------------------------------------------------------------------- https and http2, if loaded

function exchangeHttps () {
  const https = require('node:https')
  inherit(https.Agent.prototype, Agent.prototype)
  inherit(https.Agent, Agent)
  exchangeListeners(https.Server.prototype)
}

function exchangeHttp2 () {
  const http2 = require('node:http2')
  const probe = http2.createSecureServer()
  const [connectionListener] = probe.rawListeners('secureConnection')
  const kOptions = slotOf(probe, 'options')
  LISTENERS.set(connectionListener, function (socket) {
    const { allowHTTP1, Http1IncomingMessage, Http1ServerResponse, http1Options } = this[kOptions] ?? {}
    if (allowHTTP1 !== true || (socket.alpnProtocol !== false && socket.alpnProtocol !== 'http/1.1')) {
      return connectionListener.call(this, socket)
    }
    this[kIncomingMessage] = derivedOfOurs(http1Options?.IncomingMessage ?? Http1IncomingMessage ?? IncomingMessage)
    this[kServerResponse] = derivedOfOurs(http1Options?.ServerResponse ?? Http1ServerResponse ?? ServerResponse)
    return tls._connectionListener.call(this, socket)
  })
  exchangeListeners(probe.constructor.prototype)
}

/**
 * @param {Set<string>} loaded the modules that were
 * @returns {() => void} puts everything back
 */
function exchange (loaded) {
  LISTENERS.set(core._connectionListener, tls._connectionListener)
  LISTENERS.set(core.setupConnectionsTracking, tls.setupConnectionsTracking)
  exchangeRequests()
  deriveWith(derivedOfOurs)
  undo.push(() => deriveWith((Class) => Class))
  define(core.Server, 'prototype', Server.prototype)
  define(core.Agent, 'prototype', Agent.prototype)
  if (loaded.has('https')) exchangeHttps()
  if (loaded.has('http2')) exchangeHttp2()
  return () => {
    for (const step of undo.splice(0).reverse()) step()
  }
}

module.exports = { exchange }

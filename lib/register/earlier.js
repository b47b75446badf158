'use strict'

/**
 * What was taken from core's http, or made of it, before register came: wrappers of http.request, variables that hold it,
 * and https and http2 if they were loaded. Their functions stay core's, but what they construct becomes ours: core's Server
 * and Agent get our prototypes, and a request is made anew, in place, when it asks its agent for a connection, which is the
 * last thing that core's constructor does. What exists already stays as it is.
 */

const core = require('../core/classes')
const { kConnections, kIncomingMessage, kOptimizeEmptyRequests, kServerResponse, kUniqueHeaders } = require('../core/symbols')
const { Agent, listen, takeBack } = require('../client/agent')
const { kError } = require('../client/outcome')
const { ClientRequest, prepare } = require('../client/request')
const { Server, rebaseWith } = require('../server/server')
const { IncomingMessage } = require('../message/incoming')
const { ServerResponse } = require('../server/response')
const tls = require('./tls')

/** Core's class of messages -> ours. */
const OURS = new Map([[core.IncomingMessage, IncomingMessage], [core.ServerResponse, ServerResponse]])

/**
 * Gives the class of messages that a server is to use. One that was derived of core's, as it was before register or was held
 * since then, is derived of ours from now on.
 */
function rebase (Class) {
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

const ofCore = new core.Server()
const theirs = Object.fromEntries(['IncomingMessage', 'ServerResponse', 'kUniqueHeaders', 'OptimizeEmptyRequestsOption']
  .map((description) => [description, slotOf(ofCore, description)]))

/** Gives a server that core's constructor makes the slots of ours, from those of core's. */
function adopt (server) {
  if (server[kConnections] !== undefined) return
  tls.adopt(server)
  const { [theirs.IncomingMessage]: Request = IncomingMessage, [theirs.ServerResponse]: Response = ServerResponse } = server
  setClasses(server, Request, Response)
  if (theirs.OptimizeEmptyRequestsOption !== undefined) server[kOptimizeEmptyRequests] = server[theirs.OptimizeEmptyRequestsOption] ?? false
  // Core sets it at the end of the constructor.
  Object.defineProperty(server, kUniqueHeaders, { __proto__: null, get () { return this[theirs.kUniqueHeaders] ?? null } })
}

function setClasses (server, Request, Response) {
  server[kIncomingMessage] = rebase(Request)
  server[kServerResponse] = rebase(Response)
}

/** Makes the `on` of servers exchange the listeners that core's constructors add. */
function exchangeListeners (prototype, enumerable) {
  const { on } = prototype
  define(prototype, 'on', {
    on (event, listener) {
      const replacement = LISTENERS.get(listener)
      if (replacement !== undefined) adopt(this)
      return on.call(this, event, replacement ?? listener)
    }
  }.on, enumerable)
}

// ----------------------------------------------------------------------------------------------------- requests

/** Makes a request of core's, as it stands at the end of its constructor, one of ours. */
function remake (request, agent, options) {
  const { _events, _eventsCount, _maxListeners, destroyed } = request
  const error = request[slotOf(request, 'kError')]
  for (const key of Reflect.ownKeys(request)) delete request[key]
  Object.setPrototypeOf(request, ClientRequest.prototype)
  prepare.call(request, { ...options, agent })
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
  for (const name of ['closeAllConnections', 'closeIdleConnections', 'setTimeout']) {
    if (https.Server.prototype[name] === cores[name]) define(https.Server.prototype, name, Server.prototype[name])
  }
  exchangeListeners(https.Server.prototype, false)
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
    setClasses(this, http1Options?.IncomingMessage ?? Http1IncomingMessage ?? IncomingMessage,
      http1Options?.ServerResponse ?? Http1ServerResponse ?? ServerResponse)
    return tls._connectionListener.call(this, socket)
  })
  exchangeListeners(probe.constructor.prototype, false)
}

/** Methods of core's servers, which https has too. */
const cores = { ...core.Server.prototype }

/**
 * @param {Set<string>} loaded the modules that were
 * @returns {() => void} puts everything back
 */
function exchange (loaded) {
  const { setupConnectionsTracking } = require('_http_server')
  LISTENERS.set(core._connectionListener, tls._connectionListener)
  LISTENERS.set(setupConnectionsTracking, tls.setupConnectionsTracking)
  exchangeListeners(Object.getPrototypeOf(Server.prototype))
  exchangeRequests()
  rebaseWith(rebase)
  undo.push(() => rebaseWith((Class) => Class))
  define(core.Server, 'prototype', Server.prototype)
  define(core.Agent, 'prototype', Agent.prototype)
  if (loaded.has('https')) exchangeHttps()
  if (loaded.has('http2')) exchangeHttp2()
  return () => {
    for (const step of undo.splice(0).reverse()) step()
  }
}

module.exports = { exchange }

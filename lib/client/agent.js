'use strict'

/**
 * Agent: core's own, whose methods and tables it has, with three changes: connections that can be ours are (lib/client/dial.js),
 * an idle one of ours is taken without merging options, and none is given to a request whose peer has ended it. Knows nothing
 * of ClientRequest but `onSocket`, `shouldKeepAlive` and the header that it asks for.
 */

const { AsyncResource } = require('node:async_hooks')
const http = require('node:http')
const { process } = require('../host')
const core = require('../core/classes')
const { takeMembers, addHidden } = require('../core/reflection')
const { kAskAgain, kConnection, kDialable, kRetryOptions, kText, kFieldsAt, kHeaders } = require('../core/symbols')
const { isNative, dropIfStale, leaveContext, guard, unguard } = require('./pooled-socket')
const { connect } = require('./dial')
const { isSentAgain } = require('./retry')
const { modeOf } = require('../connection/hardening')
const { blockFor, count, countFailed, isAgent, statsOf } = require('./pool-stats')
const { codes } = require('../core/errors')
const { hardeningCounts } = require('./hardening')
const { kProxyConfig } = require('./options')

const { prototype: methods } = core.Agent

/** Agent -> core's listener of 'free', which gives the connection to a waiting request, pools it, or destroys it. */
const kTakeBack = Symbol('kTakeBack')

/** Core's slots of a request that waits: its options, and the async context that it is served in. Looked for with the first one. */
let kRequestOptions
let kRequestAsyncResource

const { addRequest: coreAddRequest } = methods

/** Has core put a request into the queue of an agent, to find them. @returns {AsyncResource} the context that core has made for it */
function findSlots () {
  const agent = new core.Agent({ maxSockets: 1 })
  agent.sockets[agent.getName({ host: 'localhost', port: 80 })] = [null]
  const request = {}
  // Its name is given: to look at it, core compiles a pattern for three milliseconds.
  coreAddRequest.call(agent, request, { host: 'localhost', port: 80, servername: '' })
  const slots = Object.getOwnPropertySymbols(request)
  kRequestOptions = slots.find(({ description }) => description === 'requestOptions')
  kRequestAsyncResource = slots.find(({ description }) => description === 'requestAsyncResource')
  return request[kRequestAsyncResource]
}

/** Matches in a head as the connection gives it: `name\nvalue\nname…`. No name has a `=` in it. */
const ANNOUNCED = /keep-alive\n(timeout)=(\d+)/i

/** Milliseconds by which an idle connection is closed before the time that the server announced. */
const TIMEOUT_BUFFER = 1000

// The same string again is found in the tables without hashing it anew; most callers talk to one origin at a time.
let lastHost
let lastPort
let lastName = 'localhost::'

/**
 * The agent whose next connection, which core's createSocket() asks for in the call, may be ours; null if none's may. A mark in the
 * options costs a copy of them: then only where a method of the application's runs in between.
 */
let dialling = null

/**
 * @param {object} [options] core's, `retryStale` (docs/AGENT.md) and `hardening` (docs/HARDENING.md)
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 */
function Agent (options) {
  if (!(this instanceof Agent)) return new Agent(options)
  const retryStale = options?.retryStale
  if (retryStale !== undefined && typeof retryStale !== 'boolean') throw new codes.ERR_INVALID_ARG_TYPE('options.retryStale', 'of type boolean', retryStale)
  modeOf(options?.hardening)
  core.Agent.call(this, options)
  this.maxSockets = this.options.maxSockets || Agent.defaultMaxSockets
  listen(this)
}

/** Between us and core's http.Agent: what agents have that core's have not. Agent.prototype has the members of core's. */
const seam = Object.create(methods)
addHidden(seam, {
  /** What the agent has counted (docs/STATS.md). */
  stats () { return statsOf(this) },

  hardeningCounts () { return hardeningCounts.call(this) }
})
Object.setPrototypeOf(Agent.prototype, seam)
Object.setPrototypeOf(Agent, Object.getPrototypeOf(core.Agent))

Agent.defaultMaxSockets = Infinity

/** Puts our listener of 'free' in the place of core's, which is the first. */
function listen (agent) {
  const { free } = agent._events
  agent[kTakeBack] = typeof free === 'function' ? free : free[0]
  if (typeof free === 'function') agent._events.free = takeBack
  else free[0] = takeBack
}

/** 'free' listener of every agent. */
function takeBack (socket, options) {
  const isOurs = isNative(socket)
  // What getName() gave for it, which is not called more often than by core.
  const name = options?._agentKey
  const waiting = this.requests[name]?.length ?? 0
  if (waiting > 0) {
    // Another connection is made for the request when this one has closed.
    if (socket.writable && dropIfStale(socket)) {
      count(this, 'stale')
      return
    }
    if (isOurs) leaveContext(socket)
  }
  // A connection that has carried a request may go as the one before has.
  const again = waiting > 0 && this.options.retryStale === true && socket._httpMessage ? takeOutAgain(this, name) : []
  this[kTakeBack](socket, options)
  if (again.length !== 0) this.requests[name] = [...again, ...(this.requests[name] ?? [])]
  if (waiting > (this.requests[name]?.length ?? 0)) count(this, 'reused')
  if (this.freeSockets[name]?.at(-1) !== socket) return
  if (!isOurs) {
    guard(socket)
    return
  }
  leaveContext(socket)
  socket[kConnection].expectNothing()
}

/** Takes the requests out of a queue that are sent once more: each waits for the connection that is made when its own has closed. */
function takeOutAgain ({ requests }, name) {
  const queue = requests[name]
  const again = queue.filter((request) => isSentAgain(request))
  if (again.length === queue.length) delete requests[name]
  else if (again.length !== 0) requests[name] = queue.filter((request) => !isSentAgain(request))
  return again
}

/** Makes a connection, ours if it may be: takes net.connect's arguments, and is what subclasses override. */
Agent.prototype.createConnection = function createConnection (...args) {
  const [options, callback] = args
  return makeOurs(this, options, callback) ?? methods.createConnection.apply(this, args)
}

/** True if the proxy is used for this origin. As core's checkShouldUseProxy. */
function serves (proxy, { host, port, socketPath }) {
  return !socketPath && proxy.shouldUseProxy(host || 'localhost', port)
}

/** Makes a native connection to the origin or the proxy; undefined if that is for core to do. */
function makeOurs (agent, options, callback) {
  const proxy = agent?.[kProxyConfig]
  const isDialable = agent !== undefined && agent === dialling
  dialling = null
  if (options === null || typeof options !== 'object' || !(isDialable || options[kDialable] === true)) return undefined
  const block = isAgent(agent) ? blockFor(agent) : undefined
  if (!proxy || !serves(proxy, options)) return connect(options, callback, { block })
  // The origin's options are not the proxy's.
  return proxy.protocol === 'http:' ? connect({ ...proxy.proxyConnectionOptions }, callback, { block, isProxied: true }) : undefined
}

/** Gives the name of the pool that connections with these options belong to. */
function getName (options = {}) {
  const { host, port } = options
  const isPlain = !options.localAddress && !options.socketPath && options.family !== 4 && options.family !== 6
  if (!isPlain) return methods.getName.call(this, options)
  if (host === lastHost && port === lastPort) return lastName
  lastName = methods.getName.call(this, options)
  lastHost = host
  lastPort = port
  return lastName
}

Agent.prototype.getName = getName

/**
 * Finds a connection or makes one, or queues the request for one. `request.onSocket` is called with it. Core's does the same;
 * here an idle connection of ours is taken, and a place in the queue, without merging options, which costs more than the rest.
 * @param {object} request
 * @param {object|string} options a string is a host; port and localAddress then follow
 */
Agent.prototype.addRequest = function addRequest (request, options, port, localAddress) {
  if (this.options.retryStale === true && typeof options !== 'string') request[kRetryOptions] ??= options
  if (typeof options === 'string' || this.getName !== getName) return methods.addRequest.call(this, request, options, port, localAddress)
  const isPlain = isPlainTo(this, request, options)
  const name = this.getName(isPlain ? options : { __proto__: null, ...options, ...this.options })
  const idle = this.freeSockets[name]
  if (idle !== undefined) dropStale(this, idle, this.scheduling === 'fifo')
  if (isPlain && idle === undefined && this.sockets[name]?.length >= this.maxSockets) queue(this, name, request, options)
  else if (!isPlain || idle === undefined || !takeIdle(this, name, idle, request)) {
    methods.addRequest.call(this, request, options)
    if (this.requests[name]?.at(-1) === request) count(this, 'queued')
  }
}

/**
 * True if nothing of the options but the name is needed to find a connection, and the name is known without merging them with
 * the agent's.
 */
function isPlainTo (agent, request, options) {
  const { options: own } = agent
  return own.host === undefined && own.port === undefined && own.localAddress === undefined &&
    own.family === undefined && own.socketPath === undefined &&
    own.highWaterMark === undefined && options.highWaterMark === undefined && typeof request.getHeader('host') === 'string'
}

/** Drops the connections that would be taken next and have died with their events still to come. */
function dropStale (agent, idle, isFirst) {
  while (idle.length !== 0 && idle[0].destroyed) idle.shift()
  while (idle.length !== 0 && dropIfStale(isFirst ? idle[0] : idle.at(-1))) {
    count(agent, 'stale')
    if (isFirst) idle.shift()
    else idle.pop()
  }
}

/** Gives a request the idle connection that is next, if that is ours. One that still connects has net's handle, whose context core resets. */
function takeIdle (agent, name, idle, request) {
  const isFirst = agent.scheduling === 'fifo'
  const socket = isFirst ? idle[0] : idle.at(-1)
  if (socket === undefined || !isNative(socket) || socket.connecting) return false
  if (isFirst) idle.shift()
  else idle.pop()
  if (idle.length === 0) delete agent.freeSockets[name]
  agent.reuseSocket(socket, request)
  request.onSocket(socket)
  const { timeout } = request
  if (timeout !== undefined && timeout !== (agent.options.timeout || 0)) socket.setTimeout(timeout)
  agent.sockets[name] ??= []
  agent.sockets[name].push(socket)
  return true
}

/** Asks for a new connection for a request whose own has gone: the idle ones may have, too. */
Agent.prototype[kAskAgain] = function (request, options) {
  const merged = { __proto__: null, ...options, ...this.options }
  const name = this.getName(merged)
  if (this.sockets[name]?.length >= this.maxSockets) {
    // The one that has gone is among them: when it closes, removeSocket() makes one for the first in the queue.
    queue(this, name, request, merged, true)
    return
  }
  const { [name]: idle } = this.freeSockets
  delete this.freeSockets[name]
  try {
    methods.addRequest.call(this, request, options)
    // Beyond maxTotalSockets it waits as beyond maxSockets.
    const queued = this.requests[name]
    if (queued?.at(-1) === request) queued.unshift(queued.pop())
  } finally {
    if (idle !== undefined) this.freeSockets[name] = idle
  }
}

/** Puts a request into the queue where core's listener of 'free' and removeSocket() find it. */
function queue (agent, name, request, options, isFirst = false) {
  // The request is served in the 'free' event of another; its own events belong to the context of its caller.
  const resource = kRequestOptions === undefined ? findSlots() : new AsyncResource('QueuedRequest')
  request[kRequestOptions] = options
  request[kRequestAsyncResource] = resource
  count(agent, 'queued')
  agent.requests[name] ??= []
  if (isFirst) agent.requests[name].unshift(request)
  else agent.requests[name].push(request)
}

/** Called when an idle connection is given to a request. */
Agent.prototype.reuseSocket = function reuseSocket (socket, request) {
  unguard(socket)
  count(this, 'reused')
  methods.reuseSocket.call(this, socket, request)
}

/** Makes a connection for a request and enters it into the tables. */
Agent.prototype.createSocket = function createSocket (request, options, callback) {
  // A native connection can carry our own requests only, and a subclass's createConnection() has to see its socket made.
  const isDialable = request[kDialable] === true && this.createConnection === Agent.prototype.createConnection
  const isPlain = isDialable && this.getName === getName
  if (isPlain) dialling = this
  try {
    methods.createSocket.call(this, request, isDialable && !isPlain ? { ...options, [kDialable]: true } : options, (error, socket) => {
      // There is no socket whose 'error' would tell of it.
      if (error) countFailed(this, error)
      callback(error, socket)
    })
  } finally {
    dialling = null
  }
}

/**
 * Called when a connection becomes idle; sets its idle time, also by the server's announcement. Core's reads the fields of the
 * response: building them would cost more than the rest of the exchange.
 * @returns {boolean} false to have it destroyed
 */
Agent.prototype.keepSocketAlive = function keepSocketAlive (socket) {
  const response = socket._httpMessage?.res
  const text = response?.[kText]
  const found = text && response[kHeaders] === null ? ANNOUNCED.exec(text) : undefined
  // Core's also decides about names and values that only look like it.
  if (found === undefined || (found !== null && !isField(found, text, response[kFieldsAt]))) return methods.keepSocketAlive.call(this, socket)
  socket.setKeepAlive(true, this.keepAliveMsecs)
  socket.unref()
  let timeout = this.options.timeout || 0
  let isKept = true
  if (found !== null) {
    const hint = Math.max(0, Number(found[2]) * 1000 - (this.agentKeepAliveTimeoutBuffer ?? TIMEOUT_BUFFER))
    if (hint === 0) isKept = false
    else if (hint < timeout) timeout = hint
  }
  if (socket.timeout !== timeout) socket.setTimeout(timeout)
  return isKept
}

/** True if ANNOUNCED has found a whole name, and a parameter that core knows. */
function isField ({ 1: parameter, index }, text, fieldsAt) {
  return parameter === 'timeout' && (index === fieldsAt || text.charCodeAt(index - 1) === 10)
}

takeMembers(Agent.prototype, methods)

/** Gives a request without an agent (`agent: false`) one of its own; false if that is for core to make, of the default agent's class. */
function agentForOne (defaultAgent) {
  return defaultAgent.constructor === Agent && new Agent()
}

let globalAgent = new Agent(core.globalAgent.options)

/**
 * http.setGlobalProxyFromEnv: sets the environment's proxies for the global agents, and for fetch.
 * @param {object} [env] where the variables are
 * @returns {() => void} puts back what was there
 * @throws ERR_INVALID_ARG_TYPE, ERR_PROXY_INVALID_CONFIG
 */
function setGlobalProxyFromEnv (env = process.env) {
  const before = globalAgent
  const { globalAgent: shown } = http
  // Under register it puts one of its own in the place of ours.
  const restoreCore = core.setGlobalProxyFromEnv(env)
  if (http.globalAgent === shown) return restoreCore
  globalAgent = new Agent(http.globalAgent.options)
  return function restore () {
    restoreCore()
    globalAgent = before
  }
}

module.exports = {
  Agent,
  listen,
  takeBack,
  agentForOne,
  setGlobalProxyFromEnv,
  get globalAgent () {
    return globalAgent
  },
  set globalAgent (value) {
    globalAgent = value
  }
}

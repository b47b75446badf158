'use strict'

/**
 * Agent: keeps connections to origins, gives them to requests, takes them back. Its methods and tables are Node's to the
 * letter, because subclasses (agent-base, agentkeepalive) build on them. Knows nothing of ClientRequest but `onSocket`,
 * `shouldKeepAlive` and the header that it asks for.
 */

const { EventEmitter } = require('node:events')
const { AsyncResource } = require('node:async_hooks')
const core = require('../core/classes')
const versions = require('../core/versions')
const { validateNumber, validateOneOf } = require('../core/validators')
const { own, kText, kFieldsAt, kHeaders } = require('../core/symbols')
const { setFree, isStale, setReused } = require('./pooled-socket')
const { connect, serverName, watch, kOnKeylog } = require('./agent-connections')
const { kDialable } = require('./dial')
const { kProxy, proxyFromEnv } = require('./proxy')

/** Request -> the options it waits with; merged with the agent's before they are used. */
const kWaitOptions = own('kRequestOptions')
/** Request -> the async context it waits in. */
const kWaitContext = own('kRequestAsyncResource')

/** Matches in a head as the connection gives it: `name\nvalue\nname…`. No name has a `=` in it. */
const ANNOUNCED = /keep-alive\n(timeout)=(\d+)/i

/** Milliseconds by which an idle connection is closed before the time that the server announced. */
const TIMEOUT_BUFFER = 1000

// The same string again is found in the tables without hashing it anew; most callers talk to one origin at a time.
let lastHost
let lastPort
let lastName = 'localhost::'

/**
 * @param {object} [options] besides the ones below: anything net.connect takes, which then outranks the request's
 * @param {boolean} [options.keepAlive=false] keep connections for later requests
 * @param {number} [options.keepAliveMsecs=1000] initial delay of TCP keep-alive probes on idle connections, in ms
 * @param {number} [options.maxSockets=Infinity] connections per origin
 * @param {number} [options.maxTotalSockets=Infinity] connections in all; throws ERR_OUT_OF_RANGE below 1
 * @param {number} [options.maxFreeSockets=256] idle connections per origin
 * @param {'lifo'|'fifo'} [options.scheduling='lifo'] which idle connection is taken; else ERR_INVALID_ARG_VALUE
 * @param {number} [options.timeout] idle time of connections in ms
 */
function Agent (options) {
  if (!(this instanceof Agent)) return new Agent(options)
  EventEmitter.call(this)

  this.options = { __proto__: null, ...options }
  if (this.options.noDelay === undefined) this.options.noDelay = true
  // A request's `path` is its target; net.connect would take it for that of a Unix socket.
  this.options.path = null

  this.defaultPort = (versions.envProxies && this.options.defaultPort) || 80
  this.protocol = (versions.envProxies && this.options.protocol) || 'http:'

  /** Requests that wait for a connection, by name. */
  this.requests = { __proto__: null }
  /** Connections in use, by name. */
  this.sockets = { __proto__: null }
  /** Idle connections, by name. */
  this.freeSockets = { __proto__: null }
  this.keepAliveMsecs = this.options.keepAliveMsecs || 1000
  this.keepAlive = this.options.keepAlive || false
  this.maxSockets = this.options.maxSockets || Agent.defaultMaxSockets
  this.maxFreeSockets = this.options.maxFreeSockets || 256
  this.scheduling = this.options.scheduling || 'lifo'
  this.maxTotalSockets = this.options.maxTotalSockets
  this.totalSocketCount = 0
  if (versions.keepAliveTimeoutBuffer) {
    const buffer = this.options.agentKeepAliveTimeoutBuffer
    this.agentKeepAliveTimeoutBuffer = Number.isFinite(buffer) && buffer >= 0 ? buffer : TIMEOUT_BUFFER
  }

  const { proxyEnv } = this.options
  if (versions.envProxies && typeof proxyEnv === 'object' && proxyEnv !== null) {
    this[kProxy] = proxyFromEnv(proxyEnv, this.protocol)
  }

  validateOneOf(this.scheduling, 'scheduling', ['fifo', 'lifo'])
  if (this.maxTotalSockets === undefined) this.maxTotalSockets = Infinity
  else validateNumber(this.maxTotalSockets, 'maxTotalSockets', 1)

  listen(this)
}
Object.setPrototypeOf(Agent.prototype, EventEmitter.prototype)
Object.setPrototypeOf(Agent, EventEmitter)

Agent.defaultMaxSockets = Infinity

Agent.prototype[kProxy] = null

/** Gives an agent the listeners that it works by. */
function listen (agent) {
  agent.on('free', takeBack)
  // Key lines are forwarded once there is a listener for them: forwarding costs every TLS socket.
  if (agent.listenerCount('keylog') === 0) agent.on('newListener', forwardKeylog)
  else forwardKeylog.call(agent, 'keylog')
}

function forwardKeylog (event) {
  if (event !== 'keylog') return
  this.removeListener('newListener', forwardKeylog)
  const agent = this
  agent[kOnKeylog] = function onKeylog (line) {
    agent.emit('keylog', line, this)
  }
  for (const table of [agent.freeSockets, agent.sockets]) {
    for (const name in table) {
      for (const socket of table[name]) socket.on('keylog', agent[kOnKeylog])
    }
  }
}

/** 'free' listener of every agent: gives the connection to a waiting request, pools it, or destroys it. */
function takeBack (socket, options) {
  const name = this.getName(options)
  if (!socket.writable) {
    socket.destroy()
    return
  }

  const waiting = this.requests[name]
  if (waiting !== undefined && waiting.length !== 0) {
    // Another connection is made for the request when this one has closed.
    if (isStale(socket)) return
    const request = waiting.shift()
    if (waiting.length === 0) delete this.requests[name]
    const context = request[kWaitContext]
    if (context === undefined || context === null) {
      hand(this, request, socket)
    } else {
      request[kWaitContext] = null
      context.runInAsyncScope(handOn, null, this, request, socket)
    }
    return
  }

  // The last request on the connection says whether it may be kept.
  const request = socket._httpMessage
  if (!request || !request.shouldKeepAlive || !this.keepAlive) {
    socket.destroy()
    return
  }
  const idle = this.freeSockets[name] || []
  const busy = this.sockets[name]
  const count = idle.length + (busy === undefined ? 0 : busy.length)
  if (this.totalSocketCount > this.maxTotalSockets || count > this.maxSockets ||
      idle.length >= this.maxFreeSockets || !this.keepSocketAlive(socket)) {
    socket.destroy()
    return
  }
  this.freeSockets[name] = idle
  socket._httpMessage = null
  this.removeSocket(socket, options)
  socket.once('error', onIdleError)
  setFree(socket)
  idle.push(socket)
}

/** Gives a connection to a request that waited for it, in the request's own async context. */
function handOn (agent, request, socket) {
  setReused(socket)
  hand(agent, request, socket)
}

/** Destroys an idle connection that fails; its error is reported to no request. As core's freeSocketErrorListener. */
function onIdleError () {
  this.destroy()
  this.emit('agentRemove')
}

/** Makes a connection: takes net.connect's arguments, and is what subclasses override. See agent-connections.js. */
Agent.prototype.createConnection = function createConnection (...args) {
  return connect(this?.[kProxy], args)
}

/**
 * Gives the name of the pool that connections with these options belong to:
 * `host:port:localAddress[:family][:socketPath]`.
 */
Agent.prototype.getName = function getName (options = {}) {
  const { host, port, localAddress, family, socketPath } = options
  // The family of the options; what the name resolves to later is not part of it.
  const isPlain = !localAddress && !socketPath && family !== 4 && family !== 6
  if (isPlain && host === lastHost && port === lastPort) return lastName
  let name = `${host || 'localhost'}:${port || ''}:${localAddress || ''}`
  if (family === 4 || family === 6) name += `:${family}`
  if (socketPath) name += `:${socketPath}`
  if (isPlain) {
    lastHost = host
    lastPort = port
    lastName = name
  }
  return name
}

/** Gives the options of a connection for this request: the agent's outrank the request's. */
function merge (agent, request, options) {
  const merged = { __proto__: null, ...options, ...agent.options }
  if (merged.socketPath) merged.path = merged.socketPath
  if (!merged.servername && merged.servername !== '') merged.servername = serverName(request, merged)
  return merged
}

/**
 * Finds a connection or makes one, or queues the request for one. `request.onSocket` is called with it.
 * @param {object} request
 * @param {object|string} options a string is a host; port and localAddress then follow
 */
Agent.prototype.addRequest = function addRequest (request, options, port, localAddress) {
  if (typeof options === 'string') options = { __proto__: null, host: options, port, localAddress }
  let name = plainName(this, request, options)
  let merged
  if (name === undefined) {
    merged = merge(this, request, options)
    name = this.getName(merged)
  }
  if (this.sockets[name] === undefined) this.sockets[name] = []

  const socket = takeIdle(this, name)
  if (socket !== undefined) {
    socket.removeListener('error', onIdleError)
    setReused(socket)
    if (versions.reuseTakesHighWaterMark) takeHighWaterMark(socket, this.options.highWaterMark ?? options.highWaterMark)
    this.reuseSocket(socket, request)
    hand(this, request, socket)
    this.sockets[name].push(socket)
    return
  }

  const idle = this.freeSockets[name]
  const count = this.sockets[name].length + (idle === undefined ? 0 : idle.length)
  if (count < this.maxSockets && this.totalSocketCount < this.maxTotalSockets) {
    this.createSocket(request, merged ?? merge(this, request, options), (error, socket) => {
      if (error) refuse(request, socket, error)
      else hand(this, request, socket)
    })
    return
  }
  if (this.requests[name] === undefined) this.requests[name] = []
  request[kWaitOptions] = merged ?? options
  // The request is served in the 'free' event of another; its own events belong to the context of its caller.
  request[kWaitContext] = new AsyncResource('QueuedRequest')
  this.requests[name].push(request)
}

/**
 * Gives the name, if it is known without merging the options: merging costs more than all the rest of taking an idle
 * connection, or of waiting for one.
 */
function plainName (agent, request, options) {
  const { options: own, getName } = agent
  if (getName !== Agent.prototype.getName || own.host !== undefined || own.port !== undefined ||
      own.localAddress !== undefined || own.family !== undefined || own.socketPath !== undefined ||
      typeof request.getHeader('host') !== 'string') return undefined
  return agent.getName(options)
}

/** Sets the socket's high water mark (bytes) to the request's: the socket was made with that of another. */
function takeHighWaterMark (socket, mark) {
  if (mark !== undefined && mark !== null && socket.writableHighWaterMark !== mark) socket._writableState.highWaterMark = mark
}

function takeIdle (agent, name) {
  const idle = agent.freeSockets[name]
  if (idle === undefined) return undefined
  while (idle.length !== 0 && idle[0].destroyed) idle.shift()
  let socket
  // Any of them may have died with its events still to come.
  do {
    socket = agent.scheduling === 'fifo' ? idle.shift() : idle.pop()
  } while (socket !== undefined && isStale(socket))
  if (idle.length === 0) delete agent.freeSockets[name]
  return socket
}

/** Gives a request the error why it gets no connection; reports itself that of a tunnel. As core's handleSocketAfterProxy. */
function refuse (request, socket, error) {
  if (versions.envProxies && error.code === 'ERR_PROXY_TUNNEL') {
    if (error.proxyTunnelTimeout) request.emit('timeout')
    request.emit('error', error)
  }
  request.onSocket(socket, error)
}

/** Gives a connection to a request, with the request's idle time if it has one. As core's setRequestSocket. */
function hand (agent, request, socket) {
  request.onSocket(socket)
  const timeout = agent.options.timeout || 0
  if (request.timeout === undefined || request.timeout === timeout) return
  socket.setTimeout(request.timeout)
}

/**
 * Makes a connection for a request and enters it into the tables.
 * @param {object} request
 * @param {object} options
 * @param {(error: Error|null, socket: import('node:stream').Duplex) => void} callback
 */
Agent.prototype.createSocket = function createSocket (request, options, callback) {
  options = merge(this, request, options)
  const name = this.getName(options)
  options._agentKey = name
  options.encoding = null
  const timeout = versions.envProxies && (request.timeout || this.options.timeout)
  if (timeout) options.timeout = timeout
  if (this.keepAlive) {
    options.keepAlive = this.keepAlive
    options.keepAliveInitialDelay = this.keepAliveMsecs
  }
  // A native connection can carry our own requests only, and a subclass's createConnection() has to see its socket made.
  if (request[kDialable] === true && this.createConnection === Agent.prototype.createConnection) {
    options[kDialable] = true
  }

  let created = false
  const onCreated = (error, socket) => {
    if (created) return
    created = true
    if (error) {
      callback(error)
      return
    }
    if (this.sockets[name] === undefined) this.sockets[name] = []
    this.sockets[name].push(socket)
    this.totalSocketCount++
    watch(this, socket, options)
    callback(null, socket)
  }
  const socket = this.createConnection(options, onCreated)
  if (socket && (this[kProxy] === null || !awaitsTunnel(socket))) onCreated(null, socket)
}

/** True for https.Agent's connection to a proxy, which calls back once the tunnel is there. */
function awaitsTunnel (socket) {
  return Object.getOwnPropertySymbols(socket).some((symbol) => symbol.description === 'kWaitForProxyTunnel' && socket[symbol])
}

function removeFrom (table, name, socket) {
  const list = table[name]
  if (list === undefined) return
  const index = list.indexOf(socket)
  if (index === -1) return
  list.splice(index, 1)
  // Names come from user input: an empty array left behind would be a leak.
  if (list.length === 0) delete table[name]
}

/** Gives the first waiting request that may have the place that became free; undefined if none. */
function nextWaiting (agent, name) {
  const same = agent.requests[name]
  if (same !== undefined && same.length !== 0) return same[0]
  // Under maxTotalSockets a place freed by one origin serves another, if that one has no connection to wait for.
  for (const other in agent.requests) { // eslint-disable-line no-unreachable-loop -- the first key, without a list of all
    const busy = agent.sockets[other]
    return busy !== undefined && busy.length !== 0 ? undefined : agent.requests[other][0]
  }
  return undefined
}

/** Takes a connection out of the tables, and makes another one if a request waits. */
Agent.prototype.removeSocket = function removeSocket (socket, options) {
  const name = this.getName(options)
  removeFrom(this.sockets, name, socket)
  if (!socket.writable) removeFrom(this.freeSockets, name, socket)

  const request = nextWaiting(this, name)
  if (request === undefined) return
  const waitOptions = request[kWaitOptions]
  if (!waitOptions) return
  request[kWaitOptions] = undefined
  this.createSocket(request, merge(this, request, waitOptions), (error, made) => {
    if (error) refuse(request, null, error)
    else made.emit('free')
  })
}

/**
 * Called when a connection becomes idle; sets its idle time, also by the server's announcement.
 * @returns {boolean} false to have it destroyed
 */
Agent.prototype.keepSocketAlive = function keepSocketAlive (socket) {
  socket.setKeepAlive(true, this.keepAliveMsecs)
  socket.unref()

  let timeout = this.options.timeout || 0
  let alive = true
  const response = socket._httpMessage?.res
  if (response) {
    const announced = announcedTimeout(response)
    if (announced !== undefined) {
      // Closed before the server closes it, or a request may meet the server's FIN on the way.
      const buffer = versions.keepAliveTimeoutBuffer ? this.agentKeepAliveTimeoutBuffer : TIMEOUT_BUFFER
      const hint = Math.max(0, announced * 1000 - buffer)
      if (hint === 0) alive = false
      else if (hint < timeout) timeout = hint
    }
  }
  if (socket.timeout !== timeout) socket.setTimeout(timeout)
  return alive
}

/**
 * Gives the seconds that the server announced with `Keep-Alive: timeout=…`; undefined if it did not. Reads the head as it
 * came if its fields were not read yet: building them would cost more than the rest of the exchange.
 */
function announcedTimeout (response) {
  const text = response[kText]
  if (text && response[kHeaders] === null) {
    const found = ANNOUNCED.exec(text)
    if (found === null) return undefined
    const { index } = found
    if (found[1] === 'timeout' && (index === response[kFieldsAt] || text.charCodeAt(index - 1) === 10)) return Number(found[2])
  }
  const found = /^timeout=(\d+)/.exec(response.headers['keep-alive'] ?? '')
  return found === null ? undefined : Number(found[1])
}

/** Called when an idle connection is given to a request. */
Agent.prototype.reuseSocket = function reuseSocket (socket, request) {
  request.reusedSocket = true
  socket.ref()
}

/** Destroys all connections, in use or not. */
Agent.prototype.destroy = function destroy () {
  for (const table of [this.freeSockets, this.sockets]) {
    for (const name in table) {
      for (const socket of table[name].slice()) socket.destroy()
    }
  }
}

/**
 * Makes an agent with the options of http.globalAgent.
 * @param {object} [proxyEnv] as `proxyEnv` of core's: process.env with NODE_USE_ENV_PROXY and --use-env-proxy
 */
function makeGlobalAgent (proxyEnv) {
  return new Agent({ keepAlive: true, scheduling: 'lifo', timeout: 5000, ...(versions.envProxies && { proxyEnv }) })
}

let globalAgent = makeGlobalAgent(core.globalAgent.options.proxyEnv)

module.exports = {
  Agent,
  listen,
  takeBack,
  makeGlobalAgent,
  get globalAgent () {
    return globalAgent
  },
  set globalAgent (value) {
    globalAgent = value
  }
}

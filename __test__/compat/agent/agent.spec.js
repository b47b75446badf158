'use strict'

/** What an agent is: its properties, names and defaults, its methods, called or replaced by applications, and its signal. */

const net = require('node:net')
const { ask, later, pools, serve, tables } = require('./tables')
const { scenario } = require('../../oracle')
const { answering, watched } = require('../../oracle/answering')

scenario.module('the properties of a new agent and their defaults', (run) => {
  const { log } = run
  const { Agent, globalAgent } = run.http
  for (const options of [undefined, {}, { keepAlive: true, maxSockets: 3, maxFreeSockets: 2, timeout: 100, scheduling: 'fifo', maxTotalSockets: 9, keepAliveMsecs: 5 },
    { maxSockets: 0, noDelay: false, localAddress: '127.0.0.1', agentKeepAliveTimeoutBuffer: 50, defaultPort: 8080, protocol: 'http:' }]) {
    const agent = new Agent(options)
    log('agent', 'own keys', Object.keys(agent).sort())
    for (const key of Object.keys(agent).filter((key) => !key.startsWith('_')).sort()) log('agent', key, agent[key])
    log('agent', 'events', agent.eventNames(), agent.listenerCount('free'))
  }
  log('static', 'defaultMaxSockets', Agent.defaultMaxSockets)
  log('global', 'options', globalAgent.options, globalAgent.keepAlive, globalAgent instanceof Agent)
  log('call', 'without new', Agent({ maxSockets: 2 }) instanceof Agent)
})

scenario.module('getName names a connection by its options', (run) => {
  const agent = new run.http.Agent()
  for (const options of [undefined, {}, { host: 'a' }, { host: 'a', port: 5 }, { port: 5, localAddress: 'l' }, { host: 'a', port: 5, family: 4 }, { family: 6 }, { family: 5 },
    { socketPath: '/s' }, { host: 'a', family: 6, socketPath: '/s' }]) {
    run.attempt('module', run.summary(options), () => agent.getName(options))
  }
})

scenario.module('bad options of an agent', (run) => {
  for (const options of [{ scheduling: 'x' }, { maxTotalSockets: 0 }, { maxTotalSockets: -1 }, { maxTotalSockets: 'x' }, { maxSockets: -1 }, { maxSockets: 'x' }, { maxFreeSockets: -1 },
    { maxTotalSockets: NaN }, { agentKeepAliveTimeoutBuffer: -1 }, { agentKeepAliveTimeoutBuffer: 'x' }, { proxyEnv: {} }, null, 5]) {
    run.attempt('module', run.summary(options), () => new run.http.Agent(options).maxSockets)
  }
})

scenario('subclasses may override every method', async (run) => {
  await run.serve({}, (req, res) => res.end('x'))
  class Mine extends run.client.Agent {
    createConnection (options, callback) {
      run.log('agent', 'createConnection', options.host, typeof callback)
      return super.createConnection(options, callback)
    }

    createSocket (request, options, callback) {
      run.log('agent', 'createSocket', request)
      return super.createSocket(request, options, callback)
    }

    addRequest (request, options, ...more) {
      run.log('agent', 'addRequest', request, options.host, more.length)
      return super.addRequest(request, options, ...more)
    }

    getName (options) {
      return `mine:${super.getName(options)}`
    }

    keepSocketAlive (socket) {
      run.log('agent', 'keepSocketAlive', socket)
      return super.keepSocketAlive(socket)
    }

    reuseSocket (socket, request) {
      run.log('agent', 'reuseSocket', socket, request)
      return super.reuseSocket(socket, request)
    }

    removeSocket (socket, options) {
      run.log('agent', 'removeSocket')
      return super.removeSocket(socket, options)
    }
  }
  const agent = new Mine({ keepAlive: true })
  run.agents.push(agent)
  await run.exchange({ agent, path: '/1' })
  await later()
  await run.exchange({ agent, path: '/2' })
  await later()
  run.log('agent', 'names', Object.keys(agent.freeSockets).map((name) => name.replace(/\d{4,}/, '<port>')))
})

scenario('keepSocketAlive may return false, and an agent may be any object with addRequest', async (run) => {
  await run.serve({}, (req, res) => res.end('x'))
  const agent = run.agent({ keepAlive: true })
  agent.keepSocketAlive = () => false
  await run.exchange({ agent, path: '/1' })
  await later()
  run.log('agent', 'pools', pools(agent))
  const plain = {
    addRequest: (request, options) => {
      run.log('plain', 'addRequest', request, options.host)
      request.onSocket(require('node:net').connect(options.port, options.host))
    }
  }
  await run.exchange({ agent: plain, path: '/2' })
})

scenario('a patched createConnection of the agent is used', async (run) => {
  await run.serve({}, (req, res) => res.end('x'))
  const agent = run.agent({})
  const { createConnection } = agent
  agent.createConnection = function (...values) {
    run.log('agent', 'createConnection', values[0].host)
    return createConnection.apply(this, values)
  }
  await run.exchange({ agent })
})

for (const place of ['lookup', 'getName']) {
  scenario(`a socket that is asked of an agent in ${place}, while the agent makes one for a request`, async (run) => {
    await run.serve({}, (req, res) => res.end(req.url))
    const agent = run.agent({})
    const { getName } = agent
    const heard = []
    /** Asks with raw bytes, once. */
    const talk = () => {
      if (heard.length !== 0) return
      const socket = agent.createConnection({ host: '127.0.0.1', port: run.port })
      heard.push(new Promise((resolve) => {
        let text = ''
        socket.setEncoding('latin1').on('data', (chunk) => { text += chunk }).on('close', () => resolve(text))
      }))
      socket.end('GET /raw HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    }
    if (place === 'getName') {
      agent.getName = function (...values) {
        talk()
        return getName.apply(this, values)
      }
    }
    const lookup = (name, options, callback) => {
      if (place === 'lookup') talk()
      callback(null, options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4)
    }
    await run.exchange({ agent, host: 'origin.invalid', port: run.port, lookup })
    const [text] = await Promise.all(heard)
    run.log('raw', text.slice(0, 15), text.slice(text.indexOf('\r\n\r\n')))
  })
}

scenario('a request with `agent: false` has an agent of its own', async (run) => {
  await run.serve({}, (req, res) => res.end(req.headers.connection))
  const { client } = run
  for (const options of [{}, { method: 'POST' }, { headers: { Connection: 'keep-alive' } }, { auth: 'a:b' }, { _defaultAgent: run.agent({ keepAlive: true }) }]) {
    const request = client.request({ host: '127.0.0.1', port: run.port, agent: false, ...options })
    const { agent } = request
    run.log('agent', agent.constructor === client.Agent, agent === client.globalAgent, Object.keys(agent).sort(), agent.maxSockets, agent.keepAlive, tables(agent))
    run.log('request', request.shouldKeepAlive, request._last, request.method, request.getHeaderNames())
    request.end()
    const [response] = await run.once(request, 'response')
    await run.read('client', response)
    await run.closed(request)
  }
})

scenario('globalAgent is used by default and can be replaced', async (run) => {
  await run.serve({}, (req, res) => res.end('x'))
  const { client } = run
  const before = client.globalAgent
  const mine = run.agent({ keepAlive: false })
  client.globalAgent = mine
  run.log('client', 'replaced', client.globalAgent === mine)
  const request = client.get({ host: '127.0.0.1', port: run.port })
  run.log('client', 'used', request.agent === mine)
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
  client.globalAgent = before
})

scenario.client('the methods and events of an agent, and their arguments', async (run) => {
  await serve(run)
  const agent = run.agent({ keepAlive: true, keepAliveMsecs: 1234, maxSockets: 1 })
  agent.on('free', (socket, options) => run.log('agent', 'free', socket.constructor.name, Object.keys(options).sort(), options.keepAlive, options.keepAliveInitialDelay, options.host, options.servername, options.noDelay, options.path))
  for (const name of ['addRequest', 'createSocket', 'createConnection', 'keepSocketAlive', 'reuseSocket', 'removeSocket', 'getName names a connection by its options']) {
    const method = agent[name]
    agent[name] = function (...args) {
      run.log('calls', name, args.map((one) => (one instanceof net.Socket ? 'socket' : one === args.find((other) => other?.onSocket) ? 'request' : typeof one)))
      return method.apply(this, args)
    }
  }
  const requests = ['/1', '/2'].map((path) => ask(run, agent, path))
  await run.closed(...requests)
  await later()
  await run.closed(ask(run, agent, '/3'))
  await later()
  const [[socket]] = Object.values(agent.freeSockets)
  run.log('agent', 'listeners', socket.eventNames().map(String).filter((name) => socket.listenerCount(name) > 0).sort())
  socket.emit('agentRemove')
  run.log('agent', 'removed', tables(agent))
  socket.destroy()
  await later()
  run.log('agent', 'closed', tables(agent))
})

scenario.client('addRequest and onSocket, as old callers call them', async (run) => {
  await serve(run)
  const agent = run.agent({ maxSockets: 1 })
  const request = run.request({ agent: { addRequest: (req) => agent.addRequest(req, '127.0.0.1', run.port, undefined) } })
  request.on('response', (response) => response.resume())
  request.end()
  run.log('agent', 'tables', tables(agent))
  await run.closed(request)
  const other = run.request({ agent: { addRequest: (req, options) => process.nextTick(() => req.onSocket(net.connect(options.port, options.host))) } })
  other.on('response', (response) => response.resume())
  other.end()
  await run.closed(other)
  const refused = run.request({ agent: { addRequest: (req) => req.onSocket(null, new Error('none')) } })
  run.watch('client', refused, ['error', 'close', 'socket'])
  refused.end()
  await run.closed(refused)
})

const isRecent = Number(process.versions.node.split('.')[0]) >= 24

// Before, core has no listener for the error, and the process ends.
for (const keepAlive of isRecent ? [true, false] : []) {
  scenario.client(`an agent whose signal is aborted already, ${keepAlive ? 'with' : 'without'} keep-alive`, async (run) => {
    await answering(run)
    const agent = run.agent({ keepAlive, signal: AbortSignal.abort() })
    const request = watched(run, 'client', { agent })
    request.end((error) => run.log('client', 'end callback', error))
    await run.closed(request)
    await later()
    run.log('client', 'agent', agent.totalSocketCount, Object.keys(agent.sockets), Object.keys(agent.freeSockets))
  })

  for (const moment of ['tick', 'socket', 'connect', 'response', 'free']) {
    scenario.client(`an agent whose signal is aborted at ${moment}, ${keepAlive ? 'with' : 'without'} keep-alive`, async (run) => {
      await answering(run)
      const controller = new AbortController()
      const agent = run.agent({ keepAlive, signal: controller.signal })
      const request = watched(run, 'client', { agent })
      const abort = () => controller.abort()
      if (moment === 'tick') process.nextTick(abort)
      else if (moment === 'connect') request.on('socket', (socket) => socket.on('connect', abort))
      else if (moment === 'free') request.on('close', () => setImmediate(abort))
      else request.on(moment, abort)
      request.end((error) => run.log('client', 'end callback', error))
      await run.closed(request)
      await later()
      run.log('client', 'agent', agent.totalSocketCount, Object.keys(agent.sockets), Object.keys(agent.freeSockets))
      const second = watched(run, 'second', { agent })
      second.end()
      await run.closed(second)
      await later()
    })
  }
}

// Before, core leaves out sockets that are there already, or throws.
if (isRecent && !process.version.startsWith('v25.')) {
  scenario.client('an agent and its key lines', async (run) => {
    await answering(run)
    const agent = run.agent({ keepAlive: true })
    const first = run.request({ agent })
    first.end()
    const [response] = await run.once(first, 'response')
    response.resume()
    await run.closed(first)
    await later()
    const counts = () => Object.values(agent.freeSockets).flat().map((socket) => socket.listenerCount('keylog'))
    run.log('client', 'free', counts(), agent.listenerCount('newListener'))
    agent.on('keylog', (line, socket) => run.log('client', 'keylog', line, socket))
    run.log('client', 'free', counts(), agent.listenerCount('newListener'))
    Object.values(agent.freeSockets).flat()[0].emit('keylog', 'a line')
    const other = run.request({ agent })
    other.on('socket', (socket) => run.log('client', 'socket', socket.listenerCount('keylog')))
    other.on('response', (response) => response.resume())
    other.end()
    await run.closed(other)
  })
}

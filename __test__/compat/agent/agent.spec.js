'use strict'

const { scenario } = require('../../oracle')
const versions = require('../../../lib/versions')

const pools = ({ sockets, freeSockets, requests }) => Object.fromEntries(Object.entries({ sockets, freeSockets, requests })
  .map(([name, map]) => [name, Object.values(map).map((list) => list.length)]))

/** There core takes what comes on an idle connection for the next answer; here it never is (docs/COMPATIBILITY.md, guarantees/pooled-connections). */
const TRUSTS_IDLE = { skip: !versions.unsolicitedDataDestroys && 'core is poisoned' }

/** Lets connections close and pools settle: there is no event for that. */
const later = () => new Promise((resolve) => setTimeout(resolve, 30))

scenario.module('properties and defaults', (run) => {
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

scenario.module('getName', (run) => {
  const agent = new run.http.Agent()
  for (const options of [undefined, {}, { host: 'a' }, { host: 'a', port: 5 }, { port: 5, localAddress: 'l' }, { host: 'a', port: 5, family: 4 }, { family: 6 }, { family: 5 },
    { socketPath: '/s' }, { host: 'a', family: 6, socketPath: '/s' }]) {
    run.attempt('module', run.summary(options), () => agent.getName(options))
  }
})

scenario.module('bad options', (run) => {
  for (const options of [{ scheduling: 'x' }, { maxTotalSockets: 0 }, { maxTotalSockets: -1 }, { maxTotalSockets: 'x' }, { maxSockets: -1 }, { maxSockets: 'x' }, { maxFreeSockets: -1 },
    { maxTotalSockets: NaN }, { agentKeepAliveTimeoutBuffer: -1 }, { agentKeepAliveTimeoutBuffer: 'x' }, { proxyEnv: {} }, null, 5]) {
    run.attempt('module', run.summary(options), () => new run.http.Agent(options).maxSockets)
  }
})

scenario('maxSockets queues requests', async (run) => {
  const arrived = []
  await run.serve({}, (req, res) => {
    arrived.push(req.url)
    setImmediate(() => res.end(req.url))
  })
  const agent = run.agent({ keepAlive: true, maxSockets: 2 })
  const all = ['/1', '/2', '/3', '/4', '/5'].map((path) => run.exchange({ path, agent, track: path }))
  run.log('agent', 'pools at once', pools(agent), agent.totalSocketCount)
  await Promise.all(all)
  await later()
  run.log('agent', 'pools after', pools(agent), agent.totalSocketCount)
  run.log('server', 'arrived', arrived.sort())
})

scenario('a queued request takes the connection over, in order', async (run) => {
  await run.serve({}, (req, res) => res.end(req.url))
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  agent.on('free', (socket, options) => run.log('agent', 'free', socket, Object.keys(options).filter((key) => !['port', 'signal'].includes(key)).sort(), options.path, options.encoding))
  const requests = ['/1', '/2', '/3'].map((path) => {
    const request = run.request({ path, agent })
    run.watch('client', request, ['socket', 'response', 'close'], `${path} `)
    request.on('response', (response) => response.resume())
    request.end()
    return request
  })
  await run.closed(...requests)
  run.log('client', 'reused', requests.map((request) => request.reusedSocket))
  await later()
  run.log('agent', 'pools', pools(agent))
})

scenario('without keep-alive a queued request gets a new connection', async (run) => {
  await run.serve({}, (req, res) => res.end(req.url))
  const agent = run.agent({ maxSockets: 1 })
  const requests = ['/1', '/2'].map((path) => {
    const request = run.request({ path, agent })
    run.watch('client', request, ['socket', 'response', 'close'], `${path} `)
    request.on('response', (response) => response.resume())
    request.end()
    return request
  })
  run.log('agent', 'pools', pools(agent))
  await run.closed(...requests)
  await later()
  run.log('agent', 'pools', pools(agent), agent.totalSocketCount)
})

scenario('maxTotalSockets and maxFreeSockets', async (run) => {
  await run.serve({}, (req, res) => setImmediate(() => res.end(req.url)))
  const total = run.agent({ keepAlive: true, maxTotalSockets: 2, maxFreeSockets: 1 })
  await Promise.all(['/1', '/2', '/3', '/4'].map((path) => run.exchange({ path, agent: total, track: path })))
  await later()
  run.log('agent', 'pools', pools(total), total.totalSocketCount)
})

for (const scheduling of ['lifo', 'fifo']) {
  scenario(`${scheduling} scheduling picks among the free`, async (run) => {
    const pending = []
    await run.serve({}, (req, res) => {
      if (req.url === '/again') return res.end('again')
      pending.push([req.url, res])
      if (pending.length === 2) for (const [url, waiting] of pending.sort()) waiting.end(url)
    })
    const agent = run.agent({ keepAlive: true, scheduling })
    const order = []
    const requests = ['/1', '/2'].map((path) => run.request({ path, agent }))
    for (const request of requests) {
      request.on('response', (response) => response.resume())
      request.on('close', () => order.push(request.socket))
      request.end()
    }
    await run.closed(...requests)
    await later()
    const free = Object.values(agent.freeSockets)[0].slice()
    const request = run.request({ path: '/again', agent })
    request.end()
    await run.once(request, 'socket')
    run.log('client', 'picked', free.indexOf(request.socket), free.length)
    const [response] = await run.once(request, 'response')
    await run.read('client', response)
  })
}

scenario('the state of a free socket', async (run) => {
  await run.serve({}, (req, res) => res.end('x'))
  const agent = run.agent({ keepAlive: true, timeout: 3000 })
  await run.exchange({ agent })
  await later()
  const [socket] = Object.values(agent.freeSockets)[0]
  run.log('client', 'state', socket._httpMessage, socket.parser, socket.timeout, socket.destroyed, socket.readable, socket.writable)
  run.log('client', 'listeners', socket.eventNames().map(String).filter((name) => socket.listenerCount(name) > 0).sort())
  run.log('agent', 'names', Object.keys(agent.freeSockets).map((name) => name.replace(/\d{4,}/, '<port>')))
  socket.emit('agentRemove')
  run.log('agent', 'removed', pools(agent), agent.totalSocketCount)
  socket.destroy()
})

scenario('destroy() ends used and free connections', async (run) => {
  await run.serve({}, (req, res) => {
    if (req.url === '/quick') res.end('x')
    else res.write('x')
  })
  const agent = run.agent({ keepAlive: true })
  const request = run.request({ agent, path: '/slow' })
  run.watch('client', request, ['error', 'close'], 'request ')
  request.end()
  const [response] = await run.once(request, 'response')
  run.watch('client', response, ['aborted', 'error', 'close'], 'response ')
  await run.exchange({ agent, path: '/quick' })
  await later()
  run.log('agent', 'before', pools(agent))
  run.log('agent', 'returns', agent.destroy())
  await run.closed(request)
  await later()
  run.log('agent', 'after', pools(agent), agent.totalSocketCount)
})

scenario('subclasses may override every seam', async (run) => {
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

scenario('keepSocketAlive may say no, and an agent may be any object with addRequest', async (run) => {
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

scenario('the server hints at how long it keeps connections', async (run) => {
  const hints = { '/1': 'timeout=1', '/3': 'timeout=3', '/bad': 'timeout=x', '/none': 'max=5' }
  await run.serve({}, (req, res) => {
    res.setHeader('Keep-Alive', hints[req.url])
    res.end('x')
  })
  for (const path of Object.keys(hints)) {
    const agent = run.agent({ keepAlive: true, timeout: 5000 })
    await run.exchange({ agent, path })
    await later()
    run.log('agent', path, pools(agent), Object.values(agent.freeSockets)[0]?.[0].timeout)
  }
})

scenario('an idle connection leaves the pool after the timeout of the agent', async (run) => {
  await run.serve({}, (req, res) => res.end('x'))
  const agent = run.agent({ keepAlive: true, timeout: 50 })
  await run.exchange({ agent })
  await later()
  run.log('agent', 'before', pools(agent))
  const [socket] = Object.values(agent.freeSockets)[0]
  await run.closed(socket)
  await later()
  run.log('agent', 'after', pools(agent), agent.totalSocketCount)
})

scenario.client('bytes that come on a free connection', async (run) => {
  let origin
  await run.origin(async (peer) => {
    origin = peer
    await peer.until('\r\n\r\n')
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    if (peer === run.peers[0]) return
    await peer.until('\r\n\r\n', 2)
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  const agent = run.agent({ keepAlive: true })
  await run.exchange({ agent })
  await later()
  const [socket] = Object.values(agent.freeSockets)[0]
  origin.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison')
  await run.sleep(30)
  run.log('agent', 'after', pools(agent), socket.destroyed)
}, TRUSTS_IDLE)

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

scenario('a connection that is used again buffers as much as the request wants', async (run) => {
  await run.serve({}, (req, res) => req.resume().on('end', () => res.end()))
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  for (const highWaterMark of [undefined, 10, 100000, undefined]) {
    const request = run.request({ agent, method: 'POST', highWaterMark })
    const [socket] = await run.once(request, 'socket')
    run.log('client', String(highWaterMark), request.reusedSocket, socket.writableHighWaterMark, request.writableHighWaterMark, request.write('x'.repeat(50)))
    request.end()
    const [response] = await run.once(request, 'response')
    await run.read('client', response)
    await run.closed(request)
    await later()
  }
})

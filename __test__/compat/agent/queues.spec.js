'use strict'

/** An agent under load: who waits, who is served next, and what becomes of those who give up. */

const net = require('node:net')
const { AsyncLocalStorage } = require('node:async_hooks')
const { scenario } = require('../../oracle')

/** All tables with their names, the port masked by the run. */
const tables = (agent) => Object.fromEntries(['sockets', 'freeSockets', 'requests']
  .map((table) => [table, Object.entries(agent[table]).map(([name, list]) => [name, list.map((one) => one.path ?? 'socket')])]).concat([['total', agent.totalSocketCount]]))

/** Lets connections close and pools settle: there is no event for that. */
const later = () => new Promise((resolve) => setTimeout(resolve, 30))

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** A server that answers each request of a connection when `answer` is called, or at once. */
const serve = async (run, { held = false } = {}) => {
  const waiting = []
  await run.origin(async (peer) => {
    peer.ended().then(() => peer.end())
    for (let count = 1; ; count++) {
      await peer.until('\r\n\r\n', count)
      if (held) waiting.push(() => peer.send(OK))
      else peer.send(OK)
    }
  })
  return {
    async answer () {
      while (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 2))
      waiting.shift()()
    }
  }
}

function ask (run, agent, path, options) {
  const request = run.request({ agent, path, ...options })
  run.watch('client', request, ['socket', 'response', 'abort', 'timeout', 'error', 'close'], `${path} `)
  request.on('response', (response) => response.resume())
  return request.end()
}

for (const limits of [{ maxSockets: 1 }, { maxSockets: 2 }, { maxTotalSockets: 1 }, { maxSockets: 1, maxTotalSockets: 2 }, { maxSockets: 2, maxFreeSockets: 1 }, { maxFreeSockets: 0 }]) {
  for (const keepAlive of [true, false]) {
    scenario.client(`the tables of an agent with ${JSON.stringify(limits)}${keepAlive ? ' and keep-alive' : ''}`, async (run) => {
      const server = await serve(run, { held: true })
      const agent = run.agent({ keepAlive, ...limits })
      run.mask(`${run.port}:`, 'port')
      const requests = ['/1', '/2', '/3', '/4'].map((path) => run.request({ agent, path }).on('response', (response) => response.resume()).end())
      run.log('agent', 'at once', tables(agent))
      for (const [index] of requests.entries()) {
        await server.answer()
        await later()
        run.log('agent', `answered ${index}`, tables(agent))
      }
      run.log('agent', 'after', tables(agent), requests.map((request) => request.reusedSocket))
    })
  }
}

scenario.client('a place given up by one origin serves another', async (run) => {
  await serve(run)
  const { port } = run
  await serve(run)
  for (const keepAlive of [true, false]) {
    const agent = run.agent({ keepAlive, maxTotalSockets: 1 })
    const requests = [ask(run, agent, '/one', { port }), ask(run, agent, '/two'), ask(run, agent, '/three', { port })]
    run.log('agent', 'at once', tables(agent))
    await run.closed(requests[0], requests[2])
    await later()
    run.log('agent', 'then', tables(agent), requests.map(({ closed }) => closed))
    agent.destroy()
    await run.closed(...requests)
    await later()
    run.log('agent', 'at last', tables(agent))
  }
})

for (const how of ['destroy', 'abort', 'signal', 'error']) {
  scenario.client(`a request that waits and gives up: ${how}`, async (run) => {
    const server = await serve(run, { held: true })
    const agent = run.agent({ keepAlive: true, maxSockets: 1 })
    const controller = new AbortController()
    const first = ask(run, agent, '/first')
    const second = ask(run, agent, '/second', how === 'signal' ? { signal: controller.signal } : {})
    const third = ask(run, agent, '/third')
    await run.once(first, 'socket')
    run.log('agent', 'waiting', tables(agent))
    if (how === 'signal') controller.abort()
    else if (how === 'error') second.destroy(new Error('mine'))
    else second[how]()
    run.log('agent', 'given up', tables(agent), second.destroyed, second.closed)
    await server.answer()
    await run.closed(first)
    await server.answer()
    await run.closed(third)
    await later()
    run.log('agent', 'after', tables(agent), second.closed)
  })
}

scenario.client('requests that wait while the connection is lost', async (run) => {
  await run.origin(async (peer) => {
    for (let count = 1; ; count++) {
      await peer.until('\r\n\r\n', count)
      if (peer.received.includes('/1')) return peer.reset()
      peer.send(OK)
    }
  })
  for (const keepAlive of [true, false]) {
    const agent = run.agent({ keepAlive, maxSockets: 1 })
    const requests = ['/1', '/2'].map((path) => ask(run, agent, `${path}${keepAlive}`))
    await run.closed(...requests)
    await later()
    run.log('agent', 'after', tables(agent))
  }
})

scenario.client('a request that waits while no connection can be made', async (run) => {
  const agent = run.agent({ maxSockets: 1 })
  agent.createConnection = (options, callback) => { setImmediate(callback, new Error(`none for ${options.path ?? 'nobody'}`)) }
  const requests = ['/1', '/2'].map((path) => ask(run, agent, path, { port: 1 }))
  await run.closed(requests[0])
  await later()
  run.log('agent', 'after', tables(agent))
  requests[1].destroy()
  await later()
})

scenario.client('timeouts of agent and request, in use and idle', async (run) => {
  const server = await serve(run, { held: true })
  for (const [own, asked] of [[40, undefined], [40, 60], [undefined, 40], [1000, 40], [40, 1000]]) {
    const agent = run.agent({ keepAlive: true, timeout: own })
    const track = `${own} ${asked}`
    const request = run.request({ agent, timeout: asked })
    let told
    const timed = new Promise((resolve) => { told = resolve })
    run.watch(track, request, ['timeout', 'error', 'close', 'response'])
    request.on('timeout', () => told())
    request.on('socket', (socket) => {
      run.log(track, 'socket', socket.timeout)
      socket.on('timeout', () => run.log(track, 'socket timeout'))
    })
    request.on('response', (response) => response.resume())
    request.end()
    await timed
    await server.answer()
    await run.closed(request)
    await new Promise(setImmediate)
    const [socket] = Object.values(agent.freeSockets)[0] ?? []
    run.log(track, 'free', socket?.timeout)
    agent.destroy()
  }
})

scenario.client('the Keep-Alive hint in every form', async (run) => {
  for (const hint of ['timeout=5', 'timeout=5, max=100', 'max=100, timeout=5', 'timeout=1', 'timeout=0', 'timeout=2', 'TIMEOUT=2', 'timeout = 2', 'timeout=2.5', 'timeout=-1', 'timeout=99999999999', 'x', '']) {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send(`HTTP/1.1 200 OK\r\nKeep-Alive: ${hint}\r\nContent-Length: 2\r\n\r\nok`)
    })
    for (const timeout of [undefined, 1500, 100000]) {
      const agent = run.agent({ keepAlive: true, timeout })
      await run.closed(run.request({ agent }).on('response', (response) => response.resume()).end())
      await later()
      const [socket] = Object.values(agent.freeSockets)[0] ?? []
      run.log('agent', `${hint} with ${timeout}`, socket?.timeout, agent.totalSocketCount)
      agent.destroy()
    }
  }
})

scenario.client('what an agent tells, and with what', async (run) => {
  await serve(run)
  const agent = run.agent({ keepAlive: true, keepAliveMsecs: 1234, maxSockets: 1 })
  agent.on('free', (socket, options) => run.log('agent', 'free', socket.constructor.name, Object.keys(options).sort(), options.keepAlive, options.keepAliveInitialDelay, options.host, options.servername, options.noDelay, options.path))
  for (const name of ['addRequest', 'createSocket', 'createConnection', 'keepSocketAlive', 'reuseSocket', 'removeSocket', 'getName']) {
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

scenario.client('an idle connection that the server ends, resets, or that fails by itself', async (run) => {
  for (const how of ['end', 'reset', 'destroy', 'error']) {
    let origin
    await run.origin(async (peer) => {
      origin = peer
      await peer.until('\r\n\r\n')
      peer.send(OK)
    })
    const agent = run.agent({ keepAlive: true })
    await run.closed(ask(run, agent, `/${how}`))
    await new Promise(setImmediate)
    const [[socket]] = Object.values(agent.freeSockets)
    run.watch(how, socket, ['close', 'agentRemove', 'error', 'free'])
    if (how === 'end' || how === 'reset') origin[how]()
    else socket.destroy(how === 'error' ? new Error('by itself') : undefined)
    await run.closed(socket)
    await later()
    run.log(how, 'after', tables(agent))
  }
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

scenario.client('a free connection taken by hand', async (run) => {
  await serve(run)
  const agent = run.agent({ keepAlive: true })
  await run.closed(ask(run, agent, '/1'))
  await new Promise(setImmediate)
  const [name] = Object.keys(agent.freeSockets)
  const socket = agent.freeSockets[name].pop()
  run.log('agent', 'emptied', agent.freeSockets[name].length)
  await run.closed(ask(run, agent, '/2'))
  await later()
  run.log('agent', 'made anew', agent.freeSockets[name]?.includes(socket), agent.totalSocketCount)
  socket.destroy()
  await run.closed(socket)
  run.log('agent', 'destroyed', agent.totalSocketCount)
})

scenario.client('queued requests keep their async context', async (run) => {
  await serve(run)
  const storage = new AsyncLocalStorage()
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  await Promise.all(['/1', '/2', '/3'].map((path) => storage.run(path, () => {
    const request = run.request({ agent, path })
    for (const event of ['socket', 'response', 'close', 'finish']) request.on(event, () => run.log(path, event, storage.getStore()))
    request.on('response', (response) => response.resume().on('end', () => run.log(path, 'end', storage.getStore())))
    request.end()
    return run.closed(request)
  })))
})

scenario.client('a request written to before, while and after it waits', async (run) => {
  const server = await serve(run, { held: true })
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  const first = ask(run, agent, '/first')
  const request = run.request({ agent, path: '/second', method: 'POST' })
  run.watch('client', request, ['socket', 'drain', 'finish', 'response', 'close'])
  const say = (what) => run.log('client', what, request.outputData.map(({ data, encoding, callback }) => [data, encoding, typeof callback]), request.outputSize, request.writableLength, request.headersSent)
  say('made')
  run.log('client', 'write', request.write('early'))
  say('written')
  run.log('client', 'large', request.write('x'.repeat(100000), (error) => run.log('client', 'written', error)), request.writableNeedDrain)
  run.attempt('client', 'late header', () => request.setHeader('a', 'b'))
  const drained = run.once(request, 'drain')
  await server.answer()
  await run.closed(first)
  await drained
  run.log('client', 'flushed', request.outputData.length, request.outputSize)
  request.end('late')
  await server.answer()
  request.on('response', (response) => response.resume())
  await run.closed(request)
})

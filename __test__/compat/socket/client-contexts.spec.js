'use strict'

/** The async context and the order of the events of a client's socket. */

const { AsyncLocalStorage } = require('node:async_hooks')
const net = require('node:net')
const { scenario } = require('../../oracle')
const { byTarget } = require('../../oracle/answering')

const EVENTS = ['lookup', 'connectionAttempt', 'connectionAttemptFailed', 'connect', 'ready', 'timeout', 'end', 'error', 'finish', 'free', 'close']

/** Sends a request in a context named as its target, and logs all events of its socket. */
function send (run, storage, target, options, act) {
  return new Promise((resolve) => storage.run(target, () => {
    const say = (subject, what, ...values) => run.log('client', subject, what, ...values, storage.getStore())
    const request = run.request({ path: target, ...options })
    request.on('socket', (socket) => {
      if (socket.isHeard !== undefined) return act?.(request, socket)
      socket.isHeard = target
      for (const event of EVENTS) socket.on(event, (error) => say(`socket of ${target}`, event, event === 'error' || event === 'close' ? error : ''))
      act?.(request, socket)
    })
    request.on('response', (response) => response.resume())
    request.on('error', (error) => say(`request ${target}`, 'error', error.code))
    request.on('close', () => say(`request ${target}`, 'close'))
    // What follows from the end of the exchange follows; of that there is no event.
    request.on('close', () => setTimeout(resolve, 20))
    request.end()
  }))
}

const paths = {
  'over TCP': async (run) => {
    await run.origin(byTarget)
    return {}
  },
  'over a Unix socket': async (run) => {
    const socketPath = run.unixPath()
    await run.origin(byTarget, socketPath)
    return { socketPath }
  },
  'over a socket of net': async (run) => {
    await run.origin(byTarget)
    return { createConnection: (options) => net.connect(options) }
  }
}

function agentOf (run, { createConnection }) {
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  if (createConnection !== undefined) agent.createConnection = createConnection
  return agent
}

for (const [how, reach] of Object.entries(paths)) {
  scenario.client(`the async context of all events of a socket that is used again, ${how}`, async (run) => {
    const path = await reach(run)
    const storage = new AsyncLocalStorage()
    for (const last of ['/last', '/fin', '/slow']) {
      const agent = agentOf(run, path)
      await send(run, storage, '/1', { ...path, agent })
      await send(run, storage, '/2', { ...path, agent })
      await send(run, storage, last, { ...path, agent }, (request) => { if (last === '/slow') setImmediate(() => request.destroy()) })
    }
  })

  scenario.client(`the async context of all events of a socket that is handed to the next waiting request, ${how}`, async (run) => {
    const path = await reach(run)
    const storage = new AsyncLocalStorage()
    for (const first of ['/1', '/last']) {
      const agent = agentOf(run, path)
      await Promise.all([
        send(run, storage, first, { ...path, agent }),
        send(run, storage, '/slow', { ...path, agent }, (request, socket) => setTimeout(() => socket.destroy(new Error('on purpose')), 20))
      ])
    }
  })

  scenario.client(`the async context of all events of a socket that is idle when its agent is destroyed, ${how}`, async (run) => {
    const path = await reach(run)
    const storage = new AsyncLocalStorage()
    const agent = agentOf(run, path)
    await send(run, storage, '/1', { ...path, agent })
    await send(run, storage, '/2', { ...path, agent })
    storage.run('destroying', () => agent.destroy())
    await run.sleep(20)
  })

  const acts = {
    'destroyed at once': (request) => request.destroy(),
    'whose socket is destroyed at once': (request, socket) => socket.destroy(),
    'whose socket is destroyed with an error': (request, socket) => socket.destroy(new Error('on purpose')),
    'whose socket is destroyed at \'connect\'': (request, socket) => socket.on('connect', () => socket.destroy()),
    'that is aborted': (request) => request.abort()
  }
  if (how !== 'over a Unix socket') acts['whose socket is reset at once'] = (request, socket) => socket.resetAndDestroy()
  for (const [what, act] of Object.entries(acts)) {
    scenario.client(`the async context of all events of the socket of a request ${what}, ${how}`, async (run) => {
      const path = await reach(run)
      for (const agent of [false, agentOf(run, path)]) await send(run, new AsyncLocalStorage(), '/slow', { ...path, agent }, act)
    })
  }
}

scenario.client('the async context of a connection that is refused', async (run) => {
  const port = await run.refusedPort()
  const storage = new AsyncLocalStorage()
  for (const agent of [false, run.agent({ keepAlive: true })]) await send(run, storage, '/refused', { port, agent })
})

scenario.client('the async context of a connection whose address is found in another', async (run) => {
  await run.origin(byTarget)
  const storage = new AsyncLocalStorage()
  const lookup = (host, { all }, callback) => {
    const found = all ? [[{ address: '127.0.0.1', family: 4 }]] : ['127.0.0.1', 4]
    storage.run('lookup', () => setImmediate(callback, null, ...found))
  }
  for (const target of ['/last', '/slow']) {
    await send(run, storage, target, { host: 'somewhere.example', lookup, agent: false }, (request, socket) => {
      if (target === '/slow') socket.on('connect', () => socket.destroy())
    })
  }
})

scenario.client('the async context of a socket that still connects, and is given to the next request', async (run) => {
  await run.origin(byTarget)
  const storage = new AsyncLocalStorage()
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  const first = storage.run('/first', () => {
    const request = run.request({ agent, path: '/first' })
    request.on('error', (error) => run.log('client', 'first', error.message, storage.getStore()))
    request.destroy(new Error('on purpose'))
    return run.closed(request)
  })
  await first
  await storage.run('/second', async () => {
    const request = run.request({ agent, path: '/second', method: 'DELETE', headers: { 'Content-Length': 3 } })
    const told = new Promise((resolve) => request.on('socket', (socket) => {
      run.log('client', 'connects', socket.connecting)
      socket.on('close', () => run.log('client', 'socket close', storage.getStore()))
      storage.run('its end', () => request.end('abc', () => run.log('client', 'told', storage.getStore())))
      socket.destroy()
      socket.on('close', resolve)
    }))
    request.on('error', (error) => run.log('client', 'second', error.code, storage.getStore()))
    await Promise.all([run.closed(request), told])
  })
})

'use strict'

/** Requests that wait for a connection: the limits of an agent, the order in which they are served, and those that are destroyed while they wait. */

const { AsyncLocalStorage } = require('node:async_hooks')
const { OK, ask, later, pools, serve, tables } = require('./tables')
const { scenario } = require('../../oracle')

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

scenario.client('a place below maxTotalSockets that one origin frees goes to another', async (run) => {
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
  scenario.client(`a request that is destroyed while it waits: ${how}`, async (run) => {
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
  agent.createConnection = (options, callback) => { setImmediate(callback, new Error(`none for ${options.path ?? 'no path'}`)) }
  const requests = ['/1', '/2'].map((path) => ask(run, agent, path, { port: 1 }))
  await run.closed(requests[0])
  await later()
  run.log('agent', 'after', tables(agent))
  requests[1].destroy()
  await later()
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

scenario.client('empty parts of a request that waits are queued, and what follows from their writes', async (run) => {
  const server = await serve(run, { held: true })
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  const first = ask(run, agent, '/first')
  const empty = { string: '', buffer: Buffer.alloc(0), array: new Uint8Array(0) }
  const queued = []
  for (const method of ['GET', 'POST', 'HEAD']) {
    for (const [before, part] of [['nothing', undefined], ...Object.entries(empty), ['a letter', 'a']]) {
      for (const [last, end] of Object.entries(empty)) {
        const request = run.request({ agent, path: `/${method}`, method })
        request.on('error', () => {})
        if (part !== undefined) request.write(part)
        request.end(end)
        run.log('client', method, before, last, request.outputData.map(({ data, encoding, callback }) => [String(data).replace(/Host:.*\r\n/, ''), encoding, typeof callback]), request.outputSize > 0)
        queued.push(request)
      }
    }
  }
  for (const request of queued) request.destroy()
  await server.answer()
  await Promise.all([first, ...queued].map((request) => run.closed(request)))
})

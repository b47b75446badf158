'use strict'

/** Diagnostics channels, perf_hooks, AsyncLocalStorage and async_hooks in an ordinary exchange of a client and a server. */

const diagnostics = require('node:diagnostics_channel')
const { AsyncLocalStorage, createHook, executionAsyncResource } = require('node:async_hooks')
const { PerformanceObserver } = require('node:perf_hooks')
const { scenario } = require('../../oracle')

const CHANNELS = ['http.client.request.created', 'http.client.request.start', 'http.client.request.error', 'http.client.response.finish',
  'http.server.request.start', 'http.server.response.created', 'http.server.response.finish']

scenario('diagnostics channels publish an exchange', async (run) => {
  const listeners = new Map(CHANNELS.map((name) => [name, (message) => {
    run.log(name.split('.')[1], name, Object.keys(message).sort(), message.request?.method, message.response?.statusCode)
  }]))
  for (const [name, listener] of listeners) diagnostics.subscribe(name, listener)
  try {
    let closed
    const server = await run.serve({}, (req, res) => {
      run.log('server', 'handler')
      res.on('finish', () => run.log('server', 'finish'))
      closed = run.closed(res)
      res.end('ok')
    })
    run.log('server', 'listening', server.listening)
    await run.exchange({ method: 'POST' }, 'body')
    await closed
  } finally {
    for (const [name, listener] of listeners) diagnostics.unsubscribe(name, listener)
  }
})

scenario('a channel publishes each connection of a client once', async (run) => {
  await run.serve({}, (req, res) => res.end('ok'))
  const seen = new Set()
  const listener = ({ socket }) => {
    run.log('client', 'channel', seen.has(socket), socket.connecting, socket.timeout)
    seen.add(socket)
  }
  diagnostics.subscribe('net.client.socket', listener)
  try {
    for (const options of [{}, { timeout: 5000 }]) {
      run.log('client', 'asks')
      await run.exchange(options)
    }
    run.log('client', 'connections', seen.size)
  } finally {
    diagnostics.unsubscribe('net.client.socket', listener)
  }
})

scenario('diagnostics channels publish an error', async (run) => {
  const listener = ({ request, error }) => run.log('client', 'channel', request, error)
  diagnostics.subscribe('http.client.request.error', listener)
  await run.serve({}, (req) => req.socket.destroy())
  await run.exchange()
  diagnostics.unsubscribe('http.client.request.error', listener)
})

scenario('messages of the channels hold the objects that the handler gets', async (run) => {
  const seen = []
  const listener = (message) => seen.push(message)
  diagnostics.subscribe('http.server.request.start', listener)
  const server = await run.serve({}, (req, res) => {
    const { request, response, socket, server: told } = seen.at(-1)
    run.log('server', 'same', request === req, response === res, socket === req.socket, told === server)
    run.log('server', 'keys', Object.keys(seen.at(-1)).sort())
    res.end()
  })
  await run.exchange()
  diagnostics.unsubscribe('http.server.request.start', listener)
})

scenario('perf_hooks measures requests', async (run) => {
  const entries = []
  const observer = new PerformanceObserver((list) => entries.push(...list.getEntries()))
  observer.observe({ entryTypes: ['http'] })
  await run.serve({}, (req, res) => {
    res.setHeader('x-set', 'yes')
    res.end('ok')
  })
  await run.exchange({ path: '/measured' })
  while (entries.length < 2) await new Promise((resolve) => setTimeout(resolve, 1))
  observer.disconnect()
  for (const { name, entryType, detail, duration } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    run.log('entries', name, entryType, duration > 0, detail)
  }
})

scenario.client('perf_hooks measures the connections of requests', async (run) => {
  const entries = []
  const observer = new PerformanceObserver((list) => entries.push(...list.getEntries()))
  observer.observe({ entryTypes: ['net'] })
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n', 2)
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
    peer.end()
  })
  const request = run.request({ agent: false, method: 'POST' })
  request.end('a body, behind an empty line: \r\n\r\n')
  await run.closed(request)
  while (entries.length < 1) await new Promise(setImmediate)
  observer.disconnect()
  for (const { name, entryType, detail } of entries) run.log('entries', name, entryType, detail)
})

scenario('AsyncLocalStorage of the client follows its request', async (run) => {
  const storage = new AsyncLocalStorage()
  await run.serve({}, (req, res) => setImmediate(() => res.end(req.url)))
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  await Promise.all(['/1', '/2', '/3'].map((path) => storage.run(path, () => new Promise((resolve) => {
    const request = run.request({ path, agent })
    const say = (what) => run.log(path, what, storage.getStore())
    request.on('socket', () => say('socket'))
    request.on('finish', () => say('finish'))
    request.on('close', () => {
      say('close')
      resolve()
    })
    request.on('response', (response) => {
      say('response')
      response.on('data', () => say('data'))
      response.on('end', () => say('end'))
    })
    request.end(() => say('end callback'))
  }))))
})

scenario('AsyncLocalStorage of the server keeps requests apart', async (run) => {
  const storage = new AsyncLocalStorage()
  await storage.run('listen', () => run.serve({}, (req, res) => {
    const say = (what) => run.log(req.url, what, storage.getStore())
    say('handler')
    storage.run(req.url, () => {
      req.on('data', () => {})
      res.on('finish', () => say('finish'))
      setImmediate(async () => {
        say('immediate')
        await null
        say('promise')
        res.end(req.url)
      })
    })
  }))
  await Promise.all(['/1', '/2', '/3'].map((path) => run.exchange({ path, track: `client ${path}` })))
})

scenario('enterWith in a handler does not reach requests of other connections', async (run) => {
  const storage = new AsyncLocalStorage()
  await run.serve({}, (req, res) => {
    run.log('server', req.url, storage.getStore())
    storage.enterWith(req.url)
    res.end()
  })
  for (const path of ['/1', '/2', '/3']) await run.exchange({ path, agent: false })
})

scenario('enterWith in a handler and the next request of its connection', async (run) => {
  const storage = new AsyncLocalStorage()
  await run.serve({}, (req, res) => {
    run.log('server', req.url, storage.getStore())
    storage.enterWith(req.url)
    res.end()
  })
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  for (const path of ['/1', '/2', '/3']) {
    await run.exchange({ path, agent })
    await new Promise(setImmediate)
  }
})

scenario('async_hooks see the resources of messages', async (run) => {
  const types = new Set()
  const hook = createHook({ init: (id, type) => type.startsWith('HTTP') && types.add(type) }).enable()
  await run.serve({}, (req, res) => {
    run.log('server', 'resource', executionAsyncResource()?.type)
    res.end()
  })
  await run.exchange()
  hook.disable()
  run.log('hooks', 'types', [...types].sort())
})

scenario('process.nextTick and microtasks of a handler run before the next request of another connection', async (run) => {
  await run.serve({}, (req, res) => {
    const order = []
    process.nextTick(() => order.push('tick'))
    Promise.resolve().then(() => order.push('microtask'))
    setImmediate(() => res.end(order.join()))
  })
  for (const path of ['/1', '/2']) await run.exchange({ path })
})

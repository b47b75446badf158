'use strict'

/** Diagnostics channels, perf_hooks, AsyncLocalStorage and async_hooks of servers in unusual exchanges: errors, upgrades, drops, timeouts. */

const diagnostics = require('node:diagnostics_channel')
const { AsyncLocalStorage, AsyncResource, createHook, executionAsyncResource } = require('node:async_hooks')
const { PerformanceObserver } = require('node:perf_hooks')
const { scenario } = require('../../oracle')

const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')
const CHANNELS = ['http.server.request.start', 'http.server.response.created', 'http.server.response.finish', 'net.server.socket']

/** Runs steps with subscribers on the server's channels. */
async function listening (run, steps) {
  const listeners = CHANNELS.map((name) => [name, ({ request, response, socket, server }) => {
    run.log('channels', name, request?.url, response?.headersSent, response?.finished, response?.socket === request?.socket, socket !== undefined, server !== undefined)
  }])
  for (const [name, listener] of listeners) diagnostics.subscribe(name, listener)
  try {
    await steps()
  } finally {
    for (const [name, listener] of listeners) diagnostics.unsubscribe(name, listener)
  }
}

const EXCHANGES = {
  'a request without Host': 'GET / HTTP/1.1\r\n\r\n',
  'an expectation that is not met': get('/', 'Expect: x', 'Connection: close'),
  'a continued request': get('/', 'Expect: 100-continue', 'Connection: close'),
  'an upgrade without a listener': get('/', 'Upgrade: x', 'Connection: upgrade'),
  'CONNECT': 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n',
  'a parse error': 'garbage\r\n\r\n',
  'a parse error behind a request': `${get('/wait')}garbage\r\n\r\n`,
  'three requests in one packet': get('/1') + get('/2') + get('/3', 'Connection: close'),
  'a request that is dropped': get('/1') + get('/2') + get('/3') + get('/4') + get('/5', 'Connection: close'),
  'HEAD': 'HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
}

for (const [what, bytes] of Object.entries(EXCHANGES)) {
  scenario.server(`channels of a server: ${what}`, async (run) => {
    await listening(run, async () => {
      const closed = []
      const server = await run.serve({}, (req, res) => {
        closed.push(run.closed(res))
        run.log('channels', 'handler', req.url)
        res.on('finish', () => run.log('channels', 'finish', req.url))
        if (req.url !== '/wait') setImmediate(() => res.end('over'))
      })
      server.maxRequestsPerSocket = 4
      server.on('connect', (req, socket) => socket.destroy())
      const peer = run.dial()
      peer.send(bytes)
      await Promise.race([peer.ended(), peer.until('503'), peer.until('over')])
      peer.end()
      await peer.ended()
      await Promise.all(closed)
    })
  })
}

scenario.server('a subscriber of the start channel may use the response', async (run) => {
  const listener = ({ request, response, socket }) => {
    response.setHeader('x-traced', request.url)
    run.log('server', 'channel', socket === request.socket, response.headersSent)
  }
  diagnostics.subscribe('http.server.request.start', listener)
  await run.serve({}, (req, res) => res.end('over\n'))
  const peer = run.dial()
  peer.send(get('/1', 'Connection: close'))
  await peer.ended()
  diagnostics.unsubscribe('http.server.request.start', listener)
})

scenario.server('a subscriber that comes while a request waits gets its finish', async (run) => {
  let finish
  await run.serve({}, (req, res) => {
    finish = () => res.end('over\n')
    diagnostics.subscribe('http.server.response.finish', listener)
    setImmediate(finish)
  })
  const listener = ({ request, response }) => run.log('server', 'finished', request.url, response.statusCode, response.writableFinished)
  const peer = run.dial()
  peer.send(get('/1', 'Connection: close'))
  await peer.ended()
  diagnostics.unsubscribe('http.server.response.finish', listener)
})

scenario.server('perf_hooks and requests that are not simply answered', async (run) => {
  const entries = []
  const observer = new PerformanceObserver((list) => entries.push(...list.getEntries()))
  observer.observe({ entryTypes: ['http'] })
  const server = await run.serve({}, (req, res) => {
    if (req.url === '/gone') return req.socket.destroy()
    res.statusCode = 404
    res.statusMessage = 'Nowhere'
    res.setHeader('X-List', ['a', 'b'])
    if (req.url === '/head') res.writeHead(201, { 'X-More': 'c' })
    res.end('over\n')
  })
  server.on('connect', (req, socket) => socket.destroy())
  for (const bytes of [get('/plain', 'Connection: close'), get('/head', 'Connection: close'), get('/gone'), 'GET /nohost HTTP/1.1\r\n\r\n', get('/expect', 'Expect: x', 'Connection: close'), 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', 'garbage\r\n\r\n']) {
    const peer = run.dial()
    peer.send(bytes)
    await peer.ended()
  }
  await run.sleep(20)
  observer.disconnect()
  for (const { name, entryType, detail, startTime, duration } of entries) run.log('entries', name, entryType, startTime > 0, duration >= 0, detail)
})

scenario.server('AsyncLocalStorage of a server reaches every event', async (run) => {
  const storage = new AsyncLocalStorage()
  const closed = []
  const server = run.server.createServer()
  const say = (what) => run.log('server', what, storage.getStore())
  for (const event of ['listening', 'connection', 'checkContinue', 'checkExpectation', 'clientError', 'dropRequest', 'close']) {
    server.on(event, (first, second) => {
      say(event)
      if (event === 'checkContinue' || event === 'checkExpectation') second.end('over\n')
      if (event === 'clientError') second.end('over\n')
    })
  }
  server.on('request', (req, res) => {
    closed.push(run.closed(req, res))
    say('request')
    storage.run(`in ${req.url}`, () => {
      for (const event of ['data', 'end', 'close', 'aborted', 'error']) req.on(event, () => say(`req ${event}`))
      for (const event of ['finish', 'close', 'prefinish']) res.on(event, () => say(`res ${event}`))
      setImmediate(() => {
        say('immediate')
        res.write('some', () => say('write callback'))
        res.end('over\n', () => say('end callback'))
      })
    })
  })
  await storage.run('listen', () => run.listen(server))
  server.maxRequestsPerSocket = 2
  for (const bytes of ['POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc', get('/2') + get('/3') + get('/4'), get('/5', 'Expect: 100-continue'), get('/6', 'Expect: x'), 'garbage\r\n\r\n']) {
    const peer = run.dial()
    storage.run('client', () => peer.send(bytes))
    await Promise.race([peer.ended(), bytes.includes('/4') ? peer.until('503') : peer.until('over\n')])
    await Promise.all(closed)
    peer.destroy()
    await run.sleep(5)
  }
  await new Promise((resolve) => storage.run('closing', () => server.close(() => {
    say('close callback')
    resolve()
  })))
})

scenario.server('AsyncLocalStorage reaches upgrade and connect', async (run) => {
  const storage = new AsyncLocalStorage()
  const server = await storage.run('listen', () => run.serve({}, () => {}))
  for (const event of ['upgrade', 'connect']) {
    server.on(event, (req, socket) => {
      run.log('server', event, storage.getStore())
      socket.end('over\n')
    })
  }
  for (const bytes of [get('/', 'Upgrade: x', 'Connection: upgrade'), 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n']) {
    const peer = run.dial()
    peer.send(bytes)
    await peer.ended()
  }
}, { skip: process.versions.node.split('.')[0] < 24 && 'core has lost it there' })

scenario.server('AsyncLocalStorage and timeouts of a server', async (run) => {
  const storage = new AsyncLocalStorage()
  const say = (what) => run.log('server', what, storage.getStore())
  const server = await storage.run('listen', () => run.serve({ headersTimeout: 20, requestTimeout: 20, connectionsCheckingInterval: 10 }, (req, res) => {
    say('request')
    storage.run('handler', () => {
      req.setTimeout(20, () => say('req timeout'))
      res.on('timeout', () => say('res timeout'))
    })
  }))
  server.on('timeout', (socket) => {
    say('timeout')
    socket.destroy()
  })
  server.on('clientError', (error, socket) => {
    say(`clientError ${error.code}`)
    socket.destroy()
  })
  for (const bytes of [get('/'), 'GET / HTTP/1.1\r\n']) {
    const peer = run.dial()
    peer.send(bytes)
    await peer.ended()
  }
})

scenario.server('the async resources of a server: types, parents, ends', async (run) => {
  const seen = new Map()
  const hook = createHook({
    init (id, type, trigger, resource) {
      if (!type.startsWith('HTTP')) return
      seen.set(id, type)
      run.log('hooks', 'init', type, resource.type)
    },
    before (id) { if (seen.has(id)) run.log('hooks', 'before', seen.get(id)) },
    destroy (id) { if (seen.has(id)) run.log('hooks', 'destroy', seen.get(id)) }
  }).enable()
  const closed = []
  await run.serve({}, (req, res) => {
    closed.push(run.closed(req, res))
    const resource = executionAsyncResource()
    run.log('server', 'resource', resource.type, resource.socket === req.socket)
    res.end('over\n')
  })
  const peer = run.dial()
  peer.send(get('/1'))
  await peer.until('over\n')
  peer.send(get('/2', 'Connection: close'))
  await peer.ended()
  await Promise.all(closed)
  await run.sleep(10)
  hook.disable()
  const { hooks } = run.tracks
  run.log('counts', 'events', [...new Set(hooks)].filter((line) => !line.includes('before')), hooks.filter((line) => line.includes('init')).length, hooks.filter((line) => line.includes('destroy')).length)
  delete run.tracks.hooks
})

scenario.server('an AsyncResource around a handler keeps its context for the events of its messages', async (run) => {
  const storage = new AsyncLocalStorage()
  const bound = storage.run('bound', () => new AsyncResource('TEST'))
  let closed
  await run.serve({}, (req, res) => bound.runInAsyncScope(() => {
    closed = run.closed(res)
    run.log('server', 'handler', storage.getStore())
    req.on('end', AsyncResource.bind(() => run.log('server', 'end', storage.getStore())))
    req.resume()
    res.on('finish', AsyncResource.bind(() => run.log('server', 'finish', storage.getStore())))
    res.end('over\n')
  }))
  const peer = run.dial()
  peer.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc')
  await peer.ended()
  await closed
})

const half = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf'
const FAILURES = {
  'ends in a body': (peer) => peer.end(),
  'resets in a body': (peer) => peer.reset(),
  'sends garbage behind a response': (peer) => peer.send('bodies' + 'garbage\r\n\r\n'),
  'takes too long': () => {}
}

for (const [what, fail] of Object.entries(FAILURES)) {
  for (const isLooked of [true, false]) {
    scenario.server(`AsyncLocalStorage in clientError: a client that ${what}, its socket ${isLooked ? '' : 'not '}looked at`, async (run) => {
      const storage = new AsyncLocalStorage()
      let begun
      const beginning = new Promise((resolve) => { begun = resolve })
      const server = run.server.createServer({ requestTimeout: 200, headersTimeout: 200, connectionsCheckingInterval: 50 }, (req, res) => storage.run('request', () => {
        for (const event of ['aborted', 'error', 'close']) req.on(event, () => run.log('request', event, storage.getStore()))
        if (isLooked) req.socket.on('close', () => run.log('socket', 'close', storage.getStore()))
        req.resume().once('data', begun)
        if (what.includes('response')) res.end()
      }))
      const failed = new Promise((resolve) => {
        server.on('clientError', (error, socket) => {
          run.log('server', 'clientError', error.code, storage.getStore())
          socket.on('close', resolve)
          socket.destroy()
        })
      })
      await storage.run('listen', () => run.listen(server))
      const peer = run.dial()
      peer.send(half)
      await beginning
      fail(peer)
      await failed
    })
  }
}

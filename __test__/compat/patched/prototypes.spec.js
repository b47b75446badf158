'use strict'

/** Methods of prototypes, and dns.lookup, that an application has replaced are called as core calls them. */

const dns = require('node:dns')
const net = require('node:net')
const { scenario } = require('../../oracle')

/** Puts a spy in the place of a method for the time of the action; the spy calls through. */
async function spied (object, method, spy, action) {
  const own = Object.getOwnPropertyDescriptor(object, method)
  const { [method]: original } = object
  object[method] = function (...values) {
    spy(this, ...values)
    return original.apply(this, values)
  }
  try {
    await action()
  } finally {
    if (own === undefined) delete object[method]
    else Object.defineProperty(object, method, own)
  }
}

const echo = (req, res) => req.pipe(res)

scenario('a patched net.Socket.prototype.connect sees the connections of a client', async (run) => {
  await run.serve({}, echo)
  const spy = (socket, [options]) => options?.port === run.port && run.log('client', 'connect', socket, options.host, options.agent !== undefined)
  await spied(net.Socket.prototype, 'connect', spy, async () => {
    await run.exchange({ method: 'POST' }, 'body')
    await run.exchange({ agent: false })
    await run.exchange({ agent: run.agent({}) })
  })
})

scenario('a patched Agent.prototype.addRequest sees the requests of a client', async (run) => {
  await run.serve({}, echo)
  const spy = (agent, request, options) => run.log('client', 'addRequest', request, options.host, agent.keepAlive)
  await spied(run.client.Agent.prototype, 'addRequest', spy, async () => {
    await run.exchange({ method: 'POST' }, 'body')
    await run.exchange({ agent: false })
  })
})

for (const method of ['createConnection', 'createSocket', 'removeSocket', 'keepSocketAlive', 'reuseSocket', 'getName']) {
  scenario(`a patched Agent.prototype.${method} is called as by core`, async (run) => {
    await run.serve({}, echo)
    await spied(run.client.Agent.prototype, method, () => run.log('client', method), async () => {
      const agent = run.agent({ keepAlive: true })
      for (const path of ['/1', '/2']) {
        await run.exchange({ path, agent })
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    })
  })
}

scenario('a patched dns.lookup resolves the names of a client', async (run) => {
  await run.serve({}, echo)
  const { lookup } = dns
  dns.lookup = (name, options, callback) => {
    if (name !== 'patched.invalid') return lookup(name, options, callback)
    run.log('client', 'lookup', name)
    process.nextTick(callback, null, options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4)
  }
  await run.exchange({ host: 'patched.invalid' })
  dns.lookup = lookup
})

for (const method of ['emit', 'writeHead', 'write', 'end', 'setHeader', '_storeHeader', '_send', '_implicitHeader', 'assignSocket', 'detachSocket', '_finish', 'on']) {
  scenario(`a patched ServerResponse.prototype.${method} is called`, async (run) => {
    await run.serve({}, (req, res) => {
      res.setHeader('x-a', '1')
      res.on('close', () => {})
      if (req.url === '/write') res.write('written ')
      res.end('ended')
    })
    const calls = new Set()
    const spy = (res, ...values) => calls.add(typeof values[0] === 'string' && method !== '_send' ? values[0].slice(0, 20) : typeof values[0])
    await spied(run.server.ServerResponse.prototype, method, spy, async () => {
      await run.exchange()
      await run.exchange({ path: '/write' })
    })
    run.log('server', 'called', calls.size > 0, method === 'emit' || method === 'on' ? [...calls].filter((name) => ['finish', 'close'].includes(name)).sort() : [...calls].sort())
  })
}

scenario('a patched ClientRequest.prototype.emit sees the events', async (run) => {
  await run.serve({}, echo)
  const spy = (request, name) => run.log('client', `emit ${name}`)
  await spied(run.client.ClientRequest.prototype, 'emit', spy, async () => {
    const request = run.request({ method: 'POST' })
    request.on('response', (response) => response.resume())
    request.end('body')
    await run.closed(request)
  })
})

scenario('a patched IncomingMessage.prototype.emit sees the events of a request', async (run) => {
  let closed
  await run.serve({}, (req, res) => {
    closed = run.closed(req, res)
    req.on('data', () => {}).on('end', () => res.end())
  })
  const spy = (message, name) => message.method !== null && run.log('server', `emit ${name}`)
  await spied(run.server.IncomingMessage.prototype, 'emit', spy, async () => {
    await run.exchange({ method: 'POST' }, 'body')
    await closed
  })
})

scenario('a patched Server.prototype.emit sees connections and requests', async (run) => {
  const spy = (server, name) => run.log('server', `emit ${name}`)
  await spied(run.server.Server.prototype, 'emit', spy, async () => {
    const server = await run.serve({}, echo)
    await run.exchange({ agent: false })
    const closed = run.once(server, 'close')
    server.close()
    await closed
  })
})

scenario('a patched ServerResponse.prototype._send is given every piece', async (run) => {
  await run.serve({}, (req, res) => {
    res.on('finish', () => run.log('server', 'finish'))
    if (req.url === '/long') res.setHeader('Content-Length', 13)
    res.write('written ')
    res.end('ended')
  })
  const piece = (data) => typeof data === 'string' ? data : Buffer.from(data ?? '').toString('latin1')
  const spy = (res, data, encoding, callback) => run.log('server', '_send', piece(data), encoding ?? null, typeof callback)
  await spied(run.server.ServerResponse.prototype, '_send', spy, async () => {
    await run.exchange()
    await run.exchange({ path: '/long' })
  })
})

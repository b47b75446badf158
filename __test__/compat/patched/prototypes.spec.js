'use strict'

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

scenario.server('a data listener on the socket of a request sees the raw bytes of what follows', async (run) => {
  await run.serve({}, (req, res) => {
    if (req.url === '/first') run.watch('raw', req.socket, ['data'])
    req.resume().on('end', () => res.end(`${req.url}\n`))
  })
  const peer = run.dial()
  peer.send('GET /first HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until('/first\n')
  peer.send('POST /second HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody')
  await peer.until('/second\n')
})

scenario.server('a data listener on a new connection sees every byte', async (run) => {
  const server = await run.serve({}, (req, res) => req.resume().on('end', () => res.end(`${req.url}\n`)))
  server.on('connection', (socket) => run.watch('raw', socket, ['data', 'end', 'close']))
  const peer = run.dial()
  peer.send('POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody')
  await peer.until('/first\n')
  peer.send('GET /second HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until('/second\n')
  peer.end()
  await peer.ended()
})

for (const method of ['addListener', 'prependListener', 'once']) {
  scenario.server(`a data listener on the socket of a request, with ${method}`, async (run) => {
    await run.serve({}, (req, res) => {
      if (req.url === '/first') req.socket[method]('data', (chunk) => run.log('raw', String(chunk)))
      else run.log('raw', `request ${req.url}`)
      res.end(`${req.url}\n`)
    })
    const peer = run.dial()
    for (const path of ['/first', '/second', '/third']) {
      peer.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
      await peer.until(`${path}\n`)
    }
  })
}

scenario.server('what reads the socket of a request feeds the parser', async (run) => {
  await run.serve({}, (req, res) => {
    const { socket } = req
    if (req.url === '/first') {
      socket.on('readable', () => {
        const chunk = socket.read()
        run.log('raw', chunk === null ? 'nothing' : String(chunk))
      })
    }
    res.end(`${req.url}\n`)
  })
  const peer = run.dial()
  for (const path of ['/first', '/second']) {
    peer.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await peer.until(`${path}\n`)
  }
})

scenario.server('a socket that is listened to ends in the middle of a message', async (run) => {
  let closed
  const server = await run.serve({}, (req) => {
    closed = run.closed(req)
    run.watch('req', req, ['data', 'end', 'aborted', 'error', 'close'])
    req.socket.on('data', (chunk) => run.log('raw', String(chunk)))
  })
  const peer = run.dial()
  const requested = run.once(server, 'request')
  peer.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n')
  await requested
  peer.send('body')
  peer.end()
  await peer.ended()
  await closed
})

scenario('a data listener on the socket of a client sees the raw bytes', async (run) => {
  await run.serve({}, (req, res) => {
    res.sendDate = false
    res.end(`body of ${req.url}`)
  })
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  for (const path of ['/first', '/second']) {
    const request = run.request({ path, agent })
    if (path === '/first') request.on('socket', (socket) => run.watch('raw', socket, ['data']))
    request.end()
    const closed = run.closed(request)
    const [response] = await run.once(request, 'response')
    await run.read('client', response)
    await closed
  }
})

scenario('socket.parser is there while the socket speaks HTTP', async (run) => {
  const shape = (parser) => parser && [typeof parser.onIncoming, typeof parser[6], parser.joinDuplicateHeaders, parser.maxHeaderPairs]
  let parser
  const server = await run.serve({}, (req, res) => {
    parser = req.socket.parser
    run.log('server', 'in the handler', shape(parser), parser.socket === req.socket, parser.incoming === req)
    req.socket.on('close', () => run.log('server', 'at the end', shape(parser), req.socket.parser))
    res.end()
  })
  server.maxHeadersCount = 50
  const request = run.request({ agent: false, joinDuplicateHeaders: true })
  const closed = run.closed(request)
  let own
  request.on('socket', (socket) => {
    own = request.parser
    run.log('client', 'with its socket', shape(own), own === socket.parser, own.outgoing === request, own.socket === socket)
  })
  request.on('response', (response) => {
    run.log('client', 'with its response', own.incoming === response, request.parser === own)
    response.resume().on('end', () => run.log('client', 'at the end', shape(own), request.parser))
  })
  request.end()
  await closed
})

scenario.server('bytes written to the socket of a response are on the wire where they were written', async (run) => {
  await run.serve({}, (req, res) => {
    req.socket.write('HTTP/1.1 102 Processing\r\n\r\n')
    res.writeHead(200, { 'Content-Length': 4 })
    res.write('ab')
    setImmediate(() => {
      req.socket.write('c')
      req.socket.end('d')
    })
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.ended()
})

scenario.server('what terminators do: they mark responses under way and destroy idle sockets', async (run) => {
  const sockets = new Set()
  let finish
  const server = await run.serve({}, (req, res) => {
    if (req.url === '/idle') return res.end('idle')
    finish = () => res.end('busy')
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const idle = run.dial()
  idle.send('GET /idle HTTP/1.1\r\nHost: x\r\n\r\n')
  await idle.until('idle')
  const busy = run.dial()
  const requested = run.once(server, 'request')
  busy.send('GET /busy HTTP/1.1\r\nHost: x\r\n\r\n')
  await requested
  await new Promise(setImmediate)
  run.log('server', 'sockets', sockets.size)
  const closed = run.once(server, 'close')
  server.close()
  for (const socket of sockets) {
    const response = socket._httpMessage
    if (response && !response.headersSent) response.setHeader('connection', 'close')
    else socket.destroy()
  }
  finish()
  run.log('idle', 'ended', await idle.ended())
  run.log('busy', 'ended', await busy.ended())
  await closed
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

scenario('the listeners that core has for itself are shown', async (run) => {
  await run.serve({}, (req, res) => {
    for (const event of ['finish', 'close', 'error']) run.log('server', `res ${event}`, res.listenerCount(event), res.listeners(event).length)
    for (const event of ['data', 'drain', 'timeout']) run.log('server', `socket ${event}`, req.socket.listenerCount(event))
    res.end()
  })
  await run.exchange()
})

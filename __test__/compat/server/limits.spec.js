'use strict'

/** How a server bounds what clients may do, and what it answers by itself. */

const net = require('node:net')
const { Duplex } = require('node:stream')
const { scenario } = require('../../oracle')

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')
const post = (path, body, ...fields) => [`POST ${path} HTTP/1.1`, 'Host: x', `Content-Length: ${body.length}`, ...fields, '', body].join('\r\n')

for (const limit of [1, 2, 3]) {
  scenario.server(`maxRequestsPerSocket ${limit}, pipelined`, async (run) => {
    const server = await run.serve({}, (req, res) => {
      run.log('server', 'request', req.url, res.maxRequestsOnConnectionReached, res.shouldKeepAlive, res._maxRequestsPerSocket)
      req.resume().on('end', () => res.end(`${req.url}\n`))
    })
    server.maxRequestsPerSocket = limit
    server.on('dropRequest', (req, socket) => run.log('server', 'dropRequest', req, socket === req.socket, req.headers))
    const peer = run.dial()
    peer.send(get('/1') + post('/2', 'body') + get('/3') + get('/4'))
    await peer.until('503', 4 - limit)
  })
}

scenario.server('maxRequestsPerSocket: who counts, and what is asked first', async (run) => {
  const server = await run.serve({}, (req, res) => res.end(`${req.url}\n`))
  server.maxRequestsPerSocket = 1
  run.watch('server', server, ['dropRequest', 'checkContinue', 'checkExpectation'])
  for (const event of ['upgrade', 'connect']) {
    server.on(event, (req, socket, head) => {
      run.log('server', event, req, head)
      socket.destroy()
    })
  }
  const old = run.dial()
  old.send('GET /old1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
  await old.ended()
  for (const second of ['GET / HTTP/1.1\r\n\r\n', get('/2', 'Expect: 100-continue'), get('/2', 'Expect: x'), get('/2', 'Connection: Upgrade', 'Upgrade: x'), 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', get('/2', 'Connection: close')]) {
    const peer = run.dial()
    peer.send(get('/1', 'Connection: keep-alive'))
    await peer.until('/1\n')
    peer.send(second)
    await Promise.race([peer.ended(), peer.until('HTTP/1.1', 2)])
    await run.sleep(5)
  }
})

scenario.server('maxRequestsPerSocket changed while a connection lives', async (run) => {
  const server = await run.serve({}, (req, res) => res.end(`${req.url}\n`))
  const peer = run.dial()
  const exchange = async (path) => {
    peer.send(get(path))
    await peer.until('\r\n\r\n', Number(path.slice(1)))
    await run.sleep(5)
  }
  await exchange('/1')
  await exchange('/2')
  server.maxRequestsPerSocket = 3
  await exchange('/3')
  await exchange('/4')
  server.maxRequestsPerSocket = 0
  await exchange('/5')
})

for (const maxConnections of [0, 1, 2, undefined, null, Infinity]) {
  scenario.server(`maxConnections ${maxConnections}`, async (run) => {
    const server = await run.serve({}, (req, res) => res.end('over\n'))
    server.maxConnections = maxConnections
    let drops = 0
    server.on('drop', (data) => {
      drops++
      run.log('server', 'drop', { ...data, remotePort: typeof data.remotePort, localPort: typeof data.localPort })
    })
    const peers = []
    for (let count = 0; count < 3; count++) {
      const peer = run.dial()
      peers.push(peer)
      peer.send(GET)
      const end = await Promise.race([peer.ended(), peer.until('over\n')])
      run.log('client', 'got', end.startsWith('HTTP') ? 'an answer' : 'the end')
    }
    server.getConnections((error, count) => run.log('server', 'connections', error, count))
    run.log('server', 'drops', drops)
    peers[0].destroy()
    await run.sleep(20)
    const late = run.dial()
    late.send(GET)
    const end = await Promise.race([late.ended(), late.until('over\n')])
    run.log('client', 'late', end.startsWith('HTTP') ? 'an answer' : 'the end')
  })
}

const BAD = {
  'a parse error': ['garbage\r\n\r\n', {}],
  'a head that is too large': [`GET / HTTP/1.1\r\nA: ${'b'.repeat(20000)}\r\n\r\n`, {}],
  'chunk extensions that are too long': [`POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;${'a'.repeat(20000)}\r\n`, {}],
  'a head that is too slow': ['GET / HTTP/1.1\r\n', { headersTimeout: 20, requestTimeout: 30, connectionsCheckingInterval: 10 }],
  'a body that is too slow': ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab', { headersTimeout: 20, requestTimeout: 30, connectionsCheckingInterval: 10 }]
}

const LISTENERS = {
  'that ends the socket': (error, socket) => { socket.end(`HTTP/1.1 499 ${error.code}\r\n\r\n`) },
  'that destroys the socket': (error, socket) => { socket.destroy(error.code === undefined ? undefined : null) },
  'that destroys the socket with the error': (error, socket) => { socket.destroy(error) },
  'that looks at the error': (error, socket) => {
    socket.end(JSON.stringify({ code: error.code, message: error.message, reason: error.reason, bytesParsed: error.bytesParsed, raw: error.rawPacket?.length, keys: Object.keys(error), name: error.name }))
  },
  'that answers later': (error, socket) => { setImmediate(() => socket.end(`HTTP/1.1 499 ${error.code}\r\n\r\n`)) },
  'that throws': (error, socket) => {
    socket.destroy()
    throw new Error(`thrown for ${error.code}`)
  }
}

for (const [what, [bytes, options]] of Object.entries(BAD)) {
  for (const [how, listener] of Object.entries(LISTENERS)) {
    scenario.server(`${what} and a clientError listener ${how}`, async (run) => {
      const thrown = how === 'that throws' ? new Promise((resolve) => { run.onUncaught = resolve }) : undefined
      const closed = []
      const server = await run.serve(options, (req, res) => {
        closed.push(run.closed(req, res))
        run.watch('server', req, ['aborted', 'error', 'close'], 'req ')
        run.watch('server', res, ['finish', 'close'], 'res ')
      })
      server.on('clientError', (error, socket) => {
        closed.push(run.closed(socket))
        run.log('server', 'clientError', error.code, error.message, socket.writable, socket.destroyed, socket.parser === null)
        listener(error, socket)
      })
      const peer = run.dial()
      peer.send(bytes)
      await peer.ended()
      peer.end()
      await Promise.all(closed)
      await thrown
    })
  }

  scenario.server(`${what} before, in and behind an answer`, async (run) => {
    await run.serve(options, (req, res) => {
      run.log('server', 'request', req.url)
      switch (req.url) {
        case '/head': return res.flushHeaders()
        case '/part': return res.write('part') && undefined
        case '/over': return res.end('over')
      }
    })
    for (const path of ['/none', '/head', '/part', '/over']) {
      const peer = run.dial()
      peer.send(get(path))
      if (path !== '/none') await peer.until('\r\n\r\n')
      if (path === '/part') await peer.until('part\r\n')
      await run.sleep(5)
      peer.send(bytes)
      run.log('client', path, await peer.ended())
    }
  })
}

scenario.server('the second error of a connection', async (run) => {
  const server = await run.serve({}, () => {})
  server.on('clientError', (error, socket) => {
    run.log('server', 'clientError', error.code, error.bytesParsed, error.rawPacket)
    if (error.rawPacket?.includes('last')) socket.destroy()
  })
  const peer = run.dial()
  for (const bytes of ['garbage\r\n', 'more garbage\r\n', 'the last\r\n']) {
    peer.send(bytes)
    await run.sleep(10)
  }
  await peer.ended()
})

scenario.server('a clientError listener without a listener for errors of the socket', async (run) => {
  const server = await run.serve({}, () => {})
  server.on('clientError', (error, socket) => {
    run.log('server', 'clientError', error.code, socket.listenerCount('error'))
    socket.on('error', (error) => run.log('server', 'socket error', error.code))
    socket.on('close', (hadError) => run.log('server', 'socket close', hadError))
    socket.destroy(error)
  })
  const peer = run.dial()
  peer.send('garbage\r\n\r\n')
  await peer.ended()
})

scenario.server('server.timeout and the idle time of a kept connection tell the server', async (run) => {
  for (const listens of [true, false]) {
    const server = await run.serve({ keepAliveTimeout: 20, keepAliveTimeoutBuffer: 0 }, (req, res) => res.end('over\n'))
    const timedOut = listens
      ? new Promise((resolve) => server.on('timeout', (socket) => {
        run.log('server', 'timeout', socket.destroyed, socket._httpMessage)
        socket.end('bye')
        resolve()
      }))
      : undefined
    const peer = run.dial()
    peer.send(GET)
    await timedOut
    await peer.ended()
  }
})

scenario.server('server.timeout changed while a connection lives', async (run) => {
  const server = await run.serve({}, (req, res) => { if (req.url === '/answer') res.end('over\n') })
  server.on('timeout', (socket) => {
    run.log('server', 'timeout')
    socket.destroy()
  })
  const early = run.dial()
  early.send(get('/answer'))
  await early.until('over\n')
  server.setTimeout(30)
  early.send(get('/wait'))
  const late = run.dial()
  late.send(get('/wait'))
  await late.ended()
  await early.ended()
})

for (const event of ['request', 'checkContinue', 'checkExpectation', 'upgrade', 'connect', 'clientError', 'dropRequest', 'connection', 'timeout', 'close', 'listening']) {
  scenario.server(`a rejection of a listener for ${event}`, async (run) => {
    const { EventEmitter } = require('node:events')
    const before = EventEmitter.captureRejections
    EventEmitter.captureRejections = true
    const server = run.server.createServer({ keepAliveTimeout: 0 })
    EventEmitter.captureRejections = before
    server.on('error', (error) => run.log('server', 'error', error))
    const uncaught = new Promise((resolve) => { run.onUncaught = resolve })
    server.maxRequestsPerSocket = 1
    server.on(event, async (req, socket) => {
      if (event === 'upgrade' || event === 'connect') socket.end('bye')
      throw new Error(`oops in ${event}`)
    })
    if (event !== 'request') server.on('request', (req, res) => res.end('over\n'))
    if (event === 'timeout') server.timeout = 20
    await run.listen(server)
    const peer = run.dial()
    switch (event) {
      case 'checkContinue': peer.send(get('/', 'Expect: 100-continue')); break
      case 'checkExpectation': peer.send(get('/', 'Expect: x')); break
      case 'upgrade': peer.send(get('/', 'Connection: Upgrade', 'Upgrade: x')); break
      case 'connect': peer.send('CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n'); break
      case 'clientError': peer.send('garbage\r\n\r\n'); break
      case 'dropRequest': peer.send(GET + GET); break
      case 'timeout': break
      default: peer.send(GET)
    }
    await Promise.race([peer.ended(), run.sleep(100), uncaught])
    peer.destroy()
    if (event === 'close') {
      server.close()
      await run.sleep(20)
    }
    run.log('client', 'received', peer.received.split('\r\n')[0])
  })
}

scenario.server('a rejection behind a response that was begun, ended, or has headers', async (run) => {
  const { EventEmitter } = require('node:events')
  const before = EventEmitter.captureRejections
  EventEmitter.captureRejections = true
  const server = run.server.createServer(async (req, res) => {
    run.watch(req.url, res, ['finish', 'close', 'error'])
    res.statusCode = 202
    res.statusMessage = 'Custom'
    res.setHeader('x-mine', 'yes')
    res.setHeader('content-length', 1000)
    if (req.url === '/head') res.flushHeaders()
    if (req.url === '/over') {
      res.removeHeader('content-length')
      res.end('over')
    }
    await null
    throw new Error('oops')
  })
  EventEmitter.captureRejections = before
  await run.listen(server)
  for (const path of ['/none', '/head', '/over']) {
    const peer = run.dial()
    peer.send(get(path, 'Connection: close'))
    run.log('client', path, await peer.ended())
  }
})

scenario.server('close, closeIdleConnections and closeAllConnections before listening, twice, and after', async (run) => {
  const server = run.server.createServer((req, res) => res.end('over\n'))
  for (const name of ['closeIdleConnections', 'closeAllConnections']) run.attempt('server', name, () => server[name]())
  run.attempt('server', 'close', () => server.close() === server)
  await run.listen(server)
  const peer = run.dial()
  peer.send(GET)
  await peer.until('over\n')
  server.on('close', () => run.log('server', 'close event'))
  run.attempt('server', 'close', () => server.close((error) => run.log('server', 'close callback', error)) === server)
  run.attempt('server', 'again', () => server.close((error) => run.log('server', 'second callback', error)) === server)
  run.log('server', 'listening', server.listening, server.address())
  await peer.ended()
  await run.sleep(5)
  for (const name of ['closeIdleConnections', 'closeAllConnections']) run.attempt('server', name, () => server[name]())
})

scenario.server('closeIdleConnections and the states of connections', async (run) => {
  const responses = new Map()
  const server = await run.serve({ keepAliveTimeout: 0 }, (req, res) => {
    responses.set(req.url, res)
    if (req.url === '/over') res.end('over\n')
    if (req.url === '/part') res.write('part')
    if (req.url === '/unread') res.end('over\n')
  })
  const states = {
    '/over': get('/over'),
    '/wait': get('/wait'),
    '/part': get('/part'),
    '/unread': 'POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab',
    'half a head': 'GET / HTTP/1.1\r\nHo',
    'an empty line behind an answer': `${get('/over')}\r\n`
  }
  const peers = new Map()
  for (const [what, bytes] of Object.entries(states)) {
    const peer = run.dial()
    peers.set(what, peer)
    peer.send(bytes)
    await run.sleep(10)
  }
  server.closeIdleConnections()
  await run.sleep(30)
  for (const [what, peer] of peers) run.log('client', what, peer.ending)
  server.closeAllConnections()
  for (const [what, peer] of peers) run.log('client', what, await peer.ended())
})

scenario.server('asyncDispose waits for connections, and its name', async (run) => {
  const server = await run.serve({}, (req, res) => setTimeout(() => res.end('over\n'), 20))
  const peer = run.dial()
  peer.send(get('/', 'Connection: close'))
  await run.once(server, 'request')
  const disposed = server[Symbol.asyncDispose]()
  run.log('server', 'promise', disposed instanceof Promise, server.listening, server[Symbol.asyncDispose].name)
  run.log('server', 'disposed', await disposed)
  await peer.ended()
})

scenario.server('the connection event: its socket, and sockets that are given', async (run) => {
  const server = await run.serve({}, (req, res) => res.end(`${req.socket.constructor.name}\n`))
  server.on('connection', (socket) => run.log('server', 'connection', socket instanceof net.Socket, socket.server === server, socket.parser !== null))
  const peer = run.dial()
  peer.send(get('/', 'Connection: close'))
  await peer.ended()
  const written = []
  const duplex = new Duplex({ read () {}, write (chunk, encoding, callback) { written.push(chunk); callback() } })
  server.emit('connection', duplex)
  duplex.push(get('/', 'Connection: close'))
  await run.once(duplex, 'finish')
  run.log('server', 'duplex', Buffer.concat(written).toString().replace(/Date: .*\r\n/, ''))
})

scenario.server('listeners of a new server, and of one that listens', async (run) => {
  const show = (what, server) => {
    for (const name of server.eventNames()) run.log('server', what, name, server.listeners(name).map((listener) => listener.length))
  }
  const server = run.server.createServer(function handler (req, res) { res.end() })
  show('new', server)
  await run.listen(server)
  show('listening', server)
})

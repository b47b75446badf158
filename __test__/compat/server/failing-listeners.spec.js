'use strict'

/** Exceptions and rejections of a server's listeners: captureRejections, and exceptions of handlers that have not answered. */

const { EventEmitter, once } = require('node:events')
const { scenario } = require('../../oracle')
const { overAll } = require('../../oracle/transports')

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')

const MESSAGE_EVENTS = ['prefinish', 'finish', 'end', 'close', 'aborted', 'error', 'timeout']

function watchBoth ({ watch }, req, res) {
  watch('server', req, MESSAGE_EVENTS, 'req ')
  watch('server', res, MESSAGE_EVENTS, 'res ')
}

scenario('a rejection of an asynchronous handler is answered with 500 if captureRejections is on', async (run) => {
  const before = EventEmitter.captureRejections
  EventEmitter.captureRejections = true
  const server = run.server.createServer(async (req, res) => {
    watchBoth(run, req, res)
    res.setHeader('x-lost', 'yes')
    if (req.url === '/late') res.write('some')
    throw new Error('oops')
  })
  EventEmitter.captureRejections = before
  await run.listen(server)
  await run.exchange({ path: '/early' })
  await run.exchange({ path: '/late' })
})

for (const event of ['request', 'checkContinue', 'checkExpectation', 'upgrade', 'connect', 'clientError', 'dropRequest', 'connection', 'timeout', 'close', 'listening']) {
  scenario.server(`a rejection of a listener for ${event}`, async (run) => {
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

scenario('an exception in a handler is uncaught and does not keep other requests from their answers', async (run) => {
  await run.serve({}, (req, res) => {
    if (req.url === '/throw') {
      res.on('close', () => run.log('server', 'the thrower closed'))
      setImmediate(() => res.end('late'))
      throw new Error('from the handler')
    }
    res.end('fine')
  })
  await Promise.all([
    run.exchange({ path: '/throw', track: 'first' }),
    run.exchange({ path: '/one', track: 'second' }),
    run.exchange({ path: '/two', track: 'third' })
  ])
})

const upload = 'POST /throw HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n'

/** What a client sends: at once, and when the listener has thrown. */
const BEHIND = {
  'the rest of the body': [upload + 'abc', 'defghij'],
  'the rest of the body and a request': [upload + 'abc', 'defghij' + get('/next')],
  'another request': [get('/throw'), get('/next')],
  'another request, when some came with it': [get('/throw') + get('/lost'), get('/next')],
  'garbage': [upload, 'x'.repeat(10) + 'garbage'],
  'nothing but its end': [get('/throw')]
}

for (const [what, [first, second]] of Object.entries(BEHIND)) {
  overAll(`an exception in a handler that has not answered, and ${what}`, async (run, reach) => {
    let closed
    const server = run.server.createServer((req, res) => {
      run.log('server', 'request', req.url)
      run.watch('request', req.on('error', () => {}), ['end', 'aborted', 'close'])
      run.watch('response', res, ['finish', 'close'])
      closed = run.closed(req, res)
      throw new Error('from the handler')
    })
    server.on('clientError', (error, socket) => {
      run.log('server', 'clientError', error.code, error.message, error.reason)
      socket.destroy()
    })
    const thrown = new Promise((resolve) => { run.onUncaught = resolve })
    const peer = await reach(server)
    peer.send(first)
    await thrown
    if (second === undefined) peer.end()
    else peer.send(second)
    await Promise.all([peer.ended(), closed])
  }, ['a socket', 'a socket of net'])
}

const POST = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n'
const BODY = 'x'.repeat(1000)
const NEXT = 'GET /next HTTP/1.1\r\nHost: x\r\n\r\n'
const packets = {
  'all of its body in the packet of its head': [POST + BODY],
  'all of its body behind the packet of its head': [POST, BODY],
  'a part of its body in the packet of its head': [POST + BODY.slice(500), BODY.slice(500)],
  'another request in its packet': [POST + BODY + NEXT],
  'another request in its packet, and one behind that': [POST + BODY + NEXT, NEXT],
  'another request behind its packet': [POST + BODY, NEXT]
}

for (const [what, parts] of Object.entries(packets)) {
  scenario.server(`an exception at a request with ${what} loses the rest of the packet, and what comes then is an error`, async (run) => {
    let first, socket
    const server = run.server.createServer((req, res) => {
      run.log('request', req.url)
      first ??= req
      throw new Error('from the handler')
    })
    server.on('connection', (accepted) => { socket = accepted })
    await run.listenAt(server, { port: 0, host: '127.0.0.1' })
    const peer = run.dial()
    let sent = 0
    const isRead = () => socket !== undefined && (socket.destroyed || socket.bytesRead >= sent)
    for (const part of parts) {
      peer.send(part)
      sent += part.length
      // Then it has been parsed, too, and what it means is known.
      while (!isRead()) await run.sleep(2)
      await run.sleep(20)
    }
    run.log('request', 'complete', first.complete, 'destroyed', first.destroyed)
  })
}

const SPOILS = {
  'behind the server\'s own': (server, spoil) => server.on('connection', spoil),
  'behind the server\'s own, which pauses the socket': (server, spoil) => server.on('connection', (socket) => { spoil(socket.pause()) }),
  'behind the server\'s own, with others for its bytes': (server, spoil) => server.on('connection', (socket) => { spoil(socket.on('data', () => {})) }),
  'of the server\'s replaced emit()': (server, spoil) => {
    const { emit } = server
    server.emit = function (event, ...values) {
      const result = emit.call(this, event, ...values)
      if (event === 'connection') spoil()
      return result
    }
  }
}

for (const [where, add] of Object.entries(SPOILS)) {
  overAll(`an exception of a listener for connections, ${where}, and a request and the client's end`, async (run, reach) => {
    const server = run.server.createServer((req, res) => { res.end(req.url) })
    add(server, () => { throw new Error('from the listener') })
    const thrown = new Promise((resolve) => { run.onUncaught = resolve })
    const peer = await reach(server)
    await thrown
    peer.send(get('/next'))
    while (!peer.received.endsWith('/next')) await run.sleep(2)
    peer.end()
    await peer.ended()
    run.log('server', 'closes', await new Promise((resolve) => server.close(resolve)))
  }, ['a socket'])
}

const LEAVES = {
  'a client that resets': async ({ peer }) => { peer.reset() },
  'a client that ends, and the server does': async ({ peer, socket }) => {
    peer.end()
    await once(socket, 'end')
    socket.end()
    await peer.ended()
  },
  'a client that resets behind a request': async (run) => {
    run.peer.send(get('/'))
    await run.read(get('/').length)
    run.peer.reset()
  },
  'what the application reads': async ({ peer, socket, log }) => {
    socket.once('data', (chunk) => log('server', 'data', String(chunk)))
    peer.send('hello')
    await once(socket, 'data')
    peer.reset()
  },
  'what it writes': async ({ peer, socket }) => {
    socket.end('hello')
    peer.end()
    await peer.ended()
  },
  'server.closeAllConnections()': async ({ peer, server, socket, log }) => {
    server.closeAllConnections()
    log('server', 'destroyed', socket.destroyed)
    socket.destroy()
    await peer.ended()
  }
}

for (const [what, act] of Object.entries(LEAVES)) {
  for (const listens of [false, true]) {
    scenario.server(`an exception of a listener for connections, in front of the server's own${listens ? ', that listens' : ''}, and ${what}`, async (run) => {
      const server = run.server.createServer((req, res) => { res.end(req.url) })
      let socket
      server.prependListener('connection', (accepted) => {
        socket = accepted
        if (listens) run.watch('socket', socket.on('data', () => {}), ['error', 'end', 'close'])
        throw new Error('from the listener')
      })
      const thrown = new Promise((resolve) => { run.onUncaught = resolve })
      await run.listenAt(server, { port: 0, host: '127.0.0.1' })
      const peer = run.dial()
      await thrown
      run.log('server', 'flows', socket.readableFlowing, ...['error', 'end', 'close', 'data'].map((event) => socket.listeners(event).filter((listener) => listener.name !== 'onReadableStreamEnd').length))
      const closed = once(socket, 'close').catch(() => {})
      const read = async (bytes) => { while (socket.bytesRead < bytes) await run.sleep(2) }
      await act({ peer, server, socket, read, log: run.log.bind(run) })
      await closed
      run.log('server', 'read', socket.bytesRead, 'closes', await new Promise((resolve) => server.close(resolve)))
    })
  }
}

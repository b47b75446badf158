'use strict'

const { Worker } = require('node:worker_threads')
const { scenario } = require('../../oracle')
const { overAll } = require('../../oracle/transports')

const MESSAGE_EVENTS = ['prefinish', 'finish', 'end', 'close', 'aborted', 'error', 'timeout']

function watchBoth ({ watch }, req, res) {
  watch('server', req, MESSAGE_EVENTS, 'req ')
  watch('server', res, MESSAGE_EVENTS, 'res ')
}

scenario('a GET whose body nobody reads goes through its events in order', async (run) => {
  let closed
  await run.serve({}, (req, res) => {
    run.log('server', 'request')
    watchBoth(run, req, res)
    closed = run.closed(req, res)
    res.end('hello')
  })
  await run.exchange()
  await closed
})

scenario('a POST that is read before the answer goes through its events in order', async (run) => {
  let closed
  await run.serve({}, (req, res) => {
    watchBoth(run, req, res)
    run.watch('server', req, ['data'], 'req ')
    closed = run.closed(req, res)
    req.on('end', () => res.end('thanks'))
  })
  await run.exchange({ method: 'POST' }, 'some body')
  await closed
})

scenario('a POST that nobody reads ends after the answer', async (run) => {
  let closed
  await run.serve({}, (req, res) => {
    watchBoth(run, req, res)
    closed = run.closed(req, res)
    res.end('not interested')
  })
  await run.exchange({ method: 'POST' }, 'some body')
  await closed
})

scenario('with Connection: close the socket closes after the messages', async (run) => {
  const closed = []
  const server = await run.serve({}, (req, res) => {
    watchBoth(run, req, res)
    closed.push(run.closed(req, res))
    res.end('bye')
  })
  server.on('connection', (socket) => {
    run.watch('server', socket, ['end', 'close'], 'socket ')
    closed.push(run.closed(socket))
  })
  await run.exchange({ agent: false })
  await Promise.all(closed)
})

scenario('a keep-alive client goes through its events in order', async (run) => {
  await run.serve({}, (req, res) => res.end('hello'))
  const request = run.request()
  run.watch('client', request, ['socket', 'prefinish', 'finish', 'response', 'close', 'error'], 'request ')
  request.on('response', (response) => run.watch('client', response, ['data', 'end', 'close'], 'response '))
  request.end()
  const [response] = await run.once(request, 'response')
  await run.closed(request, response)
})

scenario('a client without keep-alive goes through its events in order', async (run) => {
  await run.serve({}, (req, res) => res.end('hello'))
  const request = run.request({ agent: false, method: 'POST' })
  run.watch('client', request, ['socket', 'prefinish', 'finish', 'response', 'close', 'error'], 'request ')
  request.on('response', (response) => run.watch('client', response, ['data', 'end', 'close'], 'response '))
  request.end('body')
  const [response] = await run.once(request, 'response')
  await run.closed(request, response)
})

scenario('an early answer comes before the rest of the request body', async (run) => {
  let closed
  await run.serve({}, (req, res) => {
    watchBoth(run, req, res)
    closed = run.closed(req, res)
    res.end('early')
  })
  const request = run.request({ method: 'POST' })
  run.watch('client', request, ['response', 'finish', 'close', 'error'], 'request ')
  request.write('first half')
  const [response] = await run.once(request, 'response')
  run.watch('client', response, ['data', 'end', 'close'], 'response ')
  await run.closed(response)
  request.end('second half')
  await run.closed(request)
  await closed
})

scenario('the server tells of connections, requests and its own close', async (run) => {
  const server = run.server.createServer()
  run.watch('server', server, ['connection', 'request', 'listening', 'close', 'error', 'clientError', 'timeout', 'drop'])
  server.on('request', (req, res) => {
    run.log('server', 'listeners', req.listenerCount('end'), res.listenerCount('finish') > 0)
    res.end()
  })
  await run.listen(server)
  await run.exchange({ agent: false })
  await run.exchange({ agent: false, path: '/second' })
  const closed = run.once(server, 'close')
  server.close((error) => run.log('server', 'close callback', error))
  await closed
})

scenario('every request goes through server.emit, looked up at call time', async (run) => {
  const server = run.server.createServer((req, res) => res.end(`seen ${req.wrapped}`))
  const { emit } = server
  await run.listen(server)
  server.emit = function (name, ...values) {
    run.log('server', `emit ${name}`, ...values)
    if (name === 'request') values[0].wrapped = true
    return emit.call(this, name, ...values)
  }
  await run.exchange({ agent: false })
})

scenario('listeners for requests can be taken away and put back while the server runs', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('first'))
  const before = server.listeners('request').slice()
  server.removeAllListeners('request')
  server.on('request', (req, res) => {
    if (req.url === '/own') return res.end('own')
    for (const listener of before) listener.call(server, req, res)
  })
  await run.exchange({ path: '/own' })
  await run.exchange({ path: '/other' })
})

scenario('without a listener for requests nothing is answered', async (run) => {
  const server = run.server.createServer()
  run.watch('server', server, ['connection'])
  await run.listen(server)
  const request = run.request({ agent: false })
  run.watch('client', request, ['error', 'close', 'response'], 'request ')
  request.end()
  const finished = run.once(request, 'finish')
  const [socket] = await run.once(server, 'connection')
  await finished
  // Unread bytes would make it a reset.
  while (socket.bytesRead === 0) await new Promise(setImmediate)
  socket.destroy()
  await run.closed(request)
})

scenario('a rejection of an asynchronous handler is answered with 500 if captureRejections is on', async (run) => {
  const { EventEmitter } = require('node:events')
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

const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')
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

scenario.server('the parser shows the request until it was read and answered, and is freed with its socket', async (run) => {
  const server = await run.serve({}, (req, res) => {
    const { parser } = req.socket
    parser.free = () => run.log('server', 'free', req.socket.parser === null, parser.incoming, parser.socket)
    run.log('server', 'request', parser.incoming === req, parser.socket === req.socket)
    req.on('end', () => {
      run.log('server', 'end', parser.incoming === req)
      process.nextTick(() => run.log('server', 'tick', parser.incoming))
    })
    res.end('hello')
  })
  const accepted = run.once(server, 'connection')
  const peer = run.dial()
  const closed = accepted.then(([socket]) => run.once(socket, 'close'))
  peer.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody')
  await peer.until('hello')
  peer.end()
  await closed
})

scenario.server('at finish of its last response the socket has ended', async (run) => {
  let closed
  await run.serve({}, (req, res) => {
    const { socket } = req
    closed = run.closed(socket)
    res.removeHeader('connection')
    res.removeHeader('content-length')
    res.removeHeader('transfer-encoding')
    res.on('finish', () => run.log('server', 'finish', socket.writableEnded, socket.destroyed))
    res.end('hello')
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  run.log('client', 'ended', await peer.ended())
  await closed
})

scenario.server('the callback of a write comes while the response has its socket', async (run) => {
  await run.serve({}, (req, res) => {
    res.write('okay', () => run.log('server', 'written', res.socket === req.socket, res.writableFinished))
    res.end()
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until('0\r\n\r\n')
})

scenario.server('the timer of a server is found by its name', async (run) => {
  const server = await run.serve({}, () => {})
  const timer = () => server[Object.getOwnPropertySymbols(server).find(({ description }) => description === 'http.server.connectionsCheckingInterval')]
  run.log('server', 'listening', timer()._destroyed, timer().hasRef())
  const closed = run.once(server, 'close')
  server.close()
  await closed
  run.log('server', 'closed', timer()._destroyed)
})

/** Connects and sends while this thread stands still: who reads in the background has read by then. */
async function sendBehindOurBack (run, port, bytes) {
  const sent = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(`
    const { workerData: { bytes, port, sent }, parentPort } = require('node:worker_threads')
    parentPort.once('message', () => {
      const socket = require('node:net').connect(port, '127.0.0.1').resume()
      socket.write(bytes, () => Atomics.notify(sent, 0, Atomics.store(sent, 0, 1)))
    })`, { eval: true, workerData: { bytes, port, sent } })
  const ended = run.once(worker, 'exit')
  await run.once(worker, 'online')
  worker.postMessage('go')
  Atomics.wait(sent, 0, 0, 2000)
  // Nothing tells that the bytes have been read, if they have.
  Atomics.wait(sent, 0, 1, 20)
  await ended
}

for (const how of ['on', 'addListener', 'once', 'prependListener', 'prependOnceListener']) {
  scenario.server(`a 'connection' listener that comes late, by ${how}, sees what it would of the next connection`, async (run) => {
    const server = await run.serve({}, (req, res) => {
      run.log('server', 'request', req.url)
      res.end('body')
    })
    const ask = (path) => sendBehindOurBack(run, run.port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    await ask('/first')
    await ask('/second')
    server[how]('connection', (socket) => run.watch('socket', socket, ['data']))
    await ask('/third')
    await ask('/fourth')
  })
}

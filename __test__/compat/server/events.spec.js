'use strict'

/** The events of a server and of its messages, in their order; listeners that are added, removed or late. */

const { Worker } = require('node:worker_threads')
const net = require('node:net')
const { Duplex } = require('node:stream')
const { scenario } = require('../../oracle')

const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')

const MESSAGE_EVENTS = ['prefinish', 'finish', 'end', 'close', 'aborted', 'error', 'timeout']

function watchBoth ({ watch }, req, res) {
  watch('server', req, MESSAGE_EVENTS, 'req ')
  watch('server', res, MESSAGE_EVENTS, 'res ')
}

scenario('a GET goes through its events in order, its body unread', async (run) => {
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

scenario('a POST that is not read ends after the answer', async (run) => {
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

scenario('a server emits connections, requests and its own close', async (run) => {
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

/** Connects and sends while this thread is blocked: a thread that reads in the background has read by then. */
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
  // There is no event for bytes that a thread has read.
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

scenario('the listeners that core has for itself are shown', async (run) => {
  await run.serve({}, (req, res) => {
    for (const event of ['finish', 'close', 'error']) run.log('server', `res ${event}`, res.listenerCount(event), res.listeners(event).length)
    for (const event of ['data', 'drain', 'timeout']) run.log('server', `socket ${event}`, req.socket.listenerCount(event))
    res.end()
  })
  await run.exchange()
})

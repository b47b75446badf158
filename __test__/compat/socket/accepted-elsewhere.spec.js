'use strict'

/** Connections that another server accepted, and responses whose connection was detached by the application. */

const net = require('node:net')
const { AsyncLocalStorage } = require('node:async_hooks')
const { Duplex } = require('node:stream')
const { scenario } = require('../../oracle')

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

/** A stream of JavaScript over a socket. */
function wrap (socket) {
  const stream = new Duplex({
    read () { socket.resume() },
    write (chunk, encoding, callback) { socket.write(chunk, encoding, callback) },
    final (callback) { socket.end(callback) },
    destroy (error, callback) {
      socket.destroy()
      callback(error)
    }
  })
  socket.on('data', (chunk) => { if (!stream.push(chunk)) socket.pause() })
  socket.on('end', () => stream.push(null))
  socket.on('error', () => {})
  socket.on('close', () => stream.destroy())
  return stream
}

/** How a server gets its connections. */
const WAYS = {
  'the server itself': async (run, server) => { await run.listen(server) },
  'a net.Server': async (run, server) => { await run.listen(net.createServer({ allowHalfOpen: true }, (socket) => server.emit('connection', socket))) },
  'a stream': async (run, server) => { await run.listen(net.createServer({ allowHalfOpen: true }, (socket) => server.emit('connection', wrap(socket)))) }
}

for (const [way, open] of Object.entries(WAYS)) {
  scenario.server(`bytes behind a body in the same packet are parsed before or after process.nextTick, as in core: ${way}`, async (run) => {
    const steps = []
    const server = run.server.createServer((req, res) => {
      req.on('error', () => {})
      res.on('error', () => {})
      steps.push('request')
      process.nextTick(() => steps.push('tick'))
      res.write('part')
    })
    server.on('clientError', (error, socket) => {
      steps.push(error.code)
      socket.destroy()
    })
    await open(run, server)
    const peer = run.dial()
    peer.send('POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\na' + GET)
    run.log('client', 'ended', await peer.ended())
    run.log('server', 'steps', steps.join())
  })

  scenario.server(`the async contexts of an exchange and of its clientError: ${way}`, async (run) => {
    const store = new AsyncLocalStorage()
    const log = (what) => run.log('server', what, store.getStore())
    const closed = []
    const server = run.server.createServer((req, res) => {
      log('request')
      closed.push(run.closed(req))
      for (const event of ['aborted', 'error', 'close']) req.on(event, () => log(`req ${event}`))
      res.on('close', () => log('res close'))
    })
    server.on('clientError', (error, socket) => {
      log(`clientError ${error.code}`)
      socket.destroy()
    })
    await store.run('listen', () => open(run, server))
    for (const wrong of ['garbage\r\n\r\n', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\na']) {
      const peer = run.dial()
      peer.send(GET)
      peer.send(wrong)
      peer.end()
      await peer.closed()
    }
    while (closed.length < 3) await new Promise(setImmediate)
    await Promise.all(closed)
  })

  scenario.server(`a request whose response was detached gets 'close' when the socket closes: ${way}`, async (run) => {
    const events = []
    const server = run.server.createServer((req, res) => {
      const { socket } = req
      for (const event of ['aborted', 'error', 'close']) req.on(event, (error) => events.push(`req ${event} ${error?.code}`))
      for (const event of ['finish', 'close']) res.on(event, () => events.push(`res ${event}`))
      res.detachSocket(socket)
      run.log('server', 'detached', socket._httpMessage, res.socket)
      socket.write('raw')
    })
    await open(run, server)
    const peer = run.dial()
    peer.send(GET)
    await peer.until('raw')
    peer.end()
    await peer.ended()
    peer.socket.destroy()
    while (!events.some((event) => event.startsWith('req close'))) await new Promise(setImmediate)
    await new Promise(setImmediate)
    run.log('server', 'events', events.join())
  })
}

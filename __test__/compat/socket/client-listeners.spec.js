'use strict'

/** How many listeners the socket of a request has before, in and after its exchanges. */

const net = require('node:net')
const { scenario } = require('../../oracle')

const EVENTS = ['data', 'end', 'error', 'close', 'drain', 'timeout', 'free']

/** How many listeners there are; 'close' of a stream is left out between exchanges: ours stays. */
const counts = (socket, events = EVENTS) => events.map((name) => `${name} ${socket.listenerCount(name)}`).join(', ')

const later = () => new Promise((resolve) => setTimeout(resolve, 30))

scenario.client('listeners of a socket before, in, and after its exchanges', async (run) => {
  await run.origin(async (peer) => {
    for (let count = 1; count <= 3; count++) {
      await peer.until(new RegExp(`^(?:[^]*?\\r\\n\\r\\n){${count}}`))
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha')
      await run.sleep(20)
      peer.send('lf')
    }
  })
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  for (const options of [{}, { timeout: 5000 }, {}]) {
    let socket
    await new Promise((resolve) => {
      const request = run.request({ agent, ...options })
      request.on('socket', (one) => {
        socket = one
        run.log('client', 'on socket', counts(socket), request.timeoutCb?.name, socket.listeners('timeout').indexOf(request.timeoutCb))
      })
      request.on('response', (response) => {
        run.log('client', 'on response', counts(socket), socket.listeners('timeout').indexOf(request.timeoutCb))
        response.on('data', () => run.log('client', 'on data', socket.listenerCount('timeout')))
        response.on('end', () => {
          run.log('client', 'on end', counts(socket, ['timeout', 'close', 'error']))
          setImmediate(resolve)
        })
      })
      request.end()
    })
    run.log('client', 'idle', counts(socket))
  }
})

scenario.client('listeners of a socket when its response cannot be read', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    peer.send('what is this?')
  })
  const request = run.request({ agent: false })
  request.on('error', (error) => run.log('client', 'error', error.code, counts(request.socket, ['data', 'end', 'error'])))
  request.end()
  await run.closed(request)
})

scenario.client('listeners of a stream before, in, and after its exchange', async (run) => {
  await run.origin(async (peer) => {
    for (let count = 1; count <= 2; count++) {
      await peer.until(new RegExp(`^(?:[^]*?\\r\\n\\r\\n){${count}}`))
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    }
  })
  class Own extends run.client.Agent {
    createConnection (options) { return net.connect(options) }
  }
  const agent = new Own({ keepAlive: true })
  for (const options of [{}, { timeout: 5000 }]) {
    const request = run.request({ agent, ...options })
    const events = ['data', 'end', 'error', 'timeout']
    request.on('socket', (socket) => run.log('client', 'on socket', counts(socket, events)))
    request.on('response', (response) => {
      run.log('client', 'on response', counts(request.socket, events))
      response.resume()
    })
    request.end()
    await run.closed(request)
    await later()
    run.log('client', 'idle', counts(request.socket, events))
  }
  agent.destroy()
})

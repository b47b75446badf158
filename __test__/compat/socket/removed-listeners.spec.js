'use strict'

/** Applications that remove the listeners by which core's server hears of its sockets, or emit what these hear. */

const { scenario } = require('../../oracle')

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

const REMOVALS = {
  'removeAllListeners(event)': (socket) => socket.removeAllListeners('timeout'),
  'removeAllListeners()': (socket) => socket.removeAllListeners(),
  removeListener: (socket) => socket.removeListener('timeout', socket.listeners('timeout')[0]),
  off: (socket) => socket.off('timeout', socket.listeners('timeout')[0])
}

const TIMES = {
  'of the socket': (server, socket) => socket.setTimeout(40),
  'of the server': () => {}
}

for (const [how, remove] of Object.entries(REMOVALS)) {
  for (const [whose, set] of Object.entries(TIMES)) {
    scenario.server(`a time ${whose} that nothing listens to after ${how} does not destroy it`, async (run) => {
      const server = await run.serve({}, (req, res) => {
        const { socket } = req
        run.log('server', 'listeners', socket.listenerCount('timeout'))
        remove(socket)
        run.log('server', 'left', socket.listenerCount('timeout'))
        set(server, socket)
        socket.on('timeout', () => {
          run.log('server', 'timeout', socket.destroyed)
          socket.removeAllListeners('timeout')
          res.end('answer')
        })
      })
      if (whose === 'of the server') server.setTimeout(40)
      const peer = run.dial()
      peer.send(GET)
      await peer.until('answer')
      peer.end()
    })
  }
}

scenario.server('listeners of a timeout are called in their order', async (run) => {
  const server = await run.serve({}, (req, res) => {
    const { socket } = req
    for (const [name, emitter] of Object.entries({ socket, request: req, response: res })) emitter.on('timeout', () => run.log(name, 'timeout', socket.destroyed))
    socket.prependListener('timeout', () => run.log('first', 'timeout', socket.destroyed))
    socket.setTimeout(40, () => res.end('answer'))
  })
  server.on('timeout', () => run.log('server', 'timeout'))
  const peer = run.dial()
  peer.send(GET)
  await peer.until('answer')
  peer.end()
})

for (const when of ['connection', 'request']) {
  scenario.server(`bytes that are emitted at '${when}' are parsed`, async (run) => {
    const emitted = `GET /emitted HTTP/1.1\r\nHost: x\r\n${when === 'request' ? 'Connection: close\r\n' : ''}\r\n`
    const server = await run.serve({}, (req, res) => {
      run.log('server', 'request', req.url)
      if (when === 'request' && req.url === '/') req.socket.emit('data', Buffer.from(emitted))
      res.end(req.url)
    })
    if (when === 'connection') server.on('connection', (socket) => setImmediate(() => socket.emit('data', Buffer.from(emitted))))
    const peer = run.dial()
    if (when === 'request') peer.send(GET)
    await peer.until('/emitted')
    if (when === 'connection') {
      peer.send(GET.replace('/', '/later'))
      await peer.until('/later')
    }
    peer.end()
    await peer.ended()
  })
}

scenario.client('an answer that is emitted is parsed', async (run) => {
  await run.origin(async () => {})
  const request = run.request({ agent: false })
  request.on('socket', (socket) => socket.once('connect', () => setImmediate(() => {
    socket.emit('data', Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'))
  })))
  request.on('response', (response) => {
    response.on('data', (chunk) => run.log('client', 'data', String(chunk))).on('end', () => run.log('client', 'end'))
  })
  request.end()
  await run.closed(request)
})

'use strict'

/** Applications that remove the listeners by which core hears of its sockets. */

const { scenario } = require('../../oracle')
const { connections } = require('../../oracle/connections')
const { overAll } = require('../../oracle/transports')

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

const TAKES = {
  'removeAllListeners(event)': (socket) => socket.removeAllListeners('data'),
  'removeAllListeners()': (socket) => socket.removeAllListeners(),
  removeListener: (socket) => socket.removeListener('data', socket.listeners('data')[0])
}

const READERS = {
  "'data'": (socket, take) => socket.on('data', take),
  "'readable'": (socket, take) => socket.on('readable', () => { for (let chunk; (chunk = socket.read()) !== null;) take(chunk) }),
  nothing: () => {}
}

const ANSWERS = {
  'awaits a response': ['', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n', 'body'],
  'awaits the rest of a body': ['HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nbody', 'more'],
  'awaits a body that ends with the connection': ['HTTP/1.1 200 OK\r\n\r\nbody', 'more', 'and more']
}

for (const [kind, connect] of Object.entries(connections)) {
  for (const [moment, [first, ...rest]] of Object.entries(ANSWERS)) {
    for (const [way, take] of Object.entries(TAKES)) {
      for (const [reader, read] of Object.entries(READERS)) {
        // A stream that is no socket hears of its end from those listeners.
        if (kind.includes('no socket') && way === 'removeAllListeners()') continue
        scenario.client(`a client's socket, ${kind}, that ${moment}: ${way} of the parser's, and ${reader} instead`, async (run) => {
          let tellTaken
          const taken = new Promise((resolve) => { tellTaken = resolve })
          await run.origin(async (peer) => {
            await peer.until('\r\n\r\n')
            if (first !== '') peer.send(first)
            await taken
            for (const part of rest) {
              peer.send(part)
              await run.sleep(10)
            }
            peer.end()
          })
          const request = run.request(connect(run, false))
          run.watch('request', request, ['response', 'error', 'close'])
          const takeOver = (socket) => {
            run.log('client', 'listeners', socket.listenerCount('data'))
            take(socket)
            run.log('client', 'left', socket.listenerCount('data'))
            let text = ''
            read(socket, (chunk) => { text += chunk })
            socket.on('error', () => {}).on('close', () => run.log('client', 'raw', text))
            tellTaken()
          }
          request.on('response', (response) => {
            run.watch('response', response, ['data', 'end', 'aborted', 'error', 'close'])
            response.once('data', () => takeOver(request.socket))
          })
          if (first === '') request.on('finish', () => takeOver(request.socket))
          request.end()
          await taken
          await run.closed(request.socket)
          await run.sleep(10)
        })
      }
    }
  }
}

scenario.client('the next request of a socket has a parser again', async (run) => {
  await run.origin(async (peer) => {
    for (let count = 1; count <= 3; count++) {
      await peer.until('\r\n\r\n', count)
      peer.send(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${count}`)
    }
  })
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  for (const turn of [1, 2, 3]) {
    await new Promise((resolve) => {
      const request = run.request({ agent })
      request.on('socket', (socket) => {
        if (turn === 1) socket.on('data', () => {})
      })
      request.on('response', (response) => {
        const { socket } = request
        run.log('client', 'response', response.statusCode, socket.listenerCount('data'))
        response.on('data', (chunk) => run.log('client', 'data', String(chunk)))
        response.on('end', () => {
          socket.removeAllListeners('data')
          run.log('client', 'end', socket.listenerCount('data'))
          setImmediate(resolve)
        })
      })
      request.end()
    })
  }
})

for (const [way, take] of Object.entries(TAKES)) {
  // A stream that is no socket of ours hears of its end from those listeners.
  if (way === 'removeAllListeners()') continue
  for (const [reader, read] of Object.entries(READERS)) {
    overAll(`a server's socket: ${way} of the parser's, and ${reader} instead`, async (run, dial) => {
      const server = run.server.createServer((req, res) => {
        const { socket } = req
        run.log('server', req.url, socket.listenerCount('data'))
        if (req.url === '/first') {
          take(socket)
          run.log('server', 'left', socket.listenerCount('data'))
          read(socket, (chunk) => run.log('server', 'raw', String(chunk)))
        }
        res.end(`${req.url}\n`)
      })
      const peer = await dial(server)
      peer.send('GET /first HTTP/1.1\r\nHost: x\r\n\r\n')
      await peer.until('/first\n')
      for (const target of ['/second', '/third']) {
        // Nothing tells that it was read.
        await run.sleep(20)
        peer.send(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
      }
      await run.sleep(20)
    })
  }
}

scenario('the parser\'s listeners that are removed, and added again in a later tick, hear as before', async (run) => {
  const swap = (socket, track) => {
    const listeners = socket.listeners('data')
    socket.removeAllListeners('data')
    run.log(track, 'removed', listeners.length, socket.listenerCount('data'))
    process.nextTick(() => {
      for (const listener of listeners) socket.on('data', listener)
      run.log(track, 'added', socket.listenerCount('data'))
    })
  }
  await run.serve({}, (req, res) => {
    if (req.url === '/1') swap(req.socket, 'server')
    req.resume().on('end', () => res.end(req.url))
  })
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  for (const path of ['/1', '/2', '/3']) {
    const over = new Promise((resolve) => {
      const request = run.request({ agent, path, method: 'POST' })
      request.on('finish', () => { if (path === '/2') swap(request.socket, 'client') })
      request.on('response', (response) => {
        response.on('data', (chunk) => run.log('client', 'data', String(chunk))).on('end', () => setImmediate(resolve))
      })
      request.end('body')
    })
    await over
  }
})

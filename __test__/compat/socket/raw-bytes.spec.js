'use strict'

/** Applications that read the bytes of a socket beside its parser, write between its responses, or end it. */

const net = require('node:net')
const { scenario } = require('../../oracle')

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

const later = () => new Promise((resolve) => setTimeout(resolve, 30))

for (const framing of ['Content-Length: 2\r\n', '']) {
  scenario.client(`a data listener on the socket of a client, with ${framing.trim() || 'a body until the end'}`, async (run) => {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send(`HTTP/1.1 200 OK\r\n${framing}\r\nok`)
      peer.end()
    })
    const request = run.request({ agent: run.agent({ keepAlive: true }) })
    request.on('socket', (socket) => {
      let text = ''
      socket.on('data', (chunk) => { text += chunk })
      socket.on('end', () => run.log('client', 'bytes', text))
    })
    request.on('response', (response) => run.read('client', response))
    request.end()
    await run.closed(request)
    await later()
  })
}

/** How a client goes whose socket is paused by the application, which reads its bytes, too. */
const LEAVES = { 'its end': (peer) => peer.end(), 'its reset': (peer) => peer.reset() }

for (const [what, leave] of Object.entries(LEAVES)) {
  for (const [when, later] of Object.entries({ 'in a tick of its request': process.nextTick, 'in an immediate': setImmediate })) {
    scenario.server(`a socket with a listener for its bytes, which is paused ${when}, hears of ${what}`, async (run) => {
      let paused
      const isPaused = new Promise((resolve) => { paused = resolve })
      const server = run.server.createServer((req, res) => {
        run.watch('request', req, ['aborted', 'error', 'close'])
        run.watch('response', res, ['close'])
        later(() => {
          req.socket.pause()
          paused()
        })
      })
      server.on('clientError', (error, socket) => {
        run.log('server', 'clientError', error.code)
        socket.destroy()
      })
      const closed = new Promise((resolve) => server.on('connection', (socket) => {
        run.watch('socket', socket.on('data', () => {}), ['end', 'error', 'close'])
        socket.on('close', resolve)
      }))
      await run.listen(server)
      const peer = run.dial()
      peer.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\na')
      await isPaused
      // The packet is over by then.
      await run.sleep(20)
      leave(peer)
      await closed
      run.log('server', 'closes', await new Promise((resolve) => server.close(resolve)))
    })
  }
}

for (const [event, add] of Object.entries({
  data: (socket, take) => socket.on('data', take),
  readable: (socket, take) => socket.on('readable', () => { for (let chunk; (chunk = socket.read()) !== null;) take(chunk) })
})) {
  for (const when of ['before it is answered', 'behind its answer', 'later']) {
    for (const first of ['GET /first HTTP/1.1\r\nHost: x\r\n\r\n', 'POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody']) {
      const name = `a handler of ${first.slice(0, 4).trim()} takes the bytes from the parser, with '${event}', ${when}`
      scenario.server(name, async (run) => {
        await run.serve({}, (req, res) => {
          run.log('server', req.url)
          const { socket } = req
          req.resume()
          const takeOver = () => {
            socket.removeAllListeners('data')
            run.log('server', 'listeners', socket.listenerCount('data'))
            add(socket, (chunk) => {
              run.log('server', 'raw', String(chunk))
              socket.write(`raw ${chunk}`)
            })
          }
          if (when === 'before it is answered') {
            takeOver()
            socket.write('taken\n')
          } else {
            res.end('taken\n')
            if (when === 'later') setTimeout(takeOver, 10)
            else takeOver()
          }
          res.on('close', () => run.log('server', 'close'))
        })
        const peer = run.dial()
        peer.send(first)
        await peer.until('taken\n')
        await run.sleep(20)
        for (const path of ['/second', '/third']) {
          peer.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
          await peer.until(`raw GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
        }
        peer.end()
        await peer.ended()
      })
    }
  }
}

for (const which of ['the same server', 'another server']) {
  scenario.server(`a socket that speaks HTTP is given to ${which}: its own goes on`, async (run) => {
    const other = run.server.createServer((req, res) => res.end(`other ${req.url}\n`))
    const server = await run.serve({}, (req, res) => {
      if (req.url === '/first') (which === 'another server' ? other : server).emit('connection', req.socket)
      for (const [name, message] of [['request', req], ['response', res]]) message.on('close', () => run.log('server', req.url, name, 'close'))
      if (req.url !== '/last') res.end(`${req.url}\n`)
    })
    const peer = run.dial()
    for (const path of ['/first', '/second']) {
      peer.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
      await peer.until(`${path}\n`)
    }
    peer.send('GET /last HTTP/1.1\r\nHost: x\r\n\r\n')
    await run.sleep(20)
    peer.end()
    await peer.ended()
    await run.sleep(20)
  })
}

/** Ticks between end() and destroy(), and ms for which JavaScript is busy then. */
const DELAYS = [[0, 0], [1, 0], [2, 0], [1, 3], [2, 3]]

/** Ends a socket, destroys it some ticks later, and logs what is called back, and before or behind the immediates. */
function endAndDestroy (run, socket, size, ticks, busy) {
  const destroy = () => {
    if (ticks-- > 0) return process.nextTick(destroy)
    run.log('socket', 'destroy')
    socket.destroy()
    const end = performance.now() + busy
    while (performance.now() < end);
  }
  socket.on('error', (error) => run.log('socket', 'error', error.code))
  const closed = run.once(socket, 'close')
  if (size !== 0) socket.write(Buffer.alloc(size), (error) => run.log('socket', 'written', error?.code))
  socket.end((error) => run.log('socket', 'ended', error?.code))
  setImmediate(() => run.log('socket', 'immediate'))
  destroy()
  return closed
}

for (const [ticks, busy] of DELAYS) {
  // Bytes: none, few that the kernel takes, and more than that.
  for (const size of [0, 10, 8e6]) {
    const name = `end() of a socket with ${size} bytes on their way, destroyed ${ticks} ticks later${busy === 0 ? '' : ' by code that goes on'}`
    scenario.server(`the callback of ${name}, by a server`, async (run) => {
      let tell
      const closed = new Promise((resolve) => { tell = resolve })
      await run.serve({}, ({ socket }) => tell(endAndDestroy(run, socket, size, ticks, busy)))
      // What it gets of those bytes depends on how fast it reads.
      net.connect(run.port, '127.0.0.1').on('error', () => {}).end('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      await closed
    })
    scenario.client(`the callback of ${name}, by a client`, async (run) => {
      const server = net.createServer((socket) => socket.on('error', () => {}).resume())
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
      run.servers.push(server)
      run.port = server.address().port
      const request = run.request({ agent: false })
      request.on('error', () => {}).end()
      const [socket] = await run.once(request, 'socket')
      if (socket.connecting) await run.once(socket, 'connect')
      await run.sleep(5)
      await endAndDestroy(run, socket, size, ticks, busy)
    })
  }
}

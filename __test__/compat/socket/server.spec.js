'use strict'

/** What applications do with the socket of a request, over everything that can carry one. */

const net = require('node:net')
const { scenario } = require('../../oracle')
const { overAll } = require('../../oracle/transports')

const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')
const SOCKETS = ['a socket', 'a socket of net']

overAll('the socket of a request is a net.Socket', async (run, dial) => {
  const server = run.server.createServer((req, res) => {
    const { socket } = req
    run.log('server', 'socket', socket instanceof net.Socket, socket.constructor === net.Socket, socket === res.socket, socket === req.connection,
      socket.server === server, socket._httpMessage === res, socket.readable, socket.writable, socket.destroyed, socket.connecting, socket.pending,
      socket.readyState, socket.allowHalfOpen, socket.remoteFamily, typeof socket.remotePort, socket.address().port === socket.localPort,
      socket.encrypted, socket.isPaused(), socket.bytesRead > 0, socket.bytesWritten, socket.readableFlowing, socket.readableEnded, socket.timeout)
    res.end('body')
  })
  const peer = await dial(server)
  peer.send(get('/', 'Connection: close'))
  await peer.ended()
  peer.end()
}, ['a socket'])

for (const [what, destroy] of Object.entries({
  'the request': (req) => req.destroy(),
  'the request with an error': (req) => req.destroy(new Error('mine')),
  'the response': (req, res) => res.destroy(),
  'the response with an error': (req, res) => res.destroy(new Error('mine')),
  'the socket': (req) => req.socket.destroy(),
  'the socket with an error': (req) => req.socket.destroy(new Error('mine')),
  'the socket softly': (req) => req.socket.destroySoon(),
  'the socket, by its end': (req) => req.socket.end(),
  'the socket, by its end with bytes': (req) => req.socket.end('last words')
})) {
  for (const when of ['before an answer', 'in the middle of an answer']) {
    overAll(`${what} is destroyed ${when}`, async (run, dial) => {
      let closed
      const server = run.server.createServer((req, res) => {
        run.watch('request', req, ['aborted', 'close', 'error', 'end'])
        run.watch('response', res, ['close', 'error', 'finish'])
        run.watch('socket', req.socket, ['close', 'end', 'error', 'finish'])
        closed = run.closed(req.socket)
        if (when === 'before an answer') destroy(req, res)
        else res.write('half', () => destroy(req, res))
      })
      server.on('clientError', (error, socket) => {
        run.log('server', 'clientError', error)
        socket.destroy()
      })
      const peer = await dial(server)
      peer.send(get('/'))
      run.log('client', 'ended', await peer.ended())
      peer.end()
      await closed
    }, what.includes('soft') ? SOCKETS : undefined)
  }
}

overAll('raw writes stand before, between and behind responses', async (run, dial) => {
  const server = run.server.createServer((req, res) => {
    const { socket } = req
    run.log('server', 'raw', socket.write('<before>'), socket.write(Buffer.from('<bytes>')), socket.write('3c6865783e', 'hex'))
    res.write('one')
    socket.write('<between>', () => {
      res.end('two', () => socket.write('<behind>'))
    })
  })
  const peer = await dial(server)
  peer.send(get('/1'))
  await peer.until('<behind>')
  peer.send(get('/2', 'Connection: close'))
  await peer.ended()
  peer.end()
})

overAll('a socket that is corked holds raw writes', async (run, dial) => {
  const server = run.server.createServer((req, res) => {
    const { socket } = req
    socket.cork()
    socket.write('<one>')
    socket.write('<two>')
    run.log('server', 'corked', socket.writableCorked, socket.writableLength)
    socket.uncork()
    res.end('body')
  })
  const peer = await dial(server)
  peer.send(get('/', 'Connection: close'))
  await peer.ended()
  peer.end()
})

for (const event of ['data', 'readable']) {
  overAll(`a '${event}' listener in the handler sees the bytes that come later`, async (run, dial) => {
    const server = run.server.createServer((req, res) => {
      const { socket } = req
      if (req.url === '/1') {
        if (event === 'data') run.watch('socket', socket, ['data'])
        else socket.on('readable', () => run.log('socket', 'read', socket.read()))
      }
      run.watch('body', req, ['data', 'end'])
      res.write('head ')
      req.on('end', () => res.end(`answer ${req.url}`))
    })
    const peer = await dial(server)
    peer.send('POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n')
    await peer.until('head ')
    peer.send('8 bytes.')
    await peer.until('answer /1')
    peer.send('POST /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n')
    await peer.until('head ', 2)
    peer.send('body')
    await peer.ended()
    peer.end()
  }, event === 'data' ? undefined : SOCKETS)
}

overAll('a socket that is paused holds the next request', async (run, dial) => {
  let socket
  const server = run.server.createServer((req, res) => {
    run.log('server', 'request', req.url)
    socket = req.socket
    if (req.url === '/1') socket.pause()
    run.log('server', 'paused', socket.isPaused())
    res.end(`answer ${req.url}`)
  })
  const peer = await dial(server)
  peer.send(get('/1'))
  await peer.until('answer /1')
  peer.send(get('/2', 'Connection: close'))
  await run.sleep(30)
  run.log('server', 'still paused', socket.isPaused())
  socket.resume()
  await peer.ended()
  peer.end()
})

overAll("pause() stops nothing before the 'resume' that is due, nor on a socket that does not flow", async (run, dial) => {
  const server = run.server.createServer((req, res) => {
    const { socket } = req
    res.on('finish', () => run.log('server', 'answered', socket.isPaused()))
    if (req.url === '/2') {
      res.end('answer /2')
      return
    }
    // The end of the request resumes it.
    socket.pause()
    process.nextTick(() => socket.pause())
    setImmediate(() => {
      socket.pause()
      res.end('answer /1')
    })
  })
  const peer = await dial(server)
  peer.send(get('/1'))
  await peer.until('answer /1')
  peer.send(get('/2', 'Connection: close'))
  await peer.ended()
  peer.end()
}, ['a socket'])

overAll('a body whose socket is paused arrives when that resumes', async (run, dial) => {
  const server = run.server.createServer((req, res) => {
    run.watch('body', req, ['data', 'end'])
    req.socket.pause()
    res.write('paused ')
    setTimeout(() => {
      run.log('body', 'resumes')
      req.socket.resume()
    }, 30)
    req.on('end', () => res.end('read'))
  })
  const peer = await dial(server)
  peer.send('POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 8\r\n\r\n')
  await peer.until('paused ')
  peer.send('8 bytes.')
  await peer.ended()
  peer.end()
})

for (const [what, setTimeout] of Object.entries({
  'the socket': (req, res, told) => req.socket.setTimeout(30, told),
  'the request': (req, res, told) => req.setTimeout(30, told),
  'the response': (req, res, told) => res.setTimeout(30, told)
})) {
  overAll(`a timeout of ${what} is emitted and the connection stays open`, async (run, dial) => {
    const server = run.server.createServer((req, res) => {
      setTimeout(req, res, (socket) => {
        run.log('server', 'timeout', socket === req.socket, req.socket.destroyed, req.socket.timeout)
        req.socket.setTimeout(0)
        res.end('late')
      })
    })
    const peer = await dial(server)
    peer.send(get('/', 'Connection: close'))
    await peer.ended()
    peer.end()
  }, SOCKETS)
}

overAll('a timeout without a listener closes the connection', async (run, dial) => {
  let closed
  const server = run.server.createServer((req, res) => {
    closed = run.closed(res)
    run.watch('request', req, ['aborted', 'close', 'error'])
    run.watch('response', res, ['close', 'finish'])
    req.socket.setTimeout(30)
  })
  const peer = await dial(server)
  peer.send(get('/'))
  run.log('client', 'ended', await peer.ended())
  peer.end()
  await closed
}, SOCKETS)

for (const method of ['GET', 'CONNECT']) {
  const [event, first] = method === 'GET'
    ? ['upgrade', get('/', 'Connection: Upgrade', 'Upgrade: echo')]
    : ['connect', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n']

  overAll(`'${event}' gets every early byte, and all that follow`, async (run, dial) => {
    const early = Buffer.alloc(50000, 'e')
    const later = Buffer.alloc(500000, 'l')
    const server = run.server.createServer()
    server.on(event, (req, socket, head) => {
      run.log('server', 'head', head.length > 0, head.equals(early.subarray(0, head.length)))
      let length = 0
      let isRight = true
      const take = (chunk) => {
        for (const byte of chunk) isRight &&= byte === (length++ < early.length ? 0x65 : 0x6c)
        if (length === early.length) socket.write('early\n')
        if (length === early.length + later.length) socket.write('later\n')
      }
      take(head)
      socket.on('data', take)
      socket.on('end', () => {
        run.log('server', 'end', length, isRight)
        socket.end('bye')
      })
    })
    const peer = await dial(server)
    peer.send(Buffer.concat([Buffer.from(first), early]))
    await peer.until('early\n')
    peer.send(later)
    await peer.until('later\n')
    peer.end()
    await peer.ended()
  })

  overAll(`the stream of '${event}' can be paused, unshifted to, piped and destroyed`, async (run, dial) => {
    let closed
    const server = run.server.createServer()
    server.on(event, (req, socket, head) => {
      closed = run.closed(socket)
      run.watch('stream', socket, ['close', 'error', 'pause', 'resume'])
      socket.unshift(Buffer.from('[unshifted]'))
      socket.pause()
      setImmediate(() => {
        socket.pipe(socket, { end: false })
        socket.on('data', (chunk) => { if (String(chunk).includes('die')) socket.destroy(new Error('mine')) })
      })
    })
    const peer = await dial(server)
    peer.send(first)
    await peer.until('[unshifted]')
    peer.send('echo')
    await peer.until('echo')
    peer.send('die')
    run.log('client', 'ended', (await peer.ended()) === 'end')
    await closed
    peer.end()
  })
}

for (const how of ['at once', 'in a tick', 'in a microtask', 'and resumed at once', 'and resumed in a tick', 'twice']) {
  for (const add of ['on', 'prependListener']) {
    scenario.server(`a socket that a 'connection' listener, by ${add}, pauses ${how}`, async (run) => {
      const server = await run.serve({}, (request, response) => {
        run.log('server', 'request', request.url, request.socket.isPaused(), request.socket.readableFlowing)
        response.end('answer')
      })
      server[add]('connection', (socket) => {
        for (const event of ['pause', 'resume']) socket.on(event, () => run.log('server', event))
        if (how === 'in a tick') return process.nextTick(() => socket.pause())
        if (how === 'in a microtask') return queueMicrotask(() => socket.pause())
        socket.pause()
        if (how === 'twice') socket.pause()
        if (how === 'and resumed at once') socket.resume()
        if (how === 'and resumed in a tick') process.nextTick(() => socket.resume())
      })
      const peer = await run.dial()
      peer.send(get('/'))
      await Promise.race([peer.until('answer'), run.sleep(60)])
      peer.destroy()
    })
  }
}

/** Tells where a socket's ends are. */
const ends = ({ localAddress, localPort, localFamily, remoteAddress, remotePort, remoteFamily }, near, far) =>
  [localAddress, localPort === near, localFamily, remoteAddress, remotePort === far, remoteFamily]

const LAST = {
  'that ends its connection': get('/', 'Connection: close'),
  'of HTTP/1.0': 'GET / HTTP/1.0\r\n\r\n',
  'behind another': get('/') + get('/', 'Connection: close')
}

/** When they are asked for: once only, since net keeps what it was told. */
const MOMENTS = {
  'behind end()': (res, tell) => {
    res.end('over\n')
    tell()
  },
  'in the next tick': (res, tell) => {
    res.end('over\n')
    process.nextTick(tell)
  },
  'in a microtask': (res, tell) => {
    res.end('over\n')
    Promise.resolve().then(tell)
  },
  'by the callback of end()': (res, tell) => res.end('over\n', tell),
  'at \'finish\'': (res, tell) => res.on('finish', tell).end('over\n'),
  'at \'close\'': (res, tell) => res.on('close', tell).end('over\n')
}

for (const [what, requests] of Object.entries(LAST)) {
  for (const [answered, delay] of Object.entries({ 'at once': (answer) => answer(), later: (answer) => setTimeout(answer, 10) })) {
    for (const [moment, end] of Object.entries(MOMENTS)) {
      scenario.server(`the addresses of a socket ${moment} of the answer to a request ${what}, answered ${answered}`, async (run) => {
        const over = []
        await run.serve({}, (req, res) => {
          over.push(run.closed(res))
          delay(() => end(res, () => run.log('server', 'ends', ...ends(req.socket, run.port, peer.socket.localPort))))
        })
        const peer = run.dial()
        peer.send(requests)
        await peer.ended()
        await Promise.all(over)
      })
    }
  }
}

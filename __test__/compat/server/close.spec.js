'use strict'

/** close(), closeIdleConnections(), closeAllConnections(), asyncDispose and getConnections(). */

const { scenario } = require('../../oracle')

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')

const connections = (server) => new Promise((resolve, reject) => server.getConnections((error, count) => error ? reject(error) : resolve(count)))

scenario.server('close() ends idle connections and calls back', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('over\n'))
  run.watch('server', server, ['close'])
  const peer = run.dial()
  peer.send(GET)
  await peer.until('over\n')
  await new Promise(setImmediate)
  const closed = run.once(server, 'close')
  run.log('server', 'returns itself', server.close((error) => run.log('server', 'callback', error, server.listening)) === server, server.listening, server.address())
  run.log('client', 'ended', await peer.ended())
  await closed
})

scenario.server('close() waits for a response that is under way', async (run) => {
  let finish
  const server = await run.serve({ keepAliveTimeout: 1 }, (req, res) => {
    res.write('first ')
    finish = () => {
      res.shouldKeepAlive = false
      res.end('last')
    }
  })
  const sockets = []
  server.on('connection', (socket) => sockets.push(socket))
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await peer.until('first')
  const closed = run.once(server, 'close')
  server.close(() => run.log('server', 'closed', sockets[0].destroyed))
  await new Promise(setImmediate)
  run.log('server', 'connections', await connections(server))
  finish()
  run.log('client', 'ended', await peer.ended())
  await closed
})

scenario.server('close() of a server that does not listen', async (run) => {
  const server = run.server.createServer()
  await new Promise((resolve) => server.close((error) => {
    run.log('server', 'callback', error)
    resolve()
  }))
  run.log('server', 'without callback', server.close() === server)
})

scenario.server('close() twice, and listen again', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('over\n'))
  const first = new Promise((resolve) => server.close((error) => resolve(run.log('server', 'first', error))))
  const second = new Promise((resolve) => server.close((error) => resolve(run.log('server', 'second', error))))
  await Promise.all([first, second])
  await run.listen(server)
  const peer = run.dial()
  peer.send(GET)
  await peer.until('over\n')
})

scenario.server('closeIdleConnections leaves connections with a request open', async (run) => {
  let finish
  const server = await run.serve({}, (req, res) => {
    if (req.url !== '/busy') return res.end('over\n')
    res.write('start ')
    finish = () => res.end('finish')
  })
  const idle = run.dial()
  idle.send(GET)
  await idle.until('over\n')
  const busy = run.dial()
  busy.send('GET /busy HTTP/1.1\r\nHost: x\r\n\r\n')
  await busy.until('start')
  const half = run.dial()
  half.send('GET / HTTP/1.1\r\nHo')
  const accepted = run.once(server, 'connection')
  const virgin = run.dial()
  await accepted
  await new Promise(setImmediate)
  await run.sleep(10)
  run.log('server', 'connections', await connections(server))
  run.log('server', 'returns', server.closeIdleConnections())
  run.log('idle', 'ended', await idle.ended())
  await run.sleep(10)
  run.log('busy', 'ended', busy.ending)
  run.log('half', 'ended', half.ending)
  run.log('virgin', 'ended', virgin.ending)
  finish()
  await busy.until('finish')
  half.send('st: x\r\n\r\n')
  await half.until('over')
})

scenario.server('closeAllConnections destroys them all and keeps listening', async (run) => {
  const closed = []
  const server = await run.serve({}, (req, res) => {
    run.watch('server', req, ['aborted', 'close'], `${req.url} req `)
    run.watch('server', res, ['close', 'finish'], `${req.url} res `)
    closed.push(run.closed(req, res))
    if (req.url === '/again') return res.end('again')
    res.write('start ')
  })
  const busy = run.dial()
  busy.send('GET /busy HTTP/1.1\r\nHost: x\r\n\r\n')
  await busy.until('start')
  const accepted = run.once(server, 'connection')
  const virgin = run.dial()
  await accepted
  run.log('server', 'returns', server.closeAllConnections(), server.listening)
  run.log('busy', 'ended', await busy.ended())
  run.log('virgin', 'ended', await virgin.ended())
  const again = run.dial()
  again.send('GET /again HTTP/1.1\r\nHost: x\r\n\r\n')
  await again.until('again')
  await Promise.all(closed)
})

scenario.server('getConnections counts, also connections that close', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('over\n'))
  run.log('server', 'none', await connections(server))
  const peers = []
  for (let count = 0; count < 3; count++) {
    const accepted = run.once(server, 'connection')
    peers.push(run.dial())
    await accepted
  }
  run.log('server', 'three', await connections(server))
  for (const peer of peers) peer.send(GET)
  for (const peer of peers) await peer.until('over\n')
  for (const peer of peers) peer.end()
  for (const peer of peers) await peer.ended()
  while (await connections(server) > 0) await new Promise(setImmediate)
  run.log('server', 'none', await connections(server))
})

scenario.server('asyncDispose closes', async (run) => {
  const server = await run.serve({}, (req, res) => res.end())
  run.watch('server', server, ['close'])
  await server[Symbol.asyncDispose]()
  run.log('server', 'listening', server.listening)
  await server[Symbol.asyncDispose]().then(() => run.log('server', 'again'), (error) => run.log('server', 'again', error))
})

scenario('a server that closes while a client keeps its connection', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('over'))
  await run.exchange()
  run.watch('server', server, ['close'])
  const closed = run.once(server, 'close')
  server.close()
  await closed
})

scenario.server('close() closes a connection whose answer is lost because of bytes behind the last request', async (run) => {
  for (const answered of [false, true]) {
    let finished
    const server = await run.serve({}, (req, res) => {
      // In core a paused socket does not end by itself.
      req.socket.pause()
      run.watch('server', res, ['finish', 'close'], 'res ')
      const answer = () => res.end('over', () => {})
      if (answered) answer()
      finished = new Promise(setImmediate).then(() => answered || answer())
    })
    server.on('clientError', (error, socket) => {
      run.log('server', 'clientError', error.code)
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
    const peer = run.dial()
    peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET')
    await peer.until('\r\n\r\n')
    await finished
    const closed = run.once(server, 'close')
    server.close()
    await closed
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

scenario.server('a graceful terminator sets Connection: close on responses under way and destroys idle sockets', async (run) => {
  const sockets = new Set()
  let finish
  const server = await run.serve({}, (req, res) => {
    if (req.url === '/idle') return res.end('idle')
    finish = () => res.end('busy')
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const idle = run.dial()
  idle.send('GET /idle HTTP/1.1\r\nHost: x\r\n\r\n')
  await idle.until('idle')
  const busy = run.dial()
  const requested = run.once(server, 'request')
  busy.send('GET /busy HTTP/1.1\r\nHost: x\r\n\r\n')
  await requested
  await new Promise(setImmediate)
  run.log('server', 'sockets', sockets.size)
  const closed = run.once(server, 'close')
  server.close()
  for (const socket of sockets) {
    const response = socket._httpMessage
    if (response && !response.headersSent) response.setHeader('connection', 'close')
    else socket.destroy()
  }
  finish()
  run.log('idle', 'ended', await idle.ended())
  run.log('busy', 'ended', await busy.ended())
  await closed
})

/** What a server closes idle connections with, behind the end of an answer. */
const CLOSINGS = { 'close()': 'close', 'closeIdleConnections()': 'closeIdleConnections' }

/** The moments of an exchange at which core counts its connection as idle, or does not yet. */
const ENDINGS = {
  'in the request\'s end': (req, answer) => req.on('end', answer).resume(),
  'a tick behind the request\'s end': (req, answer) => req.on('end', () => process.nextTick(answer)).resume(),
  'behind the handler': (req, answer) => setImmediate(answer)
}

for (const [closing, method] of Object.entries(CLOSINGS)) {
  for (const [moment, when] of Object.entries(ENDINGS)) {
    for (const [listened, events] of Object.entries({ unheard: [], heard: ['finish', 'close'] })) {
      scenario.server(`${closing} right behind an answer's end ${moment}, ${listened}`, async (run) => {
        const server = await run.serve({ keepAliveTimeout: 60000 }, (req, res) => {
          run.watch('server', res, events)
          when(req, () => {
            res.end('over\n')
            server[method]()
          })
        })
        const peer = run.dial()
        peer.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n', '.')
        run.log('client', 'ended', await peer.ended(), peer.received.endsWith('over\n'))
        if (method === 'close' && await connections(server) !== 0) await run.once(server, 'close')
      })
    }
  }
}

scenario.server('a body that is not read to its end keeps a server from closing, although it was answered', async (run) => {
  let request
  const server = await run.serve({}, (req, res) => {
    request = req
    req.once('data', () => {
      req.pause()
      res.end('answer\n')
    })
  })
  const peer = run.dial()
  peer.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 262144\r\n\r\n${'b'.repeat(262144)}`)
  await peer.until('answer\n')
  // So that all of it is there.
  await new Promise((resolve) => setTimeout(resolve, 50))
  let isClosed = false
  const closed = run.once(server, 'close')
  server.close(() => { isClosed = true })
  server.closeIdleConnections()
  await new Promise((resolve) => setTimeout(resolve, 20))
  run.log('server', 'has closed', isClosed, 'complete', request.complete)
  request.resume()
  await run.once(request, 'end')
  server.closeIdleConnections()
  await closed
  run.log('client', 'ended', await peer.ended())
})

for (const [what, behind] of [['no request', 0], ['requests', 2]]) {
  scenario.server(`close() with a response that was destroyed before its turn and ended, and ${what} behind it`, async (run) => {
    let last
    const isOver = new Promise((resolve) => { last = resolve })
    const server = await run.serve({}, (req, res) => {
      run.log('server', 'request', req.url)
      res.on('error', (error) => run.log(req.url, 'error', error.message))
      if (req.url !== '/1') {
        res.end(`over ${req.url}\n`)
        return
      }
      res.destroy(new Error('on purpose'))
      setImmediate(() => {
        res.end('never')
        last()
      })
    })
    server.on('connection', (socket) => socket.on('error', (error) => run.log('socket', 'error', error.message)))
    const peer = run.dial()
    peer.send(Array.from({ length: 2 + behind }, (_, number) => get(`/${number}`)).join(''))
    await isOver
    await peer.until('over /0\n')
    const closed = run.once(server, 'close')
    server.close()
    run.log('client', 'ended', await peer.ended())
    await closed
  })
}

/** How the last connection of a closing server is lost while it has an exchange under way. */
const LOSSES = {
  'its client ends': ({ peer }) => peer.end(),
  'its client destroys': ({ peer }) => peer.destroy(),
  'its client resets': ({ peer }) => peer.reset(),
  'its request is destroyed': ({ req }) => req.destroy(),
  'its response is destroyed': ({ res }) => res.destroy(),
  'its server closes all': ({ server }) => server.closeAllConnections()
}

/** What is under way: a response that streams, or one that has ended but that the kernel does not take. */
const EXCHANGES = {
  'a response that streams': ({ peer, res }) => {
    res.write('part')
    return peer.until('part')
  },
  'a response that has not begun': () => {},
  'a part that is not taken': ({ run, peer, res }) => {
    peer.socket.pause()
    res.write(Buffer.alloc(2e7), (error) => run.log('server', 'written', error?.code))
  },
  'an end that is not taken': ({ run, peer, res }) => {
    peer.socket.pause()
    run.watch('server', res, ['finish'], 'res ')
    res.end(Buffer.alloc(2e7), (error) => run.log('server', 'ended', error?.code))
  }
}

for (const [under, begin] of Object.entries(EXCHANGES)) {
  for (const [loss, lose] of Object.entries(LOSSES)) {
    // Our side is not ended before what was written is taken; and core takes a connection whose response has ended for idle.
    if (under === 'an end that is not taken' ? loss.startsWith('its client') : under.endsWith('not taken') && loss === 'its client ends') continue
    for (const touched of [false, true]) {
      scenario.server(`close() calls back before ${under} hears that ${loss}${touched ? ', and its socket' : ''}`, async (run) => {
        const server = await run.serve({}, (req, res) => {
          if (touched) run.watch('server', req.socket, ['close'], 'socket ')
          run.watch('server', req, ['aborted', 'close'], 'req ')
          run.watch('server', res, ['close'], 'res ')
        })
        const peer = run.dial()
        const requested = run.once(server, 'request')
        peer.send(GET)
        const [req, res] = await requested
        const over = run.closed(req, res)
        await begin({ run, peer, res })
        // So that the loss begins in a turn of its own.
        await run.sleep(10)
        const closed = new Promise((resolve) => {
          server.close(() => {
            run.log('server', 'closed', res.destroyed, res.writable)
            process.nextTick(() => run.log('server', 'tick'))
            setImmediate(() => run.log('server', 'immediate'))
            resolve()
          })
        })
        lose({ peer, server, req, res })
        await closed
        await over
      })
    }
  }
}

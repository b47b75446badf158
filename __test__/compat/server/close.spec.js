'use strict'

const { scenario } = require('../../oracle')

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

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

scenario.server('closeIdleConnections spares the busy', async (run) => {
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

scenario.server('getConnections counts, and follows those who leave', async (run) => {
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

scenario.server('maxConnections drops those beyond it', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('over\n'))
  server.maxConnections = 1
  server.on('drop', (data) => run.log('server', 'drop', Object.keys(data).sort(), data.localAddress, data.remoteFamily))
  const first = run.dial()
  first.send(GET)
  await first.until('over\n')
  const second = run.dial()
  run.log('second', 'ended', await second.ended())
  first.send(GET)
  await first.until('over\n', 2)
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

scenario.module('listen: errors, address and its forms', async (run) => {
  const { log, once } = run
  const server = run.server.createServer()
  log('server', 'before', server.listening, server.address())
  log('server', 'returns itself', server.listen(0) === server)
  log('server', 'synchronously', server.listening, typeof server.address()?.port, server.address()?.family)
  run.attempt('server', 'again', () => server.listen(0))
  await once(server, 'listening')
  const { port } = server.address()
  run.mask(port, 'port')
  const second = run.server.createServer()
  second.on('error', (error) => log('second', 'error', error, error.port === port, error.address))
  log('second', 'returns', second.listen(port) === second)
  await once(second, 'error')
  log('second', 'after', second.listening)
  for (const value of [-1, 65536, NaN, 'abc:def', {}, true, { port: -1 }, { path: 5 }, { port: 'x' }]) {
    const third = run.server.createServer().on('error', (error) => log('third', 'error', error.code))
    if (value === 'abc:def') continue
    run.attempt('third', `listen(${run.summary(value)})`, () => third.listen(value) === third)
    third.close()
  }
  const callback = run.server.createServer()
  await new Promise((resolve) => callback.listen({ port: 0, host: '127.0.0.1', backlog: 5 }, resolve))
  log('callback', 'address', callback.address().address, callback.address().family, callback._connectionKey)
  const controller = new AbortController()
  const aborted = run.server.createServer()
  aborted.listen({ port: 0, signal: controller.signal })
  await once(aborted, 'listening')
  controller.abort()
  await once(aborted, 'close')
  log('aborted', 'listening', aborted.listening)
  await Promise.all([server, callback].map((each) => new Promise((resolve) => each.close(resolve))))
})

scenario.server('unref and ref return the server', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('over\n'))
  run.log('server', 'chaining', server.unref() === server, server.ref() === server)
  const peer = run.dial()
  peer.send(GET)
  await peer.until('over\n')
})

scenario.server('close() closes a connection whose answer is lost behind what came after the last request', async (run) => {
  for (const answered of [false, true]) {
    let finished
    const server = await run.serve({}, (req, res) => {
      // In core a socket that stands still does not end by itself.
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

'use strict'

/** Errors of a client, and a server's answers to them: what a 'clientError' listener gets and does, and 400, 408 and 431 without one. */

const { scenario } = require('../../oracle')

const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')

const BAD = {
  'a parse error': ['garbage\r\n\r\n', {}],
  'a head that is too large': [`GET / HTTP/1.1\r\nA: ${'b'.repeat(20000)}\r\n\r\n`, {}],
  'chunk extensions that are too long': [`POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;${'a'.repeat(20000)}\r\n`, {}],
  'a head that is too slow': ['GET / HTTP/1.1\r\n', { headersTimeout: 20, requestTimeout: 30, connectionsCheckingInterval: 10 }],
  'a body that is too slow': ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab', { headersTimeout: 20, requestTimeout: 30, connectionsCheckingInterval: 10 }]
}

const LISTENERS = {
  'that ends the socket': (error, socket) => { socket.end(`HTTP/1.1 499 ${error.code}\r\n\r\n`) },
  'that destroys the socket': (error, socket) => { socket.destroy(error.code === undefined ? undefined : null) },
  'that destroys the socket with the error': (error, socket) => { socket.destroy(error) },
  'that looks at the error': (error, socket) => {
    socket.end(JSON.stringify({ code: error.code, message: error.message, reason: error.reason, bytesParsed: error.bytesParsed, raw: error.rawPacket?.length, keys: Object.keys(error), name: error.name }))
  },
  'that answers later': (error, socket) => { setImmediate(() => socket.end(`HTTP/1.1 499 ${error.code}\r\n\r\n`)) },
  'that throws': (error, socket) => {
    socket.destroy()
    throw new Error(`thrown for ${error.code}`)
  }
}

for (const [what, [bytes, options]] of Object.entries(BAD)) {
  for (const [how, listener] of Object.entries(LISTENERS)) {
    scenario.server(`${what} and a clientError listener ${how}`, async (run) => {
      const thrown = how === 'that throws' ? new Promise((resolve) => { run.onUncaught = resolve }) : undefined
      const closed = []
      const server = await run.serve(options, (req, res) => {
        closed.push(run.closed(req, res))
        run.watch('server', req, ['aborted', 'error', 'close'], 'req ')
        run.watch('server', res, ['finish', 'close'], 'res ')
      })
      server.on('clientError', (error, socket) => {
        closed.push(run.closed(socket))
        run.log('server', 'clientError', error.code, error.message, socket.writable, socket.destroyed, socket.parser === null)
        listener(error, socket)
      })
      const peer = run.dial()
      peer.send(bytes)
      await peer.ended()
      peer.end()
      await Promise.all(closed)
      await thrown
    })
  }

  scenario.server(`${what} before, in and behind an answer`, async (run) => {
    await run.serve(options, (req, res) => {
      run.log('server', 'request', req.url)
      switch (req.url) {
        case '/head': return res.flushHeaders()
        case '/part': return res.write('part') && undefined
        case '/over': return res.end('over')
      }
    })
    for (const path of ['/none', '/head', '/part', '/over']) {
      const peer = run.dial()
      peer.send(get(path))
      if (path !== '/none') await peer.until('\r\n\r\n')
      if (path === '/part') await peer.until('part\r\n')
      await run.sleep(5)
      peer.send(bytes)
      run.log('client', path, await peer.ended())
    }
  })
}

scenario.server('the second error of a connection', async (run) => {
  const server = await run.serve({}, () => {})
  server.on('clientError', (error, socket) => {
    run.log('server', 'clientError', error.code, error.bytesParsed, error.rawPacket)
    if (error.rawPacket?.includes('last')) socket.destroy()
  })
  const peer = run.dial()
  for (const bytes of ['garbage\r\n', 'more garbage\r\n', 'the last\r\n']) {
    peer.send(bytes)
    await run.sleep(10)
  }
  await peer.ended()
})

scenario.server('a clientError listener without a listener for errors of the socket', async (run) => {
  const server = await run.serve({}, () => {})
  server.on('clientError', (error, socket) => {
    run.log('server', 'clientError', error.code, socket.listenerCount('error'))
    socket.on('error', (error) => run.log('server', 'socket error', error.code))
    socket.on('close', (hadError) => run.log('server', 'socket close', hadError))
    socket.destroy(error)
  })
  const peer = run.dial()
  peer.send('garbage\r\n\r\n')
  await peer.ended()
})

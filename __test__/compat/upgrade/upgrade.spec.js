'use strict'

/** Upgrade: when a request or a response is one, and the socket that is handed over, on both sides. */

const { scenario } = require('../../oracle')
const { answering, watched } = require('../../oracle/answering')

const UPGRADE = ['Connection: Upgrade', 'Upgrade: echo']
const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')

scenario.server('an upgrade hands over the raw stream with what was already read', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('plain'))
  let closed
  server.on('upgrade', (req, socket, head) => {
    run.log('server', 'upgrade', req, req.upgrade, req.headers.upgrade, req.complete, socket, head)
    run.log('server', 'socket', socket === req.socket, socket.parser, socket.readableFlowing, socket._httpMessage ?? null, socket.timeout,
      socket.listeners('data').length, socket.listeners('error').length, socket.listeners('timeout').length)
    closed = run.closed(socket)
    run.watch('server', socket, ['data', 'end', 'close'], 'socket ')
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    socket.on('data', (chunk) => socket.write(chunk))
    socket.on('end', () => socket.end('bye'))
    if (head.length > 0) socket.unshift(head)
  })
  const peer = run.dial()
  peer.send(get('/', ...UPGRADE) + 'early')
  await peer.until('early')
  peer.send('later')
  await peer.until('later')
  peer.end()
  await peer.ended()
  await closed
})

scenario.server('without an upgrade listener the request is served as any other', async (run) => {
  await run.serve({}, (req, res) => {
    run.log('server', 'request', req.upgrade, req.headers.upgrade)
    res.end('plain')
  })
  const peer = run.dial()
  peer.send(get('/', ...UPGRADE))
  await peer.until('plain')
  peer.send(get('/again', 'Connection: close'))
  await peer.ended()
})

for (const [what, fields] of Object.entries({
  'Upgrade without Connection': ['Upgrade: echo'],
  'Connection without Upgrade': ['Connection: upgrade'],
  'a list in Connection': ['Connection: keep-alive, Upgrade', 'Upgrade: a, b'],
  'an upgrade to h2c': ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA']
})) {
  scenario.server(`${what} is an upgrade or is not`, async (run) => {
    const server = await run.serve({}, (req, res) => {
      run.log('server', 'request', req.upgrade)
      res.shouldKeepAlive = false
      res.end('plain')
    })
    server.on('upgrade', (req, socket) => {
      run.log('server', 'upgrade', req.headers.upgrade)
      socket.end('upgraded')
    })
    const peer = run.dial()
    peer.send(get('/', ...fields))
    await peer.ended()
  })
}

scenario.server('shouldUpgradeCallback decides', async (run) => {
  for (const verdict of [true, false]) {
    for (const listening of [true, false]) {
      const server = await run.serve({ shouldUpgradeCallback: () => verdict }, (req, res) => {
        run.log('server', 'request', verdict, listening, req.upgrade)
        res.shouldKeepAlive = false
        res.end('plain')
      })
      if (listening) {
        server.on('upgrade', (req, socket) => {
          run.log('server', 'upgrade', verdict, listening)
          socket.end('upgraded')
        })
      }
      const peer = run.dial()
      peer.send(get('/', ...UPGRADE))
      run.log('client', 'ended', await peer.ended())
    }
  }
})

scenario.server('an upgrade request with a body', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('plain'))
  server.on('upgrade', async (req, socket, head) => {
    run.log('server', 'upgrade', req.complete, head)
    run.watch('body', req, ['data', 'end', 'close'])
    req.resume()
    socket.write('101\n')
    run.watch('server', socket, ['data', 'end'], 'socket ')
    socket.on('end', () => socket.end())
  })
  const peer = run.dial()
  peer.send(get('/', ...UPGRADE, 'Content-Length: 4') + 'bodytail')
  await peer.until('101\n')
  peer.end()
  await peer.ended()
})

scenario.server('an upgraded connection is not closed by closeAllConnections', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('plain'))
  server.on('upgrade', (req, socket) => {
    socket.write('upgraded\n')
    socket.on('data', (chunk) => socket.write(chunk))
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
  })
  const peer = run.dial()
  peer.send(get('/', ...UPGRADE))
  await peer.until('upgraded\n')
  server.closeAllConnections()
  server.closeIdleConnections()
  peer.send('ping')
  await peer.until('ping')
  run.log('server', 'connections', await new Promise((resolve) => server.getConnections((error, count) => resolve(error ?? count))))
})

scenario.server('an upgraded socket has timeouts, keep-alive and destroy of its own', async (run) => {
  const server = await run.serve({}, () => {})
  let closed
  server.on('upgrade', (req, socket) => {
    closed = run.closed(socket)
    run.watch('server', socket, ['timeout', 'close'])
    run.log('server', 'options', socket.setNoDelay() === socket, socket.setKeepAlive(true) === socket, socket.setTimeout(30) === socket)
    socket.write('upgraded\n', () => run.log('server', 'written', socket.bytesWritten))
    socket.on('timeout', () => socket.destroy())
  })
  const peer = run.dial()
  peer.send(get('/', ...UPGRADE))
  run.log('client', 'ended', await peer.ended())
  await closed
})

scenario('both sides upgrade and talk', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('plain'))
  server.on('upgrade', (req, socket, head) => {
    run.log('server', 'upgrade', req.url, head)
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello from server')
    socket.on('data', (chunk) => socket.write(chunk.toString().toUpperCase()))
    socket.on('end', () => socket.end())
  })
  const request = run.request({ agent: false, path: '/ws', headers: { Connection: 'Upgrade', Upgrade: 'echo' } })
  run.watch('client', request, ['upgrade', 'response', 'close', 'error'])
  request.end()
  const [response, socket, head] = await run.once(request, 'upgrade')
  run.log('client', 'upgraded', response.statusCode, response.upgrade, response.rawHeaders, request.upgradeOrConnect, socket === request.socket, request.destroyed)
  let text = head.toString()
  socket.on('data', (chunk) => {
    text += chunk
    if (text.endsWith('server')) socket.write('ping')
    if (text.endsWith('PING')) socket.end()
  })
  if (text.endsWith('server')) socket.write('ping')
  await run.once(socket, 'close')
  run.log('client', 'text', text)
})

scenario('a 101 without an upgrade listener is a hang up', async (run) => {
  const server = await run.serve({}, () => {})
  server.on('upgrade', (req, socket) => {
    socket.on('error', () => {})
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
  })
  const request = run.request({ agent: false, headers: { Connection: 'Upgrade', Upgrade: 'echo' } })
  run.watch('client', request, ['response', 'close', 'error', 'information'])
  request.end()
  await run.closed(request)
})

scenario('a server that declines an upgrade answers normally', async (run) => {
  const server = await run.serve({}, () => {})
  server.on('upgrade', (req, socket) => socket.end('HTTP/1.1 400 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno'))
  const request = run.request({ agent: false, headers: { Connection: 'Upgrade', Upgrade: 'echo' } })
  run.watch('client', request, ['upgrade', 'close', 'error'])
  request.end()
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
  await run.closed(request)
})

// Nothing of it is the same twice on the wire.
scenario.module('the socket of an upgrade can be wrapped by TLS', async (run) => {
  const tls = require('node:tls')
  const wrap = (track, socket, options) => new Promise((resolve) => {
    const secure = new tls.TLSSocket(socket, options)
    secure.on('error', (error) => {
      run.log(track, error.code)
      secure.destroy()
    })
    secure.on('close', resolve)
  })
  const server = await run.serve({}, () => {})
  let served
  server.on('upgrade', (req, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: TLS/1.2\r\n\r\n')
    // Without a certificate there is nothing to agree on, which both sides say.
    served = wrap('server', socket, { isServer: true, secureContext: tls.createSecureContext() })
  })
  const request = run.request({ agent: false, headers: { Connection: 'Upgrade', Upgrade: 'TLS/1.2' } }).end()
  const [, socket] = await run.once(request, 'upgrade')
  const secure = tls.connect({ socket, rejectUnauthorized: false })
  secure.on('error', (error) => run.log('client', error.code))
  await run.once(secure, 'close')
  await served
}, { skip: !process.versions.openssl })

scenario('an upgraded socket is a plain one', async (run) => {
  const look = (socket) => [socket.constructor.name, socket._handle.constructor.name, socket._handle.fd > 0, socket.bytesRead,
    socket.connecting, socket.readyState, socket.timeout]
  const server = await run.serve({}, () => {})
  server.on('upgrade', (req, socket) => {
    run.log('server', 'socket', ...look(socket))
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
  })
  const request = run.request({ agent: false, headers: { Connection: 'Upgrade', Upgrade: 'echo' } }).end()
  const [, socket] = await run.once(request, 'upgrade')
  run.log('client', 'socket', ...look(socket))
  socket.resume().end()
  await run.once(socket, 'close')
})

scenario.client('an answer that comes before the request', async (run) => {
  await run.origin((peer) => peer.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly'))
  const request = run.request({ agent: false }).end()
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
})

/** Lets what follows from an event follow: there is no event for that. */
const later = (ms = 20) => new Promise((resolve) => setTimeout(resolve, ms))

scenario.client('events of a request that is upgraded', async (run) => {
  await answering(run, 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
  for (const method of ['GET', 'POST']) {
    const request = watched(run, method, { method, headers: { Connection: 'Upgrade', Upgrade: 'x' } })
    const upgraded = run.once(request, 'upgrade')
    request.on('upgrade', (response, socket) => run.log(method, 'upgrade', request.finished, request.writableFinished, request.writable, socket.writableLength))
    if (method === 'GET') request.end((error) => run.log(method, 'end callback', error))
    else request.write('part', (error) => run.log(method, 'write callback', error))
    const [, socket] = await upgraded
    await later()
    if (method === 'POST') request.end('late', (error) => run.log(method, 'end callback', error))
    await later()
    run.log(method, 'then', request.finished, request.destroyed, request.closed)
    socket.destroy()
    await later()
  }
})

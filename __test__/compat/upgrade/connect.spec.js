'use strict'

/** CONNECT: the tunnel, its head and its response, on both sides. */

const net = require('node:net')
const { scenario } = require('../../oracle')

scenario.server('CONNECT hands over the raw stream', async (run) => {
  const server = await run.serve({}, () => run.log('server', 'request'))
  server.on('connect', (req, socket, head) => {
    run.log('server', 'connect', req.method, req.url, req.upgrade, req.rawHeaders, socket, head, socket.parser)
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    socket.write(head)
    socket.on('data', (chunk) => socket.write(chunk))
    socket.on('end', () => socket.end())
  })
  const peer = run.dial()
  peer.send('CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\nfirst')
  await peer.until('first')
  peer.send('second')
  await peer.until('second')
  peer.end()
  await peer.ended()
})

scenario.server('CONNECT without a listener closes the connection', async (run) => {
  const server = await run.serve({}, () => run.log('server', 'request'))
  run.watch('server', server, ['connection', 'clientError'])
  const peer = run.dial()
  peer.send('CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n')
  run.log('client', 'ended', await peer.ended())
})

scenario.server('targets of CONNECT that are no authority', async (run) => {
  const server = await run.serve({}, () => run.log('server', 'request'))
  server.on('connect', (req, socket) => {
    run.log('server', 'connect', req.url)
    socket.end('ok')
  })
  server.on('clientError', (error, socket) => {
    run.log('server', 'clientError', error)
    socket.destroy()
  })
  for (const target of ['/', 'example.org', '*', 'http://x/', '[::1]:443', 'a:b@c:1']) {
    const peer = run.dial()
    peer.send(`CONNECT ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await peer.ended()
  }
})

scenario('both sides tunnel with CONNECT', async (run) => {
  const server = await run.serve({}, () => run.log('server', 'request'))
  server.on('connect', (req, socket, head) => {
    run.log('server', 'connect', req.url, req.rawHeaders, head)
    socket.write('HTTP/1.1 200 Connection established\r\n\r\ngreeting ')
    socket.on('data', (chunk) => socket.end(chunk))
  })
  const request = run.request({ method: 'CONNECT', path: 'example.org:443', agent: false })
  run.watch('client', request, ['connect', 'response', 'close', 'error'])
  request.end()
  const [response, socket, head] = await run.once(request, 'connect')
  run.log('client', 'connected', response.statusCode, response.rawHeaders, request.upgradeOrConnect, socket === request.socket)
  let text = head.toString()
  socket.on('data', (chunk) => { text += chunk })
  socket.write('through the tunnel')
  await run.once(socket, 'close')
  run.log('client', 'text', text)
})

scenario('CONNECT without a connect listener of the client is a hang up', async (run) => {
  const server = await run.serve({}, () => {})
  server.on('connect', (req, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    socket.on('end', () => socket.end())
  })
  const request = run.request({ method: 'CONNECT', path: 'example.org:443', agent: false })
  run.watch('client', request, ['response', 'close', 'error'])
  request.end()
  await run.closed(request)
})

scenario('CONNECT that is declined', async (run) => {
  const server = await run.serve({}, () => {})
  server.on('connect', (req, socket) => socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\n\r\nauth'))
  const request = run.request({ method: 'CONNECT', path: 'example.org:443', agent: false })
  run.watch('client', request, ['response', 'close', 'error'])
  request.end()
  const [response, socket, head] = await run.once(request, 'connect')
  run.log('client', 'connect', response.statusCode, response.headers, head)
  socket.resume()
  await run.once(socket, 'close')
})

scenario('a tunnel of CONNECT that is served by the same server', async (run) => {
  const server = await run.serve({}, (req, res) => {
    run.log('server', 'request', req.method, req.url, req.socket._httpMessage === res, req.socket.writableLength)
    req.socket.pause()
    req.socket.resume()
    res.end('from inside')
  })
  server.on('connect', (req, socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    server.emit('connection', socket)
  })
  const request = run.request({ method: 'CONNECT', path: 'example.org:80', agent: false })
  request.end()
  const [, socket] = await run.once(request, 'connect')
  await run.exchange({ createConnection: () => socket, agent: undefined, path: '/inside' })
  socket.destroy()
})

for (const [method, answer] of [
  ['CONNECT', 'HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n'],
  ['CONNECT', 'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno!'],
  ['GET', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\nhead']
]) {
  for (const isHeard of [true, false]) {
    for (const isStream of [false, true]) {
      scenario.client(`the response that leaves HTTP is complete: ${method}, ${answer.slice(9, 12)}, ${isHeard ? 'with' : 'without'} a listener, on ${isStream ? 'a stream' : 'a socket'}`, async (run) => {
        const port = await run.origin(async (peer) => {
          await peer.until('\r\n\r\n')
          peer.send(answer)
        })
        const request = run.request({
          method,
          path: method === 'CONNECT' ? 'host:1' : '/',
          agent: false,
          headers: method === 'CONNECT' ? {} : { Connection: 'upgrade', Upgrade: 'other' },
          ...(isStream && { createConnection: () => net.connect(port, '127.0.0.1') })
        })
        run.watch('client', request, ['error', 'close'])
        const event = method === 'CONNECT' ? 'connect' : 'upgrade'
        const look = (response, when) => run.log('client', when, response.complete, response.aborted, response.readable, response.readableEnded, response.readableLength, response.destroyed)
        if (isHeard) {
          request.on(event, (response, socket, head) => {
            look(response, event)
            run.log('client', 'head', String(head))
            run.watch('response', response, ['data', 'end', 'error', 'aborted', 'close'])
            response.resume()
            setTimeout(() => socket.destroy(), 30)
            socket.on('error', () => {})
          })
        }
        request.end()
        await run.closed(request)
        if (request.res) look(request.res, 'closed')
        await run.sleep(50)
        if (request.res) look(request.res, 'later')
      })
    }
  }
}

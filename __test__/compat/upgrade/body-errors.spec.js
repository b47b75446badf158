'use strict'

/** Upgrade requests whose body does not come, or not as it should. */

const { overAll } = require('../../oracle/transports')
const { head, SIZED, CHUNKED, upgrader, readStream } = require('../../fixtures/upgrader')

for (const isHeard of [true, false]) {
  const listen = (run, server) => {
    if (!isHeard) return
    server.on('clientError', (error, socket) => {
      run.log('server', 'clientError', error)
      socket.end('HTTP/1.1 400 Mine\r\n\r\n')
    })
  }
  const how = isHeard ? ', with a listener' : ''

  overAll(`an error in a body that comes with its head${how}`, async (run, dial) => {
    const server = upgrader(run, (req, stream) => {
      stream.on('error', (error) => run.log('stream', 'error', error))
      stream.end()
    })
    listen(run, server)
    const peer = await dial(server)
    peer.send(head(CHUNKED) + '3\r\nabc\r\nnonsense\r\n')
    await peer.ended()
    peer.end()
  })

  overAll(`an error in a body that comes behind its head${how}`, async (run, dial) => {
    const server = upgrader(run, (req, stream) => {
      stream.on('error', (error) => run.log('stream', 'error', error))
      req.on('data', () => stream.write('got'))
      readStream(run, stream)
      if (req.complete) stream.write('got')
    })
    listen(run, server)
    const peer = await dial(server)
    peer.send(head(CHUNKED))
    await peer.until('101\n')
    peer.send('3\r\nabc\r\n')
    await peer.until('got')
    peer.send('nonsense\r\n')
    peer.end()
    await peer.ended()
  })

  overAll(`the client ends in the middle of a body${how}`, async (run, dial) => {
    const server = upgrader(run, (req, stream) => {
      stream.on('error', (error) => run.log('stream', 'error', error))
      readStream(run, stream)
    })
    listen(run, server)
    const peer = await dial(server)
    peer.send(head(SIZED) + '8 by')
    await peer.until('101\n')
    peer.end()
    await peer.ended()
  })

  overAll(`the client resets in the middle of a body${how}`, async (run, dial) => {
    let closed
    const server = upgrader(run, (req, stream) => {
      stream.on('error', (error) => run.log('stream', 'error', error))
      closed = run.closed(stream)
      run.watch('stream', stream, ['data'])
    })
    listen(run, server)
    const peer = await dial(server)
    peer.send(head(SIZED) + '8 by')
    await peer.until('101\n')
    peer.reset()
    await closed
  })
}

overAll('an error in the body that the stream does not listen for', async (run, dial) => {
  const server = upgrader(run, (req, stream) => {
    stream.resume()
    if (req.complete) stream.end()
  })
  const peer = await dial(server)
  peer.send(head(CHUNKED))
  await peer.until('101\n')
  peer.send('nonsense\r\n')
  peer.end()
  await peer.ended()
})

for (const [what, end] of Object.entries({
  'the stream': (req, stream) => stream.destroy(),
  'the stream with an error': (req, stream) => stream.destroy(new Error('mine')),
  'the socket': (req) => req.socket.destroy(),
  'the request': (req) => req.destroy(),
  'the request with an error': (req) => req.destroy(new Error('mine'))
})) {
  overAll(`${what} is destroyed in the middle of a body`, async (run, dial) => {
    let closed
    const server = upgrader(run, (req, stream) => {
      closed = run.closed(stream)
      stream.on('error', (error) => run.log('stream', 'error', error))
      run.watch('socket', req.socket, ['close', 'error'])
      if (req.complete) stream.destroy()
      else end(req, stream)
      run.log('server', 'destroyed', stream.destroyed, req.destroyed, req.socket.destroyed)
    })
    const peer = await dial(server)
    peer.send(head(SIZED))
    run.log('client', 'ended', await peer.ended())
    await closed
  })
}

overAll('requestTimeout in the middle of the body of an upgrade', async (run, dial) => {
  const server = upgrader(run, (req, stream) => {
    stream.on('error', (error) => run.log('stream', 'error', error))
    if (req.complete) stream.end()
    else stream.resume()
  }, { requestTimeout: 60, headersTimeout: 50, connectionsCheckingInterval: 20 })
  const peer = await dial(server)
  peer.send(head(SIZED) + '8 by')
  run.log('client', 'ended', await peer.ended())
  peer.end()
}, ['a socket'])

overAll('a timeout of the socket in the middle of the body of an upgrade', async (run, dial) => {
  let closed
  const server = upgrader(run, (req, stream) => {
    closed = run.closed(stream)
    stream.on('error', (error) => run.log('stream', 'error', error))
    run.watch('request', req, ['timeout'])
    if (req.complete) stream.end()
    else req.socket.setTimeout(30)
  })
  server.on('timeout', (socket) => {
    run.log('server', 'timeout')
    socket.destroy()
  })
  const peer = await dial(server)
  peer.send(head(SIZED) + '8 by')
  run.log('client', 'ended', await peer.ended())
  peer.end()
  await closed
}, ['a socket', 'a socket of net'])

overAll('closeAllConnections closes a connection whose body is incomplete', async (run, dial) => {
  let closed
  const server = upgrader(run, (req, stream) => {
    closed = run.closed(stream)
    readStream(run, stream)
    if (req.complete) stream.end()
  })
  const peer = await dial(server)
  peer.send(head(SIZED) + '8 by')
  await peer.until('101\n')
  server.closeIdleConnections()
  server.closeAllConnections?.()
  await peer.ended()
  peer.end()
  await closed
}, ['a socket'])

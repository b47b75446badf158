'use strict'

/** Upgrade requests with a body: since Node 26 it is parsed, before it was the beginning of the other protocol. */

const { scenario } = require('../../oracle')
const { overAll } = require('../../oracle/transports')
const { head, SIZED, CHUNKED, upgrader, readStream } = require('../../fixtures/upgrader')

for (const [what, fields, body] of [
  ['with Content-Length', [SIZED], '8 bytes.'],
  ['in chunks', [CHUNKED], '3\r\n8 b\r\n5\r\nytes.\r\n0\r\n\r\n'],
  ['in chunks with trailers', [CHUNKED, 'Trailer: X-After'], '8\r\n8 bytes.\r\n0\r\nX-After: yes\r\n\r\n'],
  ['of no bytes', ['Content-Length: 0'], ''],
  ['of no chunks', [CHUNKED], '0\r\n\r\n'],
  ['in an encoding that does not tell its end', ['Transfer-Encoding: gzip'], '8 bytes.'],
  ['that is announced with Expect', [SIZED, 'Expect: 100-continue'], '8 bytes.']
]) {
  for (const tail of ['', 'behind']) {
    overAll(`a complete body ${what}${tail && ' and bytes behind it'}`, async (run, dial) => {
      const server = upgrader(run, (req, stream) => {
        run.watch('request', req, ['data'])
        req.on('end', () => run.log('request', 'trailers', req.complete, req.rawTrailers, req.trailers))
        readStream(run, stream)
      })
      const peer = await dial(server)
      peer.send(head(...fields) + body + tail)
      await peer.until('101\n')
      peer.send('more')
      peer.end()
      await peer.ended()
    })
  }

  if (body.length < 8) continue

  overAll(`an incomplete body ${what}`, async (run, dial) => {
    const server = upgrader(run, (req, stream) => {
      run.watch('request', req, ['data'])
      req.on('data', () => stream.write('got '))
      req.on('end', () => {
        run.log('request', 'trailers', req.complete, req.rawTrailers, req.trailers, req.socket.parser === null)
        stream.write('all')
      })
      if (!req.complete) stream.once('data', () => run.log('server', 'reads', req.complete, req.socket.parser === null))
      readStream(run, stream)
      // Before Node 26 the body is the stream's.
      if (req.complete) stream.write('got got all')
    })
    const peer = await dial(server)
    peer.send(head(...fields))
    await peer.until('101\n')
    peer.send(body.slice(0, 5))
    await peer.until('got')
    peer.send(body.slice(5) + 'tail')
    await peer.until('all')
    peer.send('more')
    peer.end()
    await peer.ended()
  })
}

overAll('the stream reads a body that the request does not', async (run, dial) => {
  let request
  const server = upgrader(run, (req, stream) => {
    request = req
    stream.on('data', (chunk) => stream.write(`(${chunk})`))
    stream.on('end', () => stream.end())
  })
  const peer = await dial(server)
  peer.send(head(SIZED))
  await peer.until('101\n')
  peer.send('8 bytes.tail')
  await peer.until('tail')
  run.log('server', 'read', request.complete, request.readableEnded, request.readableFlowing, request.readableLength)
  peer.end()
  await peer.ended()
})

overAll('the request is read to its end before the stream', async (run, dial) => {
  let stream
  const server = upgrader(run, (req, upgraded) => {
    stream = upgraded
    run.watch('request', req, ['data'])
    req.on('end', () => stream.write('all'))
    if (req.complete) stream.write('all')
  })
  const peer = await dial(server)
  peer.send(head(SIZED))
  await peer.until('101\n')
  peer.send('8 bytes.tail')
  await peer.until('all')
  run.log('stream', 'state', stream.readableFlowing, stream.readableLength)
  readStream(run, stream)
  peer.end()
  await peer.ended()
})

overAll('the stream is read with an iterator', async (run, dial) => {
  const server = upgrader(run, async (req, stream) => {
    let text = ''
    for await (const chunk of stream) {
      text += chunk
      if (text.endsWith('tail')) stream.write('all')
    }
    run.log('stream', 'text', text)
    stream.end()
  })
  const peer = await dial(server)
  peer.send(head(CHUNKED))
  await peer.until('101\n')
  peer.send('3\r\nabc\r\n')
  peer.send('0\r\n\r\ntail')
  await peer.until('all')
  peer.end()
  await peer.ended()
})

overAll('the request is piped into its own stream', async (run, dial) => {
  const server = upgrader(run, (req, stream) => {
    req.pipe(stream, { end: false })
    stream.on('data', (chunk) => stream.write(`[${chunk}]`))
    stream.on('end', () => stream.end())
  })
  const peer = await dial(server)
  peer.send(head(SIZED))
  await peer.until('101\n')
  peer.send('8 bytes.')
  await peer.until('bytes.')
  peer.send('tail')
  await peer.until('tail')
  peer.end()
  await peer.ended()
})

overAll('the stream is ended before the body is complete', async (run, dial) => {
  const server = upgrader(run, (req, stream) => {
    run.watch('request', req, ['data'])
    run.watch('stream', stream, ['data'])
    stream.end('answer', () => run.log('stream', 'ended'))
  })
  const peer = await dial(server)
  peer.send(head(SIZED))
  await peer.ended()
  peer.send('8 bytes.tail')
  peer.end()
  await peer.closed()
})

overAll('a large body that is not read at first', async (run, dial) => {
  const body = Buffer.alloc(300000, 'b')
  const tail = Buffer.alloc(300000, 't')
  let request, stream
  const server = upgrader(run, (req, upgraded) => {
    request = req
    stream = upgraded
  })
  const peer = await dial(server)
  peer.send(head(`Content-Length: ${body.length}`))
  await peer.until('101\n')
  peer.send(body, tail)
  await run.sleep(30)
  const read = (track, source) => new Promise((resolve) => {
    let length = 0
    source.on('data', (chunk) => {
      length += chunk.length
      if (length === (track === 'stream' ? tail.length : body.length)) resolve(run.log(track, 'length', length))
    })
  })
  if (request.complete) {
    // Before Node 26.
    let length = 0
    stream.on('data', (chunk) => {
      length += chunk.length
      if (length === body.length + tail.length) stream.end('all')
    })
  } else {
    run.log('request', 'waits', request.complete, stream.readableLength)
    await read('request', request)
    await read('stream', stream)
    stream.end('all')
  }
  await peer.until('all')
  peer.end()
})

for (const early of ['', '8 bytes.']) {
  const what = early ? 'a complete' : 'an incomplete'
  overAll(`shouldUpgradeCallback returns true without an upgrade listener, with ${what} body`, async (run, dial) => {
    const server = run.server.createServer({ shouldUpgradeCallback: () => true }, (req, res) => {
      run.log('server', 'request', req.upgrade)
      res.shouldKeepAlive = false
      res.end()
    })
    const peer = await dial(server)
    peer.send(head(SIZED) + early)
    run.log('client', 'ended', await peer.ended())
  })

  overAll(`shouldUpgradeCallback returns false, with ${what} body`, async (run, dial) => {
    const server = run.server.createServer({ shouldUpgradeCallback: () => false }, (req, res) => {
      run.log('server', 'request', req.upgrade)
      res.writeProcessing()
      run.watch('request', req, ['data', 'end'])
      req.on('end', () => res.end('plain'))
    })
    const peer = await dial(server)
    peer.send(head(SIZED) + early)
    await peer.until('102')
    if (early === '') peer.send('8 bytes.')
    await peer.until('plain')
    peer.send('GET /again HTTP/1.1\r\nHost: x\r\n\r\n')
    await peer.until('plain', 2)
    peer.end()
  })
}

overAll('the listener is gone when the body is complete', async (run, dial) => {
  const server = upgrader(run, (req, stream) => {
    server.removeAllListeners('upgrade')
    if (req.complete) stream.resume().end()
    else readStream(run, stream)
  })
  const peer = await dial(server)
  peer.send(head(SIZED))
  await peer.until('101\n')
  peer.send('8 bytes.tail')
  run.log('client', 'ended', await peer.ended())
})

overAll('a data listener on the socket while the body arrives', async (run, dial) => {
  const server = upgrader(run, (req, stream) => {
    run.watch('request', req, ['data'])
    readStream(run, stream)
    if (req.complete) {
      stream.write('got got')
      return
    }
    run.watch('socket', req.socket, ['data'])
    req.on('data', () => stream.write('got'))
    req.on('end', () => stream.write('got'))
  })
  const peer = await dial(server)
  peer.send(head(SIZED))
  await peer.until('101\n')
  peer.send('8 by')
  await peer.until('got')
  peer.send('tes.tail')
  await peer.until('got', 2)
  peer.send('more')
  peer.end()
  await peer.ended()
})

overAll('a request and its answer come before', async (run, dial) => {
  const server = upgrader(run, (req, stream) => {
    run.watch('request', req, ['data'])
    readStream(run, stream)
  })
  const peer = await dial(server)
  peer.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until('plain')
  peer.send(head(SIZED) + '8 by')
  await peer.until('101\n')
  peer.send('tes.tail')
  peer.end()
  await peer.ended()
})

for (const early of ['', '8 bytes.']) {
  overAll(`a request without its answer comes before ${early ? 'a complete' : 'an incomplete'} body`, async (run, dial) => {
    let response
    const server = run.server.createServer((req, res) => {
      response = res
      run.watch('response', res, ['finish', 'close'])
    })
    server.on('upgrade', (req, stream, early) => {
      run.log('server', 'upgrade', req.complete, early)
      run.watch('request', req, ['data'])
      readStream(run, stream)
      stream.write('101\n', () => response.end('late'))
    })
    const peer = await dial(server)
    peer.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n' + head(SIZED) + early)
    await peer.until('late')
    peer.send(early === '' ? '8 bytes.tail' : 'tail')
    peer.end()
    await peer.ended()
  })
}

overAll('two requests wait for their answers when the connection leaves HTTP', async (run, dial) => {
  const responses = []
  const server = run.server.createServer((req, res) => {
    responses.push(run.watch(req.url, res, ['finish', 'close', 'socket']))
  })
  server.on('upgrade', (req, stream) => {
    readStream(run, stream)
    stream.write('101\n')
  })
  const peer = await dial(server)
  peer.send('GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n' + head())
  await peer.until('101\n')
  responses[0].write('one')
  responses[0].end()
  responses[1].end('two')
  await peer.until('two')
  peer.send('tail')
  peer.end()
  await peer.ended()
})

overAll('the client closes while a connection that left HTTP waits for earlier answers', async (run, dial) => {
  const responses = []
  let closed
  const server = run.server.createServer((req, res) => {
    responses.push(run.watch(req.url, res, ['finish', 'close']))
    if (responses.length === 1) closed = run.closed(res)
  })
  server.on('upgrade', (req, stream) => {
    stream.on('error', (error) => run.log('stream', 'error', error.code))
    stream.resume()
    stream.write('101\n')
  })
  const peer = await dial(server)
  peer.send('GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n' + head())
  await peer.until('101\n')
  peer.reset()
  await closed
  run.log('/1', 'destroyed', ...responses.map((response) => response.destroyed))
  for (const response of responses) response.end('late')
})

overAll('CONNECT has no body', async (run, dial) => {
  const server = run.server.createServer()
  server.on('connect', (req, stream, early) => {
    run.log('server', 'connect', req.complete, early, stream === req.socket, req.socket.parser === null)
    run.watch('request', req, ['data', 'end'])
    readStream(run, stream)
    stream.write('200\n')
  })
  const peer = await dial(server)
  peer.send(`CONNECT a:1 HTTP/1.1\r\nHost: x\r\n${SIZED}\r\n\r\n8 by`)
  await peer.until('200\n')
  peer.send('tes.tail')
  peer.end()
  await peer.ended()
})

scenario('both sides upgrade with a body', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('plain'))
  server.on('upgrade', (req, stream) => {
    stream.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    let text = ''
    req.on('data', (chunk) => { text += chunk })
    stream.on('data', (chunk) => {
      text += chunk
      if (text.endsWith('ping')) stream.end(text.slice(-4).toUpperCase())
    })
    stream.on('close', () => run.log('server', 'text', text))
  })
  const request = run.request({ agent: false, method: 'POST', headers: { Connection: 'Upgrade', Upgrade: 'echo', 'Content-Length': 4 } })
  request.flushHeaders()
  const [response, socket, early] = await run.once(request, 'upgrade')
  run.log('client', 'upgraded', response.statusCode, early)
  run.watch('client', socket, ['data', 'end'])
  socket.write('body')
  socket.write('ping')
  await run.once(socket, 'close')
})

'use strict'

/** An application has replaced the write() of a server's socket: its method gets the pieces of the responses, as core writes them. */

const { overAll } = require('../../oracle/transports')

const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')

/** Logs the pieces that go through the socket's write(). */
function replaceWrite (run, socket) {
  const { write } = socket
  socket.write = function (data, encoding, callback) {
    run.log('pieces', 'write', run.masked(String(data)), typeof data, encoding, typeof callback, socket.writableCorked !== 0)
    return write.apply(this, arguments)
  }
  return write
}

const ways = {
  'a plain end': (res) => res.end('body'),
  'an end without a body': (res) => res.end(),
  'an end with bytes': (res) => res.end(Buffer.from('body')),
  'an end in another encoding': (res) => res.end('626f6479', 'hex'),
  'a write and an end': (res) => {
    res.write('one')
    res.end('two')
  },
  'writes in two ticks': (res) => {
    res.write('one')
    setImmediate(() => {
      res.write('two')
      res.end()
    })
  },
  'bytes in two ticks': (res) => {
    res.write(Buffer.from('one'))
    setImmediate(() => res.end(Buffer.from('two')))
  },
  'a length and a write': (res) => {
    res.setHeader('Content-Length', 6)
    res.write('one')
    res.end('two')
  },
  'a length, bytes and an empty end': (res) => {
    res.setHeader('Content-Length', 3)
    res.write(Buffer.from('one'))
    res.end()
  },
  'writeHead and an end': (res) => res.writeHead(201, { 'X-A': 'b' }).end('body'),
  'writeHead with a length and an end': (res) => res.writeHead(200, { 'Content-Length': 4 }).end('body'),
  'flushHeaders first': (res) => {
    res.flushHeaders()
    res.end('body')
  },
  'no content': (res) => res.writeHead(204).end(),
  trailers: (res) => {
    res.setHeader('Trailer', 'X-After')
    res.write('one')
    res.addTrailers({ 'X-After': 'yes' })
    res.end()
  },
  'corked writes': (res) => {
    res.cork()
    res.write('one')
    res.write('two')
    res.uncork()
    res.end('three')
  },
  'corked writes, never uncorked': (res) => {
    res.cork()
    res.cork()
    res.writeHead(200, { 'Content-Length': 11 })
    res.write('one')
    res.uncork()
    res.write('two')
    res.end('three')
  },
  'corked writes with a length': (res) => {
    res.setHeader('Content-Length', 6)
    res.cork()
    res.write('one')
    res.write('two')
    process.nextTick(() => {
      res.uncork()
      res.end()
    })
  },
  'informational responses': (res) => {
    res.writeContinue()
    res.writeProcessing()
    res.writeEarlyHints({ link: '</a>; rel=preload' })
    res.end('body')
  },
  'text beyond latin1': (res) => {
    res.setHeader('X-A', 'é')
    res.end('ü')
  },
  'callbacks of writes': (res) => {
    res.write('one', () => res.end('two', () => res.emit('told', 'end')))
  },
  'Connection: close': (res) => {
    res.setHeader('Connection', 'close')
    res.end('body')
  },
  'a body without a stated end': (res) => {
    res.useChunkedEncodingByDefault = false
    res.removeHeader('Content-Length')
    res.write('one')
    res.end('two')
  }
}

for (const [what, answer] of Object.entries(ways)) {
  overAll(`a replaced write sees the pieces of ${what}`, async (run, dial) => {
    const done = []
    let began
    const first = new Promise((resolve) => { began = resolve })
    const server = run.server.createServer((req, res) => {
      if (!Object.hasOwn(req.socket, 'write') || req.url === '/first') replaceWrite(run, res.socket)
      run.log('pieces', 'request', req.url)
      run.watch('response', res, ['prefinish', 'finish', 'close', 'told'])
      done.push(run.closed(res))
      began()
      answer(res)
      run.log('response', 'state', res.headersSent, res.writableEnded, res.writableFinished, res.socket === req.socket, res.writableCorked)
    })
    const peer = await dial(server)
    const isLast = what === 'Connection: close' || what === 'a body without a stated end'
    peer.send(get('/first'))
    if (isLast) {
      await peer.ended()
      peer.end()
    } else {
      await first
      await done[0]
      // The second of a connection.
      peer.send(get('/second', 'Connection: close'))
      await peer.ended()
      peer.end()
    }
    await Promise.all(done)
  })
}

overAll('a write that is replaced and put back', async (run, dial) => {
  const server = run.server.createServer((req, res) => {
    res.write('one ')
    setImmediate(() => {
      const write = replaceWrite(run, res.socket)
      res.write('two ')
      setImmediate(() => {
        res.socket.write = write
        res.write('three ')
        res.end('four')
      })
    })
  })
  const peer = await dial(server)
  peer.send(get('/'))
  await peer.until('0\r\n\r\n')
  peer.send(get('/', 'Connection: close'))
  await peer.ended()
  peer.end()
})

overAll('responses in a pipeline through a replaced write', async (run, dial) => {
  const responses = []
  const server = run.server.createServer((req, res) => {
    if (responses.push(res) === 1) replaceWrite(run, req.socket)
    run.watch(req.url, res, ['finish', 'close', 'socket'])
    if (responses.length < 3) return
    responses[2].end('three')
    responses[1].write('two ')
    responses[1].end('more')
    responses[0].end('one')
  })
  const peer = await dial(server)
  peer.send(get('/1') + get('/2') + get('/3', 'Connection: close'))
  await peer.ended()
  peer.end()
})

overAll('a replaced write that delays everything', async (run, dial) => {
  const server = run.server.createServer((req, res) => {
    const { socket } = res
    const { write } = socket
    socket.write = (data, encoding, callback) => {
      setImmediate(() => write.call(socket, data, encoding, callback))
      return false
    }
    run.watch('response', res, ['drain', 'finish', 'close'])
    run.log('response', 'write', res.write('one'), res.writableNeedDrain)
    setImmediate(() => res.end('two'))
  })
  const peer = await dial(server)
  peer.send(get('/', 'Connection: close'))
  await peer.ended()
  peer.end()
})

overAll('a large response through a replaced write waits for the reader', async (run, dial) => {
  let length = 0
  const server = run.server.createServer((req, res) => {
    const { socket } = res
    const { write } = socket
    socket.write = function (data) {
      length += data.length
      return write.apply(this, arguments)
    }
    run.watch('response', res, ['finish', 'close'])
    const part = Buffer.alloc(100000, 'x')
    let left = 40
    const more = () => {
      while (left-- > 0) if (!res.write(part)) return res.once('drain', more)
      res.end()
    }
    res.setHeader('Content-Length', 40 * part.length)
    more()
  })
  const peer = await dial(server)
  peer.send(get('/', 'Connection: close'))
  await peer.ended()
  run.log('response', 'length', length, peer.received.length)
  peer.end()
})

overAll('the client closes during a response through a replaced write', async (run, dial) => {
  let closed
  const server = run.server.createServer((req, res) => {
    replaceWrite(run, res.socket)
    run.watch('request', req, ['aborted', 'close', 'error'])
    run.watch('response', res, ['finish', 'close', 'error'])
    closed = run.closed(res)
    res.write('half')
  })
  const peer = await dial(server)
  peer.send(get('/'))
  await peer.until('half')
  peer.reset()
  await closed
})

overAll('an idle connection times out behind a response through a replaced write', async (run, dial) => {
  const server = run.server.createServer({ keepAliveTimeout: 20, keepAliveTimeoutBuffer: 10 }, (req, res) => {
    replaceWrite(run, res.socket)
    res.end('body')
  })
  const peer = await dial(server)
  peer.send(get('/'))
  run.log('client', 'ended', await peer.ended())
  peer.end()
}, ['a socket', 'a socket of net'])

'use strict'

/** The bodies of requests as a server reads them: framing, the ways to read, pausing, and bodies that are not read. */

const { createHash } = require('node:crypto')
const { scenario } = require('../../oracle')

const post = (...fields) => ['POST / HTTP/1.1', 'Host: x', ...fields, '', ''].join('\r\n')

function echo (run) {
  return (req, res) => {
    run.watch('server', req, ['data', 'end', 'close'], 'req ')
    req.on('end', () => {
      run.log('server', 'complete', req.complete, req.rawTrailers, req.trailers, req.trailersDistinct)
      res.end('done\n')
    })
  }
}

scenario.server('a body with Content-Length is read', async (run) => {
  await run.serve({}, echo(run))
  const peer = run.dial()
  peer.send(post('Content-Length: 11'), 'hello world')
  await peer.until('done\n')
})

scenario.server('a body that comes byte by byte is read', async (run) => {
  await run.serve({}, echo(run))
  const peer = run.dial()
  for (const byte of post('Transfer-Encoding: chunked', 'Trailer: x') + '5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX: trailing\r\n\r\n') {
    peer.send(byte)
    await new Promise(setImmediate)
  }
  await peer.until('done\n')
})

scenario.server('a chunked body is read, with extensions and trailers', async (run) => {
  await run.serve({}, echo(run))
  const peer = run.dial()
  peer.send(post('Transfer-Encoding: chunked', 'Trailer: A, B'), '5\r\nhello\r\n', '6;name=value;quoted="x y"\r\n world\r\n', '0\r\nA: 1\r\nB: 2\r\na: 3\r\n\r\n')
  await peer.until('done\n')
})

scenario.server('many small chunks come in one packet', async (run) => {
  await run.serve({}, (req, res) => {
    const chunks = []
    req.on('data', (chunk) => { chunks.push(chunk) })
    req.on('end', () => {
      // Looked at when all of them are there: none may be another's.
      run.log('server', req.method, chunks.length, chunks.map(String).join(' '), req.trailers)
      res.end(`${req.method} done\n`)
    })
  })
  const small = Array.from({ length: 700 }, (_, index) => {
    const size = index % 23 + 1
    return `${size.toString(16)}\r\n${String.fromCharCode(97 + index % 26).repeat(size)}\r\n`
  }).join('')
  const large = `1388\r\n${'L'.repeat(5000)}\r\n`
  const peer = run.dial()
  peer.send(
    post('Transfer-Encoding: chunked'), small, large, small, '0\r\nA: 1\r\n\r\n',
    post('Transfer-Encoding: chunked').replace('POST', 'PUT'), small, '0\r\n\r\n'
  )
  await peer.until('PUT done\n')
})

scenario.server('chunk sizes may be upper-case and have leading zeros', async (run) => {
  await run.serve({}, echo(run))
  const peer = run.dial()
  peer.send(post('Transfer-Encoding: CHUNKED'), '00A\r\n0123456789\r\n', 'a\r\n0123456789\r\n', '000\r\n\r\n')
  await peer.until('done\n')
})

scenario.server('a coding before chunked is left to the handler', async (run) => {
  await run.serve({}, echo(run))
  const peer = run.dial()
  peer.send(post('Transfer-Encoding: gzip, chunked'), '3\r\nabc\r\n0\r\n\r\n')
  await peer.until('done\n')
})

scenario.server('GET and DELETE may have bodies', async (run) => {
  await run.serve({}, echo(run))
  const peer = run.dial()
  for (const method of ['GET', 'DELETE', 'OPTIONS']) {
    peer.send(`${method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc`)
    await peer.when(() => peer.received.endsWith('done\n'))
    peer.chunks.length = 0
  }
})

scenario.server('a chunked body of HTTP/1.0 is read', async (run) => {
  await run.serve({}, echo(run))
  const peer = run.dial()
  peer.send('POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n')
  await peer.ended()
})

scenario.server('a request without framing has no body whatever follows', async (run) => {
  await run.serve({}, echo(run))
  const peer = run.dial()
  peer.send('POST / HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until('done\n')
  peer.send(post('Content-Length: 0'))
  await peer.until('done\n', 2)
})

scenario('setEncoding gives strings, also across chunk borders', async (run) => {
  await run.serve({}, (req, res) => {
    req.setEncoding('utf8')
    let text = ''
    req.on('data', (chunk) => {
      text += chunk
      run.log('types', typeof chunk)
      run.tracks.types.length = 1
    })
    req.on('end', () => {
      run.log('server', 'text', Buffer.from(text).toString('hex'), req.readableEncoding)
      res.end()
    })
  })
  const request = run.request({ method: 'POST' })
  const bytes = Buffer.from('äöü€😀')
  for (const byte of bytes) request.write(Buffer.from([byte]))
  request.end()
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
})

scenario('a body is read with readable and read(size)', async (run) => {
  await run.serve({}, (req, res) => {
    const parts = []
    req.on('readable', () => {
      let part
      while ((part = req.read(4)) !== null) parts.push(part.toString())
    })
    req.on('end', () => {
      run.log('server', 'parts', parts)
      res.end()
    })
  })
  await run.exchange({ method: 'POST' }, '0123456789')
})

scenario('a body is read with for await', async (run) => {
  await run.serve({}, async (req, res) => {
    const chunks = []
    for await (const chunk of req) chunks.push(chunk)
    run.log('server', 'body', Buffer.concat(chunks), req.destroyed, req.complete)
    res.end(Buffer.concat(chunks))
  })
  await run.exchange({ method: 'POST' }, 'for await')
})

scenario('a body is piped back', async (run) => {
  await run.serve({}, (req, res) => req.pipe(res))
  await run.exchange({ method: 'POST' }, 'piped')
  await run.exchange({ method: 'POST', headers: { 'transfer-encoding': 'chunked' } }, 'piped in chunks')
  await run.exchange({ method: 'POST' }, '')
})

scenario('a body that is paused waits and is then complete', async (run) => {
  const size = 600000
  await run.serve({}, async (req, res) => {
    const hash = createHash('sha1')
    let length = 0
    let paused = false
    let first = true
    req.on('data', (chunk) => {
      if (paused) run.log('server', 'data although paused')
      hash.update(chunk)
      length += chunk.length
      if (first) {
        first = false
        paused = true
        req.pause()
        run.log('server', 'paused', req.isPaused(), req.readableFlowing)
        setTimeout(() => {
          paused = false
          req.resume()
        }, 20)
      }
    })
    req.on('end', () => {
      run.log('server', 'read', length, hash.digest('hex'))
      res.end('done')
    })
  })
  await run.exchange({ method: 'POST' }, Buffer.alloc(size, 'abcdefg'))
})

scenario('an unread body does not keep the connection from its next request', async (run) => {
  await run.serve({}, (req, res) => res.end(req.url))
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  await run.exchange({ method: 'POST', path: '/one', agent }, 'x'.repeat(100000))
  await run.exchange({ path: '/two', agent })
})

scenario('a large body arrives whole in both directions', async (run) => {
  await run.serve({}, (req, res) => {
    const hash = createHash('sha1')
    let length = 0
    req.on('data', (chunk) => {
      hash.update(chunk)
      length += chunk.length
    })
    req.on('end', () => {
      run.log('server', 'read', length, hash.digest('hex'))
      res.end(Buffer.alloc(3000000, 'download'))
    })
  })
  await run.exchange({ method: 'POST' }, Buffer.alloc(3000000, 'upload'))
})

scenario.server('two body readers share what comes', async (run) => {
  await run.serve({}, (req, res) => {
    const one = []
    const two = []
    req.on('data', (chunk) => one.push(chunk))
    req.on('data', (chunk) => two.push(chunk))
    req.on('end', () => {
      run.log('server', 'both', Buffer.concat(one), Buffer.concat(two))
      res.end('done')
    })
  })
  const peer = run.dial()
  peer.send(post('Content-Length: 3'), 'abc')
  await peer.until('done')
})

scenario.server('unshift puts bytes back', async (run) => {
  await run.serve({}, (req, res) => {
    req.once('readable', () => {
      const head = req.read(2)
      run.log('server', 'head', head)
      req.unshift(head)
      req.setEncoding('latin1')
      let text = ''
      req.on('data', (chunk) => { text += chunk })
      req.on('end', () => {
        run.log('server', 'all', text)
        res.end('done')
      })
    })
  })
  const peer = run.dial()
  peer.send(post('Content-Length: 6') + 'abcdef')
  await peer.until('done')
})

scenario.server('more trailers than maxHeadersCount', async (run) => {
  for (const [limit, count] of [[4, 9], [4, 40], [40, 100], [null, 1010], [0, 40]]) {
    const server = await run.serve({}, (req, res) => {
      req.resume().on('end', () => {
        run.log('server', `limit ${limit}`, Object.keys(req.headers), Object.keys(req.trailers).length, Object.keys(req.trailersDistinct).length, req.rawTrailers.length, req.rawTrailers.at(-2))
        res.end('done\n')
      })
    })
    server.maxHeadersCount = limit
    server.on('clientError', (error, socket) => {
      run.log('server', 'clientError', error)
      socket.destroy()
    })
    const peer = run.dial()
    peer.send(post('Transfer-Encoding: chunked') + '0\r\n' + Array.from({ length: count }, (_, index) => `t${index}: y\r\n`).join('') + '\r\n')
    await peer.when(() => peer.ending !== undefined || peer.received.includes('done\n'))
  }
})

scenario.server('optimizeEmptyRequests starts requests without a body as ended', async (run) => {
  await run.serve({ optimizeEmptyRequests: true }, (req, res) => {
    run.watch('server', req, ['end', 'close'], 'req ')
    run.log('server', 'state', req.readableEnded, req.destroyed, req.complete, req.readable)
    res.end('done\n')
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until('done\n')
  peer.send(post('Content-Length: 3'), 'abc')
  await peer.until('done\n', 2)
})

scenario.server('a body that is not read pauses the socket', async (run) => {
  let paused
  await run.serve({}, (req, res) => {
    const { socket } = req
    paused = run.once(socket, 'pause')
    // Whether it happens again hangs on how the bytes come.
    for (const event of ['pause', 'resume']) socket.once(event, () => run.log('server', `socket ${event}`))
    res.flushHeaders()
    paused.then(() => {
      run.log('server', 'paused', socket.isPaused())
      req.resume().on('end', () => res.end('done\n'))
    })
  })
  const peer = run.dial()
  peer.send('POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n' + 'x'.repeat(200000))
  await peer.ended()
})

for (const [name, pause] of Object.entries({
  'with a listener for its data': (req) => req.on('data', () => {}).pause(),
  'behind resume()': (req) => req.resume().pause(),
  'from the beginning': (req) => req.pause()
})) {
  for (const rest of [0, 100000]) {
    scenario.server(`the body of a request that is paused ${name} makes room for the next, ${rest} bytes behind its first part`, async (run) => {
      // More than is read ahead comes with the head, so that reading waits.
      await run.serve({ highWaterMark: 1000 }, (req, res) => {
        if (req.method === 'GET') {
          res.end('second\n')
          return
        }
        pause(req)
        run.watch('server', req, ['end', 'close'], 'req ')
        res.end('first\n')
      })
      const peer = run.dial()
      peer.send(post(`Content-Length: ${5000 + rest}`) + 'x'.repeat(5000))
      await peer.until('first\n')
      peer.send('x'.repeat(rest) + 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      await peer.until('second\n')
    })
  }
}

/** Turns of the event loop. */
async function turns (count) {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate)
}

/**
 * Turns until a body is read on, and from then until its answer begins, which takes one more: with more of them core may see FIN
 * before, and ends its side. So it is here, but sometimes the answer is sent, since another thread reads.
 */
const ANSWERED = [[0, 0], [0, 1], [1, 0], [2, 0]]

for (const rest of [1, 5000]) {
  for (const [begins, later] of ANSWERED) {
    scenario.server(`a body's last ${rest} bytes that come with the peer's FIN, read after ${begins} turns and answered ${later} turns later`, async (run) => {
      let closed
      const over = new Promise((resolve) => { closed = resolve })
      // What comes with the head fills the buffer, so that reading waits, and the kernel has the rest and FIN when it goes on.
      await run.serve({ highWaterMark: 1000 }, async (req, res) => {
        // Each by itself: the thread that reads may be late, and the answer over by then.
        const messages = [run.watch('request', req, ['end', 'close', 'error']), run.watch('response', res, ['finish', 'close', 'error'])]
        run.closed(...messages).then(closed)
        peer.socket.end(Buffer.alloc(rest, 'y'))
        await run.once(peer.socket, 'finish')
        await turns(begins)
        req.resume()
        await turns(later)
        res.write('first ')
        setImmediate(() => res.end(Buffer.alloc(70_000, 'x')))
      })
      const peer = run.dial()
      peer.send(Buffer.from(post(`Content-Length: ${5000 + rest}`) + 'y'.repeat(5000)))
      await peer.ended()
      await over
      run.log('client', 'received', peer.received.length)
    })
  }
}

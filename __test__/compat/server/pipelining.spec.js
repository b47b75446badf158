'use strict'

/**
 * Several requests on a connection before the first is answered: the order of responses, and what waits, fails or is lost
 * with them.
 */

const { scenario } = require('../../oracle')

const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')
const post = (path, body) => `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`

scenario.server('pipelined requests are all dispatched before the first is answered', async (run) => {
  const pending = []
  await run.serve({}, (req, res) => {
    run.log('server', 'request', req.url, res.socket === null, req.socket !== null)
    pending.push(() => res.end(`answer to ${req.url}\n`))
    if (pending.length === 3) for (const respond of pending) respond()
  })
  const peer = run.dial()
  peer.send(get('/1') + get('/2') + get('/3'))
  await peer.until('answer to /3\n')
})

scenario.server('answers given in reverse order are sent in the order of the requests', async (run) => {
  const pending = []
  const closed = []
  await run.serve({}, (req, res) => {
    run.watch('server', res, ['socket', 'prefinish', 'finish', 'close', 'drain'], `${req.url} `)
    closed.push(run.closed(res))
    pending.push(() => {
      res.write('a')
      res.end(`nswer to ${req.url}\n`)
      run.log('server', `${req.url} ended`, res.writableLength > 0, res.outputData.length, res.outputSize > 0)
    })
    if (pending.length === 3) for (const respond of pending.reverse()) respond()
  })
  const peer = run.dial()
  peer.send(get('/1') + get('/2') + get('/3'))
  await peer.until('/3\n')
  await Promise.all(closed)
})

scenario.server('a waiting answer flushes its head and its 1xx only in its turn', async (run) => {
  let first
  await run.serve({}, (req, res) => {
    if (req.url === '/1') {
      first = res
      return
    }
    res.writeProcessing()
    res.flushHeaders()
    res.write('second')
    setImmediate(() => {
      first.end('first')
      res.end()
    })
  })
  const peer = run.dial()
  peer.send(get('/1') + get('/2', 'Connection: close'))
  await peer.ended()
})

scenario.server('pipelined bodies stay with their requests', async (run) => {
  await run.serve({}, (req, res) => {
    const chunks = []
    req.on('data', (chunk) => chunks.push(chunk))
    req.on('end', () => {
      run.log('server', req.url, Buffer.concat(chunks))
      res.end(`${req.url}\n`)
    })
  })
  const peer = run.dial()
  peer.send(post('/1', 'one') + post('/2', '') + get('/3') + post('/4', 'four'))
  await peer.until('/4\n')
})

scenario.server('an unread body in the pipeline does not block the next request for ever', async (run) => {
  await run.serve({}, (req, res) => {
    run.log('server', 'request', req.url)
    res.end(`${req.url}\n`)
  })
  const peer = run.dial()
  peer.send(post('/1', 'x'.repeat(200000)) + get('/2'))
  await peer.until('/2\n')
})

scenario.server('Connection: close in the pipeline ends it', async (run) => {
  await run.serve({}, (req, res) => {
    run.log('server', 'request', req.url)
    res.end(`${req.url}\n`)
  })
  const peer = run.dial()
  peer.send(get('/1') + get('/2', 'Connection: close') + get('/3'))
  run.log('client', 'ended', await peer.ended())
})

scenario.server('a handler that closes in the pipeline keeps later requests from being answered', async (run) => {
  await run.serve({}, (req, res) => {
    run.log('server', 'request', req.url)
    if (req.url === '/2') res.setHeader('Connection', 'close')
    res.end(`${req.url}\n`)
  })
  const peer = run.dial()
  peer.send(get('/1') + get('/2') + get('/3'))
  run.log('client', 'ended', await peer.ended())
})

scenario.server('a hundred pipelined requests are answered in order', async (run) => {
  await run.serve({}, (req, res) => {
    if (Number(req.url.slice(1)) % 3 === 0) setImmediate(() => res.end(`${req.url}\n`))
    else res.end(`${req.url}\n`)
  })
  const peer = run.dial()
  peer.send(Array.from({ length: 100 }, (_, index) => get(`/${index}`)).join(''))
  await peer.until('/99\n')
})

scenario.server('a client that closes its connection with requests in the pipeline', async (run) => {
  const messages = []
  const server = await run.serve({}, (req, res) => {
    run.watch(req.url, req, ['aborted', 'close', 'error', 'end'], 'req ')
    run.watch(req.url, res, ['close', 'finish', 'error'], 'res ')
    messages.push(req)
    if (messages.length === 3) peer.reset()
  })
  run.watch('server', server, ['clientError'])
  const peer = run.dial()
  peer.send(get('/1') + get('/2') + get('/3'))
  await peer.closed()
  while (messages.length < 3) await new Promise(setImmediate)
  await run.closed(...messages)
})

scenario.server('a parse error behind a good request is answered after it', async (run) => {
  const server = await run.serve({}, (req, res) => {
    run.log('server', 'request', req.url)
    res.end(`${req.url}\n`)
  })
  run.watch('server', server, ['connection'])
  const peer = run.dial()
  peer.send(get('/1') + 'GARBAGE\r\n\r\n')
  run.log('client', 'ended', await peer.ended())
})

scenario.server('a parse error behind an unanswered request', async (run) => {
  const closed = []
  await run.serve({}, (req, res) => {
    closed.push(run.closed(req, res))
    run.watch('server', req, ['aborted', 'close', 'error'], 'req ')
    run.watch('server', res, ['close', 'finish'], 'res ')
    if (req.url === '/half') res.write('half')
  })
  for (const path of ['/none', '/half']) {
    const peer = run.dial()
    peer.send(get(path) + 'GARBAGE\r\n\r\n')
    run.log('client', 'ended', await peer.ended())
    await Promise.all(closed)
  }
})

scenario.server('many large answers in the pipeline pause reading and arrive whole', async (run) => {
  const server = await run.serve({}, (req, res) => res.end(Buffer.alloc(100000, req.url)))
  server.on('connection', (socket) => run.log('server', 'paused', socket.isPaused()))
  const peer = run.dial()
  peer.socket.pause()
  peer.send(Array.from({ length: 40 }, (_, index) => get(`/${index}`, ...(index === 39 ? ['Connection: close'] : []))).join(''))
  await run.sleep(20)
  peer.socket.resume()
  run.log('client', 'ended', await peer.ended())
  run.log('client', 'length', peer.chunks.reduce((sum, chunk) => sum + chunk.length, 0))
})

scenario.server('thousands of pipelined requests are answered with Buffers while their sender goes on', async (run) => {
  const body = Buffer.alloc(16 * 1024, 'A')
  let told = 0
  await run.serve({}, (req, res) => res.end(body, () => { told++ }))
  const peer = run.dial()
  peer.send(get('/').repeat(4999) + get('/', 'Connection: close'))
  await peer.ended()
  run.log('client', 'length', peer.chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  run.log('server', 'told', told)
})

scenario.server('ticks run between pipelined requests where the parser of core gives fields in groups, and there only', async (run) => {
  const many = Array.from({ length: 32 }, (_, index) => `a${index}: b`)
  const trailed = 'POST /trailed HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n'
  for (const requests of [[get('/1'), get('/2')], [trailed, get('/2'), get('/3')], [get('/1'), get('/2', ...many), get('/3'), get('/4')], [get('/1', ...many.slice(0, 29)), get('/2', ...many.slice(0, 30)), get('/3')], [trailed, 'garbage\r\n\r\n']]) {
    const closed = []
    const server = await run.serve({}, (req, res) => {
      closed.push(run.closed(req, res))
      run.log('server', 'request', req.url)
      process.nextTick(() => run.log('server', 'tick', req.url))
      req.resume().on('end', () => {
        run.log('server', 'end', req.url)
        res.end()
      })
    })
    server.on('clientError', (error, socket) => {
      run.log('server', 'clientError', error.code)
      socket.destroy()
    })
    const peer = run.dial()
    peer.send(requests.join('') + get('/last', 'Connection: close'))
    await peer.ended()
    await Promise.all(closed)
  }
})

scenario.server('an answer that waits its turn with more than fits gets a drain', async (run) => {
  const FRAGMENT = 64 * 1024
  const FRAGMENTS = 16
  let first
  await run.serve({}, (req, res) => {
    if (req.url === '/first') {
      first = res
      return
    }
    res.setHeader('Content-Length', FRAGMENT * FRAGMENTS)
    let left = FRAGMENTS
    const more = () => {
      while (left > 0) {
        left--
        if (!res.write(Buffer.alloc(FRAGMENT, 'x')) && left > 0) return res.once('drain', more)
      }
      res.end('', () => run.log('server', 'all is written'))
    }
    more()
    first.end('first')
  })
  const peer = run.dial()
  peer.send('GET /first HTTP/1.1\r\nHost: x\r\n\r\nGET /second HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until('first')
  await peer.when(() => peer.received.length > FRAGMENT * FRAGMENTS)
})

scenario.server('responses that wait learn of the loss of their connection as core\'s do', async (run) => {
  for (const act of [() => {}, (res) => res.write('part'), (res) => res.end('all')]) {
    const responses = []
    await run.serve({}, (req, res) => {
      req.on('error', () => {})
      req.on('close', () => run.log('server', 'req close', req.url))
      res.on('close', () => run.log('server', 'res close', req.url, res.destroyed, res.errored, res.writableFinished))
      responses.push(res)
      if (responses.length > 1) act(res)
      if (responses.length === 3) peer.socket.destroy()
    })
    const peer = run.dial()
    peer.send(get('/1') + get('/2') + get('/3'))
    while (responses.length < 3) await new Promise(setImmediate)
    await run.closed(responses[0])
    await new Promise(setImmediate)
    run.log('server', 'errors', ...responses.map((res) => res.errored))
  }
})

scenario.server('an answer that is corked behind its end keeps its place, and those behind it theirs', async (run) => {
  let closed = 0
  const allClosed = new Promise((resolve) => {
    run.serve({}, (req, res) => {
      run.watch('server', res, ['prefinish', 'finish', 'close'], `${req.url} `)
      res.on('close', () => { if (++closed === 4) resolve() })
      const answer = () => {
        res.end(`answer to ${req.url}\n`)
        res.cork()
        res.flushHeaders()
        res.uncork()
      }
      // The next has come by then, and waits.
      if (req.url === '/1') setImmediate(answer)
      else answer()
    }).then(() => run.dial().send(get('/1') + get('/2')).until('answer to /2\n').then(() => run.dial().send(get('/3') + get('/4'))))
  })
  await allClosed
})

'use strict'

/** maxConnections and maxRequestsPerSocket, and limits and times that are set to odd values: what goes out, and what is closed or dropped. */

const { scenario } = require('../../oracle')

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')
const post = (path, body, ...fields) => [`POST ${path} HTTP/1.1`, 'Host: x', `Content-Length: ${body.length}`, ...fields, '', body].join('\r\n')

for (const limit of [1, 2, 3]) {
  scenario.server(`maxRequestsPerSocket ${limit}, pipelined`, async (run) => {
    const server = await run.serve({}, (req, res) => {
      run.log('server', 'request', req.url, res.maxRequestsOnConnectionReached, res.shouldKeepAlive, res._maxRequestsPerSocket)
      req.resume().on('end', () => res.end(`${req.url}\n`))
    })
    server.maxRequestsPerSocket = limit
    server.on('dropRequest', (req, socket) => run.log('server', 'dropRequest', req, socket === req.socket, req.headers))
    const peer = run.dial()
    peer.send(get('/1') + post('/2', 'body') + get('/3') + get('/4'))
    await peer.until('503', 4 - limit)
  })
}

scenario.server('maxRequestsPerSocket: which requests count, and which events come first', async (run) => {
  const server = await run.serve({}, (req, res) => res.end(`${req.url}\n`))
  server.maxRequestsPerSocket = 1
  run.watch('server', server, ['dropRequest', 'checkContinue', 'checkExpectation'])
  for (const event of ['upgrade', 'connect']) {
    server.on(event, (req, socket, head) => {
      run.log('server', event, req, head)
      socket.destroy()
    })
  }
  const old = run.dial()
  old.send('GET /old1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
  await old.ended()
  for (const second of ['GET / HTTP/1.1\r\n\r\n', get('/2', 'Expect: 100-continue'), get('/2', 'Expect: x'), get('/2', 'Connection: Upgrade', 'Upgrade: x'), 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', get('/2', 'Connection: close')]) {
    const peer = run.dial()
    peer.send(get('/1', 'Connection: keep-alive'))
    await peer.until('/1\n')
    peer.send(second)
    await Promise.race([peer.ended(), peer.until('HTTP/1.1', 2)])
    await run.sleep(5)
  }
})

scenario.server('maxRequestsPerSocket changed while a connection lives', async (run) => {
  const server = await run.serve({}, (req, res) => res.end(`${req.url}\n`))
  const peer = run.dial()
  const exchange = async (path) => {
    peer.send(get(path))
    await peer.until('\r\n\r\n', Number(path.slice(1)))
    await run.sleep(5)
  }
  await exchange('/1')
  await exchange('/2')
  server.maxRequestsPerSocket = 3
  await exchange('/3')
  await exchange('/4')
  server.maxRequestsPerSocket = 0
  await exchange('/5')
})

for (const maxConnections of [0, 1, 2, undefined, null, Infinity]) {
  scenario.server(`maxConnections ${maxConnections}`, async (run) => {
    const server = await run.serve({}, (req, res) => res.end('over\n'))
    server.maxConnections = maxConnections
    let drops = 0
    server.on('drop', (data) => {
      drops++
      run.log('server', 'drop', { ...data, remotePort: typeof data.remotePort, localPort: typeof data.localPort })
    })
    const peers = []
    for (let count = 0; count < 3; count++) {
      const peer = run.dial()
      peers.push(peer)
      peer.send(GET)
      const end = await Promise.race([peer.ended(), peer.until('over\n')])
      run.log('client', 'got', end.startsWith('HTTP') ? 'an answer' : 'the end')
    }
    server.getConnections((error, count) => run.log('server', 'connections', error, count))
    run.log('server', 'drops', drops)
    peers[0].destroy()
    await run.sleep(20)
    const late = run.dial()
    late.send(GET)
    const end = await Promise.race([late.ended(), late.until('over\n')])
    run.log('client', 'late', end.startsWith('HTTP') ? 'an answer' : 'the end')
  })
}

scenario.server('maxConnections drops those beyond it', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('over\n'))
  server.maxConnections = 1
  server.on('drop', (data) => run.log('server', 'drop', Object.getPrototypeOf(data), Object.keys(data), data.localAddress, data.remoteFamily))
  const first = run.dial()
  first.send(GET)
  await first.until('over\n')
  const second = run.dial()
  run.log('second', 'ended', await second.ended())
  first.send(GET)
  await first.until('over\n', 2)
})

scenario.server('with maxRequestsPerSocket the last answer has Connection: close, and later requests are dropped', async (run) => {
  const server = await run.serve({}, (req, res) => {
    run.log('server', 'request', req.url, res.maxRequestsOnConnectionReached)
    res.end('over\n')
  })
  server.maxRequestsPerSocket = 2
  run.watch('server', server, ['dropRequest'])
  const peer = run.dial()
  for (let count = 1; count <= 3; count++) peer.send(get(`/${count}`))
  await peer.until('503')
  await peer.until('0\r\n\r\n')
})

const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

const odd = [
  undefined, null, false, true, '', 'a', '5000', '2', 0, -0, -1, -5000, 0.4, 1, 1.5, 2.9, 60, 999.9, 1000.5, 5000, NaN, Infinity, -Infinity,
  2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53, 1e30, [], [3], {}
]

function shown (value) {
  if (Object.is(value, -0)) return '-0'
  return typeof value === 'number' ? String(value) : JSON.stringify(value) ?? 'undefined'
}

/** A server and a client for each value, all at once; what is uncaught has no track of its own. */
async function each (run, options, set, handler, steps, values = odd) {
  const turns = []
  for (const value of values) {
    const track = `value ${shown(value)}`
    const server = await run.serve(options, (req, res) => handler(res, req, track))
    set(server, value, track)
    const peer = run.dial()
    turns.push(steps(peer, track, server))
  }
  await Promise.all(turns)
}

const answer = (res) => res.end('over\n')
const answers = (peer) => peer.received.split('over').length - 1

for (const name of ['keepAliveTimeout', 'maxRequestsPerSocket']) {
  scenario.server(`odd values of ${name} in the head of an answer`, (run) => each(run, { keepAliveTimeout: 5000 },
    (server, value) => { server[name] = value },
    (res, req, track) => run.attempt(track, 'answers', () => { res.end('over\n') }),
    async (peer, track) => {
      peer.send(request)
      await run.sleep(300)
      run.log(track, 'heard', peer.received.split('\r\n').filter((line) => /^(Connection|Keep-Alive)/.test(line)))
    }))
}

scenario.server('odd values of maxRequestsPerSocket: which requests are dropped', (run) => each(run, {},
  (server, value, track) => {
    server.maxRequestsPerSocket = value
    server.on('dropRequest', () => run.log(track, 'dropRequest'))
  },
  (res, req, track) => {
    run.log(track, 'request', res.maxRequestsOnConnectionReached)
    answer(res)
  },
  async (peer, track) => {
    for (let count = 0; count < 3; count++) {
      peer.send(request)
      await run.sleep(50)
    }
    run.log(track, 'answers', peer.received.split('HTTP/1.1 ').map((answer) => answer.slice(0, 3)))
  }))

scenario.server('odd values of keepAliveTimeout: when an idle connection is closed', (run) => each(run, { keepAliveTimeoutBuffer: 40 },
  (server, value) => { server.keepAliveTimeout = value },
  (res, req, track) => {
    res.on('finish', () => run.log(track, 'finish'))
    answer(res)
  },
  async (peer, track, { keepAliveTimeoutBuffer }) => {
    peer.send(request)
    await run.sleep(keepAliveTimeoutBuffer === undefined ? 1600 : 500)
    run.log(track, 'closed', peer.ending !== undefined)
    peer.send(request)
    await run.sleep(100)
    run.log(track, 'answers', answers(peer))
  }))

scenario.server('odd values of keepAliveTimeoutBuffer', (run) => each(run, { keepAliveTimeout: 30 },
  (server, value) => { if (server.keepAliveTimeoutBuffer !== undefined) server.keepAliveTimeoutBuffer = value },
  answer,
  async (peer, track, { keepAliveTimeoutBuffer }) => {
    peer.send(request)
    await run.sleep(500)
    if (keepAliveTimeoutBuffer !== undefined) run.log(track, 'closed', peer.ending !== undefined)
  }))

scenario.server('odd values of server.timeout', (run) => each(run, { keepAliveTimeout: 0 },
  (server, value, track) => {
    run.log(track, 'setTimeout', server.setTimeout(value) === server, server.timeout)
    server.on('timeout', (socket) => {
      run.log(track, 'timeout', socket.timeout)
      socket.destroy()
    })
  },
  (res) => setTimeout(answer, 250, res),
  async (peer, track) => {
    await run.sleep(20)
    peer.send(request)
    await run.sleep(400)
    run.log(track, 'answers', answers(peer), peer.ending !== undefined)
  },
  // A value that timers refuse throws, and leaves a socket open.
  odd.filter((value) => !value || (value > 0 && value !== Infinity && typeof value === 'number'))))

for (const name of ['headersTimeout', 'requestTimeout']) {
  scenario.server(`odd values of ${name}`, (run) => each(run, { connectionsCheckingInterval: 10 },
    (server, value) => {
      server.headersTimeout = server.requestTimeout = 0
      // What is no number ends the process of Node 20 and 22.
      if (typeof value !== 'number') return
      server[name] = value
    },
    answer,
    async (peer, track) => {
      peer.send('GET / HTTP/1.1\r\n')
      await run.sleep(400)
      run.log(track, 'received', peer.received.slice(0, 12), peer.ending !== undefined)
    }))
}

scenario.server('odd values of connectionsCheckingInterval', (run) => each(run, {},
  (server, value) => {
    server.headersTimeout = 5
    server.connectionsCheckingInterval = value
    server.emit('listening')
  },
  answer,
  async (peer, track) => {
    peer.send('GET / HTTP/1.1\r\n')
    await run.sleep(400)
    run.log(track, 'received', peer.received.slice(0, 12), peer.ending !== undefined)
  }))

for (const [moment, when] of Object.entries({ 'in its handler': (change) => change(), 'behind its handler': (change) => setImmediate(change) })) {
  scenario.server(`maxHeadersCount that a connection's last request changes ${moment} applies to the next connection`, async (run) => {
    for (let i = 0; i < 20; i++) {
      const server = run.server.createServer((req, res) => {
        run.log('server', 'fields', Object.keys(req.headers).length)
        when(() => {
          server.maxHeadersCount = 5
          res.end('over\n')
        })
      })
      server.maxHeadersCount = 3
      await run.listen(server)
      for (let j = 0; j < 2; j++) {
        const peer = run.dial()
        peer.socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n')
        await new Promise((resolve) => peer.socket.once('connect', resolve))
        // What came is read before JavaScript hears of the connection.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
        await peer.ended()
      }
    }
  })
}

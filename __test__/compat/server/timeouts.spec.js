'use strict'

/** server.timeout, headersTimeout, requestTimeout, and setTimeout() of requests and responses. */

const { scenario } = require('../../oracle')

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')

/** Whether something took about that long; generous upwards, since machines are busy. */
function took (start, least) {
  const elapsed = Date.now() - start
  return elapsed >= least - 15 && elapsed < least + 1500 ? 'in time' : elapsed
}

scenario.server('server.timeout destroys a silent connection', async (run) => {
  const server = await run.serve({}, () => {})
  run.log('server', 'chaining', server.setTimeout(60) === server, server.timeout)
  const accepted = run.once(server, 'connection')
  server.on('connection', (socket) => run.watch('server', socket, ['timeout', 'close', 'error'], 'socket '))
  const start = Date.now()
  const peer = run.dial()
  const [socket] = await accepted
  const closed = run.once(socket, 'close')
  run.log('client', 'ended', await peer.ended(), took(start, 60))
  await closed
})

scenario.server('server.timeout destroys a connection whose request is not answered', async (run) => {
  let closed
  const server = await run.serve({}, (req, res) => {
    run.watch('server', req, ['aborted', 'close', 'error', 'end'], 'req ')
    run.watch('server', res, ['close', 'finish', 'error'], 'res ')
    closed = run.closed(req, res)
  })
  server.setTimeout(60)
  const start = Date.now()
  const peer = run.dial()
  peer.send(GET)
  run.log('client', 'ended', await peer.ended(), took(start, 60))
  await closed
})

scenario.server('a timeout listener of the server keeps the connection', async (run) => {
  const server = await run.serve({}, (req, res) => {})
  server.setTimeout(40, (socket) => {
    run.log('server', 'timeout', socket, socket.destroyed)
    socket.end('HTTP/1.1 503 Later\r\n\r\n')
  })
  const peer = run.dial()
  peer.send(GET)
  run.log('client', 'ended', await peer.ended())
})

scenario.server('timeout listeners of a request, a response and the server get the timeout in this order', async (run) => {
  const server = await run.serve({}, (req, res) => {
    req.on('timeout', (socket) => run.log('server', 'req timeout', socket))
    res.on('timeout', (socket) => {
      run.log('server', 'res timeout', socket)
      res.end('late')
    })
    run.log('server', 'chaining', res.setTimeout(40, () => run.log('server', 'res callback')) === res)
  })
  server.on('timeout', (socket) => run.log('server', 'server timeout', socket))
  const peer = run.dial()
  peer.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc')
  await peer.until('late')
})

scenario.server('req.setTimeout calls back', async (run) => {
  await run.serve({}, (req, res) => {
    run.log('server', 'chaining', req.setTimeout(40, (...values) => {
      run.log('server', 'callback', ...values)
      res.end('late')
    }) === req, req.socket.timeout)
  })
  const peer = run.dial()
  peer.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc')
  await peer.until('late')
})

scenario.server('activity postpones the timeout', async (run) => {
  const server = await run.serve({}, (req, res) => req.on('end', () => res.end('whole')).resume())
  server.setTimeout(120)
  const peer = run.dial()
  peer.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n')
  for (let count = 0; count < 8; count++) {
    await run.sleep(40)
    peer.send('x')
  }
  await peer.until('whole')
})

scenario.server('headersTimeout answers 408', async (run) => {
  for (const bytes of ['', 'GET / HTTP/1.1\r\nHost:']) {
    await run.serve({ headersTimeout: 60, requestTimeout: 200, connectionsCheckingInterval: 20 }, (req, res) => res.end())
    const start = Date.now()
    const peer = run.dial()
    peer.send(bytes)
    run.log('client', 'ended', await peer.ended(), took(start, 60))
  }
})

scenario.server('headersTimeout is a clientError', async (run) => {
  const server = await run.serve({ headersTimeout: 60, connectionsCheckingInterval: 20 }, (req, res) => res.end())
  server.on('clientError', (error, socket) => {
    run.log('server', 'clientError', error, socket, socket.writable)
    socket.destroy()
  })
  const peer = run.dial()
  peer.send('GET / HT')
  run.log('client', 'ended', await peer.ended())
})

scenario.server('requestTimeout covers the body', async (run) => {
  let closed
  await run.serve({ requestTimeout: 80, headersTimeout: 40, connectionsCheckingInterval: 20 }, (req, res) => {
    run.watch('server', req, ['aborted', 'close', 'error'], 'req ')
    run.watch('server', res, ['close', 'finish'], 'res ')
    closed = run.closed(req, res)
    req.resume()
  })
  const start = Date.now()
  const peer = run.dial()
  peer.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nabc')
  run.log('client', 'ended', await peer.ended(), took(start, 80))
  await closed
})

scenario.server('requestTimeout comes even after the answer if the body is missing', async (run) => {
  await run.serve({ requestTimeout: 80, headersTimeout: 40, connectionsCheckingInterval: 20 }, (req, res) => res.end('early'))
  const peer = run.dial()
  peer.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nabc')
  run.log('client', 'ended', await peer.ended())
})

scenario.server('an idle keep-alive connection knows no headersTimeout', async (run) => {
  await run.serve({ headersTimeout: 40, requestTimeout: 40, connectionsCheckingInterval: 10 }, (req, res) => res.end('over\n'))
  const peer = run.dial()
  peer.send(GET)
  await peer.until('over\n')
  await run.sleep(150)
  peer.send(GET)
  await peer.until('over\n', 2)
  run.log('client', 'open', peer.ending)
})

scenario.server('a slow handler knows no requestTimeout', async (run) => {
  await run.serve({ headersTimeout: 30, requestTimeout: 30, connectionsCheckingInterval: 10 }, (req, res) => setTimeout(() => res.end('over\n'), 150))
  const peer = run.dial()
  peer.send(GET)
  await peer.until('over\n')
})

scenario.server('timeouts may be set on a running server', async (run) => {
  const server = await run.serve({ connectionsCheckingInterval: 20 }, (req, res) => res.end())
  run.log('server', 'defaults', server.headersTimeout, server.requestTimeout, server.keepAliveTimeout, server.timeout)
  server.headersTimeout = 50
  server.requestTimeout = 50
  const peer = run.dial()
  peer.send('GET / ')
  run.log('client', 'ended', await peer.ended())
})

scenario.module('bad timeouts are refused or taken', (run) => {
  const server = run.server.createServer()
  for (const value of [-1, NaN, Infinity, '5', 'x', null, undefined, {}, 1.5]) {
    run.attempt('server', `setTimeout(${value})`, () => server.setTimeout(value).timeout)
    run.attempt('request', `timeout: ${value}`, () => {
      const request = run.client.request({ timeout: value, createConnection: () => new (require('node:stream').PassThrough)() })
      request.on('error', () => {}).destroy()
      return request.timeout
    })
  }
})

scenario.server('server.timeout and the idle time of a kept connection emit timeout on the server', async (run) => {
  for (const listens of [true, false]) {
    const server = await run.serve({ keepAliveTimeout: 20, keepAliveTimeoutBuffer: 0 }, (req, res) => res.end('over\n'))
    const timedOut = listens
      ? new Promise((resolve) => server.on('timeout', (socket) => {
        run.log('server', 'timeout', socket.destroyed, socket._httpMessage)
        socket.end('bye')
        resolve()
      }))
      : undefined
    const peer = run.dial()
    peer.send(GET)
    await timedOut
    await peer.ended()
  }
})

scenario.server('server.timeout changed while a connection lives', async (run) => {
  const server = await run.serve({}, (req, res) => { if (req.url === '/answer') res.end('over\n') })
  server.on('timeout', (socket) => {
    run.log('server', 'timeout')
    socket.destroy()
  })
  const early = run.dial()
  early.send(get('/answer'))
  await early.until('over\n')
  server.setTimeout(30)
  early.send(get('/wait'))
  const late = run.dial()
  late.send(get('/wait'))
  await late.ended()
  await early.ended()
})

scenario.server('the timer of a server is found by its name', async (run) => {
  const server = await run.serve({}, () => {})
  const timer = () => server[Object.getOwnPropertySymbols(server).find(({ description }) => description === 'http.server.connectionsCheckingInterval')]
  run.log('server', 'listening', timer()._destroyed, timer().hasRef())
  const closed = run.once(server, 'close')
  server.close()
  await closed
  run.log('server', 'closed', timer()._destroyed)
})

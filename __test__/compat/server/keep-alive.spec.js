'use strict'

/** How a server decides whether a connection is kept, what it says of that, and when it closes an idle one. */

const { scenario } = require('../../oracle')

const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')

scenario.server('one connection serves several requests', async (run) => {
  const sockets = new Set()
  await run.serve({}, (req, res) => {
    sockets.add(req.socket)
    run.log('server', req.url, sockets.size, res.shouldKeepAlive)
    res.end(`${req.url}\n`)
  })
  const peer = run.dial()
  for (const path of ['/1', '/2', '/3']) {
    peer.send(get(path))
    await peer.until(`${path}\n`)
  }
})

for (const [what, fields, version] of [
  ['close', ['Connection: close'], '1.1'],
  ['keep-alive', ['Connection: keep-alive'], '1.1'],
  ['nothing with HTTP/1.0', [], '1.0'],
  ['keep-alive with HTTP/1.0', ['Connection: keep-alive'], '1.0'],
  ['a list with close', ['Connection: foo, close, bar'], '1.1'],
  ['a list with keep-alive and close', ['Connection: keep-alive, close'], '1.1'],
  ['Close in upper case', ['Connection: CLOSE'], '1.1'],
  ['an unknown token', ['Connection: closed'], '1.1'],
  ['Proxy-Connection', ['Proxy-Connection: close'], '1.1']
]) {
  scenario.server(`the Connection header of a request: ${what}`, async (run) => {
    let finished
    await run.serve({}, (req, res) => {
      run.log('server', 'shouldKeepAlive', res.shouldKeepAlive)
      finished = run.closed(res)
      res.end('over\n')
    })
    const peer = run.dial()
    peer.send([`GET / HTTP/${version}`, 'Host: x', ...fields, '', ''].join('\r\n'))
    await peer.until('over\n')
    await finished
    if (peer.received.includes('Connection: close')) run.log('client', 'ended', await peer.ended())
  })
}

for (const value of ['close', 'keep-alive', 'Close', 'upgrade', 'keep-alive, close', 'disclose', ['close'], ['keep-alive', 'x']]) {
  scenario.server(`the handler sets Connection: ${value}${Array.isArray(value) ? ' as an array' : ''}`, async (run) => {
    let finished
    await run.serve({}, (req, res) => {
      finished = run.closed(res)
      res.setHeader('Connection', value)
      res.end('over\n')
      run.log('server', 'after', res.shouldKeepAlive, res._last)
    })
    for (const field of ['Connection: keep-alive', 'Connection: close']) {
      const peer = run.dial()
      peer.send(get('/', field))
      await peer.until('over\n')
      await finished
      run.log('server', 'last', run.tracks.server.at(-1))
    }
  })
}

scenario.server('shouldKeepAlive = false closes after the response', async (run) => {
  await run.serve({}, (req, res) => {
    res.shouldKeepAlive = false
    res.end('over\n')
  })
  const peer = run.dial()
  peer.send(get('/'))
  run.log('client', 'ended', await peer.ended())
})

scenario.server('keepAliveTimeout is sent in the Keep-Alive header and can be changed per server', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('over\n'))
  for (const timeout of [5000, 100, 1999, 72000, 0]) {
    server.keepAliveTimeout = timeout
    const peer = run.dial()
    peer.send(get('/'))
    await peer.until('over\n')
  }
  server.keepAliveTimeout = 7000
  server.removeAllListeners('request')
  server.on('request', (req, res) => {
    res.setHeader('Keep-Alive', 'timeout=1')
    res.end('over\n')
  })
  const peer = run.dial()
  peer.send(get('/'))
  await peer.until('over\n')
})

scenario.server('an idle connection is closed after keepAliveTimeout and its buffer', async (run) => {
  const server = await run.serve({ keepAliveTimeout: 50, keepAliveTimeoutBuffer: 50 }, (req, res) => res.end('over\n'))
  run.log('server', 'buffer', server.keepAliveTimeoutBuffer)
  const peer = run.dial()
  peer.send(get('/'))
  await peer.until('over\n')
  const start = Date.now()
  run.log('client', 'ended', await peer.ended())
  const elapsed = Date.now() - start
  const expected = 50 + (server.keepAliveTimeoutBuffer ?? 1000)
  run.log('client', 'in time', elapsed >= expected - 30 && elapsed < expected + 700 ? true : elapsed)
})

scenario.server('a request in time renews the connection', async (run) => {
  await run.serve({ keepAliveTimeout: 60, keepAliveTimeoutBuffer: 100 }, (req, res) => setTimeout(() => res.end('over\n'), 30))
  const peer = run.dial()
  for (let count = 1; count <= 5; count++) {
    peer.send(get('/'))
    await peer.until('over\n', count)
    await run.sleep(50)
  }
  run.log('client', 'still open', peer.ending)
})

'use strict'

/** The Expect header: 100 Continue, 'checkContinue' and 'checkExpectation', and 1xx responses as a client gets them. */

const { scenario } = require('../../oracle')

const head = (...fields) => ['POST / HTTP/1.1', 'Host: x', ...fields, '', ''].join('\r\n')

function echo (run) {
  return (req, res) => {
    run.log('server', 'request', res._expect_continue, res._sent100)
    const chunks = []
    req.on('data', (chunk) => chunks.push(chunk))
    req.on('end', () => res.end(Buffer.concat(chunks)))
  }
}

scenario.server('100 Continue is sent before the body is asked for', async (run) => {
  await run.serve({}, echo(run))
  const peer = run.dial()
  peer.send(head('Content-Length: 4', 'Expect: 100-continue'))
  await peer.until('100 Continue\r\n\r\n')
  peer.send('body')
  await peer.until('body')
})

for (const value of ['100-Continue', 'foo, 100-continue', '100-continue; x', 'x100-continue', '200-ok', '']) {
  scenario.server(`Expect: ${value}`, async (run) => {
    await run.serve({}, echo(run))
    const peer = run.dial()
    peer.send(head('Content-Length: 4', 'Connection: close', `Expect: ${value}`) + 'body')
    run.log('client', 'ended', await peer.ended())
  })
}

scenario.server('Expect of an HTTP/1.0 client is ignored', async (run) => {
  await run.serve({}, echo(run))
  const peer = run.dial()
  peer.send('POST / HTTP/1.0\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody')
  await peer.ended()
})

scenario.server('a checkContinue listener decides', async (run) => {
  const server = await run.serve({}, echo(run))
  server.on('checkContinue', (req, res) => {
    run.log('server', 'checkContinue', req.headers.expect, res._sent100)
    if (req.url === '/no') return res.writeHead(413).end('too large')
    if (req.url === '/implicit') return res.end('no thanks')
    res.writeContinue((...values) => run.log('server', 'continue callback', ...values))
    run.log('server', 'sent', res._sent100)
    server.emit('request', req, res)
  })
  for (const path of ['/yes', '/no', '/implicit']) {
    const peer = run.dial()
    peer.send(head('Content-Length: 4', 'Expect: 100-continue').replace('/', path))
    await peer.until('\r\n\r\n')
    if (path === '/yes') {
      peer.send('body')
      await peer.until('body')
    } else {
      run.log('client', 'ended', await peer.ended())
    }
  }
})

scenario.server('a checkExpectation listener decides', async (run) => {
  const server = await run.serve({}, echo(run))
  server.on('checkExpectation', (req, res) => {
    run.log('server', 'checkExpectation', req.headers.expect)
    res.writeHead(417)
    res.end('never')
  })
  const peer = run.dial()
  peer.send(head('Content-Length: 0', 'Expect: miracles', 'Connection: close'))
  await peer.ended()
})

scenario('the client waits for continue and then sends', async (run) => {
  await run.serve({}, echo(run))
  const request = run.request({ method: 'POST', headers: { Expect: '100-continue', 'Content-Length': 4 } })
  run.watch('client', request, ['continue', 'information', 'response', 'finish'])
  await run.once(request, 'continue')
  request.end('body')
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
})

scenario('the client gets a final answer instead of continue', async (run) => {
  const server = await run.serve({}, echo(run))
  server.on('checkContinue', (req, res) => res.writeHead(417).end('no'))
  const request = run.request({ method: 'POST', headers: { Expect: '100-continue' } })
  run.watch('client', request, ['continue', 'information', 'finish', 'error'])
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
  request.end('too late')
  await run.closed(request)
})

scenario('informational responses of every kind arrive before the answer', async (run) => {
  await run.serve({}, (req, res) => {
    res.writeContinue()
    res.writeProcessing()
    run.log('server', 'hints', res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style', 'x-trace': 'id' }))
    res.writeEarlyHints({ link: ['</a.css>; rel=preload', '</b.js>; rel=preload'] }, (...values) => run.log('server', 'hints callback', ...values))
    res.setHeader('x-final', '1')
    res.end('final')
  })
  const request = run.request()
  run.watch('client', request, ['continue', 'information', 'response'])
  request.end()
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
})

scenario.server('bad arguments of informational responses are refused', async (run) => {
  await run.serve({}, (req, res) => {
    const attempt = (what, action) => run.attempt('server', what, action)
    for (const hints of [undefined, null, 'text', 5, { link: 'bad' }, { link: ['</a>; rel=x', 'bad'] }, { link: 5 }, {}, { link: [] },
      { link: null }, { link: '</a>; rel=x', 'bad name': 'x' }]) {
      attempt(`writeEarlyHints(${run.summary(hints)})`, () => res.writeEarlyHints(hints))
    }
    if (res.writeInformation) {
      for (const status of [99, 101, 200, '103', 103.5, undefined, 102]) attempt(`writeInformation(${status})`, () => res.writeInformation(status))
      attempt('with headers', () => res.writeInformation(110, { a: 'b', c: ['d', 'e'] }))
      attempt('with pairs', () => res.writeInformation(111, ['a', 'b']))
      attempt('with bad headers', () => res.writeInformation(111, { 'a b': 'b' }))
    }
    res.flushHeaders()
    attempt('late hints', () => res.writeEarlyHints({ link: '</a>; rel=x' }))
    attempt('late continue', () => res.writeContinue())
    attempt('late processing', () => res.writeProcessing())
    res.end()
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await peer.ended()
})

scenario.client('informational responses that a raw server sends', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    peer.send('HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\nHTTP/1.1 199 Whatever\r\n\r\n',
      'HTTP/1.1 102\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  const request = run.request()
  run.watch('client', request, ['continue', 'information', 'response', 'error', 'close'])
  request.end()
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
  await run.closed(request)
})

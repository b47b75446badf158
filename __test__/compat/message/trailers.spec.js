'use strict'

/** Trailers, in both directions. */

const { scenario } = require('../../oracle')

scenario('trailers of a response', async (run) => {
  await run.serve({}, (req, res) => {
    res.writeHead(200, { Trailer: 'X-One, X-Two' })
    res.write('body')
    res.addTrailers({ 'X-One': '1', 'X-Two': ['2', 'zwei'] })
    res.addTrailers([['X-Three', '3']])
    res.end()
  })
  await run.exchange()
})

scenario('trailers of a request', async (run) => {
  await run.serve({}, (req, res) => {
    run.log('server', 'before', req.trailers)
    req.resume().on('end', () => {
      run.log('server', 'after', req.trailers, req.rawTrailers, req.trailersDistinct)
      res.end()
    })
  })
  const request = run.request({ method: 'POST', headers: { Trailer: 'x-sum' } })
  request.write('body')
  request.addTrailers({ 'X-Sum': 'abc', 'x-latin': 'é' })
  request.end()
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
})

scenario('trailers without chunked coding are not sent', async (run) => {
  await run.serve({}, (req, res) => {
    res.setHeader('Content-Length', 4)
    res.addTrailers({ 'X-One': '1' })
    res.end('body')
  })
  await run.exchange()
})

scenario.server('a Trailer header without chunked coding is an error', async (run) => {
  await run.serve({}, (req, res) => {
    res.setHeader('Content-Length', 4)
    res.setHeader('Trailer', 'x')
    run.attempt('server', 'end', () => res.end('body') === res)
    if (!res.headersSent) res.destroy()
    else if (!res.writableEnded) res.destroy()
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await peer.ended()
})

scenario.server('bad trailers are refused', async (run) => {
  await run.serve({}, (req, res) => {
    res.write('x')
    for (const trailers of [{ 'a b': 'c' }, { a: 'b\nc' }, { a: '€' }, { a: undefined }, { a: 5 }, [['a', 'b']], ['a', 'b'], null, undefined, { '': 'x' }]) {
      run.attempt('server', run.summary(trailers), () => res.addTrailers(trailers))
    }
    res.end()
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await peer.ended()
})

scenario.client('trailers from a raw server', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n4\r\nbody\r\n0\r\nA: 1\r\na: 2\r\nSet-Cookie: c\r\nHost: h\r\n\r\n')
  })
  const request = run.request()
  request.end()
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
  run.log('client', 'trailers', response.trailers, response.trailersDistinct, response.rawTrailers)
})

'use strict'

/**
 * A message or its socket is destroyed while the rest of the message has already arrived on this machine: the packet that
 * is being parsed is parsed to its end, as in core; later ones are not read any more.
 */

const net = require('node:net')
const { scenario } = require('../../oracle')

const MESSAGE = ['aborted', 'end', 'error', 'close']

/** More than one read (64 KiB) of core's, and of ours. */
const BODY = 'x'.repeat(150_000)

/** Blocks the JS thread: what the peer has sent arrives meanwhile, wherever it is read. */
function block () {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30)
}

const get = (path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`

for (const [what, destroy] of [
  ['a request is destroyed', (request) => request.destroy()],
  ['a request is destroyed with an error', (request) => request.destroy(new Error('enough'))],
  ['a request is aborted', (request) => request.abort()],
  ['a response is destroyed', (request) => request.res.destroy()],
  ['the socket of a response is destroyed', (request) => request.socket.destroy()]
]) {
  scenario.client(`${what} at its first piece, and the rest is there`, async (run) => {
    const port = await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`)
    })
    const request = run.client.request({ port, host: '127.0.0.1', agent: false })
    run.watch('request', request, ['error', 'close', 'abort'])
    request.end()
    const [response] = await run.once(request, 'response')
    run.watch('response', response, MESSAGE)
    let pieces = 0
    response.on('data', () => {
      if (pieces++ !== 0) return
      block()
      destroy(request)
      run.log('state', 'given up', response.complete, response.aborted, response.destroyed)
    })
    await run.closed(request, response)
    run.log('state', 'closed', pieces, response.complete, response.aborted, response.readableEnded, request.destroyed)
  })

  scenario.client(`${what} behind its first packet, and the rest is there`, async (run) => {
    let sawFirst
    const first = new Promise((resolve) => { sawFirst = resolve })
    const port = await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
      await first
      peer.send('3\r\ndef\r\n0\r\n\r\n')
      block()
      destroy(request)
      run.log('state', 'given up', response.complete, response.aborted, response.destroyed)
    })
    const request = run.client.request({ port, host: '127.0.0.1', agent: false })
    run.watch('request', request, ['error', 'close', 'abort'])
    request.end()
    const [response] = await run.once(request, 'response')
    run.watch('response', response, [...MESSAGE, 'data'])
    response.once('data', () => setImmediate(() => sawFirst()))
    await run.closed(request, response)
    run.log('state', 'closed', response.complete, response.aborted, response.readableEnded, request.destroyed)
  })
}

for (const [what, destroy] of [
  ['a request is destroyed', (request) => request.destroy()],
  ['a response is destroyed', (request) => request.res.destroy()],
  ['the socket of a response is destroyed', (request) => request.socket.destroy()]
]) {
  for (const [over, connect] of [['a connection', undefined], ['a stream', net.connect]]) {
    scenario.client(`${what} in the middle of a body that ends with ${over}`, async (run) => {
      const port = await run.origin(async (peer) => {
        await peer.until('\r\n\r\n')
        peer.send('HTTP/1.1 200 OK\r\n\r\npart')
      })
      const request = run.client.request({ port, host: '127.0.0.1', agent: false, createConnection: connect })
      run.watch('request', request, ['error', 'close'])
      request.end()
      const [response] = await run.once(request, 'response')
      run.watch('response', response, [...MESSAGE, 'data'])
      response.once('data', () => setImmediate(destroy, request))
      await run.closed(request, response)
      run.log('state', 'closed', response.complete, response.aborted, response.readableEnded)
    })
  }
}

for (const [what, destroy] of [
  ['a request is destroyed', (req) => req.destroy()],
  ['a response is destroyed', (req, res) => res.destroy()],
  ['the socket of a request is destroyed', (req) => req.socket.destroy()]
]) {
  scenario.server(`${what} at its first piece, and the rest is there`, async (run) => {
    const closed = []
    await run.serve({}, (req, res) => {
      run.watch('request', req, MESSAGE)
      run.watch('response', res, ['finish', 'error', 'close'])
      closed.push(run.closed(req, res))
      let pieces = 0
      req.on('data', () => {
        if (pieces++ !== 0) return
        block()
        destroy(req, res)
        run.log('state', 'given up', req.complete, req.aborted, req.destroyed, res.destroyed)
      })
      req.on('close', () => run.log('state', 'closed', pieces, req.complete, req.aborted, req.readableEnded))
    })
    const peer = run.dial()
    peer.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}${get('/next')}`)
    await peer.ended()
    await Promise.all(closed)
  })

  scenario.server(`${what}, and the next one is there`, async (run) => {
    const closed = []
    const peers = []
    await run.serve({}, (req, res) => {
      run.log('server', 'request', req.url)
      run.watch('request', req, MESSAGE)
      closed.push(run.closed(req))
      if (req.url !== '/first') return
      peers[0].send(get('/second'))
      block()
      destroy(req, res)
      run.log('state', 'given up', req.complete, req.aborted, req.destroyed, res.destroyed)
    })
    peers.push(run.dial())
    peers[0].send(get('/first'))
    await peers[0].ended()
    await Promise.all(closed)
  })

  scenario.server(`${what}, and the next one came with it`, async (run) => {
    const closed = []
    await run.serve({}, (req, res) => {
      run.log('server', 'request', req.url)
      run.watch('request', req, MESSAGE)
      // Not every version emits the close of a response that waits for its turn.
      closed.push(run.closed(req))
      if (req.url === '/first') destroy(req, res)
    })
    const peer = run.dial()
    peer.send(get('/first') + get('/second'))
    await peer.ended()
    await Promise.all(closed)
  })
}

const WAYS = {
  'response.destroy()': (req, res) => res.destroy(),
  'request.destroy()': (req) => req.destroy(),
  'socket.destroy()': (req, res) => res.socket.destroy(),
  'destroy() in the next tick': (req, res) => process.nextTick(() => res.destroy()),
  'destroy() in a microtask': (req, res) => { Promise.resolve().then(() => res.destroy()) },
  'destroy() in the next turn': (req, res) => { setImmediate(() => res.destroy()) }
}

const SAID = {
  'a part': (res) => res.write('part'),
  'two parts': (res) => { res.write('part'); res.write('another') },
  'a head and a part': (res) => { res.flushHeaders(); res.write('part') },
  'a head': (res) => res.flushHeaders(),
  'an interim response and a part': (res) => { res.writeProcessing(); res.write('part') },
  'parts that were corked': (res) => { res.cork(); res.write('part'); res.write('another'); res.uncork() },
  'all of it': (res) => { res.shouldKeepAlive = false; res.write('part'); res.end('end') },
  'raw bytes': (res) => res.socket.write('raw')
}

for (const [what, say] of Object.entries(SAID)) {
  for (const [way, destroy] of Object.entries(WAYS)) {
    scenario.server(`what was sent before ${way} after ${what}`, async (run) => {
      const closed = []
      await run.serve({}, (req, res) => {
        run.watch('response', res, ['finish', 'error', 'close'])
        closed.push(run.closed(res))
        say(res)
        destroy(req, res)
      })
      const peer = run.dial()
      peer.send(get('/'))
      run.log('client', 'ended', await peer.ended())
      await Promise.all(closed)
    })
  }
}

/** Logs the bytes and the end of several connections in one track. */
function hear (run, name, peer) {
  peer.socket.on('data', (chunk) => run.log('heard', name, chunk.length > 0))
  peer.socket.on('end', () => run.log('heard', name, 'end'))
  peer.socket.on('error', (error) => run.log('heard', name, error.code))
}

scenario.server('the peer of a connection that is destroyed first gets its end before another peer gets its answer', async (run) => {
  const held = []
  const server = await run.serve({}, (req, res) => held.push(res))
  const peers = []
  for (const path of ['/given', '/answered']) {
    const peer = run.dial()
    hear(run, path, peer)
    peers.push(peer.send(get(path)))
    await run.once(server, 'request')
  }
  const [given, answered] = held
  given.destroy()
  answered.end('text')
  await run.closed(given)
  await Promise.all([peers[0].ended(), peers[1].until('text')])
})

scenario.server('a request is destroyed before its body is looked at, and its client has ended', async (run) => {
  let over
  await run.serve({}, (req, res) => {
    run.watch('request', req, MESSAGE)
    over = run.closed(req, req.socket)
    req.destroy()
  })
  const peer = run.dial()
  peer.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world')
  peer.end()
  await peer.closed()
  await over
})

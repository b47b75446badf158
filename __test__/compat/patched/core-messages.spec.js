'use strict'

/**
 * Core's own messages with prototypes made of ours, as express makes them of `http`'s: whatever server made a message,
 * it behaves as core's does.
 */

const core = require('node:http')
const { scenario } = require('../../oracle')

const MESSAGE = ['aborted', 'end', 'error', 'finish', 'prefinish', 'close', 'drain']

/** A server of core's whose messages get prototypes made of the module's. */
async function serve (run, handler) {
  const { IncomingMessage, ServerResponse } = run.server
  const [forRequests, forResponses] = [Object.create(IncomingMessage.prototype), Object.create(ServerResponse.prototype)]
  const server = core.createServer((req, res) => {
    Object.setPrototypeOf(req, forRequests)
    Object.setPrototypeOf(res, forResponses)
    run.watch('request', req, MESSAGE)
    run.watch('response', res, MESSAGE)
    handler(req, res)
  })
  await run.listen(server)
}

const HANDLERS = {
  'that is ended at once': (req, res) => res.end('body'),
  'of two parts': (req, res) => {
    res.write('one', () => {})
    res.end('two')
  },
  'with headers of every kind': (req, res) => {
    res.setHeader('A', 'b').appendHeader('A', 'c')
    res.setHeader('Gone', '1').removeHeader('gone')
    res.setHeader('Set-Cookie', ['a=b', 'c=d'])
    res.statusMessage = 'Fine'
    res.writeHead(201, { B: 'c' })
    res.end()
  },
  'with trailers': (req, res) => {
    res.setHeader('Trailer', 'X')
    res.write('part')
    res.addTrailers({ X: 'y' })
    res.end()
  },
  'in pieces that are corked': (req, res) => {
    res.cork()
    res.write('one')
    res.write('two')
    res.uncork()
    res.flushHeaders()
    res.end('three')
  },
  'behind interim ones': (req, res) => {
    res.writeProcessing()
    res.writeEarlyHints({ link: '</a>; rel=preload' })
    res.end('body')
  },
  'that repeats the body': (req, res) => req.pipe(res),
  'that is larger than any buffer': (req, res) => {
    let left = 40
    const more = () => {
      while (left-- > 0) if (!res.write('x'.repeat(10000))) return res.once('drain', more)
      res.end()
    }
    more()
  },
  'that never comes': (req, res) => res.destroy(),
  'to a request that is destroyed': (req) => req.destroy(new Error('enough'))
}

for (const [what, handler] of Object.entries(HANDLERS)) {
  scenario.server(`a response of core's ${what}`, async (run) => {
    const closed = []
    await serve(run, (req, res) => {
      closed.push(run.closed(req, res))
      run.log('server', 'request', req.headers, req.headersDistinct, req.rawHeaders, req.trailers, req.complete, req.socket !== null)
      run.attempt('server', 'a bad name', () => res.setHeader('bad name', 'x'))
      handler(req, res)
      run.log('server', 'state', res.headersSent, res.writableEnded, res.writableFinished, res.getHeaders(), res.getHeaderNames(),
        res.getRawHeaderNames(), res.hasHeader('a'), res.statusCode, res.closed, res.destroyed, res.errored)
      res.once('finish', () => run.log('server', 'finished', res.writableLength, res.writableHighWaterMark, res.writableCorked,
        res.writableNeedDrain, res.writableObjectMode))
    })
    const peer = run.dial()
    peer.send('POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\nA: b\r\nA: c\r\n\r\nhello')
    run.log('client', 'ended', await peer.ended())
    await Promise.all(closed)
  })
}

scenario.module('members of messages do not throw on a bare prototype, nor on an object that no constructor has seen', (run) => {
  for (const name of ['IncomingMessage', 'OutgoingMessage', 'ServerResponse']) {
    const { prototype } = run.server[name]
    for (const key of Object.keys(core[name].prototype)) {
      for (const target of [prototype, Object.create(prototype)]) run.attempt(name, key, () => typeof target[key])
    }
  }
})

/** How an exchange ends whose response is not whole. */
const ENDS = {
  'whose client leaves' (run, peer) { peer.socket.destroy() },
  'whose server closes' (run, peer, server) { server.closeAllConnections() },
  'that takes too long' () {}
}

for (const [how, end] of Object.entries(ENDS)) {
  scenario.server(`an exchange ${how}, with a response of core's in the place of its own`, async (run) => {
    let closed
    const server = run.server.createServer((req, res) => {
      const { socket } = req
      closed = new Promise((resolve) => { req.on('close', resolve) })
      run.watch('exchange', req, ['aborted', 'error', 'close'])
      res.detachSocket(socket)
      const other = new core.ServerResponse(req)
      run.watch('exchange', other, ['finish', 'error', 'close'])
      other.assignSocket(socket)
      other.write('part')
    })
    if (how === 'that takes too long') server.timeout = 50
    await run.listen(server)
    const peer = await run.dial()
    peer.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await peer.until('part')
    end(run, peer, server)
    await closed
    peer.socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
}

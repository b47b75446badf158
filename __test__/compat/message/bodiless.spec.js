'use strict'

/** Messages that have no body: responses to HEAD, 204, 304 and 205. */

const { scenario } = require('../../oracle')

const KINDS = { 'HEAD': ['HEAD', 200], '204': ['GET', 204], '304': ['GET', 304], '205': ['GET', 205], 'HEAD with 204': ['HEAD', 204] }

const WRITERS = {
  'end()': (res) => res.end(),
  'end(body)': (res) => res.end('body'),
  'write and end': (res) => {
    res.write('bo')
    res.end('dy')
  },
  'Content-Length and end(body)': (res) => {
    res.setHeader('Content-Length', 4)
    res.end('body')
  },
  'Transfer-Encoding and end(body)': (res) => {
    res.setHeader('Transfer-Encoding', 'chunked')
    res.end('body')
  },
  'a trailer': (res) => {
    res.setHeader('Trailer', 'x')
    res.write('body')
    res.addTrailers({ x: '1' })
    res.end()
  }
}

for (const [kind, [method, status]] of Object.entries(KINDS)) {
  for (const [what, write] of Object.entries(WRITERS)) {
    scenario(`${kind} answered with ${what}`, async (run) => {
      const closed = []
      await run.serve({}, (req, res) => {
        run.watch('server', res, ['finish', 'close'], 'res ')
        closed.push(run.closed(res))
        res.statusCode = status
        run.attempt('server', 'write', () => { write(res) })
        run.log('server', 'state', res._hasBody, res.chunkedEncoding, res.shouldKeepAlive)
        if (!res.writableEnded) res.destroy()
      })
      await run.exchange({ method })
      await Promise.all(closed)
      await run.exchange({ method, path: '/second' })
      await Promise.all(closed)
    })
  }
}

scenario.server('rejectNonStandardBodyWrites throws', async (run) => {
  await run.serve({ rejectNonStandardBodyWrites: true }, (req, res) => {
    res.statusCode = Number(req.headers['x-status'])
    run.attempt('server', 'write', () => res.write('body'))
    run.attempt('server', 'end', () => res.end('body') === res)
    if (!res.writableEnded) res.end()
  })
  for (const [method, status] of Object.values(KINDS)) {
    const peer = run.dial()
    peer.send(`${method} / HTTP/1.1\r\nHost: x\r\nX-Status: ${status}\r\nConnection: close\r\n\r\n`)
    await peer.ended()
  }
})

scenario.server('callbacks of suppressed bodies are called', async (run) => {
  await run.serve({}, (req, res) => {
    run.log('server', 'write', res.write('body', (error) => run.log('server', 'write callback', error)))
    res.end('more', (error) => run.log('server', 'end callback', error))
  })
  const peer = run.dial()
  peer.send('HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await peer.ended()
})

for (const [what, bytes] of Object.entries({
  'HEAD with a length': 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n',
  'HEAD with chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
  '204 with a length': 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n',
  '304 with a length': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'
})) {
  scenario.client(`a raw server answers ${what}`, async (run) => {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send(bytes)
      await peer.until('\r\n\r\n', 2)
      peer.send(bytes)
    })
    const method = what.startsWith('HEAD') ? 'HEAD' : 'GET'
    await run.exchange({ method, path: '/1' })
    await run.exchange({ method, path: '/2' })
  })
}

'use strict'

/**
 * How a response is framed, by its headers and the version of its request: Content-Length, chunked, or the end of the
 * connection.
 */

const { scenario } = require('../../oracle')

const HEADS = {
  'HTTP/1.1': 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  'HTTP/1.0': 'GET / HTTP/1.0\r\n\r\n',
  'HTTP/1.0 with TE: chunked': 'GET / HTTP/1.0\r\nTE: chunked\r\n\r\n',
  'HTTP/1.0 keep-alive': 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'
}

const HANDLERS = {
  'end(body)': (res) => res.end('body'),
  'end()': (res) => res.end(),
  'write and end': (res) => {
    res.write('a')
    setImmediate(() => res.end('b'))
  },
  'Content-Length set': (res) => {
    res.setHeader('Content-Length', 4)
    res.write('bo')
    setImmediate(() => res.end('dy'))
  },
  'Transfer-Encoding set': (res) => {
    res.setHeader('Transfer-Encoding', 'chunked')
    res.end('body')
  },
  'Transfer-Encoding set to another coding': (res) => {
    res.setHeader('Transfer-Encoding', 'gzip')
    res.end('body')
  },
  'Transfer-Encoding set to gzip, chunked': (res) => {
    res.setHeader('Transfer-Encoding', 'gzip, chunked')
    res.end('body')
  },
  'Transfer-Encoding and Content-Length set': (res) => {
    res.setHeader('Transfer-Encoding', 'chunked')
    res.setHeader('Content-Length', 4)
    res.end('body')
  },
  'Content-Length removed': (res) => {
    res.removeHeader('Content-Length')
    res.end('body')
  },
  'Transfer-Encoding removed': (res) => {
    res.removeHeader('Transfer-Encoding')
    res.write('body')
    res.end()
  },
  'Content-Length and Transfer-Encoding removed': (res) => {
    res.removeHeader('Content-Length')
    res.removeHeader('Transfer-Encoding')
    res.end('body')
  },
  'Connection and Date removed': (res) => {
    res.removeHeader('Connection')
    res.removeHeader('Date')
    res.end('body')
  },
  'useChunkedEncodingByDefault off': (res) => {
    res.useChunkedEncodingByDefault = false
    res.write('body')
    res.end()
  },
  'a declared Trailer': (res) => {
    res.setHeader('Trailer', 'x-sum')
    res.addTrailers({ 'X-Sum': '1' })
    res.end('body')
  },
  '_contentLength set by hand': (res) => {
    res._contentLength = 4
    res.write('body')
    res.end()
  }
}

for (const [version, head] of Object.entries(HEADS)) {
  for (const [what, handle] of Object.entries(HANDLERS)) {
    scenario.server(`${what}, to a request of ${version}`, async (run) => {
      const closed = []
      await run.serve({}, (req, res) => {
        closed.push(run.closed(res))
        run.attempt('server', 'handler', () => { handle(res) })
        if (run.tracks.server?.some((line) => line.includes('throws'))) req.socket.destroy()
      })
      const peer = run.dial()
      peer.send(head)
      peer.when(() => peer.received.includes('\r\nConnection: keep-alive')).then(() => closed[0]).then(() => peer.end())
      run.log('client', 'ended', await peer.ended())
      await Promise.all(closed)
    })
  }
}

'use strict'

/** Bytes that are no HTTP, or almost: which of them a server refuses, at which offset, and with which error. */

const { Duplex } = require('node:stream')
const { scenario } = require('../../oracle')

const HEAD = 'GET / HTTP/1.1\r\nHost: x\r\n'
const POST = 'POST / HTTP/1.1\r\nHost: x\r\n'
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`

/** Bytes that a server gets; most are errors, some are not, and core is the judge. */
const CASES = {
  'lower-case method': 'get / HTTP/1.1\r\nHost: x\r\n\r\n',
  'unknown method': 'FETCH / HTTP/1.1\r\nHost: x\r\n\r\n',
  'method cut short': 'GE / HTTP/1.1\r\n\r\n',
  'RTSP method over HTTP': 'PLAY / HTTP/1.1\r\nHost: x\r\n\r\n',
  'RTSP method over RTSP': 'PLAY / RTSP/1.0\r\n\r\n',
  'SOURCE over ICE': 'SOURCE / ICE/1.0\r\n\r\n',
  'garbage': 'garbage\r\n\r\n',
  'TLS client hello': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  'HTTP/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'a response': 'HTTP/1.1 200 OK\r\n\r\n',
  'leading CRLFs': `\r\n\r\n${HEAD}\r\n`,
  'leading space': ` ${HEAD}\r\n`,
  'two spaces before the target': 'GET  / HTTP/1.1\r\nHost: x\r\n\r\n',
  'tab before the target': 'GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n',
  'no target': 'GET HTTP/1.1\r\nHost: x\r\n\r\n',
  'no version': 'GET /\r\n\r\n',
  'target without slash': 'GET foo HTTP/1.1\r\nHost: x\r\n\r\n',
  'target with space': 'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n',
  'target with tab': 'GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n',
  'target with NUL': 'GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n',
  'target with DEL': 'GET /a\x7fb HTTP/1.1\r\nHost: x\r\n\r\n',
  'target with UTF-8': 'GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n',
  'lower-case http': 'GET / http/1.1\r\nHost: x\r\n\r\n',
  'version 1.2': 'GET / HTTP/1.2\r\nHost: x\r\n\r\n',
  'version without minor': 'GET / HTTP/1\r\nHost: x\r\n\r\n',
  'space after the version': 'GET / HTTP/1.1 \r\nHost: x\r\n\r\n',
  'LF after the version': 'GET / HTTP/1.1\nHost: x\r\n\r\n',
  'LF after a field': 'GET / HTTP/1.1\r\nHost: x\n\r\n',
  'LF as the empty line': 'GET / HTTP/1.1\r\nHost: x\r\n\n',
  'CR without LF in a value': `${HEAD}A: b\rc\r\n\r\n`,
  'CR without LF at the end': `${HEAD}\r\rG`,
  'space before the colon': `${HEAD}Name : x\r\n\r\n`,
  'tab in a name': `${HEAD}Na\tme: x\r\n\r\n`,
  'empty name': `${HEAD}: x\r\n\r\n`,
  'no colon': `${HEAD}Name\r\n\r\n`,
  'latin1 in a name': `${HEAD}N\xe4me: x\r\n\r\n`,
  'continuation line': `${HEAD}A: b\r\n c\r\n\r\n`,
  'continuation line with a tab': `${HEAD}A: b\r\n\tc\r\n\r\n`,
  'first field starts with space': 'GET / HTTP/1.1\r\n Host: x\r\n\r\n',
  'NUL in a value': `${HEAD}A: b\0c\r\n\r\n`,
  'control character in a value': `${HEAD}A: b\x01c\r\n\r\n`,
  'DEL in a value': `${HEAD}A: b\x7fc\r\n\r\n`,
  'latin1 in a value': `${HEAD}A: b\xffc\r\n\r\n`,
  'negative Content-Length': `${POST}Content-Length: -1\r\n\r\n`,
  'Content-Length with a plus': `${POST}Content-Length: +1\r\n\r\na`,
  'empty Content-Length': `${POST}Content-Length:\r\n\r\n`,
  'Content-Length as a list': `${POST}Content-Length: 5, 5\r\n\r\nhello`,
  'Content-Length with text': `${POST}Content-Length: 5a\r\n\r\nhello`,
  'Content-Length with spaces inside': `${POST}Content-Length: 1 1\r\n\r\nhello`,
  'Content-Length with spaces around': `${POST}Content-Length:  5  \r\n\r\nhello`,
  'Content-Length with a tab behind': `${POST}Content-Length: 5\t\r\n\r\nhello`,
  'Content-Length with a tab before': `${POST}Content-Length:\t5\r\n\r\nhello`,
  'Content-Length in hex': `${POST}Content-Length: 0x5\r\n\r\nhello`,
  'Content-Length too large': `${POST}Content-Length: 99999999999999999999\r\n\r\n`,
  'the same Content-Length twice': `${POST}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`,
  'two Content-Lengths': `${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`,
  'Content-Length, then Transfer-Encoding': `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'Transfer-Encoding, then Content-Length': `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
  'Transfer-Encoding: gzip': `${POST}Transfer-Encoding: gzip\r\n\r\nabc`,
  'Transfer-Encoding: identity': `${POST}Transfer-Encoding: identity\r\n\r\nabc`,
  'Transfer-Encoding: chunked, gzip': `${POST}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`,
  'Transfer-Encoding: xchunked': `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
  'Transfer-Encoding: chunked twice in one line': `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`,
  'Transfer-Encoding twice': `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'Transfer-Encoding empty': `${POST}Transfer-Encoding:\r\n\r\nabc`,
  'Transfer-Encoding empty and Content-Length': `${POST}Transfer-Encoding:\r\nContent-Length: 3\r\n\r\nabc`,
  'Transfer-Encoding empty and chunked': `${POST}Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'Transfer-Encoding with a semicolon': `${POST}Transfer-Encoding: chunked;x\r\n\r\n0\r\n\r\n`,
  'chunk size that is no number': `${CHUNKED}xyz\r\n`,
  'chunk size with 0x': `${CHUNKED}0x3\r\nabc\r\n0\r\n\r\n`,
  'chunk size with a space behind': `${CHUNKED}3 \r\nabc\r\n0\r\n\r\n`,
  'chunk size with a space before': `${CHUNKED} 3\r\nabc\r\n0\r\n\r\n`,
  'chunk size too large': `${CHUNKED}fffffffffffffffff\r\n`,
  'chunk size negative': `${CHUNKED}-1\r\n`,
  'chunk size empty': `${CHUNKED}\r\nabc\r\n`,
  'LF after the chunk size': `${CHUNKED}3\nabc\r\n0\r\n\r\n`,
  'chunk data without CRLF': `${CHUNKED}3\r\nabcd\r\n0\r\n\r\n`,
  'LF after chunk data': `${CHUNKED}3\r\nabc\n0\r\n\r\n`,
  'chunk extension with a bare CR': `${CHUNKED}3;a\rb\r\nabc\r\n0\r\n\r\n`,
  'chunk extension with a bare LF': `${CHUNKED}3;a\nabc\r\n0\r\n\r\n`,
  'chunk extension with control characters': `${CHUNKED}3;a\x01\r\nabc\r\n0\r\n\r\n`,
  'chunk extension quoted badly': `${CHUNKED}3;a="b\r\nabc\r\n0\r\n\r\n`,
  'chunk extensions too long': `${CHUNKED}3;${'a'.repeat(20000)}\r\nabc\r\n0\r\n\r\n`,
  'Content-Length as a trailer': `${CHUNKED}0\r\nContent-Length: 5\r\n\r\n`,
  'Transfer-Encoding as a trailer': `${CHUNKED}0\r\nTransfer-Encoding: chunked\r\n\r\n`,
  'bad trailer': `${CHUNKED}0\r\nNa me: x\r\n\r\n`,
  'header too large': `${HEAD}A: ${'b'.repeat(17000)}\r\n\r\n`,
  'header as large as allowed': `${HEAD}A: ${'b'.repeat(16383 - 1 - 5 - 1)}\r\n\r\n`,
  'header one byte too large': `${HEAD}A: ${'b'.repeat(16384 - 1 - 5 - 1)}\r\n\r\n`,
  'target too large': `GET /${'a'.repeat(17000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  'trailer too large': `${CHUNKED}0\r\nA: ${'b'.repeat(17000)}\r\n\r\n`,
  'bytes behind Connection: close': `${HEAD}Connection: close\r\n\r\nmore`,
  'bytes behind Connection: close and a tab': `${HEAD}Connection: close\t\r\n\r\nmore`,
  'Upgrade with Connection: upgrade and a tab': `${HEAD}Connection: upgrade\t\r\nUpgrade: x\r\n\r\n`,
  'CRLF behind Connection: close': `${HEAD}Connection: close\r\n\r\n\r\n`,
  'CRLFs behind a body': `${POST}Content-Length: 3\r\n\r\nabc\r\n\r\n${HEAD}\r\n`,
  'garbage behind a body': `${POST}Content-Length: 3\r\n\r\nabcdef\r\n\r\n`,
  'FIN in the start line': 'GET / HT',
  'FIN in the header': `${HEAD}A: b`,
  'FIN in a body': `${POST}Content-Length: 10\r\n\r\nabc`,
  'FIN in a chunk': `${CHUNKED}5\r\nab`,
  'FIN before a byte': ''
}

/** `finish` ends the connection after an error. */
function watchServer (run, server, finish = (socket) => socket.destroy()) {
  server.on('clientError', (error, socket) => {
    run.log('server', 'clientError', error, socket.writable)
    run.log('server', 'keys', Object.keys(error).sort())
    if (socket.writable) socket.write('HTTP/1.1 400 Bad\r\n\r\n', () => finish(socket))
    else socket.destroy()
  })
  server.on('request', (req, res) => {
    run.log('server', 'request', req.method, req.url, req.httpVersion, req.rawHeaders)
    const length = { all: 0 }
    req.on('data', (chunk) => { length.all += chunk.length })
    req.on('end', () => {
      run.log('server', 'end', length.all, req.rawTrailers)
      res.end('ok\n')
    })
  })
  return server
}

for (const [what, bytes] of Object.entries(CASES)) {
  scenario.server(`a server that gets ${what}`, async (run) => {
    await run.listen(watchServer(run, run.server.createServer({ keepAliveTimeout: 0 }), (socket) => socket.end()))
    const peer = run.dial()
    peer.send(bytes)
    peer.end()
    await peer.ended()
  })

  scenario.server(`a server that gets ${what} and has no listener for errors`, async (run) => {
    await run.serve({}, (req, res) => {
      run.log('server', 'request', req.method, req.url)
      req.resume().on('end', () => res.end('ok\n'))
    })
    const peer = run.dial()
    peer.send(bytes)
    peer.end()
    run.log('client', 'received', (await peer.ended(), peer.received))
  })
}

/** A duplex whose bytes come one by one, or in parts of a length, in a turn of their own each, so that offsets are the same in every run. */
class Slow extends Duplex {
  constructor (bytes, part = 1) {
    super()
    this.part = part
    this.bytes = Buffer.from(bytes, 'latin1')
    this.at = 0
    this.written = []
  }

  _read () {
    const from = this.at
    this.at += this.part
    setImmediate(() => this.push(from < this.bytes.length ? this.bytes.subarray(from, this.at) : null))
  }

  _write (chunk, encoding, callback) {
    this.written.push(chunk)
    callback()
  }
}

for (const [what, bytes] of Object.entries(CASES).filter(([, bytes]) => bytes.length < 200)) {
  scenario.server(`a server that gets ${what} byte by byte through a duplex`, async (run) => {
    const server = watchServer(run, run.server.createServer())
    const duplex = new Slow(bytes)
    server.emit('connection', duplex)
    duplex.on('error', (error) => run.log('server', 'duplex error', error))
    await run.closed(duplex)
    run.log('client', 'received', Buffer.concat(duplex.written))
  })
}

scenario.server('a duplex that goes on sending after an error', async (run) => {
  const server = watchServer(run, run.server.createServer(), (socket) => socket.end())
  const duplex = new Slow('garbage\r\n\r\n')
  server.emit('connection', duplex)
  duplex.on('error', (error) => run.log('server', 'duplex error', error))
  await run.closed(duplex)
  run.log('client', 'received', Buffer.concat(duplex.written))
})

/** Requests that are over before the bytes behind them are wrong, with what is seen of their ends. */
const COMPLETE = {
  'no body': `${HEAD}\r\n`,
  'an empty chunked body': `${CHUNKED}0\r\n\r\n`,
  'an empty chunked body with a trailer': `${CHUNKED}0\r\nX: y\r\n\r\n`,
  'a chunk': `${CHUNKED}1\r\nx\r\n0\r\n\r\n`,
  'five bytes': `${POST}Content-Length: 5\r\n\r\nxxxxx`,
  'an empty body, behind one of five bytes': `${POST}Content-Length: 5\r\n\r\nxxxxx${CHUNKED}0\r\n\r\n`
}

for (const [what, bytes] of Object.entries(COMPLETE)) {
  for (const transport of ['a socket', 'a duplex']) {
    scenario.server(`garbage behind a request with ${what} that is answered at once, over ${transport}`, async (run) => {
      const server = run.server.createServer((req, res) => res.end('served'))
      const sent = Buffer.from(`${bytes}garbage\r\n\r\n`)
      if (transport === 'a socket') {
        await run.listenAt(server, { port: 0, host: '127.0.0.1' })
        const peer = run.dial()
        peer.send(sent)
        await peer.ended()
      } else {
        const duplex = new Slow(sent, sent.length)
        server.emit('connection', duplex)
        await run.closed(duplex)
        run.log('client', 'received', Buffer.concat(duplex.written))
      }
    })
  }
}

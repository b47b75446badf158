'use strict'

/** Responses as raw servers send them, good and bad: what the client makes of their bytes. */

const { Duplex } = require('node:stream')
const { scenario } = require('../../oracle')

const OK = 'HTTP/1.1 200 OK\r\n'

/** What a raw server answers; after it come FIN, or nothing if the case says so. */
const CASES = {
  'a length': `${OK}Content-Length: 2\r\n\r\nok`,
  'chunks': `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1;x=y\r\n!\r\n0\r\n\r\n`,
  'no framing': `${OK}\r\nuntil the end`,
  'HTTP/1.0': 'HTTP/1.0 200 OK\r\n\r\nuntil the end',
  'HTTP/1.0 with keep-alive and length': 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/2.0': 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n',
  'no reason': 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n',
  'an empty reason': 'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n',
  'a latin1 reason': 'HTTP/1.1 200 Sch\xf6n\r\nContent-Length: 0\r\n\r\n',
  'an unknown status': 'HTTP/1.1 799 What\r\nContent-Length: 0\r\n\r\n',
  'a status of two digits': 'HTTP/1.1 20 OK\r\n\r\n',
  'a status of four digits': 'HTTP/1.1 2000 OK\r\n\r\n',
  'a status that is no number': 'HTTP/1.1 abc OK\r\n\r\n',
  'a bad version': 'HTTP/1.2 200 OK\r\n\r\n',
  'another protocol': 'ICY 200 OK\r\n\r\n',
  'a request': 'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
  'garbage': 'garbage\r\n\r\n',
  'leading CRLFs': `\r\n\r\n${OK}Content-Length: 0\r\n\r\n`,
  'leading space': ` ${OK}Content-Length: 0\r\n\r\n`,
  'LF only': 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok',
  'a bad header name': `${OK}Na me: x\r\n\r\n`,
  'a continuation line': `${OK}A: b\r\n c\r\nContent-Length: 0\r\n\r\n`,
  'NUL in a value': `${OK}A: b\0c\r\n\r\n`,
  'latin1 in a value': `${OK}A: \xe4\xff\r\nContent-Length: 0\r\n\r\n`,
  'two lengths': `${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok`,
  'the same length twice': `${OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok`,
  'a bad length': `${OK}Content-Length: two\r\n\r\nok`,
  'a negative length': `${OK}Content-Length: -2\r\n\r\nok`,
  'a length and chunks': `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'chunks and a length': `${OK}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n`,
  'Transfer-Encoding: gzip': `${OK}Transfer-Encoding: gzip\r\n\r\nuntil the end`,
  'Transfer-Encoding: chunked, gzip': `${OK}Transfer-Encoding: chunked, gzip\r\n\r\nuntil the end`,
  'Transfer-Encoding: identity': `${OK}Transfer-Encoding: identity\r\n\r\nuntil the end`,
  'a bad chunk size': `${OK}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`,
  'a chunk without CRLF': `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n`,
  'a length that is cut short': `${OK}Content-Length: 10\r\n\r\nshort`,
  'chunks that are cut short': `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nab`,
  'chunks without an end': `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n`,
  'a head that is cut short': `${OK}Content-Le`,
  'a start line that is cut short': 'HTTP/1.1 2',
  'nothing': '',
  'more than the length': `${OK}Content-Length: 2\r\n\r\nok and more`,
  'more than the length, with close': `${OK}Connection: close\r\nContent-Length: 2\r\n\r\nok and more`,
  'two responses': `${OK}Content-Length: 1\r\n\r\n1${OK}Content-Length: 1\r\n\r\n2`,
  'a 204 with a body': 'HTTP/1.1 204 No Content\r\n\r\nbody',
  'a 304 with a body': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nbody',
  'a 100 and then nothing': 'HTTP/1.1 100 Continue\r\n\r\n',
  'a 101 that was not asked for': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
  'a 101 without Upgrade': 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  'an Upgrade header with 200': `${OK}Connection: Upgrade\r\nUpgrade: h2\r\nContent-Length: 2\r\n\r\nok`,
  'a head that is too large': `${OK}A: ${'b'.repeat(17000)}\r\n\r\n`,
  'repeated headers': `${OK}Set-Cookie: a\r\nSet-Cookie: b\r\nAge: 1\r\nAge: 2\r\nX: 1\r\nX: 2\r\nContent-Length: 0\r\n\r\n`,
  'Connection: close and a length': `${OK}Connection: close\r\nContent-Length: 2\r\n\r\nok`,
  'a Keep-Alive hint': `${OK}Keep-Alive: timeout=1\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok`
}

for (const [what, bytes] of Object.entries(CASES)) {
  for (const keepAlive of [true, false]) {
    scenario.client(`a client${keepAlive ? ' with keep-alive' : ''} that gets ${what}`, async (run) => {
      await run.origin(async (peer) => {
        await peer.until('\r\n\r\n')
        peer.send(bytes)
        peer.end()
      })
      const request = run.request({ agent: run.agent({ keepAlive }) })
      run.watch('client', request, ['response', 'continue', 'information', 'error', 'close', 'socket'], 'request ')
      request.on('error', (error) => run.log('client', 'error keys', Object.keys(error).sort()))
      let responded
      request.on('response', (response) => {
        run.log('client', 'response', response.httpVersion, response.statusCode, response.statusMessage, response.rawHeaders, response.headers)
        run.watch('client', response, ['data', 'end', 'aborted', 'error', 'close'], 'response ')
        responded = run.closed(response).then(() => run.log('client', 'complete', response.complete, response.rawTrailers))
      })
      request.end()
      await run.closed(request)
      await responded
    })
  }
}

scenario.client('a server that resets after half of its answer was read', async (run) => {
  let origin
  await run.origin(async (peer) => {
    origin = peer
    await peer.until('\r\n\r\n')
    peer.send(`${OK}Content-Length: 10\r\n\r\nhalf`)
  })
  const request = run.request({ agent: false })
  run.watch('client', request, ['error', 'close'], 'request ')
  request.end()
  const [response] = await run.once(request, 'response')
  run.watch('client', response, ['data', 'aborted', 'error', 'close', 'end'], 'response ')
  response.once('data', () => origin.reset())
  await run.closed(request, response)
})

scenario.client('a server that resets before its answer', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    peer.reset()
  })
  const request = run.request({ agent: false })
  run.watch('client', request, ['error', 'close', 'response'], 'request ')
  request.end()
  await run.closed(request)
})

scenario.client('a response that comes byte by byte', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    for (const byte of `${OK}Transfer-Encoding: chunked\r\nTrailer: x\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n`) {
      peer.send(byte)
      await new Promise(setImmediate)
    }
  })
  await run.exchange()
})

scenario.client('all of a packet is parsed before any of it is read', async (run) => {
  const head = `${OK}Transfer-Encoding: chunked\r\n\r\n`
  for (const packets of [[`${OK}Content-Length: 4\r\n\r\nfour`], [`${OK}Content-Length: 4\r\n\r\nfo`, 'ur'],
    [`${head}2\r\nfo\r\n2\r\nur\r\n0\r\nX-T: 1\r\n\r\n`], [`${head}2\r\nfo\r\n`, '2\r\nur\r\n0\r\nX-T: 1\r\n\r\n']]) {
    let origin
    await run.origin(async (peer) => {
      origin = peer
      await peer.until('\r\n\r\n')
      peer.send(packets.shift())
    })
    const request = run.request({ agent: false })
    request.on('response', (response) => {
      run.log('client', 'response', response.complete)
      process.nextTick(() => run.log('client', 'tick', response.complete, response.readableLength))
      Promise.resolve().then(() => run.log('client', 'microtask', response.complete, response.readableLength))
      response.on('data', (chunk) => {
        run.log('client', 'data', chunk, response.complete, response.rawTrailers)
        if (packets.length !== 0) origin.send(packets.shift())
      })
      response.on('end', () => run.log('client', 'end', response.rawTrailers))
    })
    request.end()
    await run.closed(request)
  }
})

scenario.client('more headers than maxHeadersCount', async (run) => {
  for (const [limit, count] of [[3, 1500], [0, 1500], [null, 1500], [3, 10], [3, 29], [3, 30], [62, 100], [-1, 1500], [NaN, 1500], [1.5, 10]]) {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      const fields = (name) => Array.from({ length: count }, (_, index) => `${name}${index}: y\r\n`).join('')
      peer.send(OK + fields('x') + `Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n${fields('t')}\r\n`)
    })
    const request = run.request({ agent: false })
    request.maxHeadersCount = limit
    run.watch('client', request, ['error', 'close'])
    request.on('response', (response) => {
      const names = Object.keys(response.headers)
      run.log('client', 'count', limit, names.length, names.at(-1), Object.keys(response.headersDistinct).length, response.rawHeaders.length, response.rawHeaders.at(-2))
      response.resume().on('end', () => run.log('client', 'trailers', Object.keys(response.trailers).length, response.rawTrailers.length))
    })
    request.end()
    await run.closed(request)
  }
})

for (const [what, head] of Object.entries({
  'a status line that ends with CR CR': 'HTTP/1.1 200 OK\r\rContent-Length: 2\r\n\r\n',
  'a status line that ends with CR CR LF': 'HTTP/1.1 200 OK\r\r\nContent-Length: 2\r\n\r\n',
  'a Content-Length with a tab behind': `${OK}Content-Length: 2\t\r\n\r\n`,
  'Connection: close with a tab behind': `${OK}Connection: close\t\r\nContent-Length: 2\r\n\r\n`,
  'an empty Transfer-Encoding': `${OK}Transfer-Encoding:\r\nContent-Length: 2\r\n\r\n`
})) {
  scenario.client(`a response with ${what}`, async (run) => {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send(`${head}ok`)
    })
    await run.exchange()
  })
}

scenario.client('the answer comes before the request is finished', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    peer.send(`${OK}Content-Length: 2\r\n\r\nok`)
    await peer.until('0\r\n\r\n')
  })
  const request = run.request({ method: 'POST' })
  run.watch('client', request, ['finish', 'close', 'error', 'response'])
  request.write('first')
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
  request.end('last')
  await run.closed(request)
})

scenario.client('insecureHTTPParser takes what is refused otherwise', async (run) => {
  for (const insecureHTTPParser of [true, false]) {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send('HTTP/1.1 200 OK\r\nA: b\x01c\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n')
    })
    await run.exchange({ insecureHTTPParser, agent: false })
  }
})

scenario.client('an origin that answers before the request is sent', async (run) => {
  for (const answer of ['HTTP/1.1 200 OK\r\n\r\nHello', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok']) {
    await run.origin((peer) => {
      peer.send(answer)
      peer.end()
    })
    await run.exchange({ agent: run.agent({ keepAlive: true }) })
  }
})

const EVENTS = ['data', 'end', 'error', 'close', 'drain', 'timeout', 'free']

/** How many listeners there are; 'close' of a stream is left out between exchanges: ours stays. */
const counts = (socket, events = EVENTS) => events.map((name) => `${name} ${socket.listenerCount(name)}`).join(', ')

const later = () => new Promise((resolve) => setTimeout(resolve, 30))

/** A connection that answers by itself, with whatever it is given, as soon as it is read. */
function answering (text) {
  let isSaid = false
  return new Duplex({
    read () {
      if (isSaid) return
      isSaid = true
      this.push(text)
    },
    write (chunk, encoding, callback) { callback() }
  })
}

scenario.client('a duplex that has its answer ready, read as the request wishes', async (run) => {
  const text = 'HTTP/1.1 200 OK\r\nHello: foo\x08foo\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'
  for (const options of [{ insecureHTTPParser: true }, {}, { maxHeaderSize: 40 }]) {
    const socket = answering(text)
    socket.on('error', () => {})
    await run.exchange({ createConnection: () => socket, ...options })
    await later()
    run.log('client', 'socket', socket.destroyed, counts(socket, ['data', 'end']))
  }
})

'use strict'

/**
 * How HTTP/1.1 servers are attacked: smuggled requests, split responses, heads and bodies without end. Behind each case
 * comes a request of its own, the canary: its fate shows how the bytes before it were understood.
 */

const assert = require('node:assert/strict')
const net = require('node:net')
const { once } = require('node:events')
const { test } = require('node:test')
const { scenario, ours } = require('../../oracle')
const versions = require('../../../lib/core/versions')

const CANARY = 'GET /canary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
const post = (...fields) => ['POST / HTTP/1.1', 'Host: x', ...fields, '', ''].join('\r\n')
const get = (...fields) => ['GET / HTTP/1.1', 'Host: x', ...fields, '', ''].join('\r\n')
const chunked = (body) => post('Transfer-Encoding: chunked') + body

const CODINGS = ['chunked', 'Chunked', ' chunked', '\tchunked', 'chunked ', 'chunked\t', 'chunked\v', 'chunked\0', 'chunked\xa0', '"chunked"', 'chunked;a', 'chunked, chunked',
  'chunked,', ',chunked', 'identity', 'identity, chunked', 'chunked, identity', 'gzip, chunked', 'xchunked', 'chunkedx', 'cow', 'chunked\r\n ', '\r\n chunked', 'cow\r\nTransfer-Encoding: chunked', 'chunked\r\nTransfer-Encoding: cow']

const LENGTHS = ['+5', '-5', '5.0', '5e0', '0x5', '05', '0000000000000000000005', '5 ', ' 5', '\t5', '5, 5', '5,5', '5 5', '"5"', '5;', '5\v', '5\0', '', ' ', '18446744073709551615', '18446744073709551616',
  '9223372036854775808', '5\r\n ', '5\r\nContent-Length: 5', '5\r\nContent-Length: 6', '5\r\nContent-Length:', 'five']

const CASES = {
  'CL.TE': post('Content-Length: 5', 'Transfer-Encoding: chunked') + '0\r\n\r\n',
  'TE.CL': post('Transfer-Encoding: chunked', `Content-Length: ${SMUGGLED.length + 5}`) + '0\r\n\r\n' + SMUGGLED,
  'CL.0 on GET': get(`Content-Length: ${SMUGGLED.length}`) + SMUGGLED,
  'CL.0 on HEAD': get(`Content-Length: ${SMUGGLED.length}`).replace('GET', 'HEAD') + SMUGGLED,
  'CL.0 on OPTIONS': get(`Content-Length: ${SMUGGLED.length}`).replace('GET', 'OPTIONS') + SMUGGLED,
  'a body without framing on GET': get() + 'body' + SMUGGLED,
  'a body without framing on DELETE': get().replace('GET', 'DELETE') + SMUGGLED,
  'chunked on GET': get('Transfer-Encoding: chunked') + '0\r\n\r\n',
  'chunked in HTTP/1.0': 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'chunked in HTTP/1.0, kept': 'POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'an underscore in the name': post('Transfer_Encoding: chunked', 'Content-Length: 5') + '0\r\n\r\n',
  'a space before the colon of Content-Length': post('Content-Length : 5') + 'hello',
  'a tab before the colon of Content-Length': post('Content-Length\t: 5') + 'hello',
  'a space before Content-Length': post('A: b', ' Content-Length: 5') + 'hello',
  'a folded Transfer-Encoding name': post('A: b', '\tTransfer-Encoding: chunked') + '0\r\n\r\n',
  'a NUL in a name': post('Content-Len\0gth: 5') + 'hello',
  'a control character before a name': post('\x01Content-Length: 5') + 'hello',
  'a byte above 0x7f in a name': post('Content-L\xe9ngth: 5') + 'hello',
  'CR in a name': post('A\rContent-Length: 5') + 'hello',
  'CR CR LF': get('A: b\r'),
  'CR alone ends a field': 'GET / HTTP/1.1\r\nHost: x\rContent-Length: 5\r\n\r\nhello',
  'CR alone behind an empty value': 'GET / HTTP/1.1\r\nHost: x\r\nA:\rContent-Length: 5\r\n\r\nhello',
  'CR and a byte end the head': 'GET / HTTP/1.1\r\nHost: x\r\n\rX',
  'LF LF in a value': 'GET / HTTP/1.1\r\nHost: x\r\nA: b\n\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n',
  'LF ends everything': 'GET / HTTP/1.1\nHost: x\n\n',
  'a version-less request line with a body': `POST /p\nHost: h\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'a request line split': 'GET / HTTP/1.1\r\nHost: x\r\n HTTP/1.1\r\n\r\n',
  'CRLF in the target': 'GET /a\r\nX: b HTTP/1.1\r\nHost: x\r\n\r\n',
  'two Hosts': get('Host: y'),
  'a bad Host': 'GET / HTTP/1.1\r\nHost: a b/c@d\r\n\r\n',
  'a Host behind a fold': 'GET / HTTP/1.1\r\nA: b\r\n Host: x\r\n\r\n',
  'Expect as a request body': post('Expect: 100-continue', `Content-Length: ${SMUGGLED.length}`) + SMUGGLED,
  'an obfuscated Expect': post('Expect: y 100-continue', 'Content-Length: 2') + 'ab',
  'an Expect that is no': post('Expect: 100-continuee', 'Content-Length: 2') + 'ab',
  'chunk size empty': chunked(`\r\n${SMUGGLED}`),
  'chunk size with a sign': chunked('+5\r\nhello\r\n0\r\n\r\n'),
  'chunk size in 0x': chunked('0x5\r\nhello\r\n0\r\n\r\n'),
  'chunk size with an underscore': chunked('0_5\r\nhello\r\n0\r\n\r\n'),
  'chunk size of sixteen f': chunked('ffffffffffffffff\r\nhello'),
  'chunk size of seventeen digits': chunked('10000000000000005\r\nhello\r\n0\r\n\r\n'),
  'chunk size at 2^63': chunked('8000000000000000\r\nhello'),
  'chunk size ended by LF': chunked('5\nhello\r\n0\r\n\r\n'),
  'chunk size ended by CR and a byte': chunked('5\r\r;ABCD\r\n0\r\n\r\n'),
  'chunk size ended by CR CR LF': chunked('5\r\r\nhello\r\n0\r\n\r\n'),
  'a chunk extension ended by LF': chunked(`5;a\nhello\r\n0\r\n\r\n${SMUGGLED}`),
  'a chunk extension with a line': chunked(`5;a="\r\n${SMUGGLED}"\r\nhello\r\n0\r\n\r\n`),
  'white space in a chunk extension': chunked('5 ; a\r\nhello\r\n0\r\n\r\n'),
  'chunk extensions below the limit each': chunked(Array.from({ length: 20 }, () => `1;${'a'.repeat(1000)}\r\nx\r\n`).join('') + '0\r\n\r\n'),
  'a chunk longer than it says': chunked('3\r\nhello\r\n0\r\n\r\n'),
  'a last chunk ended by LF': chunked('0\r\n\n'),
  'a last chunk with data': chunked(`0\r\n${SMUGGLED}\r\n`),
  'zeros as the last chunk': chunked('000000000000000000000000\r\n\r\n'),
  'Content-Length as a trailer': chunked(`0\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`),
  'Transfer-Encoding as a trailer': chunked('0\r\nTransfer-Encoding: chunked\r\n\r\n'),
  'Host as a trailer': chunked('0\r\nHost: y\r\n\r\n'),
  'Connection: close as a trailer': chunked('0\r\nConnection: close\r\n\r\n'),
  'a trailer ended by LF': chunked('0\r\nA: b\n\r\n'),
  'a TRACE with a body': `TRACE / HTTP/1.1\r\nHost: x\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'Connection: close, then more': get('Connection: close') + SMUGGLED,
  'Proxy-Connection: close': get('Proxy-Connection: close'),
  'Connection names Host': get('Connection: Host, Content-Length', 'Content-Length: 5') + 'hello',
  'many empty lines first': '\r\n'.repeat(5000) + get(),
  'much white space before a value': get(`A:${' '.repeat(40000)}b`),
  'a name that is too long': get(`${'a'.repeat(20000)}: b`),
  'a thousand and one fields': get(...Array.from({ length: 1001 }, (_, index) => `a${index}: b`)),
  'a Transfer-Encoding behind a thousand fields': post(...Array.from({ length: 1001 }, (_, index) => `a${index}: b`), 'Transfer-Encoding: chunked') + '0\r\n\r\n',
  'many cookies': get(`Cookie: ${'a=b; '.repeat(2000)}`)
}
for (const coding of CODINGS) CASES[`Transfer-Encoding: ${JSON.stringify(coding)}`] = post(`Transfer-Encoding: ${coding}`) + '0\r\n\r\n'
for (const length of LENGTHS) CASES[`Content-Length: ${JSON.stringify(length)}`] = post(`Content-Length: ${length}`) + 'hello'

for (const [what, bytes] of Object.entries(CASES)) {
  scenario.server(`${what}, and the canary behind it`, async (run) => {
    const closed = []
    const server = run.server.createServer({ keepAliveTimeout: 0 }, (req, res) => {
      const chunks = []
      closed.push(run.closed(req))
      run.log('server', 'request', req.method, req.url, req.headers.host, req.headers['content-length'], req.headers['transfer-encoding'])
      req.on('error', (error) => run.log('server', 'error', error.code))
      req.on('data', (chunk) => chunks.push(chunk))
      req.on('end', () => {
        run.log('server', 'body', Buffer.concat(chunks).toString('latin1'), req.trailers)
        res.end('over\n')
      })
    })
    await run.listen(server)
    const peer = run.dial()
    peer.send(bytes + CANARY)
    // Some wait for a body that never comes.
    await Promise.race([peer.ended(), run.sleep(200)])
    if (peer.ending !== undefined) await Promise.all(closed)
    run.log('client', 'ended', peer.ending)
  })
}

test('requests behind an Upgrade without a listener are served, where core drops them', async () => {
  for (const fields of [['Connection: Upgrade', 'Upgrade: websocket'], ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']]) {
    const urls = []
    const server = ours.createServer((req, res) => {
      urls.push(req.url)
      res.end('over\n')
    }).listen(0)
    await once(server, 'listening')
    const socket = net.connect(server.address().port)
    socket.write(get(...fields) + SMUGGLED + CANARY)
    await once(socket.resume(), 'close')
    server.close()
    assert.deepEqual(urls, ['/', '/smuggled', '/canary'])
  }
})

/** Text that an application may have from outside, and put into its answer. */
const INJECTED = ['a\r\nX-Injected: yes', 'a\nX-Injected: yes', 'a\rX-Injected: yes', 'a\u010d\u010aX-Injected: yes', 'a\0b', 'a\r\n\r\n<html>', 'a\x85b', 'a\u2028b']

const PLACES = {
  'the value of a field': (res, text) => res.setHeader('X', text),
  'one of several values': (res, text) => res.setHeader('X', ['a', text]),
  'the name of a field': (res, text) => res.setHeader(text, 'b'),
  'an appended value': (res, text) => res.appendHeader('X', text),
  'setHeaders': (res, text) => res.setHeaders(new Map([['X', text]])),
  'writeHead': (res, text) => res.writeHead(200, { X: text }),
  'writeHead with a list': (res, text) => res.writeHead(200, ['X', text]),
  'the name in writeHead': (res, text) => res.writeHead(200, { [text]: 'b' }),
  'the reason of writeHead': (res, text) => res.writeHead(200, text),
  'statusMessage': (res, text) => { res.statusMessage = text },
  'a trailer': (res, text) => res.addTrailers({ X: text }),
  'the name of a trailer': (res, text) => res.addTrailers({ [text]: 'b' }),
  'an early hint': (res, text) => res.writeEarlyHints({ link: '</a>; rel=preload', 'X': text }),
  'the name of an early hint': (res, text) => res.writeEarlyHints({ link: '</a>; rel=preload', [text]: 'b' }),
  'the link of an early hint': (res, text) => res.writeEarlyHints({ link: text }),
  'Set-Cookie': (res, text) => res.setHeader('Set-Cookie', ['a=b', text]),
  'Content-Disposition': (res, text) => res.setHeader('Content-Disposition', `attachment; filename="${text}"`)
}

/** Where this core lets a line through, and we do not: see the table of deviations. */
const SPLIT = versions.validatesHints ? new Set() : new Set(['an early hint', 'the name of an early hint', 'the link of an early hint'])

for (const [where, put] of Object.entries(PLACES)) {
  scenario.server(`lines put into ${where}`, async (run) => {
    await run.serve({}, (req, res) => {
      const text = INJECTED[Number(req.url.slice(1))]
      run.attempt('server', JSON.stringify(text), () => {
        put(res, text)
        res.write('body')
      })
      run.attempt('server', 'end', () => { res.end('over\n') })
      if (!res.writableFinished) res.socket.end()
    })
    for (const index of INJECTED.keys()) {
      const peer = run.dial()
      peer.send(`GET /${index} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
      await peer.ended()
    }
  }, { skip: SPLIT.has(where) && 'core splits the response' })
}

test('a line break in an early hint is never sent', async () => {
  const thrown = []
  const server = ours.createServer((req, res) => {
    for (const hints of [{ link: '</a>; rel=preload\r\nX-Injected: yes' }, { link: '</a>; rel=preload', 'X': 'a\r\nX-Injected: yes' }, { link: '</a>; rel=preload', 'X\r\nX-Injected': 'yes' }]) {
      try {
        res.writeEarlyHints(hints)
      } catch (error) {
        thrown.push(error.code)
      }
    }
    res.end('over\n')
  }).listen(0)
  await once(server, 'listening')
  const socket = net.connect(server.address().port)
  socket.write(CANARY)
  let received = ''
  socket.on('data', (chunk) => { received += chunk })
  await once(socket, 'close')
  server.close()
  assert.equal(thrown.length, 3, received)
  assert.doesNotMatch(received, /\r\nX-Injected/)
})

scenario.server('a head that comes slowly, a body, a chunk and trailers', async (run) => {
  const server = await run.serve({ headersTimeout: 60, requestTimeout: 90, connectionsCheckingInterval: 15 }, (req, res) => req.resume().on('end', () => res.end('over\n')))
  run.log('server', 'limits', server.headersTimeout, server.requestTimeout)
  const heads = ['GET / HTTP/1.1\r\nHost: x\r\n', post('Content-Length: 1000'), chunked('ffff\r\n'), chunked('0\r\n')]
  await Promise.all(heads.map(async (head) => {
    const peer = run.dial()
    peer.send(head)
    const drip = setInterval(() => { if (peer.ending === undefined) peer.socket.write(head.endsWith('0\r\n') || head.startsWith('GET') ? 'A: b\r\n' : 'x') }, 5)
    await peer.ended()
    clearInterval(drip)
    run.log(head.slice(-30), 'answer', peer.received)
  }))
})

scenario.server('a slow head on a kept connection', async (run) => {
  await run.serve({ headersTimeout: 40, requestTimeout: 60, connectionsCheckingInterval: 10 }, (req, res) => res.end('over\n'))
  const peer = run.dial()
  peer.send(get())
  await peer.until('over\n')
  await run.sleep(60)
  run.log('client', 'still open', peer.ending)
  peer.send('GET / HTTP/1.1\r\n')
  await peer.ended()
})

scenario.server('a client that sends requests and never reads the answers is not read from without bound', async (run) => {
  let count = 0
  const server = await run.serve({}, (req, res) => {
    count++
    res.end(Buffer.alloc(64 * 1024))
  })
  run.log('server', 'timeout', server.timeout)
  const peer = run.dial()
  peer.socket.pause()
  for (let sent = 0; sent < 2000; sent += 100) {
    peer.socket.write(get().repeat(100))
    await run.sleep(2)
  }
  await run.sleep(50)
  run.log('server', 'bounded', count < 1500)
  peer.destroy()
})

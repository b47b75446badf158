'use strict'

/** writeHead() in all its forms, statusCode and statusMessage. */

const { scenario } = require('../../oracle')

/** Forms of writeHead, each as a function of the response, tried with and without headers set before. */
const FORMS = {
  'a status': (res) => res.writeHead(404),
  'a status and headers': (res) => res.writeHead(200, { 'X-A': '1', 'x-b': ['2', '3'] }),
  'a status, a reason and headers': (res) => res.writeHead(200, 'Fine', { 'X-A': '1' }),
  'a status and a reason': (res) => res.writeHead(200, 'Fine'),
  'an empty reason': (res) => res.writeHead(200, ''),
  'no reason and headers': (res) => res.writeHead(200, undefined, { 'X-A': '1' }),
  'null headers': (res) => res.writeHead(200, null),
  'a flat array': (res) => res.writeHead(200, ['X-A', '1', 'X-A', '2', 'X-C', ['3', '4']]),
  'pairs': (res) => res.writeHead(200, [['X-A', '1'], ['X-A', '2']]),
  'an odd array': (res) => res.writeHead(200, ['X-A', '1', 'X-B']),
  'an empty array': (res) => res.writeHead(200, []),
  'headers that override': (res) => res.writeHead(200, { 'x-set': 'new', 'X-Other': 'o' }),
  'an array that overrides': (res) => res.writeHead(200, ['X-Set', 'new', 'x-set', 'newer']),
  'set-cookie in an array': (res) => res.writeHead(200, ['Set-Cookie', 'a', 'Set-Cookie', 'b']),
  'Content-Length': (res) => res.writeHead(200, { 'Content-Length': 4 }),
  'Transfer-Encoding': (res) => res.writeHead(200, { 'Transfer-Encoding': 'chunked' }),
  'Connection: close': (res) => res.writeHead(200, { Connection: 'close' }),
  'Date': (res) => res.writeHead(200, { Date: 'then' }),
  'an unknown status': (res) => res.writeHead(799),
  'status 99': (res) => res.writeHead(99),
  'status 1000': (res) => res.writeHead(1000),
  'status 100': (res) => res.writeHead(100),
  'status 199': (res) => res.writeHead(199),
  'status 200.7': (res) => res.writeHead(200.7),
  'a status as a string': (res) => res.writeHead('201'),
  'a status that is text': (res) => res.writeHead('abc'),
  'no status': (res) => res.writeHead(),
  'a status of null': (res) => res.writeHead(null),
  'a reason with a line break': (res) => res.writeHead(200, 'a\r\nb'),
  'a reason beyond latin1': (res) => res.writeHead(200, '€'),
  'a bad name': (res) => res.writeHead(200, { 'a b': 'c' }),
  'a bad value': (res) => res.writeHead(200, { a: 'b\nc' }),
  'an undefined value': (res) => res.writeHead(200, { a: undefined }),
  'a bad value in an array': (res) => res.writeHead(200, ['a', 'b\nc']),
  'an inherited header': (res) => res.writeHead(200, Object.create({ inherited: 'yes' }, { own: { value: 'o', enumerable: true } })),
  'numbers and booleans': (res) => res.writeHead(200, { a: 5, b: true, c: null, d: '' }),
  'twice': (res) => res.writeHead(200).writeHead(201),
  'statusCode set before': (res) => {
    res.statusCode = 201
    return res.writeHead(202)
  },
  'statusMessage set before': (res) => {
    res.statusMessage = 'Mine'
    return res.writeHead(202)
  },
  'writeHeader': (res) => res.writeHeader(203, { 'X-A': '1' })
}

for (const before of [false, true]) {
  for (const [what, write] of Object.entries(FORMS)) {
    scenario.server(`writeHead with ${what}${before ? ' after setHeader' : ''}`, async (run) => {
      await run.serve({}, (req, res) => {
        if (before) res.setHeader('X-Set', 'old')
        run.attempt('server', 'writeHead', () => write(res) === res)
        run.log('server', 'state', res.statusCode, res.statusMessage, res.headersSent, res.getHeaderNames())
        run.attempt('server', 'end', () => res.end('body') === res)
        if (!res.writableEnded) res.destroy()
      })
      const peer = run.dial()
      peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
      await peer.ended()
    })
  }
}

for (const value of [200.7, '201', 99, 1000, 'abc', null, undefined, 799]) {
  scenario.server(`statusCode = ${value}`, async (run) => {
    await run.serve({}, (req, res) => {
      res.statusCode = value
      run.attempt('server', 'end', () => res.end('body') === res)
      if (!res.headersSent) res.destroy()
    })
    const peer = run.dial()
    peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await peer.ended()
  })
}

scenario.server('every status code has its reason', async (run) => {
  const codes = Object.keys(run.server.STATUS_CODES).map(Number).filter((code) => code >= 200)
  await run.serve({}, (req, res) => {
    res.statusCode = Number(req.url.slice(1))
    res.end()
    run.log('server', 'status', res.statusCode, res.statusMessage)
  })
  for (const code of codes) {
    const peer = run.dial()
    peer.send(`GET /${code} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    await peer.ended()
  }
})

'use strict'

/** The options of createServer: how each is checked and kept, and what it does. */

const { scenario } = require('../../oracle')

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')

const OPTIONS = ['insecureHTTPParser', 'httpValidation', 'maxHeaderSize', 'requireHostHeader', 'joinDuplicateHeaders',
  'highWaterMark', 'rejectNonStandardBodyWrites', 'requestTimeout', 'headersTimeout', 'keepAliveTimeout',
  'keepAliveTimeoutBuffer', 'connectionsCheckingInterval', 'keepAlive', 'keepAliveInitialDelay', 'noDelay', 'uniqueHeaders',
  'shouldUpgradeCallback', 'optimizeEmptyRequests', 'IncomingMessage', 'ServerResponse', 'allowHalfOpen', 'pauseOnConnect',
  'captureRejections', 'maxHeadersCount', 'maxRequestsPerSocket', 'timeout', 'blockList']

const VALUES = [undefined, null, true, false, 0, 1, -1, 1.5, -0, NaN, Infinity, 2 ** 53, '', '5', 'strict', 5n, Symbol('s'), [], ['a'], {}, () => {}, class Sub {}]

for (const name of OPTIONS) {
  scenario.module(`createServer checks ${name} and keeps it`, (run) => {
    for (const value of VALUES) {
      run.attempt('module', run.summary(value), () => {
        const server = new run.http.Server({ [name]: value })
        return [name in server, typeof server[name] === 'function' ? 'function' : server[name]]
      })
    }
  })
}

scenario.module('timeouts of createServer depend on each other', (run) => {
  for (const requestTimeout of [undefined, 0, 10, 300000, 400000]) {
    for (const headersTimeout of [undefined, 0, 10, 11, 60000, 500000]) {
      run.attempt('module', `${requestTimeout} ${headersTimeout}`, () => {
        const server = run.http.createServer({ requestTimeout, headersTimeout })
        return [server.requestTimeout, server.headersTimeout]
      })
    }
  }
})

scenario.module('options are looked up once, and own or inherited', (run) => {
  const seen = []
  const options = new Proxy(Object.create({ keepAliveTimeout: 7 }), {
    get (target, key) {
      seen.push(String(key))
      return target[key]
    }
  })
  const server = run.http.createServer(options)
  run.log('module', 'keepAliveTimeout', server.keepAliveTimeout)
  // `hardening` and `limits` are ours (docs/HARDENING.md, docs/LIMITS.md).
  run.log('module', 'keys', [...new Set(seen)].filter((key) => key !== 'hardening' && key !== 'limits').sort())
})

scenario.module('setTimeout of a server', (run) => {
  const server = run.http.createServer()
  for (const values of [[], [5], [5, () => {}], ['x'], [-1], [undefined, () => {}], [0, null], [5, 'x'], [{}]]) {
    run.attempt('module', run.summary(values), () => {
      const returned = server.setTimeout(...values)
      return [returned === server, server.timeout, server.listenerCount('timeout')]
    })
  }
})

for (const highWaterMark of [undefined, 0, 1, 1000, -5, 1e6]) {
  scenario.server(`highWaterMark ${highWaterMark} reaches socket and messages`, async (run) => {
    const server = await run.serve({ highWaterMark }, (req, res) => {
      const { socket } = req
      run.log('server', 'marks', req.readableHighWaterMark, res.writableHighWaterMark, socket.readableHighWaterMark, socket.writableHighWaterMark)
      run.log('server', 'write', res.write('x'.repeat(500)), res.write('x'.repeat(500)), res.writableNeedDrain)
      req.resume().on('end', () => res.end('done\n'))
    })
    server.on('connection', (socket) => run.log('server', 'socket', socket.readableHighWaterMark, socket.writableHighWaterMark))
    const peer = run.dial()
    peer.send('POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3000\r\n\r\n' + 'x'.repeat(3000))
    await peer.ended()
  })
}

scenario.module('the TCP options of a server are kept', (run) => {
  for (const options of [{}, { keepAlive: true }, { keepAlive: 1, keepAliveInitialDelay: 5000 }, { keepAliveInitialDelay: -5 }, { noDelay: false }, { noDelay: 0 }, { noDelay: null }]) {
    run.attempt('module', run.summary(options), () => {
      const { keepAlive, keepAliveInitialDelay, noDelay } = run.http.createServer(options)
      return [keepAlive, keepAliveInitialDelay, noDelay]
    })
  }
})

for (const maxHeaderSize of [undefined, 0, 1, 100, 20000]) {
  scenario.server(`maxHeaderSize ${maxHeaderSize} of a server`, async (run) => {
    await run.serve({ maxHeaderSize }, (req, res) => res.end(`${req.headers.a?.length}\n`))
    for (const length of [1, 90, 91, 92, 93, 94, 16380, 17000]) {
      const peer = run.dial()
      peer.send(`GET / HTTP/1.1\r\nHost: x\r\nA: ${'b'.repeat(length)}\r\nConnection: close\r\n\r\n`)
      await peer.ended()
    }
  })
}

scenario.server('maxHeaderSize changed on a running server', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('over\n'))
  const head = get('/', `A: ${'b'.repeat(200)}`)
  const early = run.dial()
  early.send(head)
  await early.until('over\n')
  server.maxHeaderSize = 100
  early.send(head)
  await early.until('over\n', 2)
  // Ours is sure of it from the second connection on.
  const next = run.dial()
  next.send(GET)
  await next.until('over\n')
  const late = run.dial()
  late.send(head)
  await late.ended()
})

const ODD = {
  'a control character in a value': 'GET / HTTP/1.1\r\nHost: x\r\nA: b\x01c\r\n\r\n',
  'NUL in a value': 'GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n',
  'a length and a coding': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a coding that is not chunked': 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: gzip\r\n\r\nabc',
  'LF as line ends': 'GET / HTTP/1.1\nHost: x\n\n',
  'CR as line end': 'GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n',
  'spaces behind a chunk size': 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3  \r\nabc\r\n0\r\n\r\n',
  'a chunk without CRLF': 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc0\r\n\r\n',
  'another version': 'GET / HTTP/5.4\r\nHost: x\r\n\r\n',
  'bytes behind close': 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nmore'
}

for (const options of [{ insecureHTTPParser: true }, { insecureHTTPParser: false }, { httpValidation: 'strict' }, { httpValidation: 'relaxed' }, { httpValidation: 'insecure' }]) {
  for (const [what, bytes] of Object.entries(ODD)) {
    if (what === 'NUL in a value' && options.httpValidation === 'relaxed') continue
    scenario.server(`${JSON.stringify(options)} and ${what}`, async (run) => {
      const closed = []
      const server = await run.serve(options, (req, res) => {
        closed.push(run.closed(req, res))
        run.log('server', 'request', req.method, req.url, req.httpVersion, req.rawHeaders)
        req.on('error', (error) => run.log('server', 'request error', error))
        req.on('data', (chunk) => run.log('server', 'data', chunk))
        req.on('end', () => res.end('over\n'))
      })
      server.on('clientError', (error, socket) => {
        run.log('server', 'clientError', error)
        socket.end()
      })
      const peer = run.dial()
      peer.send(bytes)
      peer.end()
      await peer.ended()
      await Promise.all(closed)
    })
  }
}

for (const options of [{}, { insecureHTTPParser: true }, { httpValidation: 'relaxed' }, { httpValidation: 'insecure' }]) {
  scenario.server(`what a response may hold with ${JSON.stringify(options)}`, async (run) => {
    await run.serve(options, (req, res) => {
      for (const value of ['a\x01b', 'a\tb', 'a\0b', 'a\x7fb', 'a\rb', 'a\nb', 'a\u0100b']) {
        run.attempt('server', JSON.stringify(value), () => {
          res.setHeader('X', value)
          return res.getHeader('X')
        })
        res.removeHeader('X')
      }
      run.attempt('server', 'appendHeader', () => res.appendHeader('Y', 'a\x01b').getHeader('Y'))
      run.attempt('server', 'writeHead', () => res.writeHead(200, { Z: 'a\x02b' }).headersSent)
      run.attempt('server', 'trailer', () => res.addTrailers({ T: 'a\x02b' }))
      res.end('over\n')
    })
    const peer = run.dial()
    peer.send(GET)
    await peer.until('over\n')
  })
}

scenario.server('requireHostHeader, given and changed', async (run) => {
  const server = await run.serve({ requireHostHeader: false }, (req, res) => res.end('over\n'))
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\n\r\n')
  await peer.until('over\n')
  server.requireHostHeader = true
  peer.send('GET / HTTP/1.1\r\nHost:\r\n\r\n')
  await peer.until('over\n', 2)
  peer.send('GET / HTTP/1.1\r\n\r\n')
  await peer.ended()
  const old = run.dial()
  old.send('GET / HTTP/1.0\r\n\r\n')
  await old.ended()
})

scenario.server('rejectNonStandardBodyWrites, given and changed', async (run) => {
  const server = await run.serve({ rejectNonStandardBodyWrites: true }, (req, res) => {
    if (req.url === '/204') res.statusCode = 204
    for (const [what, write] of [['write', () => res.write('body')], ['end', () => res.end('body')]]) {
      run.attempt('server', `${req.method} ${req.url} ${what}`, () => typeof write())
    }
    res.end()
  })
  const peer = run.dial()
  const exchange = async (head, count) => {
    peer.send(head)
    await peer.until('\r\n\r\n', count)
  }
  await exchange(get('/204'), 1)
  await exchange(get('/').replace('GET', 'HEAD'), 2)
  server.rejectNonStandardBodyWrites = false
  await exchange(get('/204'), 3)
  await exchange(get('/').replace('GET', 'HEAD'), 4)
})

for (const joinDuplicateHeaders of [true, false]) {
  scenario.server(`joinDuplicateHeaders ${joinDuplicateHeaders} of a server`, async (run) => {
    const server = await run.serve({ joinDuplicateHeaders }, (req, res) => {
      req.resume().on('end', () => {
        run.log('server', 'headers', req.joinDuplicateHeaders, req.headers, req.trailers)
        res.end('over\n')
      })
    })
    const peer = run.dial()
    const names = ['Age', 'Authorization', 'Content-Type', 'Cookie', 'Set-Cookie', 'User-Agent', 'X', 'Host', 'Referer']
    const fields = names.flatMap((name) => [`${name}: 1`, `${name}: 2`]).join('\r\n')
    const head = `POST / HTTP/1.1\r\n${fields}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${fields}\r\n\r\n`
    peer.send(head)
    await peer.until('over\n')
    server.joinDuplicateHeaders = !joinDuplicateHeaders
    peer.send(head)
    await peer.until('over\n', 2)
  })
}

scenario.server('classes of messages are called as by core', async (run) => {
  const { IncomingMessage, ServerResponse } = run.server
  class Request extends IncomingMessage {
    constructor (...values) {
      super(...values)
      run.log('server', 'request made', values.length, values[0], this.url, this.method, Object.hasOwn(this, 'mine'))
      this.mine = true
    }

    get greeting () { return `hello from ${this.url}` }
  }
  class Response extends ServerResponse {
    constructor (...values) {
      super(...values)
      run.log('server', 'response made', values.length, values[0], values[1], values[0].headers, this.req === values[0], this.socket)
    }

    say (text) { this.end(`${text}\n`) }
  }
  const server = await run.serve({ IncomingMessage: Request, ServerResponse: Response, highWaterMark: 7 }, (req, res) => {
    run.log('server', 'classes', req.constructor.name, res.constructor.name, req.mine, res.socket === req.socket)
    req.resume().on('end', () => res.say(req.greeting))
  })
  server.on('checkExpectation', (req, res) => res.say(`${req.constructor.name} ${res.constructor.name}`))
  server.on('upgrade', (req, socket) => socket.end(`${req.constructor.name}\n`))
  const peer = run.dial()
  peer.send('POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc')
  await peer.until('from /1\n')
  peer.send(get('/2', 'Expect: something'))
  await peer.until('Request Response\n')
  peer.send(get('/3', 'Connection: Upgrade', 'Upgrade: x'))
  await peer.ended()
})

scenario.server('classes that are functions, or throw', async (run) => {
  const { IncomingMessage, ServerResponse } = run.server
  function Request (socket) {
    IncomingMessage.call(this, socket)
    this.old = 'yes'
  }
  Object.setPrototypeOf(Request.prototype, IncomingMessage.prototype)
  function Response (req, options) {
    if (req.url === '/throw') throw new Error('no response')
    ServerResponse.call(this, req, options)
  }
  Object.setPrototypeOf(Response.prototype, ServerResponse.prototype)
  await run.serve({ IncomingMessage: Request, ServerResponse: Response }, (req, res) => res.end(`${req.old} ${req instanceof Request}\n`))
  const peer = run.dial()
  peer.send(get('/1'))
  await peer.until('yes true\n')
  const thrown = new Promise((resolve) => { run.onUncaught = resolve })
  const other = run.dial()
  other.send(get('/throw'))
  await thrown
})

for (const connectionsCheckingInterval of [20, 1e6]) {
  scenario.server(`connectionsCheckingInterval ${connectionsCheckingInterval}`, async (run) => {
    await run.serve({ connectionsCheckingInterval, headersTimeout: 10, requestTimeout: 10 }, (req, res) => res.end('over\n'))
    const peer = run.dial()
    peer.send('GET / HTTP/1.1\r\n')
    await Promise.race([peer.ended(), run.sleep(300)])
    run.log('client', 'ended', peer.ending)
  })
}

scenario.server('what is no option of a server is ignored', async (run) => {
  const server = await run.serve({ timeout: 5, maxConnections: 0, maxRequestsPerSocket: 1, maxHeadersCount: 1, pauseOnConnect: true, allowHalfOpen: false, httpAllowHalfOpen: true }, (req, res) => res.end('over\n'))
  run.log('server', 'properties', server.timeout, server.maxConnections, server.maxRequestsPerSocket, server.maxHeadersCount, server.pauseOnConnect, server.allowHalfOpen, server.httpAllowHalfOpen)
  const peer = run.dial()
  peer.send(GET)
  await peer.until('over\n')
  peer.send(get('/', 'A: b', 'C: d'))
  await peer.until('over\n', 2)
})

scenario.server('a server of a class, and one made through call', async (run) => {
  class Mine extends run.server.Server {
    emit (name, ...values) {
      if (name !== 'newListener') run.log('server', 'emit', name)
      return super.emit(name, ...values)
    }
  }
  const mine = new Mine({ keepAliveTimeout: 0 }, (req, res) => res.end('over\n'))
  run.log('server', 'is', mine instanceof run.server.Server, mine.keepAliveTimeout)
  await run.listen(mine)
  const peer = run.dial()
  peer.send(get('/', 'Connection: close'))
  await peer.ended()
  function Old () {
    run.server.Server.call(this, (req, res) => res.end('old\n'))
  }
  Object.setPrototypeOf(Old.prototype, run.server.Server.prototype)
  await run.listen(new Old())
  const other = run.dial()
  other.send(get('/', 'Connection: close'))
  await other.ended()
})

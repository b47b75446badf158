'use strict'

/** IncomingMessage: its properties, and how fields become `headers`, `headersDistinct` and `rawHeaders`. */

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { test } = require('node:test')
const { scenario, core, ours } = require('../../oracle')
const { ownKeys } = require('../../oracle/own-keys')
const { overAll } = require('../../oracle/transports')

const PROPERTIES = ['httpVersion', 'httpVersionMajor', 'httpVersionMinor', 'complete', 'rawHeaders', 'rawTrailers', 'aborted',
  'upgrade', 'url', 'method', 'statusCode', 'statusMessage', 'joinDuplicateHeaders', '_consuming', '_dumped', 'headers',
  'headersDistinct', 'trailers', 'trailersDistinct', 'readable', 'readableEnded', 'readableFlowing', 'readableHighWaterMark',
  'readableLength', 'readableObjectMode', 'destroyed', 'closed', 'errored', 'readableAborted', 'readableDidRead', 'readableEncoding']

function logProperties ({ log }, track, message) {
  for (const name of PROPERTIES) log(track, name, message[name])
}

/** Answers with what the request looks like, so that each case is a line of bytes. */
function reportHeaders (run) {
  return (req, res) => {
    run.log('server', `${req.method} ${req.url}`, req.httpVersion, req.rawHeaders)
    run.log('server', 'headers', req.headers)
    run.log('server', 'distinct', req.headersDistinct)
    res.end('ok\n')
  }
}

async function sendHead ({ dial }, ...lines) {
  const peer = dial()
  peer.send([...lines, 'Connection: close', '', ''].join('\r\n'))
  await peer.ended()
}

scenario('all properties of a request in its handler, and after it', async (run) => {
  let closed
  await run.serve({}, (req, res) => {
    logProperties(run, 'in handler', req)
    run.log('in handler', 'own keys', ownKeys(req))
    run.log('in handler', 'same socket', req.socket === req.client, req.socket === req.connection, req.socket === res.socket, res.req === req)
    req.on('close', () => logProperties(run, 'closed', req))
    closed = run.closed(req, res)
    req.on('data', () => {}).on('end', () => {
      logProperties(run, 'ended', req)
      res.end()
    })
  })
  await run.exchange({ method: 'PUT', path: '/a/b?c=d', headers: { 'X-One': '1', 'x-two': ['2', 'zwei'], cookie: ['a=1', 'b=2'] } }, 'body')
  await closed
})

scenario('all properties of a response in its listener, and after it', async (run) => {
  await run.serve({}, (req, res) => {
    res.statusMessage = 'Custom'
    res.setHeader('Set-Cookie', ['a=1', 'b=2'])
    res.setHeader('Trailer', 'x-t')
    res.write('part')
    res.addTrailers({ 'x-t': 'yes' })
    res.end()
  })
  const request = run.request()
  request.end()
  const [response] = await run.once(request, 'response')
  logProperties(run, 'in listener', response)
  run.log('in listener', 'req', response.req === request, ownKeys(response))
  response.resume()
  await run.closed(response)
  logProperties(run, 'closed', response)
  run.log('closed', 'socket', response.socket, request.socket)
})

scenario('the socket of a request knows its addresses and counts its bytes', async (run) => {
  let closed
  await run.serve({}, (req, res) => {
    const { socket } = req
    run.log('server', 'addresses', socket.remoteAddress, socket.remoteFamily, socket.localAddress, socket.localFamily, socket.localPort)
    run.log('server', 'address()', socket.address(), typeof socket.remotePort)
    run.log('server', 'state', socket.readyState, socket.connecting, socket.pending, socket.destroyed, socket.readable, socket.writable, socket.encrypted)
    run.log('server', 'marks', socket.readableHighWaterMark, socket.writableHighWaterMark, socket.timeout, socket.allowHalfOpen)
    run.log('server', 'ownership', socket._httpMessage === res, socket.server === run.servers[0], socket._server === run.servers[0], typeof socket.parser)
    run.log('server', 'bytesRead', socket.bytesRead)
    run.attempt('server', 'setEncoding', () => socket.setEncoding('utf8'))
    closed = run.closed(socket)
    socket.on('close', () => run.log('server', 'closed', socket.bytesRead, socket.bytesWritten, socket.destroyed))
    run.log('server', 'chaining', socket.setNoDelay(true) === socket, socket.setKeepAlive(true, 1000) === socket, socket.setTimeout(5000) === socket,
      socket.ref() === socket, socket.unref() === socket)
    res.sendDate = false
    res.end('hello')
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await peer.ended()
  await closed
})

scenario.server('header names keep their case in rawHeaders and are lower-case in headers', async (run) => {
  await run.serve({}, reportHeaders(run))
  await sendHead(run, 'GET / HTTP/1.1', 'HoSt: Example.ORG', 'X-Mixed-Case: Value', 'ACCEPT: */*')
})

scenario.server('repeated headers are joined, dropped or collected by their name', async (run) => {
  await run.serve({}, reportHeaders(run))
  const names = ['age', 'authorization', 'content-type', 'etag', 'expires', 'from', 'host', 'if-modified-since', 'if-unmodified-since',
    'last-modified', 'location', 'max-forwards', 'proxy-authorization', 'referer', 'retry-after', 'server', 'user-agent',
    'cookie', 'set-cookie', 'accept', 'x-custom', 'via', 'vary', 'forwarded', 'date', 'origin', 'te', 'accept-encoding', 'connection']
  await sendHead(run, 'GET / HTTP/1.1', ...names.flatMap((name) => [`${name}: first`, `${name.toUpperCase()}: second`]))
})

scenario.server('joinDuplicateHeaders joins those that would be dropped', async (run) => {
  await run.serve({ joinDuplicateHeaders: true }, reportHeaders(run))
  await sendHead(run, 'GET / HTTP/1.1', 'Host: a', 'Host: b', 'Age: 1', 'Age: 2', 'Cookie: a', 'Cookie: b', 'Set-Cookie: a', 'Set-Cookie: b', 'X: 1', 'X: 2')
})

scenario.server('values are latin1, trimmed, and may be empty', async (run) => {
  await run.serve({}, reportHeaders(run))
  await sendHead(run, 'GET / HTTP/1.1', 'Host: x', 'Empty:', 'Blank:   ', 'Tabs:\t a\tb \t', 'Umlaut: \xe4\xf6\xfc', 'Utf8: \xc3\xa4', 'Tight:v', 'Inner: a  b   c')
})

const SPECIAL = ['__proto__: polluted', 'constructor: c', 'toString: t', 'hasOwnProperty: h', "!#$%&'*+-.^_`|~: token", '0: zero', '1: one']

scenario.server('special names do not break the headers object', async (run) => {
  await run.serve({}, (req, res) => {
    run.log('server', 'headers', req.headers, req.rawHeaders)
    res.end('ok\n')
  })
  await sendHead(run, 'GET / HTTP/1.1', 'Host: x', ...SPECIAL)
})

/** Core throws where the object has a prototype (CVE-2026-21710). */
const throws = Object.getPrototypeOf(new core.IncomingMessage().headersDistinct) !== null

scenario.server('special names do not break headersDistinct', async (run) => {
  await run.serve({}, (req, res) => {
    run.log('server', 'distinct', req.headersDistinct)
    res.end('ok\n')
  })
  await sendHead(run, 'GET / HTTP/1.1', 'Host: x', ...SPECIAL)
}, { skip: throws && 'core throws' })

test('a field named __proto__ is no exception in headersDistinct, and pollutes nothing', () => {
  const message = new ours.IncomingMessage()
  message._addHeaderLines(['__proto__', 'polluted', 'A', 'b'], 4)
  assert.deepEqual(message.headersDistinct.a, ['b'])
  assert.equal({}.polluted, undefined)
  assert.equal([].polluted, undefined)
})

scenario.server('targets arrive as they were sent', async (run) => {
  await run.serve({}, (req, res) => {
    run.log('server', 'target', req.method, req.url)
    res.end('ok\n')
  })
  const peer = run.dial()
  const targets = ['/', '/a?b=c&d', '/%20x', '*', 'http://other.example/path?x', '//double', '/#fragment', '/"<>^`{|}\\', '/?', '/a;b=c,d', '/\'()!$&*+=@:']
  for (const target of targets) peer.send(`OPTIONS ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await peer.until('ok\n', targets.length)
})

scenario.server('every method of METHODS is accepted', async (run) => {
  await run.serve({}, (req, res) => {
    run.log('server', req.method, req.method.length)
    res.end('ok\n')
  })
  const peer = run.dial()
  const methods = run.server.METHODS.filter((method) => method !== 'CONNECT')
  for (const method of methods) peer.send(`${method} / HTTP/1.1\r\nHost: x\r\n\r\n`)
  await peer.until('HTTP/1.1 200', methods.length)
})

scenario.server('versions other than 1.1 are in httpVersion and change the answer', async (run) => {
  await run.serve({}, (req, res) => {
    run.log('server', 'version', req.httpVersion, req.httpVersionMajor, req.httpVersionMinor, res.shouldKeepAlive)
    res.end('ok\n')
  })
  for (const version of ['1.0', '1.1', '2.0', '0.9', '1.2', '1.10', '3.0']) {
    const peer = run.dial()
    peer.send(`GET / HTTP/${version}\r\nHost: x\r\nConnection: close\r\n\r\n`)
    run.log('client', version, await peer.ended(), peer.received.split('\r\n')[0])
  }
})

scenario.server('own classes for requests and responses are used and get their arguments', async (run) => {
  class Request extends run.server.IncomingMessage {
    constructor (...values) {
      super(...values)
      run.log('server', 'new Request', ...values)
    }
  }
  class Response extends run.server.ServerResponse {
    constructor (...values) {
      super(...values)
      run.log('server', 'new Response', values.length, values[0] instanceof Request, values[1])
    }
  }
  await run.serve({ IncomingMessage: Request, ServerResponse: Response }, (req, res) => {
    run.log('server', 'instances', req instanceof Request, res instanceof Response, req.constructor.name)
    res.end('mine')
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until('mine')
})

scenario.server('prototypes may be swapped on live messages', async (run) => {
  const requestPrototype = Object.create(run.server.IncomingMessage.prototype, { shout: { get () { return this.url.toUpperCase() } } })
  const responsePrototype = Object.create(run.server.ServerResponse.prototype)
  responsePrototype.say = function (text) { return this.end(text) }
  await run.serve({}, (req, res) => {
    Object.setPrototypeOf(req, requestPrototype)
    Object.setPrototypeOf(res, responsePrototype)
    run.log('server', 'headers', req.headers.host, req.socket)
    res.say(req.shout)
  })
  const peer = run.dial()
  peer.send('GET /abc HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until('/ABC')
})

scenario.server('headers, trailers and other properties may be assigned', async (run) => {
  await run.serve({}, (req, res) => {
    req.headers = { own: 'headers' }
    req.trailers = { own: 'trailers' }
    req.headersDistinct = { own: ['distinct'] }
    req.trailersDistinct = { own: ['distinct trailers'] }
    req.url = '/rewritten'
    req.method = 'PATCH'
    run.log('server', 'assigned', req.headers, req.trailers, req.headersDistinct, req.trailersDistinct, req.url, req.method)
    const { socket } = req
    req.connection = 'a'
    run.log('server', 'socket', req.socket)
    req.socket = socket
    res.end('done')
  })
  const peer = run.dial()
  peer.send('GET /abc HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until('done')
})

scenario.server('a Host header is required unless requireHostHeader is off', async (run) => {
  for (const options of [{}, { requireHostHeader: false }]) {
    await run.serve(options, (req, res) => res.end(`host ${req.headers.host}`))
    for (const host of ['', 'Host:\r\n', 'Host: x\r\nHost: y\r\n']) {
      for (const version of ['1.1', '1.0']) {
        const peer = run.dial()
        peer.send(`GET / HTTP/${version}\r\n${host}Connection: close\r\n\r\n`)
        await peer.ended()
      }
    }
  }
})

const NUMBERS = [[3, 10], [0, 1500], [null, 1005], [40, 45], [3, 29], [3, 30], [31, 40], [62, 100], [63, 100], [-1, 40], [1.5, 10], [NaN, 40], ['3', 10], [2 ** 31, 40]]

scenario.server('more headers than maxHeadersCount', async (run) => {
  for (const [count, sent] of NUMBERS) {
    const server = await run.serve({}, (req, res) => {
      const names = Object.keys(req.headers)
      run.log('server', `limit ${count}`, names.length, names.at(-1), Object.keys(req.headersDistinct).length, req.rawHeaders.length, req.rawHeaders.at(-2))
      res.end('ok')
    })
    server.maxHeadersCount = count
    server.on('clientError', (error, socket) => {
      run.log('server', `limit ${count}`, error)
      socket.destroy()
    })
    const peer = run.dial()
    const fields = Array.from({ length: sent }, (_, index) => `x${index}: y\r\n`).join('')
    peer.send(`GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}\r\n`)
    await peer.ended()
  }
})

for (const [first, second] of [['Connection  : close', 'Content-Length : 1'], ['A: b', 'Connection : close'], ['Upgrade  : x', 'A: b']]) {
  overAll(`maxHeadersCount and spaces before a colon, cut at each byte: ${first}, ${second}`, async (run, dial) => {
    const bytes = `POST / HTTP/1.1\r\nHost: x\r\n${first}\r\n${second}\r\n\r\n`
    for (const limit of [2, 3]) {
      for (let cut = 1; cut < bytes.length; cut++) {
        const server = run.server.createServer({ insecureHTTPParser: true }, (req, res) => {
          run.log('server', `limit ${limit}, cut at ${cut}`, req.rawHeaders, req.headers)
          res.end('ok', () => req.socket.end())
        })
        server.maxHeadersCount = limit
        server.on('clientError', (error, socket) => {
          run.log('server', `limit ${limit}, cut at ${cut}`, error.code)
          socket.destroy()
        })
        const accepted = once(server, 'connection')
        const peer = await dial(server)
        peer.send(bytes.slice(0, cut))
        const [socket] = await accepted
        do await new Promise(setImmediate)
        while (socket.bytesRead < cut)
        await new Promise(setImmediate)
        peer.send(bytes.slice(cut))
        await peer.ended()
        peer.destroy()
      }
    }
  }, ['a socket', 'a duplex'])
}

scenario.server('Host and Expect beyond maxHeadersCount', async (run) => {
  for (const last of ['Host: x\r\nA: b\r\nExpect: 100-continue', 'A: b\r\nHost: x', 'A: b\r\nConnection: close\r\nHost: x']) {
    const server = await run.serve({}, (req, res) => {
      run.log('server', 'request', req.headers, req.rawHeaders)
      res.end('ok')
    })
    server.maxHeadersCount = 1
    run.watch('server', server, ['checkContinue'])
    const peer = run.dial()
    peer.send(`GET / HTTP/1.1\r\n${last}\r\n\r\n`)
    await peer.until('\r\n\r\n')
  }
})

'use strict'

/** What each option of a request does to its connection and to its head. */

const { spawn } = require('node:child_process')
const dns = require('node:dns')
const { once } = require('node:events')
const net = require('node:net')
const { scenario } = require('../../oracle')

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'

const serve = (run) => run.origin(async (peer) => {
  await peer.until('\r\n\r\n')
  peer.send(OK)
})

const all = (...addresses) => (name, options, callback) => {
  const found = addresses.map((address) => ({ address, family: net.isIP(address) }))
  process.nextTick(() => (options.all ? callback(null, found) : callback(null, found[0].address, found[0].family)))
}

const ATTEMPTS = ['lookup', 'connectionAttempt', 'connectionAttemptFailed', 'connectionAttemptTimeout', 'connect', 'ready', 'error', 'close']

/** A request with the events of its socket; resolves when it is over. */
async function told (run, options) {
  const request = run.request({ agent: run.agent({}), ...options })
  request.on('socket', (socket) => {
    run.watch('socket', socket, ATTEMPTS)
    socket.on('error', (error) => error.errors && run.log('socket', 'each', ...error.errors))
    socket.on('connect', () => run.log('socket', 'tried', socket.autoSelectFamilyAttemptedAddresses))
  })
  request.on('error', (error) => run.log('client', 'error', error, Object.keys(error).sort()))
  request.on('response', (response) => {
    run.log('client', 'response', response.statusCode)
    response.resume()
  })
  request.end()
  await run.closed(request)
  run.log('client', 'over', request.destroyed, request.res?.complete)
}

for (const [what, options] of Object.entries({
  'one address': { lookup: all('127.0.0.1') },
  'two addresses, the first of which refuses': { lookup: all('127.0.0.2', '127.0.0.1') },
  'two families, the first of which refuses': { lookup: all('::1', '127.0.0.1') },
  'two families, and family 4': { lookup: all('127.0.0.1', '::1'), family: 4 },
  'two families, and no happy eyeballs': { lookup: all('::1', '127.0.0.1'), autoSelectFamily: false },
  'the same address twice': { lookup: all('127.0.0.1', '127.0.0.1') },
  'what is no address': { lookup: (name, options, callback) => callback(null, options.all ? [{ address: 'nowhere', family: 4 }] : 'nowhere', 4) },
  'a family that is none': { lookup: (name, options, callback) => callback(null, options.all ? [{ address: '127.0.0.1', family: 5 }] : '127.0.0.1', 5) },
  'one address though all were asked for': { lookup: (name, options, callback) => callback(null, '127.0.0.1', 4) },
  'an error': { lookup: (name, options, callback) => callback(Object.assign(new Error('no'), { code: 'ENOTFOUND' })) }
})) {
  scenario.client(`a lookup that gives ${what}`, async (run) => {
    await serve(run)
    await told(run, { host: 'some.name.invalid', ...options })
  })
}

for (const [what, addresses] of Object.entries({ 'one address': ['127.0.0.1'], 'two addresses': ['127.0.0.1', '127.0.0.2'], 'two families': ['::1', '127.0.0.1'] })) {
  scenario.client(`${what}, on none of which a server listens`, async (run) => {
    await told(run, { host: 'some.name.invalid', port: await run.refusedPort(), lookup: all(...addresses) })
  })
}

/** A listener on 127.0.0.9 that does not answer: it neither accepts nor has room for more. */
async function silentListener () {
  const listen = `require('node:net').createServer().listen({ host: '127.0.0.9', port: 0, backlog: 1 }, function () {
    require('node:fs').writeSync(1, String(this.address().port))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })`
  const child = spawn(process.execPath, ['-e', listen], { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = Number((await once(child.stdout, 'data'))[0])
  const waiting = Array.from({ length: 4 }, () => net.connect(port, '127.0.0.9').on('error', () => {}))
  await once(waiting[1], 'connect')
  const close = () => {
    for (const socket of waiting) socket.destroy()
    child.kill('SIGKILL')
  }
  return { port, close }
}

scenario.client('an address that does not answer in time', async (run) => {
  const { port, close } = await silentListener()
  const origin = net.createServer((socket) => socket.end(OK)).listen(port, '127.0.0.1')
  try {
    await once(origin, 'listening')
    run.mask(port, 'port')
    await told(run, { host: 'some.name.invalid', port, lookup: all('127.0.0.9', '127.0.0.1'), autoSelectFamilyAttemptTimeout: 30 })
  } finally {
    close()
    origin.close()
  }
})

scenario.client('the arguments of a lookup', async (run) => {
  await serve(run)
  for (const options of [{}, { family: 4 }, { family: 0 }, { hints: dns.ADDRCONFIG | dns.V4MAPPED }, { family: 4, hints: dns.ALL }, { autoSelectFamily: false }, { autoSelectFamily: true }, { host: '127.0.0.1' }, { hostname: 'other.invalid' }, { localAddress: '127.0.0.1' }]) {
    await told(run, {
      host: 'some.name.invalid',
      lookup (name, asked, callback) {
        run.log('lookup', 'asked', options, name, asked, Object.keys(asked))
        all('127.0.0.1')(name, asked, callback)
      },
      ...options
    })
  }
})

scenario.client('localAddress and localPort', async (run) => {
  const from = await run.refusedPort()
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    run.log('server', 'from', peer.socket.remoteAddress, peer.socket.remotePort === from)
    peer.send(OK)
  })
  await told(run, { localAddress: '127.0.0.3' })
  await told(run, { localAddress: '127.0.0.1', localPort: from })
  await told(run, { localAddress: '192.0.2.1' })
})

scenario.client('the head that options make', async (run) => {
  await serve(run)
  const agent = run.agent({ keepAlive: false })
  for (const options of [
    { auth: 'user:pass' },
    { auth: 'user:pass', headers: { authorization: 'mine' } },
    { auth: 'user:pass', headers: ['Host', 'x'] },
    { defaultPort: run.port },
    { defaultPort: 8080 },
    { setHost: false },
    { setHost: true, headers: ['X', 'y'] },
    { setHost: true, headers: { host: 'mine' } },
    { setHost: 0 },
    { setDefaultHeaders: false },
    { setDefaultHeaders: false, setHost: true },
    { setDefaultHeaders: false, method: 'POST' },
    { headers: { 'X-List': ['a', 'b'], 'x-unique': ['a', 'b'] }, uniqueHeaders: ['x-unique'] },
    { headers: { cookie: ['a', 'b'], Link: ['a', 'b'], 'content-type': ['a', 'b'] } },
    { headers: ['X-One', 'a', 'X-One', 'b', 'x-one', 'c'] },
    { headers: [['X-One', 'a'], ['X-One', ['b', 'c']]] },
    { headers: new Map([['a', 'b']]) },
    { headers: { connection: 'keep-alive, x' } },
    { headers: { connection: 'close' } },
    { headers: { 'Transfer-Encoding': 'gzip, chunked' } },
    { headers: { Expect: 'x' }, method: 'POST' },
    { headers: { 'Content-Length': '0' }, method: 'POST' },
    { headers: { Trailer: 'x' }, method: 'POST' },
    { method: 'DELETE' },
    { method: 'delete', headers: { 'Content-Length': 0 } },
    { path: 'relative' },
    { path: '' },
    { path: '/?query=\u00fc' },
    { protocol: 'http:' },
    { protocol: null },
    { hostname: '', host: '127.0.0.1' },
    { hostname: null, host: '127.0.0.1' },
    { joinDuplicateHeaders: true, headers: { a: ['b', 'c'] } }
  ]) {
    const request = run.attempt('client', run.summary(options), () => run.request({ agent, ...options }))
    if (request === undefined) continue
    run.log('client', 'head', request.getHeaderNames(), request.getRawHeaderNames?.(), request.shouldKeepAlive, request.useChunkedEncodingByDefault, request.chunkedEncoding)
    request.on('error', (error) => run.log('client', 'error', error))
    request.on('response', (response) => response.resume())
    request.end()
    await run.closed(request)
    run.log('client', 'sent', request._header)
  }
})

scenario.client('agents in every form, and what they mean for the head', async (run) => {
  await serve(run)
  const { Agent } = run.client
  class Mine extends Agent {}
  for (const [what, agent] of Object.entries({
    undefined,
    null: null,
    false: false,
    'a new one': new Agent(),
    'one that keeps': new Agent({ keepAlive: true }),
    'one with few sockets': new Agent({ maxSockets: 1 }),
    'one of a class': new Mine({ keepAlive: true }),
    'one with a default port': Object.assign(new Agent(), { defaultPort: run.port })
  })) {
    for (const more of [{}, { createConnection: (options) => net.connect(options.port, options.host) }, { headers: ['Host', 'x'] }, { headers: { Expect: 'x' } }]) {
      const request = run.request({ ...more, agent })
      run.log('client', `${what} ${run.summary(more)}`, request.agent === agent, request.agent?.constructor.name, request.agent === run.client.globalAgent, request.shouldKeepAlive, request._last)
      request.on('error', (error) => run.log('client', 'error', error))
      request.on('response', (response) => response.resume())
      request.end()
      await run.closed(request)
      run.log('client', 'sent', request._header)
    }
  }
})

scenario.client('the forms of a URL', async (run) => {
  await serve(run)
  const agent = run.agent()
  const base = `http://127.0.0.1:${run.port}`
  const url = require('node:url')
  for (const [what, args] of Object.entries({
    'a string': [`${base}/a?b#c`],
    'a URL': [new URL(`${base}/a?b#c`)],
    'a parsed url': [{ ...url.parse(`${base}/a?b#c`) }], // eslint-disable-line n/no-deprecated-api
    'a string with credentials': [`http://a%3Ab:c%40d@127.0.0.1:${run.port}/`],
    'a URL with credentials': [new URL(`http://a:b@127.0.0.1:${run.port}/`), { auth: 'c:d' }],
    'a string and a port': ['http://127.0.0.1:1/', { port: run.port }],
    'a string and a hostname': [`http://other.invalid:${run.port}/`, { hostname: '127.0.0.1' }],
    'a string and null': [`${base}/`, null],
    'a look-alike of URL': [{ href: 'x', protocol: 'http:', hostname: '127.0.0.1', port: run.port, pathname: '/like', search: '?s' }],
    'options with a prototype': [Object.create({ host: '127.0.0.1', port: run.port, path: '/inherited' })],
    'a String object': [Object(`${base}/`)],
    'a string of CONNECT, whose target is no path': [`${base}/a:1`, { method: 'CONNECT' }],
    'a string of CONNECT, and a path': [`${base}/a:1`, { method: 'connect', path: '/a:1' }]
  })) {
    const [input, options] = args
    const request = run.attempt('client', what, () => run.client.request(input, { ...options, agent }))
    if (request === undefined) continue
    run.log('client', 'read as', request.host, request.path, request.protocol, request.getHeaders())
    request.on('error', (error) => run.log('client', 'error', error.code))
    request.on('response', (response) => response.resume())
    request.end()
    await run.closed(request)
  }
})

scenario.client('a createConnection that calls back, returns, or does both', async (run) => {
  await serve(run)
  const connect = (options) => net.connect(options.port, options.host)
  for (const [what, createConnection] of Object.entries({
    'returns and calls back': (options, callback) => {
      const socket = connect(options)
      callback(null, socket)
      return socket
    },
    'calls back later with another': (options, callback) => {
      process.nextTick(callback, null, connect(options))
    },
    'calls back twice': (options, callback) => {
      const socket = connect(options)
      callback(null, socket)
      callback(new Error('late'))
    },
    'calls back with an error': (options, callback) => callback(new Error('no connection'))
  })) {
    for (const agent of [undefined, run.agent()]) {
      if (agent) agent.createConnection = createConnection
      const request = run.request(agent ? { agent } : { agent, createConnection })
      run.watch(`${what}${agent ? ', by an agent' : ''}`, request, ['socket', 'response', 'error', 'close'])
      request.on('response', (response) => response.resume())
      request.end()
      await Promise.race([run.closed(request), run.once(request, 'error')])
      await new Promise(setImmediate)
    }
  }
})

scenario.client('httpValidation and insecureHTTPParser decide what a response may be', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    peer.send('HTTP/1.1 200 OK\r\nA: b\x01c\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
  })
  for (const options of [{}, { insecureHTTPParser: true }, { insecureHTTPParser: false }, { httpValidation: 'strict' }, { httpValidation: 'relaxed' }, { httpValidation: 'insecure' }, { httpValidation: 'relaxed', headers: { a: 'b\x01c' } }, { headers: { a: 'b\x01c' } }]) {
    run.log('client', 'with', options)
    try {
      await run.exchange({ agent: false, ...options })
    } catch (error) {
      run.log('client', 'throws', error)
    }
  }
})

scenario.client('createConnection without an agent does not get the target as a path', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
    peer.end()
  })
  for (const path of ['/', '/a/b', undefined]) {
    await run.exchange({
      path,
      createConnection (options) {
        run.log('client', 'options', path, options.path, 'path' in options)
        return net.connect(options)
      }
    })
  }
})

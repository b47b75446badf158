'use strict'

/**
 * Arguments that `request` refuses, and connections that cannot be made or break: the errors, events and callbacks of the
 * request.
 */

const { once } = require('node:events')
const net = require('node:net')
const tls = require('node:tls')
const { scenario } = require('../../oracle')

/** Arguments that `request` refuses, or takes. */
const ARGUMENTS = {
  'a bad url': ['not a url'],
  'another protocol': ['https://127.0.0.1/'],
  'ftp': [{ protocol: 'ftp:' }],
  'null': [null],
  'a number': [5],
  'a bad method': [{ method: 'A B' }],
  'a method that is no string': [{ method: 5 }],
  'an empty method': [{ method: '' }],
  'a bad host': [{ host: 5 }],
  'a bad hostname': [{ hostname: {} }],
  'a hostname of true': [{ hostname: true }],
  'a bad agent': [{ agent: 'x' }],
  'an agent of null': [{ agent: null }],
  'an agent of true': [{ agent: true }],
  'an agent without addRequest': [{ agent: {} }],
  'a bad port': [{ port: 70000 }],
  'a negative port': [{ port: -1 }],
  'a port that is no number': [{ port: 'abc' }],
  'a bad timeout': [{ timeout: -1 }],
  'a timeout as text': [{ timeout: 'x' }],
  'an infinite timeout': [{ timeout: Infinity }],
  'a bad local address': [{ localAddress: 'no-address' }],
  'a bad lookup': [{ lookup: 5 }],
  'a bad family': [{ family: 5 }],
  'a bad maxHeaderSize': [{ maxHeaderSize: -1 }],
  'a maxHeaderSize as text': [{ maxHeaderSize: 'x' }],
  'a bad insecureHTTPParser': [{ insecureHTTPParser: 5 }],
  'a bad joinDuplicateHeaders': [{ joinDuplicateHeaders: 5 }],
  'a bad signal': [{ signal: {} }],
  'a bad createConnection': [{ createConnection: 5 }],
  'a bad header name': [{ headers: { 'a b': 'c' } }],
  'a bad header value': [{ headers: { a: 'b\nc' } }],
  'an undefined header value': [{ headers: { a: undefined } }],
  'an odd headers array': [{ headers: ['a'] }],
  'a bad headers array': [{ headers: ['a b', 'c'] }],
  'headers as text': [{ headers: 'x' }],
  'auth of a number': [{ auth: 5 }],
  'a bad highWaterMark': [{ highWaterMark: -5 }],
  'a bad uniqueHeaders': [{ uniqueHeaders: 'x' }],
  'a bad httpValidation': [{ httpValidation: 'x' }],
  'a callback that is none': ['http://127.0.0.1/', {}, 5]
}

for (const [what, values] of Object.entries(ARGUMENTS)) {
  scenario.module(`request with ${what}`, (run) => {
    const [options, ...more] = values
    const inert = { createConnection: () => new (require('node:stream').PassThrough)() }
    const first = typeof options === 'object' && options !== null && !('createConnection' in options) && !('agent' in options) && !('port' in options || 'lookup' in options || 'localAddress' in options || 'family' in options)
      ? { ...inert, ...options }
      : options
    run.attempt('module', what, () => {
      const request = run.http.request(first, ...more)
      request.on('error', (error) => run.log('module', 'error', error))
      request.destroy()
      return [request.method, request.path, request.host, request.getHeaders()]
    })
  })
}

scenario.client('a port where no server listens', async (run) => {
  const port = await run.refusedPort()
  for (const agent of [false, run.agent({ keepAlive: true })]) {
    const request = run.client.request({ host: '127.0.0.1', port, agent })
    run.watch('client', request, ['socket', 'prefinish', 'finish', 'error', 'close', 'response'])
    request.on('error', (error) => run.log('client', 'details', error.errno, error.syscall, error.address, error.port === port))
    request.end()
    await run.closed(request)
  }
})

scenario.client('a port where no server listens, with a body', async (run) => {
  const request = run.client.request({ host: '127.0.0.1', port: await run.refusedPort(), agent: false, method: 'POST' })
  run.watch('client', request, ['socket', 'error', 'close', 'finish'])
  request.write('some', (error) => run.log('client', 'write callback', error?.code))
  request.end('more', (error) => run.log('client', 'end callback', error?.code))
  for (const name of ['error', 'close']) {
    request.on(name, () => run.log('client', 'state', request.destroyed, request.writableFinished, request.writableEnded, request.outputSize))
  }
  await run.closed(request)
  run.log('client', 'state', request.destroyed, request.errored?.code, request.writableFinished)
})

scenario.client('a name that does not exist', async (run) => {
  const request = run.client.request({ host: 'no-such-name.invalid', agent: false })
  request.on('error', (error) => run.log('client', 'error', error.syscall, error.hostname, error.constructor.name))
  run.watch('client', request, ['close', 'socket'])
  request.end()
  await run.closed(request)
})

scenario.client('a unix socket that does not exist', async (run) => {
  const request = run.client.request({ socketPath: run.unixPath(), agent: false })
  run.watch('client', request, ['error', 'close', 'socket'])
  request.on('error', (error) => run.log('client', 'details', error.errno, error.syscall, typeof error.address))
  request.end()
  await run.closed(request)
})

scenario.client('the server closes at once', async (run) => {
  await run.origin((peer) => peer.end())
  const request = run.request({ agent: false })
  run.watch('client', request, ['error', 'close', 'response'])
  request.end()
  await run.closed(request)
})

// TLS has an 'end' listener of its own, before the request's, which fails the socket. What it sends is never the same.
for (const [how, leave] of [
  ['ends', (peer) => peer.end()],
  ['is destroyed', (peer) => peer.destroy()],
  ['ends behind the first bytes', (peer) => peer.once('data', () => peer.end())]
]) {
  scenario.client(`a peer that ${how} before the handshake of TLS is over`, async (run) => {
    const server = net.createServer((peer) => leave(peer.on('error', () => {})))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address()
    const request = run.client.request({
      createConnection: () => tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
    })
    run.watch('client', request, ['socket', 'error', 'close', 'response'])
    request.end()
    await run.closed(request)
    server.close()
  })
}

scenario.client('the server closes in the middle of an upload', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('first')
    peer.reset()
  })
  const request = run.request({ agent: false, method: 'POST' })
  run.watch('client', request, ['error', 'close', 'response', 'finish'])
  request.write('first')
  await run.closed(request)
  run.log('client', 'write', request.write('second', (error) => run.log('client', 'write callback', error)))
  await new Promise(setImmediate)
})

scenario.client('a lookup that throws or fails', async (run) => {
  for (const lookup of [
    (name, options, callback) => callback(new Error('lookup failed')),
    (name, options, callback) => process.nextTick(callback, Object.assign(new Error('later'), { code: 'EAI_AGAIN' }))
  ]) {
    const request = run.client.request({ host: 'a.invalid', lookup, agent: false })
    run.watch('client', request, ['error', 'close', 'socket'])
    request.end()
    await run.closed(request)
  }
})

scenario.client('createConnection that throws, fails, or gives nothing', async (run) => {
  let failed
  for (const createConnection of [
    () => { throw new Error('thrown') },
    (options, callback) => { process.nextTick(callback, new Error('given')) },
    (options, callback) => {
      const socket = new net.Socket()
      process.nextTick(() => socket.destroy(new Error('destroyed')))
      return socket
    }
  ]) {
    run.attempt('client', 'request', () => {
      const request = run.client.request({ host: 'a.invalid', createConnection })
      run.watch('client', request, ['error', 'close', 'socket'])
      failed = run.once(request, 'error')
      request.end()
      return request
    })
    await failed
    await new Promise(setImmediate)
    await new Promise(setImmediate)
  }
})

/** What a server does to each connection at once. */
const LEAVING = {
  'resets the connection': (socket) => socket.resetAndDestroy(),
  'resets the connection behind its event': (socket) => setImmediate(() => socket.resetAndDestroy()),
  'closes the connection': (socket) => socket.destroy(),
  'closes the connection behind its event': (socket) => setImmediate(() => socket.destroy())
}

for (const [what, leave] of Object.entries(LEAVING)) {
  for (const size of [undefined, 1000, 3e6]) {
    scenario.client(`a server that ${what}, and ${size === undefined ? 'a GET' : `a body of ${size} bytes`}`, async (run) => {
      const server = net.createServer({ pauseOnConnect: true }, (socket) => {
        socket.on('error', () => {})
        leave(socket)
      })
      run.servers.push(server)
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      run.port = server.address().port
      run.mask(run.port, 'port')
      const request = run.request({ method: size === undefined ? 'GET' : 'POST' })
      // One track: which of request and socket hears first belongs to it.
      request.on('socket', (socket) => {
        for (const event of ['connect', 'ready', 'end', 'error', 'close']) {
          socket.on(event, (...values) => run.log('client', `socket ${event}`, ...values))
        }
      })
      run.watch('client', request, ['finish', 'response', 'error', 'close'])
      if (size !== undefined) request.write(Buffer.alloc(size), (error) => run.log('client', 'written', error))
      request.end((error) => run.log('client', 'ended', error))
      await run.closed(request)
    })
  }
}

'use strict'

/**
 * What a client sends: the forms of `request` and `get`, methods, headers, bodies, and the properties and events of the
 * request.
 */

const { Readable } = require('node:stream')
const { EventEmitter } = require('node:events')
const { scenario } = require('../../oracle')
const { ownKeys } = require('../../oracle/own-keys')
const { answering, watched } = require('../../oracle/answering')

function echo (run) {
  return (req, res) => {
    run.log('server', 'request', req.method, req.url)
    const chunks = []
    req.on('data', (chunk) => chunks.push(chunk))
    req.on('end', () => res.end(Buffer.concat(chunks)))
  }
}

/** Sends one request made by `make`, which may end it itself, and reads the answer. */
async function send (run, make) {
  const request = make()
  if (!request.writableEnded) request.end()
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
}

scenario('get ends by itself and request does not', async (run) => {
  await run.serve({}, echo(run))
  const request = run.client.get(run.target(), (response) => run.log('client', 'callback', response))
  run.log('client', 'ended', request.writableEnded, request.method, request.path, request.host, request.protocol)
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
  run.log('client', 'not ended', run.request().on('error', () => {}).writableEnded)
})

scenario('url forms: string, URL, options, and their mixtures', async (run) => {
  await run.serve({}, echo(run))
  const { client, port } = run
  const base = `http://127.0.0.1:${port}`
  const agent = run.agent({ keepAlive: false })
  await send(run, () => client.request(`${base}/string?a=b#hash`, { agent }))
  await send(run, () => client.request(new URL(`${base}/url?a=b c`), { agent }))
  await send(run, () => client.request(`${base}/ignored`, { path: '/options-win', agent, method: 'post' }))
  await send(run, () => client.request(new URL(`${base}/ignored`), { agent, method: 'PUT', path: '/put' }))
  await send(run, () => client.request({ host: '127.0.0.1', port: String(port), path: '/options', agent }))
  await send(run, () => client.request({ hostname: '127.0.0.1', host: 'ignored.invalid', port, agent }))
  await send(run, () => client.request(`http://user:pa%20ss@127.0.0.1:${port}/auth`, { agent }))
  await send(run, () => client.request({ ...run.target({ agent }), auth: 'user:pässword' }))
  await send(run, () => new client.ClientRequest({ ...run.target({ agent }), path: '/constructed' }))
  await send(run, () => client.request(`${base}/\u00e4\u00f6?\u00fc`, { agent }))
})

scenario('methods and their framing', async (run) => {
  await run.serve({}, echo(run))
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'get', 'M-SEARCH', 'QUERY']) {
    await send(run, () => run.request({ method }))
    await send(run, () => run.request({ method }).end('body'))
  }
})

scenario('bodies that are written in parts', async (run) => {
  await run.serve({}, echo(run))
  await send(run, () => {
    const request = run.request({ method: 'POST' })
    run.log('client', 'write', request.write('one'), request.write(Buffer.from('two')), request.write(new Uint8Array([51])), request.write(''))
    return request.end('four')
  })
  await send(run, () => {
    const request = run.request({ method: 'POST', headers: { 'Content-Length': 6 } })
    request.write('abc')
    return request.end('def')
  })
  await send(run, () => {
    const request = run.request({ method: 'POST' })
    Readable.from(['p', 'i', 'p', 'e']).pipe(request)
    return request
  }).catch((error) => run.log('client', 'error', error))
})

scenario('a request that is piped', async (run) => {
  await run.serve({}, echo(run))
  const request = run.request({ method: 'POST' })
  Readable.from(['p', 'i', 'p', 'e']).pipe(request)
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
})

scenario('headers given as object, array and pairs', async (run) => {
  await run.serve({}, (req, res) => {
    run.log('server', 'headers', req.rawHeaders)
    res.end()
  })
  const { port } = run
  for (const headers of [
    { 'X-One': '1', 'x-two': ['2', 'zwei'], 'X-Number': 5 },
    { Host: 'example.org', Connection: 'close' },
    { host: '', 'user-agent': 'mine', cookie: ['a=1', 'b=2'] },
    ['Host', `127.0.0.1:${port}`, 'X-One', '1', 'X-One', '2'],
    [['Host', `127.0.0.1:${port}`], ['X-One', '1'], ['x-one', '2']],
    new Headers({ 'X-From': 'Headers' }),
    { 'Transfer-Encoding': 'chunked' },
    { 'Content-Length': 0 },
    { 'Keep-Alive': 'timeout=5' },
    {}
  ]) await run.exchange({ headers })
  await run.exchange({ setHost: false, headers: {} })
  await run.exchange({ setDefaultHeaders: false, headers: { Host: 'x' } })
  await run.exchange({ setDefaultHeaders: false, method: 'POST', headers: { Host: 'x', 'Content-Length': 4, Connection: 'close' } }, 'body')
})

scenario('joinDuplicateHeaders and maxHeaderSize of a response', async (run) => {
  await run.serve({}, (req, res) => {
    res.writeHead(200, ['Age', '1', 'Age', '2', 'X-Long', 'x'.repeat(req.url === '/long' ? 600 : 10)])
    res.end()
  })
  await run.exchange({ joinDuplicateHeaders: true })
  await run.exchange({ maxHeaderSize: 500 })
  await run.exchange({ maxHeaderSize: 500, path: '/long' })
})

scenario('all properties of a request in every phase', async (run) => {
  await run.serve({}, echo(run))
  const names = ['method', 'path', 'host', 'protocol', 'aborted', 'destroyed', 'finished', 'writable', 'writableEnded', 'writableFinished', 'writableLength',
    'writableHighWaterMark', 'writableCorked', 'writableNeedDrain', 'headersSent', 'reusedSocket', 'maxHeadersCount', 'timeout', 'timeoutCb', 'upgradeOrConnect', 'res',
    'shouldKeepAlive', 'chunkedEncoding', 'useChunkedEncodingByDefault', 'sendDate', '_header', '_ended', '_last', '_hasBody', 'outputSize', 'socketPath', 'maxHeaderSize',
    'insecureHTTPParser', 'joinDuplicateHeaders', 'closed', 'errored', '_contentLength']
  const say = (track) => names.forEach((name) => run.log(track, name, request[name]))
  const request = run.request({ method: 'POST', path: '/a' })
  run.log('created', 'own keys', ownKeys(request))
  say('created')
  run.log('created', 'outputData', request.outputData, request.agent === run.keepAlive, request.socket, request.connection)
  request.write('first')
  say('written')
  run.log('written', 'outputData', request.outputData.length)
  await run.once(request, 'socket')
  say('socket')
  request.end('second')
  say('ended')
  const [response] = await run.once(request, 'response')
  say('response')
  response.resume()
  await run.closed(request)
  say('closed')
})

scenario('callbacks of write and end', async (run) => {
  await run.serve({}, echo(run))
  const request = run.request({ method: 'POST' })
  run.watch('client', request, ['prefinish', 'finish', 'drain', 'close'])
  request.write('a', (error) => run.log('client', 'write callback', error))
  request.write('b', 'latin1', (error) => run.log('client', 'write callback 2', error))
  request.end('c', (error) => run.log('client', 'end callback', error))
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
  await run.closed(request)
})

scenario('write after end of a request', async (run) => {
  await run.serve({}, echo(run))
  const request = run.request({ method: 'POST' })
  run.watch('client', request, ['error', 'close'])
  request.end('a')
  run.attempt('client', 'write', () => request.write('b', (error) => run.log('client', 'write callback', error)))
  await run.closed(request)
})

scenario('flushHeaders sends the head before the body', async (run) => {
  const server = await run.serve({}, (req, res) => {
    res.write('head seen ')
    req.resume().on('end', () => res.end('body seen'))
  })
  const handled = run.once(server, 'request')
  const request = run.request({ method: 'POST' })
  request.flushHeaders()
  run.log('client', 'headersSent', request.headersSent)
  await handled
  request.end('late body')
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
})

scenario('a path with characters that need escaping is refused', async (run) => {
  await run.serve({}, echo(run))
  for (const path of ['/a b', '/ä', '/€', '/a\nb', '/\0', '', undefined, null, '*', 'no-slash', 5]) {
    run.attempt('client', run.summary(path), () => run.request({ path }).on('error', () => {}).destroy().path)
  }
  const request = run.request({ path: '/ok' })
  request.on('error', () => {})
  run.attempt('client', 'assigned', () => {
    request.path = '/a b'
    return request.path
  })
  request.destroy()
})

scenario('without a response listener the answer is dumped', async (run) => {
  await run.serve({}, (req, res) => res.end('x'.repeat(200000)))
  const request = run.request()
  run.watch('client', request, ['error', 'close', 'finish'])
  request.end()
  await run.closed(request)
  await run.exchange({ path: '/next' })
})

scenario('setNoDelay and setSocketKeepAlive', async (run) => {
  await run.serve({}, echo(run))
  const request = run.request()
  run.log('client', 'before', request.setNoDelay(true), request.setSocketKeepAlive(true, 1000))
  request.end()
  const [response] = await run.once(request, 'response')
  run.log('client', 'after', request.setNoDelay(), request.setSocketKeepAlive())
  await run.read('client', response)
})

scenario('localAddress, family, lookup and localhost', async (run) => {
  await run.serve({}, (req, res) => res.end(req.socket.remoteAddress))
  const { port } = run
  const agent = run.agent({})
  await run.exchange({ agent, localAddress: '127.0.0.1' })
  await run.exchange({ agent, family: 4, host: 'localhost' })
  await run.exchange({
    agent,
    host: 'some.name.invalid',
    lookup: (name, options, callback) => {
      run.log('client', 'lookup', name, options.all)
      if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }])
      else callback(null, '127.0.0.1', 4)
    }
  })
  await run.exchange({ agent, host: 'other.invalid', lookup: (name, options, callback) => process.nextTick(callback, Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })) })
  run.log('client', 'port', typeof port)
})

/** What makes core's methods send the rest of a request that has begun: each ends it. */
const TURNS = {
  'cork()': (request) => {
    request.cork()
    request.write('second')
    request.uncork()
    request.end()
  },
  'an empty write with a callback': (request) => request.write('', () => request.end()),
  'a replaced write() of its socket': (request) => {
    const { socket } = request
    socket.write = function (...args) { return Object.getPrototypeOf(this).write.apply(this, args) }
    request.end('second')
    request.on('finish', () => { delete socket.write })
  }
}

for (const [name, turn] of Object.entries(TURNS)) {
  scenario(`the next request on its connection follows one with ${name} behind its first part`, async (run) => {
    await run.serve({}, echo(run))
    const agent = run.agent({ keepAlive: true, maxSockets: 1 })
    for (let round = 0; round < 3; round++) {
      const request = run.request({ method: 'POST', agent })
      request.write('first', () => setImmediate(turn, request))
      const [response] = await run.once(request, 'response')
      await run.read('client', response)
      run.log('client', 'reused', request.reusedSocket)
    }
  })
}

scenario('requests that nothing listens to, over one connection', async (run) => {
  await run.serve({}, echo(run))
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  await send(run, () => run.request({ agent, path: '/first' }))
  for (const [path, body] of [['/none'], ['/small', 'body'], ['/large', Buffer.alloc(300000)]]) {
    run.client.request({ ...run.target({ agent }), method: 'POST', path }).end(body)
    const last = run.request({ agent, path: '/behind' })
    await send(run, () => last)
    run.log('client', 'reused', last.reusedSocket)
  }
})

/** Lets what follows from an event follow: there is no event for that. */
const later = (ms = 20) => new Promise((resolve) => setTimeout(resolve, ms))

scenario.client('listeners of a request that are async and fail, with captured rejections', async (run) => {
  await answering(run)
  EventEmitter.captureRejections = true
  for (const event of ['socket', 'response', 'finish', 'close']) {
    const request = watched(run, event, {})
    request.on(event, async () => { throw new Error(`from ${event}`) })
    request.end()
    await run.closed(request)
    await later()
  }
  EventEmitter.captureRejections = false
})

const QUEUED = {
  cork: (request) => request.cork(),
  uncork: (request) => request.uncork(),
  write: (request) => request.write('text'),
  'write a Buffer': (request) => request.write(Buffer.from('bytes')),
  'write, with a callback': (request) => request.write('text', () => {}),
  flushHeaders: (request) => request.flushHeaders()
}

for (const steps of [
  ['cork', 'write', 'uncork'],
  ['cork', 'write', 'write a Buffer', 'uncork'],
  ['cork', 'write, with a callback', 'write', 'uncork', 'write'],
  ['cork', 'cork', 'write', 'uncork', 'write', 'uncork'],
  ['flushHeaders', 'cork', 'write', 'uncork'],
  ['write', 'cork', 'write', 'write', 'uncork'],
  ['cork', 'write', 'flushHeaders', 'write', 'uncork']
]) {
  for (const length of [undefined, 100]) {
    scenario.client(`what waits for a socket after ${steps.join(', ')}${length === undefined ? '' : ' with a Content-Length'}`, async (run) => {
      await run.origin(async () => {})
      const request = run.request({ method: 'POST', agent: false, headers: length === undefined ? {} : { 'Content-Length': length } })
      request.on('error', () => {})
      const log = (step) => {
        const entries = request.outputData.map(({ data, encoding, callback }) => [run.masked(String(data)), typeof data, encoding, typeof callback])
        run.log('request', step, JSON.stringify(entries), request.outputSize, request.writableLength, request.writableCorked)
      }
      for (const step of steps) {
        QUEUED[step](request)
        log(step)
      }
      request.end()
      log('end')
      request.destroy()
      await run.closed(request)
    })
  }
}

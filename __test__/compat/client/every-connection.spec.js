'use strict'

/**
 * The same stories over every kind of connection that a client can have: one that its agent dials, a socket that the
 * application made, and a stream that is no socket. Each is compared with core over the same kind.
 */

const { AsyncLocalStorage } = require('node:async_hooks')
const { scenario } = require('../../oracle')
const { overAll } = require('../../oracle/connections')

const REQUEST = ['socket', 'response', 'information', 'continue', 'upgrade', 'connect', 'timeout', 'abort', 'error', 'close', 'prefinish', 'finish', 'drain']
const RESPONSE = ['data', 'end', 'aborted', 'error', 'close', 'timeout']
const SOCKET = ['end', 'close', 'error', 'free', 'agentRemove']

const OK = 'HTTP/1.1 200 OK\r\n'

/** A request all of whose events are logged, with those of its response; not ended. */
function watched (run, options, { read = true, track = 'client', upgrades = true } = {}) {
  const request = run.request(options)
  run.watch(track, request, upgrades ? REQUEST : REQUEST.filter((name) => !['upgrade', 'connect', 'information', 'continue'].includes(name)), 'request ')
  request.on('socket', (socket) => {
    if (socket.isWatched) return
    socket.isWatched = true
    run.watch(`${track} socket`, socket, SOCKET)
  })
  request.on('response', (response) => {
    run.watch(track, response, read ? RESPONSE : RESPONSE.filter((name) => name !== 'data'), 'response ')
    response.on('close', () => run.log(track, 'response over', response.complete, response.aborted, response.destroyed, response.rawTrailers))
  })
  request.on('close', () => run.log(track, 'request over', request.destroyed, request.aborted, request.finished, request.writableFinished, request.reusedSocket, request.res?.statusCode, request.errored?.code))
  return request
}

/** Lets what follows from an event follow: there is no event for that. */
const later = () => new Promise((resolve) => setTimeout(resolve, 20))

/** A story in which the server answers each request with these bytes, and maybe leaves: with a reset once they were read. */
const answering = (bytes, { how, ...options } = {}) => async (run, path) => {
  const isRead = how === 'reset' && bytes !== ''
  let origin
  await run.origin(async (peer) => {
    origin = peer
    await peer.until('\r\n\r\n')
    peer.send(bytes)
    if (how && !isRead) setImmediate(() => peer[how]())
  })
  const request = watched(run, { ...path, ...options })
  if (isRead) request.on('response', (response) => response.once('data', () => origin.reset()))
  request.end()
  await run.closed(request)
  await later()
  run.log('client', 'socket', request.socket?.destroyed, request.shouldKeepAlive)
}

const STORIES = {
  'a length': answering(`${OK}Content-Length: 2\r\n\r\nok`),
  'a length, and the server leaves': answering(`${OK}Content-Length: 2\r\n\r\nok`, { how: 'end' }),
  'a length, and close': answering(`${OK}Content-Length: 2\r\nConnection: close\r\n\r\nok`),
  'no body at all': answering(`${OK}Content-Length: 0\r\n\r\n`),
  'chunks and trailers': answering(`${OK}Transfer-Encoding: chunked\r\nTrailer: a\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n`),
  'a body until the end': answering(`${OK}\r\nuntil the end`, { how: 'end' }),
  'a body until a reset': answering(`${OK}\r\nuntil the reset`, { how: 'reset' }),
  'the answer to HEAD': answering(`${OK}Content-Length: 20\r\n\r\n`, { method: 'HEAD' }),
  'the answer to HEAD, chunked': answering(`${OK}Transfer-Encoding: chunked\r\n\r\n`, { method: 'HEAD' }),
  'a 204': answering('HTTP/1.1 204 No Content\r\n\r\n'),
  'a 304 with a length': answering('HTTP/1.1 304 Not Modified\r\nContent-Length: 20\r\n\r\n'),
  'HTTP/1.0': answering('HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'),
  'HTTP/1.0 with keep-alive': answering('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok'),
  'news before the answer': answering(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 0\r\n\r\n`),
  'news and then nothing': answering('HTTP/1.1 102 Processing\r\n\r\n', { how: 'end' }),
  'a length cut short': answering(`${OK}Content-Length: 20\r\n\r\nshort`, { how: 'end' }),
  'a length cut short by a reset': answering(`${OK}Content-Length: 20\r\n\r\nshort`, { how: 'reset' }),
  'chunks cut short': answering(`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nab`, { how: 'end' }),
  'a head cut short': answering(`${OK}Conte`, { how: 'end' }),
  'nothing, and the server leaves': answering('', { how: 'end' }),
  'a reset': answering('', { how: 'reset' }),
  'what is not HTTP': answering('garbage\r\n\r\n'),
  'a bad header behind good ones': answering(`${OK}A: b\r\nC d: e\r\n\r\n`),
  'a bad chunk': answering(`${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\nx\r\n`),
  'a head that is too large': answering(`${OK}A: ${'b'.repeat(17000)}\r\n\r\n`),
  'a head that is larger than the request takes': answering(`${OK}A: ${'b'.repeat(300)}\r\n\r\n`, { maxHeaderSize: 200 }),
  'a length and chunks, and they are taken': answering(`${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`, { insecureHTTPParser: true }),
  'more than was asked for': answering(`${OK}Content-Length: 2\r\n\r\nok${OK}Content-Length: 4\r\n\r\nmore`),
  'a 101 with a listener': answering('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhead', { headers: { Connection: 'Upgrade', Upgrade: 'x' }, how: 'end' }),
  'an answer to CONNECT with a listener': answering(`${OK}\r\nhead`, { method: 'CONNECT', path: 'a:1', how: 'end' }),
  'a refusal of CONNECT': answering('HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno', { method: 'CONNECT', path: 'a:1', how: 'end' }),

  async 'a 101 and a CONNECT without a listener' (run, path) {
    for (const [options, bytes] of [[{ headers: { Connection: 'Upgrade', Upgrade: 'x' } }, 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhead'],
      [{ method: 'CONNECT', path: 'a:1' }, `${OK}\r\n`]]) {
      await run.origin(async (peer) => {
        await peer.until('\r\n\r\n')
        peer.send(bytes)
      })
      const request = watched(run, { ...path, ...options }, { upgrades: false })
      request.end()
      await run.closed(request)
      await later()
    }
  },

  async 'a stream that was upgraded, both ways' (run, path) {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhead')
      await peer.until('question')
      peer.send('answer')
      await peer.ended()
      peer.end()
    })
    const request = watched(run, { ...path, headers: { Connection: 'Upgrade', Upgrade: 'x' } })
    let ended
    request.on('upgrade', (response, socket, head) => {
      run.log('client', 'upgraded', response.headers, head, request.destroyed, request.res === response, request.socket === socket, socket._httpMessage, socket.parser, socket.readableFlowing)
      run.log('client', 'listeners', ['data', 'end', 'close', 'error', 'timeout', 'drain', 'free'].map((name) => socket.listenerCount(name)))
      run.watch('raw', socket, ['data', 'end'])
      ended = run.closed(socket)
      socket.once('data', () => socket.end())
      socket.write('question')
    })
    request.end()
    await run.closed(request)
    await ended
  },

  async 'bodies that are sent in every way' (run, path) {
    const ends = { '/parts': '0\r\n\r\n', '/length': 'bodybody', '/one': 'one', '/none': '\r\n\r\n', '/trailers': 'T: u\r\n\r\n', '/flushed': '0\r\n\r\n', '/corked': '0\r\n\r\n' }
    await run.origin(async (peer) => {
      await peer.when(() => Object.entries(ends).some(([name, end]) => peer.received.includes(` ${name} `) && peer.received.endsWith(end) && (name !== '/none' || peer.received.includes('\r\n\r\n')) && (name !== '/one' || peer.received.includes('\r\n\r\none'))))
      peer.send(`${OK}Content-Length: 0\r\nConnection: close\r\n\r\n`)
    })
    const send = async (name, body) => {
      const request = watched(run, { ...path, path: name, method: 'POST' }, { track: name })
      await body(request)
      await run.closed(request)
    }
    const told = (name, what) => (error) => run.log(name, what, error)
    await send('/parts', (request) => {
      run.log('/parts', 'write', request.write('a', told('/parts', 'written')), request.write(Buffer.from('b'), told('/parts', 'written')))
      request.end('c', told('/parts', 'ended'))
    })
    await send('/length', async (request) => {
      request.setHeader('Content-Length', 8)
      request.write('body', told('/length', 'written'))
      await run.once(request, 'socket')
      await later()
      request.end('body', told('/length', 'ended'))
    })
    await send('/one', (request) => request.end('one', told('/one', 'ended')))
    await send('/none', (request) => request.end(told('/none', 'ended')))
    await send('/trailers', (request) => {
      request.setHeader('Trailer', 'T')
      request.write('x')
      request.addTrailers({ T: 'u' })
      request.end(told('/trailers', 'ended'))
    })
    await send('/flushed', async (request) => {
      request.flushHeaders()
      await run.once(request, 'socket')
      await later()
      request.write('late')
      await later()
      request.end()
    })
    await send('/corked', (request) => {
      request.cork()
      request.write('a')
      request.write('b')
      request.uncork()
      request.end('c')
    })
  },

  async 'an upload that is larger than the buffers, with drain' (run, path) {
    await run.origin(async (peer) => {
      await peer.until('x\r\n0\r\n\r\n')
      run.log('server', 'bytes', peer.received.length)
      peer.send(`${OK}Content-Length: 0\r\nConnection: close\r\n\r\n`)
    })
    const request = watched(run, { ...path, method: 'POST' })
    await run.once(request, 'socket')
    await later()
    run.log('client', 'write', request.write(Buffer.alloc(4 << 20, 'x')), request.writableNeedDrain)
    await run.once(request, 'drain')
    run.log('client', 'after drain', request.writableNeedDrain, request.writableLength)
    request.end()
    await run.closed(request)
  },

  async 'Expect: 100-continue' (run, path) {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      run.log('server', 'head alone', peer.received.endsWith('\r\n\r\n'))
      peer.send('HTTP/1.1 100 Continue\r\n\r\n')
      await peer.until('body')
      peer.send(`${OK}Content-Length: 0\r\n\r\n`)
    })
    const request = watched(run, { ...path, method: 'POST', headers: { Expect: '100-continue', 'Content-Length': 4 } })
    run.log('client', 'sent', request.headersSent, request.outputData.length)
    request.on('continue', () => request.end('body'))
    await run.closed(request)
  },

  async 'an answer before the request is finished, kept alive and not' (run, path) {
    for (const field of ['', 'Connection: close\r\n']) {
      await run.origin(async (peer) => {
        await peer.until('first')
        peer.send(`${OK}${field}Content-Length: 2\r\n\r\nok`)
      })
      const request = watched(run, { ...path, method: 'POST' })
      const over = new Promise((resolve) => request.on('response', (response) => response.on('close', resolve)))
      request.write('first')
      await over
      await later()
      run.log('client', 'state', request.destroyed, request.writable, request._ended, request.socket.destroyed, request.socket.writable)
      request.end('last')
      await later()
      run.log('client', 'ended', request.closed, request.writableFinished)
      request.destroy()
      await later()
    }
  },

  async 'answers that are not read' (run, path) {
    await run.origin(async (peer) => {
      for (let count = 1; ; count++) {
        await peer.until('\r\n\r\n', count)
        peer.send(`${OK}Content-Length: 200000\r\n\r\n${'x'.repeat(200000)}`)
      }
    })
    const silent = run.request(path)
    run.watch('silent', silent, ['close', 'error', 'finish'])
    silent.end()
    await run.closed(silent)
    run.log('silent', 'response', silent.res._dumped, silent.res.complete, silent.res.readableEnded)
    const request = watched(run, path, { read: false })
    request.end()
    const [response] = await run.once(request, 'response')
    await later()
    run.log('client', 'unread', response.complete, response.readableLength > 0, request.socket.isPaused())
    response.resume()
    await run.closed(request)
    await later()
  },

  async 'a reader that is slow' (run, path) {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send(`${OK}Content-Length: 1000000\r\n\r\n${'x'.repeat(1000000)}`)
    })
    const request = watched(run, path, { read: false })
    request.end()
    const [response] = await run.once(request, 'response')
    let length = 0
    for await (const chunk of response) {
      length += chunk.length
      if (length % 7 === 0) await new Promise(setImmediate)
    }
    run.log('client', 'length', length)
    await run.closed(request)
  },

  async 'a response paused in the middle' (run, path) {
    let origin
    await run.origin(async (peer) => {
      origin = peer
      await peer.until('\r\n\r\n')
      peer.send(`${OK}Content-Length: 6\r\n\r\nfir`)
    })
    const request = watched(run, path)
    const begun = new Promise((resolve) => request.on('response', (response) => response.once('data', () => resolve(response.pause()))))
    request.end()
    const response = await begun
    origin.send('st!')
    await later()
    run.log('client', 'paused', response.complete, response.readableLength)
    response.resume()
    await run.closed(request)
  },

  async 'destroy in every phase' (run, path) {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send(`${OK}Content-Length: 20\r\n\r\nhalf`)
    })
    const phases = {
      'at once': () => {},
      'in the next tick': () => new Promise((resolve) => process.nextTick(resolve)),
      'with a socket': (request) => run.once(request, 'socket'),
      'with a response': (request) => run.once(request, 'response')
    }
    for (const [phase, wait] of Object.entries(phases)) {
      for (const [how, act] of Object.entries({
        destroy: (request) => request.destroy(),
        'destroy with an error': (request) => request.destroy(new Error('mine')),
        abort: (request) => request.abort(),
        'destroy of the socket': (request) => request.socket?.destroy(),
        'destroy of the response': (request) => request.res?.destroy(),
        'destroy of the response with an error': (request) => request.res?.destroy(new Error('mine'))
      })) {
        const track = `${how} ${phase}`
        const request = watched(run, path, { track })
        request.end('never', (error) => run.log(track, 'end callback', error))
        await wait(request)
        if (how.includes('socket') && !request.socket) continue
        if (how.includes('response') && !request.res) {
          request.destroy()
          await run.closed(request)
          continue
        }
        act(request)
        run.log(track, 'then', request.destroyed, request.aborted, request.closed)
        await run.closed(request)
        await later()
      }
    }
  },

  async 'a signal in every phase' (run, path, again) {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send(`${OK}Content-Length: 20\r\n\r\nhalf`)
    })
    for (const phase of ['before', 'at once', 'socket', 'response']) {
      const controller = new AbortController()
      if (phase === 'before') controller.abort()
      const request = watched(run, { ...again(), signal: controller.signal }, { track: phase })
      request.end()
      if (phase === 'socket' || phase === 'response') await run.once(request, phase)
      controller.abort(new Error('reason'))
      await run.closed(request)
      await later()
    }
  },

  async 'time-outs of request and response' (run, path) {
    let origin
    await run.origin(async (peer) => {
      origin = peer
      await peer.until('\r\n\r\n')
    })
    const request = watched(run, { ...path, timeout: 40 })
    request.on('timeout', () => origin.send(`${OK}Content-Length: 4\r\n\r\n`))
    request.setTimeout(60, () => run.log('client', 'callback'))
    request.end()
    const [response] = await run.once(request, 'response')
    response.setTimeout(30, () => {
      run.log('client', 'response callback')
      response.socket.setTimeout(0)
      origin.send('done')
    })
    await run.closed(request)
  },

  async 'several requests, one after the other' (run, path) {
    await run.origin(async (peer) => {
      for (let count = 1; ; count++) {
        await peer.until('\r\n\r\n', count)
        peer.send(`${OK}Content-Length: 1\r\n\r\n${count}`)
      }
    })
    for (const name of ['/1', '/2', '/3']) {
      const request = watched(run, { ...path, path: name }, { track: name })
      request.end()
      await run.closed(request)
      await later()
    }
    if (!path.agent) return
    const [, second] = ['/4', '/5'].map((name) => watched(run, { ...path, path: name }, { track: name }).end())
    await run.closed(second)
    await later()
    run.log('agent', 'free', Object.values(path.agent.freeSockets).map((list) => list.length), path.agent.totalSocketCount)
  },

  async 'the async context of every callback' (run, path) {
    const storage = new AsyncLocalStorage()
    await run.origin(async (peer) => {
      for (let count = 1; ; count++) {
        await peer.until('\r\n\r\n', count)
        peer.send(`HTTP/1.1 103 Hints\r\n\r\n${OK}Content-Length: 2\r\n\r\nok`)
      }
    })
    for (const name of ['/1', '/2']) {
      await storage.run(name, () => new Promise((resolve) => {
        const request = run.request({ ...path, path: name })
        const say = (what) => () => run.log(name, what, storage.getStore())
        for (const event of ['socket', 'information', 'response', 'finish', 'prefinish']) request.on(event, say(event))
        request.on('response', (response) => {
          for (const event of ['data', 'end', 'close']) response.on(event, say(`response ${event}`))
        })
        request.on('close', () => {
          say('close')()
          setImmediate(resolve)
        })
        request.end(say('end callback'))
      }))
    }
  },

  async 'errors and their async context' (run, path) {
    const storage = new AsyncLocalStorage()
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      if (peer.received.includes('/garbage')) peer.send('garbage\r\n\r\n')
      else if (peer.received.includes('/half')) peer.send(`${OK}Content-Length: 9\r\n\r\nhalf`)
      peer.end()
    })
    for (const name of ['/garbage', '/half', '/nothing']) {
      await storage.run(name, () => new Promise((resolve) => {
        const request = run.request({ ...path, path: name })
        request.on('error', (error) => run.log(name, 'error', error, storage.getStore()))
        request.on('response', (response) => {
          response.on('error', (error) => run.log(name, 'response error', error, storage.getStore()))
          response.on('aborted', () => run.log(name, 'aborted', storage.getStore()))
          response.resume()
        })
        request.on('close', () => {
          run.log(name, 'close', storage.getStore())
          setImmediate(resolve)
        })
        request.end()
      }))
    }
  },

  async 'what listeners throw' (run, path) {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send(`${OK}Content-Length: 2\r\nConnection: close\r\n\r\nok`)
    })
    for (const event of ['socket', 'data', 'end']) {
      const track = `throws on ${event}`
      const request = watched(run, path, { track })
      const uncaught = new Promise((resolve) => { run.onUncaught = resolve })
      const fail = () => { throw new Error(`from ${event}`) }
      if (event === 'socket') request.on(event, fail)
      else request.on('response', (response) => response.on(event, fail))
      request.end()
      await uncaught
      await later()
      request.destroy()
      await later()
    }
  }
}

overAll((where, connect, { isSocket }) => {
  for (const [what, story] of Object.entries(STORIES)) {
    // A stream has no timeout, and core emits its request's close twice.
    if (!isSocket && (what.includes('time-outs') || what === 'more than was asked for')) continue
    scenario.client(`${what}, ${where}`, (run) => story(run, connect(run), () => connect(run)))
  }
})

'use strict'

/** Applications that emit what the listeners of a socket hear, or whose `emit` stands in the place of its own. */

const { scenario } = require('../../oracle')
const { connections } = require('../../oracle/connections')
const { overAll } = require('../../oracle/transports')

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

for (const when of ['connection', 'request']) {
  scenario.server(`bytes that are emitted at '${when}' are parsed`, async (run) => {
    const emitted = `GET /emitted HTTP/1.1\r\nHost: x\r\n${when === 'request' ? 'Connection: close\r\n' : ''}\r\n`
    const server = await run.serve({}, (req, res) => {
      run.log('server', 'request', req.url)
      if (when === 'request' && req.url === '/') req.socket.emit('data', Buffer.from(emitted))
      res.end(req.url)
    })
    if (when === 'connection') server.on('connection', (socket) => setImmediate(() => socket.emit('data', Buffer.from(emitted))))
    const peer = run.dial()
    if (when === 'request') peer.send(GET)
    await peer.until('/emitted')
    if (when === 'connection') {
      peer.send(GET.replace('/', '/later'))
      await peer.until('/later')
    }
    peer.end()
    await peer.ended()
  })
}

scenario.client('an answer that is emitted is parsed', async (run) => {
  await run.origin(async () => {})
  const request = run.request({ agent: false })
  request.on('socket', (socket) => socket.once('connect', () => setImmediate(() => {
    socket.emit('data', Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'))
  })))
  request.on('response', (response) => {
    response.on('data', (chunk) => run.log('client', 'data', String(chunk))).on('end', () => run.log('client', 'end'))
  })
  request.end()
  await run.closed(request)
})

const BODIES = {
  'in the middle of a body': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc',
  'in the middle of a chunk': 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc',
  'behind a request': GET
}

const ANSWERS = {
  'that is not answered': () => {},
  'that is answered': (res) => res.end('answer'),
  'that is being answered': (res) => res.write('answer')
}

const LISTENERS = {
  'nothing listens': () => {},
  'a listener destroys the socket': (server, run) => server.on('clientError', (error, socket) => {
    run.log('server', 'clientError', error.code, error.message)
    socket.destroy(error)
  })
}

for (const [where, bytes] of Object.entries(BODIES)) {
  for (const [how, answer] of Object.entries(ANSWERS)) {
    for (const [what, listen] of Object.entries(LISTENERS)) {
      overAll(`an end that is emitted ${where} ${how} ends a server's input, and ${what} for the error`, async (run, dial) => {
        const server = run.server.createServer((req, res) => {
          const { socket } = req
          run.watch('request', req, ['data', 'end', 'aborted', 'error', 'close'])
          run.watch('response', res, ['finish', 'close'])
          socket.on('error', (error) => run.log('socket', 'error', error.code)).on('close', (hadError) => run.log('socket', 'close', hadError))
          answer(res)
          setTimeout(() => {
            run.log('socket', 'emits', socket.emit('end'))
            run.log('socket', 'state', socket.destroyed, socket.writableEnded, req.complete)
          }, 20)
        })
        listen(server, run)
        const peer = await dial(server)
        peer.send(bytes)
        await peer.ended()
      })
    }
  }
}

const PLACES = {
  assigned: (socket, emit) => { socket.emit = emit },
  defined: (socket, value) => Object.defineProperty(socket, 'emit', { value, writable: true, enumerable: true, configurable: true })
}

const EMITTERS = {
  'that passes all on': (emit, seen) => function (event, ...values) {
    if (event === 'data') seen.push(String(values[0]))
    return emit.call(this, event, ...values)
  },
  'that changes bytes': (emit, seen) => function (event, ...values) {
    if (event !== 'data') return emit.call(this, event, ...values)
    seen.push(String(values[0]))
    return emit.call(this, event, Buffer.from(String(values[0]).replaceAll('b', 'B')))
  },
  'that keeps bytes for itself': (emit, seen) => function (event, ...values) {
    if (event !== 'data') return emit.call(this, event, ...values)
    seen.push(String(values[0]))
  }
}

for (const [kind, connect] of Object.entries(connections)) {
  for (const [place, put] of Object.entries(PLACES)) {
    for (const [what, make] of Object.entries(EMITTERS)) {
      for (const when of ['socket', 'response']) {
        if (place === 'defined' && when === 'response') continue
        scenario.client(`an emit ${what}, ${place} at '${when}' on a client's socket ${kind}, sees its bytes`, async (run) => {
          await run.origin(async (peer) => {
            for (let count = 1; ; count++) {
              await peer.until('\r\n\r\n', count)
              peer.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nb')
              for (const part of ['bb', 'bbb']) {
                await run.sleep(15)
                peer.send(part)
              }
              await run.sleep(30)
              peer.end()
            }
          })
          const seen = []
          const request = run.request(connect(run, false))
          const replace = (socket) => put(socket, make(socket.emit, seen))
          run.watch('request', request, ['error', 'close'])
          if (when === 'socket') request.on('socket', replace)
          request.on('response', (response) => {
            run.watch('response', response, ['data', 'end', 'aborted', 'error', 'close'])
            if (when === 'response') replace(request.socket)
          })
          request.end()
          await run.closed(request)
          await run.sleep(10)
          run.log('client', 'seen', seen.join(''))
        })
      }
    }
  }
}

overAll('an emit that stands in the place of a server\'s socket\'s sees what core emits', async (run, dial) => {
  const server = run.server.createServer((req, res) => {
    const { socket } = req
    if (req.url === '/') {
      const { emit } = socket
      socket.emit = function (event, ...values) {
        if (['data', 'end', 'error', 'timeout'].includes(event)) run.log('socket', event, values.length)
        return emit.call(this, event, ...values)
      }
    }
    res.end(`${req.url}\n`)
  })
  const peer = await dial(server)
  for (const target of ['/', '/second', '/third']) {
    peer.send(GET.replace('/', target))
    await peer.until(`\n${target}\n`)
  }
  peer.end()
  await peer.ended()
})

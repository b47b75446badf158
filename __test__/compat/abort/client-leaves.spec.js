'use strict'

const { scenario } = require('../../oracle')

const MESSAGE = ['aborted', 'end', 'error', 'close', 'finish', 'prefinish']

function watchServer (run, handler) {
  const closed = []
  return {
    done: () => Promise.all(closed),
    handler: (req, res) => {
      run.watch('server', req, MESSAGE, 'req ')
      run.watch('server', res, MESSAGE, 'res ')
      const socket = req.socket
      run.watch('server', socket, ['end', 'close'], 'socket ')
      closed.push(run.closed(req, res, socket))
      handler?.(req, res)
    }
  }
}

/** What a server sees when its raw client leaves in one of two ways at one of several points. */
const POINTS = {
  'before the answer': ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', () => {}],
  'in the middle of the answer': ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', (req, res) => res.write('half')],
  'in the middle of its body': ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc', (req, res) => req.resume()],
  'in the middle of its body, unread': ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc', () => {}],
  'in the middle of its chunked body': ['POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab', (req, res) => req.resume()],
  'after its body was read': ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc', (req, res) => req.resume()]
}

for (const [point, [bytes, handle]] of Object.entries(POINTS)) {
  for (const how of ['end', 'reset']) {
    scenario.server(`a client that leaves ${point} with ${how === 'end' ? 'FIN' : 'RST'}`, async (run) => {
      const { handler, done } = watchServer(run, handle)
      const server = await run.serve({}, handler)
      server.on('clientError', (error, socket) => {
        run.log('server', 'clientError', error)
        socket.destroy()
      })
      const handled = run.once(server, 'request')
      const peer = run.dial()
      peer.send(bytes)
      const [req] = await handled
      if (point.includes('read')) await (req.readableEnded || point.includes('unread') || run.once(req, 'end'))
      else if (point.includes('answer,')) await peer.until('half')
      await new Promise(setImmediate)
      peer[how]()
      await done()
    })
  }
}

scenario.server('half-open clients get their answer only with httpAllowHalfOpen', async (run) => {
  for (const allow of [false, true]) {
    const { handler, done } = watchServer(run, (req, res) => {
      req.socket.on('end', () => setImmediate(() => setImmediate(() => res.end('late'))))
    })
    const server = await run.serve({}, handler)
    server.httpAllowHalfOpen = allow
    const peer = run.dial()
    peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    peer.end()
    run.log('client', 'ended', await peer.ended(), peer.received.includes('late'))
    await done()
  }
})

const DESTROYERS = {
  'res.destroy()': (req, res) => res.destroy(),
  'res.destroy(error)': (req, res) => res.destroy(new Error('mine')),
  'req.destroy()': (req) => req.destroy(),
  'req.destroy(error)': (req) => req.destroy(new Error('mine')),
  'socket.destroy()': (req) => req.socket.destroy(),
  'socket.destroy(error)': (req) => req.socket.destroy(new Error('mine')),
  'socket.end()': (req) => req.socket.end(),
  'socket.resetAndDestroy()': (req) => req.socket.resetAndDestroy(),
  'socket.destroySoon()': (req) => req.socket.destroySoon()
}

for (const [what, destroy] of Object.entries(DESTROYERS)) {
  for (const when of ['before the answer', 'in the middle of the answer']) {
    scenario(`${what} ${when}`, async (run) => {
      const { handler, done } = watchServer(run, (req, res) => {
        if (when === 'before the answer') return destroy(req, res)
        res.write('half')
        respond = () => destroy(req, res)
      })
      let respond
      await run.serve({}, handler)
      const request = run.request({ agent: false })
      run.watch('client', request, ['response', 'error', 'close'], 'request ')
      request.on('response', (response) => {
        run.watch('client', response, ['aborted', 'error', 'close', 'end'], 'response ')
        response.once('data', () => respond())
      })
      request.end()
      await run.closed(request)
      if (what !== 'socket.end()') await done()
    })
  }
}

scenario('a client that destroys its request before the answer', async (run) => {
  const { handler, done } = watchServer(run)
  const server = await run.serve({}, handler)
  const handled = run.once(server, 'request')
  const request = run.request({ agent: false })
  run.watch('client', request, ['socket', 'response', 'error', 'close', 'abort'], 'request ')
  request.end()
  await handled
  run.log('client', 'destroy', request.destroy() === request, request.destroyed, request.aborted)
  await run.closed(request)
  await done()
})

scenario('a client that destroys its response in the middle', async (run) => {
  const { handler, done } = watchServer(run, (req, res) => res.write('half'))
  await run.serve({}, handler)
  const request = run.request({ agent: false })
  run.watch('client', request, ['error', 'close', 'abort'], 'request ')
  request.end()
  const [response] = await run.once(request, 'response')
  run.watch('client', response, ['aborted', 'error', 'close', 'end'], 'response ')
  await run.once(response, 'data')
  run.log('client', 'destroy', response.destroy() === response, response.aborted, response.destroyed)
  await run.closed(request, response)
  await done()
})

scenario('a client that goes in the middle of its upload', async (run) => {
  const { handler, done } = watchServer(run, (req) => req.once('data', () => request.destroy(new Error('changed my mind'))).resume())
  await run.serve({}, handler)
  const request = run.request({ agent: false, method: 'POST' })
  run.watch('client', request, ['error', 'close'], 'request ')
  request.write('half')
  await run.closed(request)
  await done()
})

scenario('an error listener is not needed for an aborted request', async (run) => {
  let closed
  const server = await run.serve({}, (req, res) => {
    closed = run.closed(req, res)
    req.on('aborted', () => run.log('server', 'aborted', req.aborted, req.destroyed, req.errored))
  })
  const handled = run.once(server, 'request')
  const request = run.request({ agent: false })
  request.on('error', () => {})
  request.end()
  await handled
  request.destroy()
  await closed
})

scenario('req.signal is aborted when the client goes', async (run) => {
  let closed
  const server = await run.serve({}, (req, res) => {
    run.log('server', 'signal', req.signal?.constructor.name, req.signal?.aborted)
    req.signal?.addEventListener('abort', () => run.log('server', 'abort', req.signal.reason))
    closed = run.closed(req)
  })
  const handled = run.once(server, 'request')
  const request = run.request({ agent: false })
  request.on('error', () => {})
  request.end()
  await handled
  request.destroy()
  await closed
})

scenario('stream.finished tells of a premature close', async (run) => {
  const { finished } = require('node:stream')
  let closed
  const server = await run.serve({}, (req, res) => {
    finished(req, (error) => run.log('req', 'finished', error))
    finished(res, (error) => run.log('res', 'finished', error))
    closed = run.closed(req, res)
  })
  const handled = run.once(server, 'request')
  const request = run.request({ agent: false, method: 'POST' })
  request.on('error', () => {})
  request.write('some')
  await handled
  request.destroy()
  await closed
})

scenario('writing to a client that has gone calls back with an error', async (run) => {
  const server = await run.serve({}, () => {})
  const handled = run.once(server, 'request')
  const request = run.request({ agent: false })
  request.on('error', () => {})
  request.end()
  const [, res] = await handled
  request.destroy()
  await run.closed(res)
  run.watch('server', res, MESSAGE, 'res ')
  run.log('server', 'state', res.destroyed, res.closed, res.writable, res.writableEnded, res.headersSent)
  run.log('server', 'write', res.write('x', (error) => run.log('server', 'write callback', error)))
  run.attempt('server', 'end', () => res.end('y', (error) => run.log('server', 'end callback', error)) === res)
  await new Promise(setImmediate)
  await new Promise(setImmediate)
})

/** When the signal of a request is looked at, and what happens to its connection. */
const LOOKS = {
  'in the handler': (req) => req.signal,
  'when it was read': async (req, res, run) => {
    await run.once(req.resume(), 'end')
    return req.signal
  },
  'after the answer': async (req, res, run) => {
    const finished = run.once(res, 'finish')
    res.end('over')
    await finished
    return req.signal
  },
  'in the handler, and it is answered': (req, res) => {
    const { signal } = req
    res.end('over')
    return signal
  },
  'when the request was destroyed': (req) => req.destroy().signal,
  'when the response was destroyed': (req, res) => res.destroy() && req.signal,
  'when it was read and destroyed': async (req, res, run) => {
    await run.once(req.resume(), 'end')
    return req.destroy().signal
  }
}

for (const [when, look] of Object.entries(LOOKS)) {
  for (const body of ['', 'body']) {
    scenario.server(`req.signal looked at ${when}, of a request with ${body ? 'a' : 'no'} body whose client goes`, async (run) => {
      let looked
      let closed
      const server = await run.serve({}, (req, res) => {
        const { socket } = req
        run.watch('server', req, ['aborted', 'close', 'error'], 'req ')
        run.watch('server', res, ['close'], 'res ')
        closed = run.closed(socket)
        looked = Promise.resolve(look(req, res, run)).then((signal) => {
          run.log('server', 'signal', signal?.aborted, signal === req.signal, signal?.aborted ? signal.reason.name : undefined)
          signal?.addEventListener('abort', () => run.log('server', 'abort', signal.reason.name))
        })
      })
      const handled = run.once(server, 'request')
      const peer = run.dial()
      peer.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      await handled
      await looked
      peer.destroy()
      await closed
      await new Promise(setImmediate)
      await new Promise(setImmediate)
    })
  }
}

scenario.module('the signal of an IncomingMessage that has a socket of its own', async (run) => {
  const net = require('node:net')
  const socket = new net.Socket()
  const message = new run.http.IncomingMessage(socket)
  run.log('module', 'signal', message.signal?.aborted, socket.listenerCount('close'))
  message.signal?.addEventListener('abort', () => run.log('module', 'abort'))
  socket.destroy()
  await run.once(socket, 'close')
  run.log('module', 'closed', message.signal?.aborted, new run.http.IncomingMessage(socket).signal?.aborted, new run.http.IncomingMessage().signal?.aborted)
  run.attempt('module', 'assign', () => { message.signal = 5 })
})

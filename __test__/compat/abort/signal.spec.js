'use strict'

/** `req.signal` of a server, the signal of an IncomingMessage, and the `signal` option of a request. */

const { scenario } = require('../../oracle')

scenario('req.signal is aborted when the client closes', async (run) => {
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
    scenario.server(`req.signal looked at ${when}, of a request with ${body ? 'a' : 'no'} body whose client closes`, async (run) => {
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

scenario('AbortSignal aborts a request, before and after it started', async (run) => {
  await run.serve({}, () => {})
  const before = run.request({ agent: false, signal: AbortSignal.abort() })
  run.watch('before', before, ['error', 'close', 'abort', 'socket'])
  await run.closed(before)
  const controller = new AbortController()
  const request = run.request({ agent: false, signal: controller.signal })
  run.watch('client', request, ['error', 'close', 'abort'])
  request.end()
  await run.once(run.servers[0], 'request')
  controller.abort(new Error('my reason'))
  await run.closed(request)
})

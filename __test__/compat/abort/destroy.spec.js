'use strict'

/** A request, a response or their socket is destroyed or aborted: what both sides see of it, in every phase of an exchange. */

const { scenario } = require('../../oracle')
const { watchServer } = require('../../oracle/watched-server')

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

scenario('a client that destroys its request in the middle of its upload', async (run) => {
  const { handler, done } = watchServer(run, (req) => req.once('data', () => request.destroy(new Error('changed my mind'))).resume())
  await run.serve({}, handler)
  const request = run.request({ agent: false, method: 'POST' })
  run.watch('client', request, ['error', 'close'], 'request ')
  request.write('half')
  await run.closed(request)
  await done()
})

scenario('abort() in every phase', async (run) => {
  await run.serve({}, (req, res) => res.write('half'))
  const phases = {
    'at once': async () => {},
    'with a socket': (request) => run.once(request, 'socket'),
    'with a response': async (request) => {
      const [response] = await run.once(request, 'response')
      run.watch('with a response', response, ['aborted', 'error', 'close'], 'response ')
    }
  }
  for (const [phase, wait] of Object.entries(phases)) {
    const request = run.request({ agent: false })
    run.watch(phase, request, ['abort', 'error', 'close', 'response'])
    request.end()
    await wait(request)
    request.abort()
    run.log(phase, 'aborted', request.aborted, request.destroyed)
    request.abort()
    await run.closed(request)
  }
})

scenario('destroy with an error in every phase', async (run) => {
  await run.serve({}, (req, res) => res.write('half'))
  const phases = {
    'at once': async () => {},
    'with a socket': (request) => run.once(request, 'socket'),
    'connected': async (request) => {
      const [socket] = await run.once(request, 'socket')
      await run.once(socket, 'connect')
    },
    'with a response': async (request) => {
      const [response] = await run.once(request, 'response')
      run.watch('with a response', response, ['aborted', 'error', 'close'], 'response ')
    }
  }
  for (const [phase, wait] of Object.entries(phases)) {
    const request = run.request({ agent: false })
    run.watch(phase, request, ['abort', 'error', 'close', 'response'])
    request.end()
    await wait(request)
    run.log(phase, 'destroy', request.destroy(new Error('mine')) === request, request.destroyed)
    await run.closed(request)
    run.log(phase, 'errored', request.errored, request.closed)
  }
})

scenario.client('destroy in the same tick', async (run) => {
  await run.origin(() => {})
  for (const end of [true, false]) {
    const request = run.request({ agent: false })
    run.watch('client', request, ['socket', 'error', 'close', 'abort'])
    if (end) request.end()
    request.destroy()
    await run.closed(request)
  }
})

scenario.client('destroy while connecting', async (run) => {
  await run.origin(() => {})
  const request = run.request({ agent: false })
  run.watch('client', request, ['socket', 'error', 'close'])
  request.end()
  await run.once(request, 'socket')
  run.log('client', 'connecting', request.socket.connecting)
  request.destroy()
  await run.closed(request)
})

const later = () => new Promise((resolve) => setTimeout(resolve, 30))

scenario.client('a request destroyed when its response is complete, but not read', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  const agent = run.agent({ keepAlive: true })
  const request = run.request({ agent })
  run.watch('client', request, ['close', 'error', 'abort'], 'request ')
  request.on('response', async (response) => {
    run.watch('client', response, ['end', 'close', 'error', 'aborted'], 'response ')
    while (!response.complete) await run.sleep(5)
    request.destroy(new Error('enough'))
  })
  request.end()
  await run.closed(request)
  await later()
  run.log('client', 'socket', request.socket.destroyed, Object.keys(agent.freeSockets).length)
})

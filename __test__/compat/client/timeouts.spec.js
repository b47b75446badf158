'use strict'

/** Timeouts of a request: its option, setTimeout() before and after its socket, the agent's, and the order of listeners. */

const { AsyncLocalStorage } = require('node:async_hooks')
const { scenario } = require('../../oracle')

/** Whether something took about that long; generous upwards, since machines are busy. */
function took (start, least) {
  const elapsed = Date.now() - start
  return elapsed >= least - 15 && elapsed < least + 1500 ? 'in time' : elapsed
}

scenario('the timeout option of a request', async (run) => {
  await run.serve({}, () => {})
  const request = run.request({ timeout: 50, agent: false })
  run.watch('client', request, ['timeout', 'error', 'close', 'response', 'abort'])
  run.log('client', 'timeout', request.timeout)
  request.end()
  const start = Date.now()
  await run.once(request, 'timeout')
  run.log('client', 'still there', request.destroyed, request.socket.timeout, took(start, 50))
  request.destroy()
  await run.closed(request)
})

scenario('setTimeout of a request, before and after its socket', async (run) => {
  await run.serve({}, () => {})
  const request = run.request({ agent: false })
  run.watch('client', request, ['error', 'close'])
  run.log('client', 'chaining', request.setTimeout(50, (...values) => run.log('client', 'first', ...values)) === request)
  request.end()
  await run.once(request, 'socket')
  request.setTimeout(30, (...values) => {
    run.log('client', 'second', ...values)
    request.destroy(new Error('too slow'))
  })
  await run.closed(request)
})

scenario('a response that stalls times out on request and response', async (run) => {
  await run.serve({}, (req, res) => res.write('some'))
  const request = run.request({ agent: false, timeout: 60 })
  run.watch('client', request, ['timeout', 'error', 'close'], 'request ')
  request.end()
  const [response] = await run.once(request, 'response')
  run.watch('client', response, ['timeout', 'aborted', 'error', 'close', 'data', 'end'], 'response ')
  request.on('timeout', () => request.destroy())
  await run.closed(request, response)
})

scenario('a timeout of the agent reaches the request', async (run) => {
  await run.serve({}, () => {})
  const request = run.request({ agent: run.agent({ timeout: 50 }) })
  run.watch('client', request, ['timeout', 'error', 'close'])
  request.end()
  await run.once(request, 'timeout')
  run.log('client', 'timeout', request.timeout, request.socket.timeout)
  request.destroy()
  await run.closed(request)
})

scenario('setTimeout(0) and clearTimeout switch it off', async (run) => {
  await run.serve({}, (req, res) => setTimeout(() => res.end('late'), 120))
  for (const switchOff of [(request) => request.setTimeout(0), (request) => request.clearTimeout()]) {
    const request = run.request({ agent: false, timeout: 40 })
    run.watch('client', request, ['timeout', 'error', 'close'])
    switchOff(request)
    request.end()
    const [response] = await run.once(request, 'response')
    await run.read('client', response)
    await run.closed(request)
  }
})

scenario.client('a timer that was started before a timeout of as long runs out before it', async (run) => {
  await run.origin((peer) => peer.ended())
  const orders = new Set()
  for (let i = 0; i < 30; i++) {
    const ms = 10 + i % 4
    const order = []
    const request = run.request({ agent: false })
    request.on('error', () => {})
    request.on('finish', () => {
      setTimeout(() => order.push('timer'), ms)
      request.socket.setTimeout(ms, () => {
        order.push('timeout')
        request.destroy()
      })
    })
    await run.closed(request.end())
    orders.add(order.join(', '))
  }
  run.log('client', 'orders', [...orders])
})

scenario.client('a timeout set again in its listener comes again', async (run) => {
  await run.origin((peer) => peer.ended())
  const request = run.request({ agent: false, timeout: 20 })
  run.watch('client', request, ['timeout', 'error'])
  let times = 0
  request.on('socket', (socket) => socket.on('timeout', () => {
    run.log('client', 'socket timeout')
    if (++times === 3) request.destroy()
    else socket.setTimeout(20)
  }))
  await run.closed(request.end())
})

for (const options of [{ timeout: 20 }, {}]) {
  scenario.client(`a request's timeout is emitted once, its response's each time, with ${JSON.stringify(options)}`, async (run) => {
    let origin
    await run.origin(async (peer) => {
      origin = peer
      await peer.until('\r\n\r\n')
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha')
    })
    const request = run.request({ agent: false, ...options })
    let told = 0
    request.on('timeout', () => run.log('client', 'request timeout', request.socket.listenerCount('timeout')))
    request.on('response', (response) => {
      response.on('timeout', () => {
        run.log('client', 'response timeout')
        // Activity arms it again.
        if (++told < 3) origin.send(['l', 'f'][told - 1])
      })
      if (options.timeout === undefined) response.socket.setTimeout(20)
      response.resume()
    })
    request.end()
    await run.closed(request)
  })
}

scenario.client('setTimeout twice, before and after the socket is there', async (run) => {
  await run.origin(() => {})
  const request = run.request({ agent: false })
  request.on('error', (error) => run.log('client', 'error', error.code))
  request.on('timeout', () => run.log('client', 'timeout', request.socket.listenerCount('timeout')))
  request.setTimeout(30)
  request.on('socket', (socket) => {
    run.log('client', 'listeners', socket.listenerCount('timeout'))
    request.setTimeout(20)
    run.log('client', 'listeners', socket.listenerCount('timeout'))
  })
  request.end()
  await run.sleep(100)
  request.destroy()
  await run.closed(request)
})

/** Lets what follows from an event follow: there is no event for that. */
const later = (ms = 20) => new Promise((resolve) => setTimeout(resolve, ms))

scenario.client('async context of the callbacks of timeouts', async (run) => {
  const storage = new AsyncLocalStorage()
  await run.origin(() => {})
  const agent = run.agent({ keepAlive: true })
  const say = (what) => () => run.log('client', what, storage.getStore())
  const request = storage.run('request', () => run.request({ agent, timeout: 60 }))
  storage.run('request.setTimeout', () => request.setTimeout(40, say('request.setTimeout')))
  storage.run('on timeout', () => request.on('timeout', say('on timeout')))
  request.on('error', () => {})
  storage.run('end', () => request.end())
  await later(120)
  request.destroy()
  await run.closed(request)
})

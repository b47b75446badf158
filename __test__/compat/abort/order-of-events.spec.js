'use strict'

/** The events of a connection that one side destroys come behind the immediates of that turn; those of its peer come later. */

const { scenario } = require('../../oracle')

const actions = {
  'destroys its request': (request) => request.destroy(),
  'aborts its request': (request) => request.abort(),
  'destroys its request with an error': (request) => request.destroy(new Error('enough')),
  'destroys the socket of its request': (request) => request.socket.destroy(),
  'resets the socket of its request': (request) => request.socket.resetAndDestroy()
}

for (const [what, act] of Object.entries(actions)) {
  scenario.module(`a client that ${what} while its server handles it`, async (run) => {
    const over = []
    const server = await run.serve({}, (req, res) => {
      for (const event of ['aborted', 'error', 'close']) req.on(event, () => run.log('all', `server ${event}`))
      over.push(run.closed(req))
      setImmediate(() => run.log('all', 'immediate before'))
      act(request)
      setImmediate(() => run.log('all', 'immediate after'))
      process.nextTick(() => run.log('all', 'tick'))
    })
    const { port } = server.address()
    const headers = { 'content-length': 100 }
    const request = run.client.request({ host: '127.0.0.1', port, agent: false, method: 'POST', headers })
    for (const event of ['abort', 'error', 'close']) request.on(event, () => run.log('all', `client ${event}`))
    request.on('socket', (socket) => socket.on('close', () => run.log('all', 'socket close')))
    request.write('part of it')
    await run.closed(request)
    await Promise.all(over)
  })
}

scenario.client('immediates, and requests that are destroyed before they are connected', async (run) => {
  await run.origin(() => {})
  const lookup = (name, options, callback) => setTimeout(callback, 10, new Error('no such name'))
  for (const options of [{}, { host: 'some.name', lookup }]) {
    const request = run.request({ agent: false, ...options })
    for (const event of ['error', 'close']) request.on(event, () => run.log('all', `client ${event}`))
    request.on('socket', (socket) => {
      socket.on('close', () => run.log('all', 'socket close'))
      setImmediate(() => run.log('all', 'immediate before'))
      request.destroy()
      setImmediate(() => run.log('all', 'immediate after'))
    })
    request.end()
    await run.closed(request)
    await run.sleep(20)
  }
})

scenario.module('an immediate that a written part leads to comes before the response to the whole', async (run) => {
  const server = await run.serve({}, (req, res) => {
    req.resume()
    req.on('end', () => res.end())
  })
  const size = 65536
  for (let count = 0; count < 20; count++) {
    const { port } = server.address()
    const request = run.client.request({ host: '127.0.0.1', port, agent: false, method: 'POST', headers: { 'content-length': 8 * size } })
    const over = run.closed(request)
    request.on('response', (response) => {
      run.log('all', 'response')
      response.resume()
    })
    for (let part = 0; part < 8; part++) {
      await new Promise((resolve) => request.write(Buffer.alloc(size), () => setImmediate(resolve)))
    }
    run.log('all', 'written')
    request.end()
    await over
  }
})

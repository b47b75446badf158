'use strict'

/** Methods of net that an application, a mock or a tracer has replaced: those that core calls are called, and no others. */

const net = require('node:net')
const { once } = require('node:events')
const { scenario } = require('../../oracle')
const { ofCore } = require('../../../lib/core/symbols')

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** Runs with a method that logs its calls and goes on with the one it has replaced. */
async function replaced (run, owner, name, action) {
  const own = Object.getOwnPropertyDescriptor(owner, name)
  const original = own.value
  Object.defineProperty(owner, name, {
    ...own,
    value (...args) {
      const shown = args.map((value) => typeof value === 'object' && value !== null ? 'options' : typeof value)
      run.log('calls', name, ...shown)
      return original.apply(this, args)
    }
  })
  try {
    await action()
  } finally {
    Object.defineProperty(owner, name, own)
  }
}

const serve = (run) => run.origin(async (peer) => {
  for (let count = 1; count <= 3; count++) {
    await peer.until(new RegExp(`^(?:[^]*?\\r\\n\\r\\n){${count}}`))
    peer.send(OK)
  }
})

const ways = {
  'an agent': (run) => ({ agent: run.agent() }),
  'an agent that keeps connections': (run) => ({ agent: run.agent({ keepAlive: true }) }),
  'no agent': () => ({ agent: false }),
  'a createConnection of its own': () => ({ agent: undefined, createConnection: (options, callback) => net.createConnection(options, callback) }),
  ...(ofCore('kProxyConfig') !== undefined && { 'a proxy': (run) => ({ agent: run.agent({ proxyEnv: { http_proxy: `http://127.0.0.1:${run.port}` } }) }) })
}

for (const [owner, name] of [[net, 'connect'], [net, 'createConnection'], [net.Socket.prototype, 'connect']]) {
  for (const [way, options] of Object.entries(ways)) {
    scenario.client(`${owner === net ? 'net' : 'a socket\'s'} ${name}, replaced, and ${way}`, async (run) => {
      await serve(run)
      await replaced(run, owner, name, async () => {
        for (let count = 0; count < 2; count++) {
          await run.exchange({ ...options(run), host: '127.0.0.1' })
          run.log('calls', 'over')
        }
      })
    })
  }
}

for (const method of ['setTimeout', 'setKeepAlive', 'setNoDelay', 'ref', 'unref', 'destroySoon', 'destroy', 'resetAndDestroy', 'pause', 'resume', 'address']) {
  scenario.client(`a socket's ${method}, replaced, called by the application`, async (run) => {
    await serve(run)
    const owner = Object.hasOwn(net.Socket.prototype, method) ? net.Socket.prototype : undefined
    if (owner === undefined) return
    const request = run.request({ agent: false })
    request.on('error', (error) => run.log('client', 'error', error.code))
    request.end()
    const [response] = await once(request, 'response')
    const { socket } = request
    await replaced(run, owner, method, async () => {
      run.attempt('client', method, () => typeof socket[method](...(method === 'setTimeout' ? [5000, () => {}] : [])))
      run.log('client', 'shown', socket.timeout, socket.listenerCount('timeout'), socket.destroyed)
    })
    response.resume()
    request.destroy()
    await run.closed(request)
  })
}

scenario.client('a time that a replaced setTimeout has set runs out once, and can be taken back', async (run) => {
  await run.origin(() => {})
  const { setTimeout: original } = net.Socket.prototype
  const wrapped = function setTimeout (ms, callback) {
    return original.call(this, ms * 2, callback)
  }
  const request = run.request({ agent: false })
  request.on('error', () => {})
  request.end()
  const [socket] = await once(request, 'socket')
  net.Socket.prototype.setTimeout = wrapped
  try {
    socket.setTimeout(20, () => run.log('client', 'timeout', socket.timeout))
    await once(socket, 'timeout')
    socket.setTimeout(15, () => run.log('client', 'never'))
    socket.setTimeout(0)
    run.log('client', 'none', socket.timeout)
    await run.sleep(60)
  } finally {
    net.Socket.prototype.setTimeout = original
  }
  request.destroy()
  await run.closed(request)
})

for (const method of ['setTimeout', 'resetAndDestroy']) {
  scenario.server(`the ${method} of a server's socket, replaced, called by the application`, async (run) => {
    await run.serve({}, async (req, res) => {
      await replaced(run, net.Socket.prototype, method, async () => {
        run.attempt('server', method, () => typeof req.socket[method](...(method === 'setTimeout' ? [5000, () => {}] : [])))
      })
      run.log('server', 'shown', req.socket.timeout, req.socket.destroyed)
      res.end()
    })
    const peer = run.dial()
    peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await peer.ended()
  })
}

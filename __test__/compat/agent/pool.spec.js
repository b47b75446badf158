'use strict'

/** Free connections of an agent: which one is picked, what it shows, how long it is kept, and what ends it. */

const net = require('node:net')
const { OK, ask, later, pools, serve, tables } = require('./tables')
const { scenario } = require('../../oracle')
const versions = require('../../../lib/core/versions')

/** There core takes what comes on an idle connection for the next answer; here it never is (docs/COMPATIBILITY.md, guarantees/pooled-connections). */
const TRUSTS_IDLE = { skip: !versions.unsolicitedDataDestroys && 'core is poisoned' }

scenario('the client keeps its connection and shows it in reusedSocket', async (run) => {
  await run.serve({}, (req, res) => res.end(req.url))
  const sockets = []
  for (const path of ['/1', '/2', '/3']) {
    const request = run.request({ path })
    request.end()
    const [response] = await run.once(request, 'response')
    sockets.push(request.socket)
    await run.read('client', response)
    await run.closed(request)
    run.log('client', 'reused', request.reusedSocket, sockets.every((socket) => socket === sockets[0]))
    await new Promise(setImmediate)
  }
})

scenario('a response with Connection: close ends the connection of a keep-alive agent', async (run) => {
  const server = await run.serve({}, (req, res) => {
    res.setHeader('Connection', 'close')
    res.end(req.url)
  })
  run.watch('server', server, ['connection'])
  await run.exchange({ path: '/1' })
  await run.exchange({ path: '/2' })
})

scenario('a connection that the server closes without saying so is not reused', async (run) => {
  await run.serve({}, (req, res) => {
    res.shouldKeepAlive = false
    res.removeHeader('connection')
    res.end(req.url)
  })
  const agent = run.agent({ keepAlive: true })
  for (const path of ['/1', '/2']) {
    await run.exchange({ path, agent })
    while (Object.keys(agent.freeSockets).length + Object.keys(agent.sockets).length > 0) await new Promise(setImmediate)
  }
})

for (const scheduling of ['lifo', 'fifo']) {
  scenario(`${scheduling} scheduling picks among the free`, async (run) => {
    const pending = []
    await run.serve({}, (req, res) => {
      if (req.url === '/again') return res.end('again')
      pending.push([req.url, res])
      if (pending.length === 2) for (const [url, waiting] of pending.sort()) waiting.end(url)
    })
    const agent = run.agent({ keepAlive: true, scheduling })
    const order = []
    const requests = ['/1', '/2'].map((path) => run.request({ path, agent }))
    for (const request of requests) {
      request.on('response', (response) => response.resume())
      request.on('close', () => order.push(request.socket))
      request.end()
    }
    await run.closed(...requests)
    await later()
    const free = Object.values(agent.freeSockets)[0].slice()
    const request = run.request({ path: '/again', agent })
    request.end()
    await run.once(request, 'socket')
    run.log('client', 'picked', free.indexOf(request.socket), free.length)
    const [response] = await run.once(request, 'response')
    await run.read('client', response)
  })
}

scenario('the state of a free socket', async (run) => {
  await run.serve({}, (req, res) => res.end('x'))
  const agent = run.agent({ keepAlive: true, timeout: 3000 })
  await run.exchange({ agent })
  await later()
  const [socket] = Object.values(agent.freeSockets)[0]
  run.log('client', 'state', socket._httpMessage, socket.parser, socket.timeout, socket.destroyed, socket.readable, socket.writable)
  run.log('client', 'listeners', socket.eventNames().map(String).filter((name) => socket.listenerCount(name) > 0).sort())
  run.log('agent', 'names', Object.keys(agent.freeSockets).map((name) => name.replace(/\d{4,}/, '<port>')))
  socket.emit('agentRemove')
  run.log('agent', 'removed', pools(agent), agent.totalSocketCount)
  socket.destroy()
})

scenario('a connection that is used again gets the highWaterMark of the request', async (run) => {
  await run.serve({}, (req, res) => req.resume().on('end', () => res.end()))
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  for (const highWaterMark of [undefined, 10, 100000, undefined]) {
    const request = run.request({ agent, method: 'POST', highWaterMark })
    const [socket] = await run.once(request, 'socket')
    run.log('client', String(highWaterMark), request.reusedSocket, socket.writableHighWaterMark, request.writableHighWaterMark, request.write('x'.repeat(50)))
    request.end()
    const [response] = await run.once(request, 'response')
    await run.read('client', response)
    await run.closed(request)
    await later()
  }
})

scenario('destroy() ends used and free connections', async (run) => {
  await run.serve({}, (req, res) => {
    if (req.url === '/quick') res.end('x')
    else res.write('x')
  })
  const agent = run.agent({ keepAlive: true })
  const request = run.request({ agent, path: '/slow' })
  run.watch('client', request, ['error', 'close'], 'request ')
  request.end()
  const [response] = await run.once(request, 'response')
  run.watch('client', response, ['aborted', 'error', 'close'], 'response ')
  await run.exchange({ agent, path: '/quick' })
  await later()
  run.log('agent', 'before', pools(agent))
  run.log('agent', 'returns', agent.destroy())
  await run.closed(request)
  await later()
  run.log('agent', 'after', pools(agent), agent.totalSocketCount)
})

scenario('the Keep-Alive header of the server bounds the idle time', async (run) => {
  const hints = { '/1': 'timeout=1', '/3': 'timeout=3', '/bad': 'timeout=x', '/none': 'max=5' }
  await run.serve({}, (req, res) => {
    res.setHeader('Keep-Alive', hints[req.url])
    res.end('x')
  })
  for (const path of Object.keys(hints)) {
    const agent = run.agent({ keepAlive: true, timeout: 5000 })
    await run.exchange({ agent, path })
    await later()
    run.log('agent', path, pools(agent), Object.values(agent.freeSockets)[0]?.[0].timeout)
  }
})

scenario.client('the Keep-Alive header in every form', async (run) => {
  for (const hint of ['timeout=5', 'timeout=5, max=100', 'max=100, timeout=5', 'timeout=1', 'timeout=0', 'timeout=2', 'TIMEOUT=2', 'timeout = 2', 'timeout=2.5', 'timeout=-1', 'timeout=99999999999', 'x', '']) {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send(`HTTP/1.1 200 OK\r\nKeep-Alive: ${hint}\r\nContent-Length: 2\r\n\r\nok`)
    })
    for (const timeout of [undefined, 1500, 100000]) {
      const agent = run.agent({ keepAlive: true, timeout })
      await run.closed(run.request({ agent }).on('response', (response) => response.resume()).end())
      await later()
      const [socket] = Object.values(agent.freeSockets)[0] ?? []
      run.log('agent', `${hint} with ${timeout}`, socket?.timeout, agent.totalSocketCount)
      agent.destroy()
    }
  }
})

scenario('an idle connection is removed from the pool after the timeout of the agent', async (run) => {
  await run.serve({}, (req, res) => res.end('x'))
  const agent = run.agent({ keepAlive: true, timeout: 50 })
  await run.exchange({ agent })
  await later()
  run.log('agent', 'before', pools(agent))
  const [socket] = Object.values(agent.freeSockets)[0]
  await run.closed(socket)
  await later()
  run.log('agent', 'after', pools(agent), agent.totalSocketCount)
})

scenario.client('timeouts of agent and request, in use and idle', async (run) => {
  const server = await serve(run, { held: true })
  for (const [own, asked] of [[40, undefined], [40, 60], [undefined, 40], [1000, 40], [40, 1000]]) {
    const agent = run.agent({ keepAlive: true, timeout: own })
    const track = `${own} ${asked}`
    const request = run.request({ agent, timeout: asked })
    let told
    const timed = new Promise((resolve) => { told = resolve })
    run.watch(track, request, ['timeout', 'error', 'close', 'response'])
    request.on('timeout', () => told())
    request.on('socket', (socket) => {
      run.log(track, 'socket', socket.timeout)
      socket.on('timeout', () => run.log(track, 'socket timeout'))
    })
    request.on('response', (response) => response.resume())
    request.end()
    await timed
    await server.answer()
    await run.closed(request)
    await new Promise(setImmediate)
    const [socket] = Object.values(agent.freeSockets)[0] ?? []
    run.log(track, 'free', socket?.timeout)
    agent.destroy()
  }
})

scenario.client('an idle connection that the server ends, resets, or that fails by itself', async (run) => {
  for (const how of ['end', 'reset', 'destroy', 'error']) {
    let origin
    await run.origin(async (peer) => {
      origin = peer
      await peer.until('\r\n\r\n')
      peer.send(OK)
    })
    const agent = run.agent({ keepAlive: true })
    await run.closed(ask(run, agent, `/${how}`))
    await new Promise(setImmediate)
    const [[socket]] = Object.values(agent.freeSockets)
    run.watch(how, socket, ['close', 'agentRemove', 'error', 'free'])
    if (how === 'end' || how === 'reset') origin[how]()
    else socket.destroy(how === 'error' ? new Error('by itself') : undefined)
    await run.closed(socket)
    await later()
    run.log(how, 'after', tables(agent))
  }
})

scenario.client('a connection that dies idle in the pool does not disturb', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    peer.end()
  })
  const agent = run.agent({ keepAlive: true })
  await run.exchange({ agent, path: '/1' })
  while (Object.keys(agent.freeSockets).length + Object.keys(agent.sockets).length > 0) await new Promise(setImmediate)
  await run.exchange({ agent, path: '/2' })
})

scenario.client('a free connection taken by hand', async (run) => {
  await serve(run)
  const agent = run.agent({ keepAlive: true })
  await run.closed(ask(run, agent, '/1'))
  await new Promise(setImmediate)
  const [name] = Object.keys(agent.freeSockets)
  const socket = agent.freeSockets[name].pop()
  run.log('agent', 'emptied', agent.freeSockets[name].length)
  await run.closed(ask(run, agent, '/2'))
  await later()
  run.log('agent', 'made anew', agent.freeSockets[name]?.includes(socket), agent.totalSocketCount)
  socket.destroy()
  await run.closed(socket)
  run.log('agent', 'destroyed', agent.totalSocketCount)
})

scenario.client('bytes that come on a free connection', async (run) => {
  let origin
  await run.origin(async (peer) => {
    origin = peer
    await peer.until('\r\n\r\n')
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    if (peer === run.peers[0]) return
    await peer.until('\r\n\r\n', 2)
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  const agent = run.agent({ keepAlive: true })
  await run.exchange({ agent })
  await later()
  const [socket] = Object.values(agent.freeSockets)[0]
  origin.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison')
  await run.sleep(30)
  run.log('agent', 'after', pools(agent), socket.destroyed)
}, TRUSTS_IDLE)

scenario.client('bytes that come on a free stream of the application', async (run) => {
  let origin
  await run.origin(async (peer) => {
    origin = peer
    await peer.until('\r\n\r\n')
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  class Own extends run.client.Agent {
    createConnection (options) { return net.connect(options) }
  }
  const agent = new Own({ keepAlive: true })
  const request = run.request({ agent })
  request.on('response', (response) => response.resume())
  request.end()
  await run.closed(request)
  await later()
  origin.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison')
  await later()
  run.log('client', 'destroyed', request.socket.destroyed, Object.keys(agent.freeSockets).length)
  agent.destroy()
}, TRUSTS_IDLE)

/** How a request becomes one that core sends. */
const UNUSUAL = {
  'whose head is flushed twice': (request) => {
    request.flushHeaders()
    request.flushHeaders()
  },
  'that is corked for a while': (request) => {
    request.cork()
    request.uncork()
  },
  'that says its head by _send()': (request) => {
    request._implicitHeader()
    request._send('')
  },
  'with an empty part and a callback': (request) => request.write('', () => {})
}

/** When the rest of it is sent: core's methods write at once where there is a socket. */
const REST = {
  'before it has a socket': (request, end) => end(),
  'where it gets its socket': (request, end) => request.on('socket', end),
  'a tick behind its socket': (request, end) => request.on('socket', () => process.nextTick(end))
}

for (const [what, act] of Object.entries(UNUSUAL)) {
  for (const [when, rest] of Object.entries(REST)) {
    scenario(`a kept connection gives each request its response: one ${what}, ended ${when}, is in their midst`, async (run) => {
      await run.serve({}, (req, res) => req.resume().on('end', () => res.end(req.url)))
      const agent = run.agent({ keepAlive: true, maxSockets: 1 })
      for (const path of ['/plain', '/unusual', '/plain again', '/last']) {
        const request = run.request({ path: encodeURI(path), method: 'POST', agent })
        run.watch('client', request, ['error'], `${path} `)
        if (path === '/unusual') {
          act(request)
          rest(request, () => request.end('over'))
        } else {
          request.end('body')
        }
        const [response] = await run.once(request, 'response')
        await run.read('client', response)
        await run.closed(request)
        run.log('client', 'reused', request.reusedSocket)
      }
    })
  }
}

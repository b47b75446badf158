'use strict'

/** process.getActiveResourcesInfo() and process._getActiveHandles(): the sockets that keep the process alive. */

const { scenario } = require('../../oracle')

/** How many sockets there are, and whether they are among the handles. */
function count (sockets = []) {
  const resources = process.getActiveResourcesInfo()
  const handles = process._getActiveHandles()
  return [
    ...['TCPSocketWrap', 'PipeWrap'].map((name) => resources.filter((one) => one === name).length),
    ...sockets.map((socket) => handles.filter((one) => one === socket).length)
  ]
}

/** Logs by how much the counts differ from those before. */
function watcher (run, track, [tcp, pipes] = count()) {
  return (what, ...sockets) => {
    const [nowTcp, nowPipes, ...found] = count(sockets)
    run.log(track, what, nowTcp - tcp, nowPipes - pipes, ...found)
  }
}

const WHERE = { 'TCP': () => ({ port: 0, host: '127.0.0.1' }), 'a Unix socket': (run) => ({ path: run.unixPath() }) }

for (const [kind, where] of Object.entries(WHERE)) {
  scenario.server(`the sockets of a server are active until they are closed or unreferenced, over ${kind}`, async (run) => {
    const tell = watcher(run, 'server')
    const server = run.server.createServer((req, res) => {
      const { socket } = req
      tell('asked', socket)
      socket.unref()
      tell('unreferenced', socket)
      socket.ref()
      tell('referenced', socket)
      socket.on('close', () => tell('closed', socket))
      res.end('hello')
    })
    await run.listenAt(server, where(run))
    const peer = run.dial()
    peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await peer.ended()
  })
}

scenario.server('the sockets of a server are active although the application has never used them', async (run) => {
  const tell = watcher(run, 'server')
  await run.serve({}, (req, res) => {
    tell('asked')
    res.end('hello')
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until('hello')
})

scenario.client('the socket of a request is active until its agent has it back', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello')
  })
  // When its peer's is there is another matter.
  const tell = (what, socket) => run.log('client', what, count([socket])[2])
  const agent = run.agent({ keepAlive: true })
  const req = run.request({ agent }).end()
  const [socket] = await run.once(req, 'socket')
  await run.once(socket, 'connect')
  tell('connected', socket)
  const [res] = await run.once(req, 'response')
  tell('answered', socket)
  const free = run.once(agent, 'free')
  await run.read('client', res)
  await free
  tell('free', socket)
})

for (const isReferenced of [true, false]) {
  scenario.client(`a socket that connects is active with its request, ${isReferenced ? '' : 'un'}referenced`, async (run) => {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello')
    })
    const connecting = () => process.getActiveResourcesInfo().filter((one) => one === 'ConnectWrap').length
    const [before, requests] = [connecting(), process._getActiveRequests().length]
    const tell = (what, socket) => run.log('client', what, count([socket])[2], connecting() - before, process._getActiveRequests().length - requests)
    const req = run.request({ agent: false }).end()
    const [socket] = await run.once(req, 'socket')
    if (!isReferenced) socket.unref()
    tell('connects', socket)
    await run.once(socket, 'connect')
    run.log('client', 'connected', count([socket])[2])
    const [res] = await run.once(req, 'response')
    await run.read('client', res)
  })

  scenario.client(`a request destroyed while its socket connects, ${isReferenced ? '' : 'un'}referenced`, async (run) => {
    await run.origin(() => {})
    const req = run.request({ agent: false }).end()
    const [socket] = await run.once(req, 'socket')
    if (!isReferenced) socket.unref()
    for (const name of ['connect', 'connectionAttemptFailed', 'close']) socket.on(name, (value) => run.log('client', name, typeof value))
    const closed = run.once(socket, 'close')
    run.log('client', socket.connecting, typeof socket.address().port)
    req.destroy()
    const [error] = await run.once(req, 'error')
    run.log('client', error.code)
    await closed
  })
}

scenario.module('the methods of process keep their names, lengths and flags', (run) => {
  for (const name of ['_getActiveHandles', 'getActiveResourcesInfo', '_getActiveRequests']) {
    const { value, ...flags } = Object.getOwnPropertyDescriptor(process, name)
    run.log('module', name, value.name, value.length, flags, Array.isArray(value()))
  }
})

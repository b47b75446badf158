'use strict'

/** What agents and requests do in corners where few go: signals, captured rejections, key lines, the socket's options. */

const { EventEmitter } = require('node:events')
const { AsyncLocalStorage } = require('node:async_hooks')
const { scenario } = require('../../oracle')

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** Lets what follows from an event follow: there is no event for that. */
const later = (ms = 20) => new Promise((resolve) => setTimeout(resolve, ms))

async function answering (run, bytes = OK) {
  await run.origin(async (peer) => {
    for (let count = 1; ; count++) {
      await peer.until('\r\n\r\n', count)
      peer.send(bytes)
    }
  })
}

function watched (run, track, options) {
  const request = run.request(options)
  run.watch(track, request, ['socket', 'response', 'abort', 'error', 'close', 'prefinish', 'finish', 'timeout'], 'request ')
  request.on('socket', (socket) => run.watch(track, socket, ['connect', 'end', 'error', 'close', 'free', 'agentRemove'], 'socket '))
  request.on('response', (response) => run.watch(track, response, ['data', 'end', 'aborted', 'error', 'close'], 'response '))
  return request
}

const isRecent = Number(process.versions.node.split('.')[0]) >= 24

// Before, core has nobody who would hear of it, and the process ends.
for (const keepAlive of isRecent ? [true, false] : []) {
  scenario.client(`an agent whose signal is aborted already, ${keepAlive}`, async (run) => {
    await answering(run)
    const agent = run.agent({ keepAlive, signal: AbortSignal.abort() })
    const request = watched(run, 'client', { agent })
    request.end((error) => run.log('client', 'end callback', error))
    await run.closed(request)
    await later()
    run.log('client', 'agent', agent.totalSocketCount, Object.keys(agent.sockets), Object.keys(agent.freeSockets))
  })

  for (const moment of ['tick', 'socket', 'connect', 'response', 'free']) {
    scenario.client(`an agent whose signal is aborted at ${moment}, ${keepAlive}`, async (run) => {
      await answering(run)
      const controller = new AbortController()
      const agent = run.agent({ keepAlive, signal: controller.signal })
      const request = watched(run, 'client', { agent })
      const abort = () => controller.abort()
      if (moment === 'tick') process.nextTick(abort)
      else if (moment === 'connect') request.on('socket', (socket) => socket.on('connect', abort))
      else if (moment === 'free') request.on('close', () => setImmediate(abort))
      else request.on(moment, abort)
      request.end((error) => run.log('client', 'end callback', error))
      await run.closed(request)
      await later()
      run.log('client', 'agent', agent.totalSocketCount, Object.keys(agent.sockets), Object.keys(agent.freeSockets))
      const second = watched(run, 'second', { agent })
      second.end()
      await run.closed(second)
      await later()
    })
  }
}

scenario.client('listeners of a request that are async and fail, with captured rejections', async (run) => {
  await answering(run)
  EventEmitter.captureRejections = true
  for (const event of ['socket', 'response', 'finish', 'close']) {
    const request = watched(run, event, {})
    request.on(event, async () => { throw new Error(`from ${event}`) })
    request.end()
    await run.closed(request)
    await later()
  }
  EventEmitter.captureRejections = false
})

scenario.client('events of a request that is upgraded', async (run) => {
  await answering(run, 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
  for (const method of ['GET', 'POST']) {
    const request = watched(run, method, { method, headers: { Connection: 'Upgrade', Upgrade: 'x' } })
    const upgraded = run.once(request, 'upgrade')
    request.on('upgrade', (response, socket) => run.log(method, 'upgrade', request.finished, request.writableFinished, request.writable, socket.writableLength))
    if (method === 'GET') request.end((error) => run.log(method, 'end callback', error))
    else request.write('part', (error) => run.log(method, 'write callback', error))
    const [, socket] = await upgraded
    await later()
    if (method === 'POST') request.end('late', (error) => run.log(method, 'end callback', error))
    await later()
    run.log(method, 'then', request.finished, request.destroyed, request.closed)
    socket.destroy()
    await later()
  }
})

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

// Before, core does not tell of sockets that are there already, or throws.
if (isRecent && !process.version.startsWith('v25.')) {
  scenario.client('an agent and its key lines', async (run) => {
    await answering(run)
    const agent = run.agent({ keepAlive: true })
    const first = run.request({ agent })
    first.end()
    const [response] = await run.once(first, 'response')
    response.resume()
    await run.closed(first)
    await later()
    const counts = () => Object.values(agent.freeSockets).flat().map((socket) => socket.listenerCount('keylog'))
    run.log('client', 'free', counts(), agent.listenerCount('newListener'))
    agent.on('keylog', (line, socket) => run.log('client', 'keylog', line, socket))
    run.log('client', 'free', counts(), agent.listenerCount('newListener'))
    Object.values(agent.freeSockets).flat()[0].emit('keylog', 'a line')
    const other = run.request({ agent })
    other.on('socket', (socket) => run.log('client', 'socket', socket.listenerCount('keylog')))
    other.on('response', (response) => response.resume())
    other.end()
    await run.closed(other)
  })
}

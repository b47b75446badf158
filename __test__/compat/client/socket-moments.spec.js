'use strict'

/** What is done to a client's socket before it has connected, and while it does. */

const net = require('node:net')
const { scenario } = require('../../oracle')

const paths = {
  'over TCP': async (run) => {
    await run.origin(answer)
    return {}
  },
  'over a Unix socket': async (run) => {
    const socketPath = run.unixPath()
    await run.origin(answer, socketPath)
    return { socketPath }
  },
  'over a socket of net': async (run) => {
    await run.origin(answer)
    return { createConnection: (options) => net.connect(options) }
  }
}

async function answer (peer) {
  await peer.until('\r\n\r\n')
  peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
}

for (const [how, reach] of Object.entries(paths)) {
  for (const moment of ['socket', 'connect', 'ready']) {
    scenario.client(`a socket that is paused at '${moment}' reads no answer until it is resumed, ${how}`, async (run) => {
      const request = run.request({ agent: false, ...await reach(run) })
      let isResumed = false
      request.on('response', (response) => {
        run.log('client', 'response', response.statusCode, isResumed)
        response.resume()
      })
      request.on('socket', (socket) => {
        if (moment === 'socket') socket.pause()
        else socket.on(moment, () => socket.pause())
      })
      request.end()
      await run.sleep(50)
      isResumed = true
      request.socket.resume()
      await run.closed(request)
    })
  }

  scenario.client(`a socket whose first write the kernel takes at once has drained before it is 'ready', ${how}`, async (run) => {
    const request = run.request({ agent: false, method: 'POST', ...await reach(run) })
    request.on('socket', (socket) => {
      for (const event of ['connect', 'drain', 'ready']) socket.on(event, () => run.log('client', event))
    })
    request.on('response', (response) => response.resume())
    run.watch('client', request, ['drain', 'finish', 'close'])
    request.write('x'.repeat(270_000), () => run.log('client', 'written'))
    request.end((error) => run.log('client', 'ended', error))
    await run.closed(request)
  })

  scenario.client(`a request that is ended when its connection has hung up, ${how}`, async (run) => {
    const options = await reach(run)
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.end()
    }, options.socketPath === undefined ? undefined : (options.socketPath = run.unixPath()))
    const request = run.request({ agent: false, method: 'POST', ...options })
    run.watch('client', request, ['prefinish', 'finish', 'close'])
    request.on('error', (error) => {
      run.log('client', 'error', error.code)
      request.end((error) => run.log('client', 'ended', error?.code))
    })
    request.flushHeaders()
    await run.closed(request)
    await run.sleep(10)
  })
}

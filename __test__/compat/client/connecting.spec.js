'use strict'

/** A client's socket while its name is looked up, while it connects, and when that fails: its properties, and the callbacks of writes. */

const net = require('node:net')
const { scenario } = require('../../oracle')
const versions = require('../../../lib/core/versions')

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'

const serve = (run) => run.origin(async (peer) => {
  await peer.until('\r\n\r\n')
  peer.send(OK)
})

/** A lookup that takes its time. */
const slow = (outcome) => (name, options, callback) => setTimeout(() => {
  if (outcome instanceof Error) callback(outcome)
  else if (options.all) callback(null, [{ address: outcome, family: 4 }])
  else callback(null, outcome, 4)
}, 30)

const gone = () => Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })

/** What a socket shows. */
const shown = (socket) => [
  socket.connecting, socket.pending, socket.readyState, socket._host,
  socket.localAddress, typeof socket.localPort, socket.localFamily, Object.keys(socket.address()).length,
  socket.remoteAddress, typeof socket.remotePort, socket.remoteFamily,
  socket.bytesRead, socket.bytesWritten, socket.bufferSize, socket.writableLength,
  socket.destroyed, socket.writable, socket.readable
]

const EVENTS = ['lookup', 'connectionAttempt', 'connectionAttemptFailed', 'connect', 'ready', 'error', 'close']

/** A request whose socket is looked at whenever anything happens to it. */
function seen (run, options) {
  const request = run.request({ agent: false, method: 'POST', ...options })
  request.on('socket', (socket) => {
    run.log('client', 'on socket', ...shown(socket))
    for (const event of EVENTS) {
      socket.on(event, (...values) => run.log('client', event, ...values.filter((value) => value instanceof Error), ...shown(socket)))
    }
  })
  run.watch('client', request, ['error', 'drain', 'finish', 'close'])
  request.on('response', (response) => {
    run.log('client', 'response', response.statusCode)
    response.resume()
  })
  return request
}

const ways = {
  'a name that is found': async (run) => {
    await serve(run)
    return { host: 'some.name', lookup: slow('127.0.0.1') }
  },
  'a name that is not found': async (run) => ({ host: 'some.name', port: 1, lookup: slow(gone()) }),
  'an address': async (run) => {
    await serve(run)
    return {}
  },
  'an address that refuses': async (run) => ({ port: await run.refusedPort() }),
  'a name whose address refuses': async (run) => ({ host: 'some.name', port: await run.refusedPort(), lookup: slow('127.0.0.1') }),
  'a path where no server listens': async (run) => ({ socketPath: run.unixPath() })
}

const said = (run, what) => (error) => run.log('client', `told of ${what}`, error)

for (const [where, way] of Object.entries(ways)) {
  scenario.client(`the properties and events of a socket on its way to ${where}`, async (run) => {
    const request = seen(run, await way(run))
    request.end('all of it')
    await run.closed(request)
    await run.sleep(20)
  })

  scenario.client(`callbacks of a request's parts on the way to ${where}`, async (run) => {
    const options = await way(run)
    const request = seen(run, options)
    run.log('client', 'first', request.write('first', said(run, 'first')))
    run.log('client', 'second', request.write('second', said(run, 'second')))
    // While it is looked up: an address may have answered by then, or not.
    if (options.lookup !== undefined) {
      request.on('socket', () => setImmediate(() => {
        run.log('client', 'third', request.write('third', said(run, 'third')))
        request.end('last', said(run, 'last'))
      }))
    } else request.on('socket', (socket) => socket.on('connect', () => request.end('last', said(run, 'last'))))
    await run.closed(request)
    await run.sleep(20)
  })

  for (const last of [undefined, 'last']) {
    scenario.client(`callbacks of a request that is ended ${last === undefined ? '' : 'with a part '}where it gets its socket, on the way to ${where}`, async (run) => {
      const request = seen(run, await way(run))
      for (const event of ['prefinish', 'finish']) request.on(event, () => run.log('client', event))
      request.write('first', said(run, 'first'))
      request.write('second', said(run, 'second'))
      request.on('socket', () => {
        request.end(last, said(run, 'the end'))
        run.log('client', 'ended', request.writableFinished, request.writableLength)
      })
      await run.closed(request)
      await run.sleep(20)
    })
  }

  scenario.client(`callbacks of a socket's writes on the way to ${where}`, async (run) => {
    const request = run.request({ agent: false, ...await way(run) })
    request.on('error', (error) => run.log('client', 'error', error))
    request.on('socket', (socket) => {
      run.log('client', 'first', socket.write('GET / HTTP/1.1\r\n', said(run, 'first')), ...shown(socket))
      run.log('client', 'second', socket.write('Host: x\r\n\r\n', said(run, 'second')), ...shown(socket))
      run.watch('client', socket, ['lookup', 'connect', 'error', 'close'])
    })
    request.on('response', async (response) => {
      await run.read('client', response)
      request.destroy()
    })
    await run.closed(request)
    await run.sleep(20)
  })
}

scenario.client('an address that cannot be reached', async (run) => {
  for (const lookup of [undefined, slow('255.255.255.255')]) {
    const request = run.request({ agent: false, host: lookup ? 'some.name' : '255.255.255.255', port: 9, lookup })
    request.on('socket', (socket) => run.watch('client', socket, ['connectionAttempt', 'connectionAttemptFailed', 'close']))
    request.on('error', (error) => run.log('client', 'error', error, error.address, error.port))
    request.end()
    await run.closed(request)
  }
})

scenario.client('a request that is destroyed while its name is looked up', async (run) => {
  const request = seen(run, { host: 'some.name', port: 1, lookup: slow('127.0.0.1') })
  request.write('first', said(run, 'first'))
  request.on('socket', () => setTimeout(() => {
    request.write('second', said(run, 'second'))
    request.destroy()
    request.write('third', said(run, 'third'))
    request.end('last', said(run, 'last'))
  }, 10))
  await run.closed(request)
  await run.sleep(30)
})

scenario.client('a request that is destroyed when its socket has connected', async (run) => {
  await serve(run)
  const request = run.request({ agent: false, method: 'POST' })
  run.watch('client', request, ['error', 'finish', 'close'])
  request.on('socket', (socket) => {
    run.watch('client', socket, ['connect', 'ready', 'close'])
    socket.on('connect', () => request.destroy())
  })
  request.end('never said')
  await run.closed(request)
  await run.sleep(20)
})

scenario.client('what is written after the socket has connected is sent behind what was written before', async (run) => {
  await serve(run)
  const request = run.request({ agent: false, method: 'POST' })
  request.write('first')
  request.on('socket', (socket) => socket.on('connect', () => {
    request.write('second')
    request.end('third')
  }))
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
})

for (const [when, origin] of Object.entries({
  'and goes on': (run) => run.origin((peer) => peer.send('HTTP/1.1 408 Request Timeout\r\nContent-Length: 2\r\n\r\nno')),
  'and ends': (run) => run.origin((peer) => {
    peer.send('HTTP/1.1 408 Request Timeout\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno')
    peer.end()
  }),
  'with 1xx': (run) => run.origin(async (peer) => {
    peer.send('HTTP/1.1 102 Processing\r\n\r\n')
    await peer.until('\r\n\r\n')
    peer.send(OK)
  })
})) {
  scenario.client(`an origin that answers before the head of the request is sent, ${when}`, async (run) => {
    await origin(run)
    for (const agent of [false, run.agent({ keepAlive: true })]) {
      const request = run.request({ agent, method: 'POST' })
      run.watch('client', request, ['information', 'error', 'finish', 'close'])
      const over = new Promise((resolve) => request.on('response', (response) => resolve(run.read('client', response))))
      if (when === 'with 1xx') {
        await run.once(request, 'information')
        request.end('body')
      }
      await over
      request.destroy()
      await run.closed(request)
    }
  })
}

scenario.client('an origin that answers a later request before its head is sent', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    await run.sleep(60)
    peer.send('HTTP/1.1 408 Request Timeout\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno')
  })
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  await run.exchange({ agent })
  const request = run.request({ agent, method: 'POST' })
  run.watch('client', request, ['error', 'close'])
  const [response] = await run.once(request, 'response')
  run.log('client', 'reused', request.reusedSocket)
  await run.read('client', response)
  await run.closed(request)
})

const twice = {
  'at once': (again) => again(),
  'in a tick': (again) => process.nextTick(again),
  'when the socket is connected': (again, connected) => connected.then(again)
}

for (const [when, then] of Object.entries(twice)) {
  for (const autoSelectFamily of [true, false]) {
    for (const first of [(callback) => callback(), setImmediate]) {
      scenario.client(`a lookup that calls back ${first === setImmediate ? 'later, and again' : 'twice,'} ${when}, autoSelectFamily: ${autoSelectFamily}`, async (run) => {
        await serve(run)
        let connected
        const isConnected = new Promise((resolve) => { connected = resolve })
        const lookup = (name, { all }, callback) => {
          const found = () => callback(null, ...(all ? [[{ address: '127.0.0.1', family: 4 }]] : ['127.0.0.1', 4]))
          first(() => {
            found()
            then(found, isConnected)
          })
        }
        const request = run.request({ agent: false, host: 'some.name', autoSelectFamily, lookup })
        request.on('socket', (socket) => {
          socket.on('connect', connected)
          run.watch('client', socket, ['lookup', 'connectionAttempt', 'connect', 'ready'])
        })
        request.on('error', ({ code, message, address, syscall }) => {
          run.log('client', 'error', code, message.replaceAll(/:\d+\b/g, ':port'), address, syscall)
        })
        request.on('response', (response) => run.log('client', 'response', response.resume().statusCode))
        request.end()
        await run.closed(request)
      }, {
        skip: when === 'at once' && first !== setImmediate && !versions.promiseNamesRequest && 'core\'s request is not told (docs/COMPATIBILITY.md)'
      })
    }
  }
}

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
    // The kernel buffers less of a Unix socket (net.core.wmem_default).
    request.write('x'.repeat(how === 'over a Unix socket' ? 120_000 : 270_000), () => run.log('client', 'written'))
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

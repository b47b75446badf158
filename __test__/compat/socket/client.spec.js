'use strict'

/** The socket under an exchange, as whoever looks at it sees it. */

const net = require('node:net')
const { Duplex } = require('node:stream')
const { scenario } = require('../../oracle')
const versions = require('../../../lib/versions')

const EVENTS = ['data', 'end', 'error', 'close', 'drain', 'timeout', 'free']

/** How many listeners there are; 'close' of a stream is left out between exchanges: ours stays. */
const counts = (socket, events = EVENTS) => events.map((name) => `${name} ${socket.listenerCount(name)}`).join(', ')

/** There core takes what comes on an idle connection for the next answer; here it never is (docs/COMPATIBILITY.md, guarantees/pooled-connections). */
const TRUSTS_IDLE = { skip: !versions.unsolicitedDataDestroys && 'core is poisoned' }

const later = () => new Promise((resolve) => setTimeout(resolve, 30))

scenario.client('listeners of a socket before, in, and after its exchanges', async (run) => {
  await run.origin(async (peer) => {
    for (let count = 1; count <= 3; count++) {
      await peer.until(new RegExp(`^(?:[^]*?\\r\\n\\r\\n){${count}}`))
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha')
      await run.sleep(20)
      peer.send('lf')
    }
  })
  const agent = run.agent({ keepAlive: true, maxSockets: 1 })
  for (const options of [{}, { timeout: 5000 }, {}]) {
    let socket
    await new Promise((resolve) => {
      const request = run.request({ agent, ...options })
      request.on('socket', (one) => {
        socket = one
        run.log('client', 'on socket', counts(socket), request.timeoutCb?.name, socket.listeners('timeout').indexOf(request.timeoutCb))
      })
      request.on('response', (response) => {
        run.log('client', 'on response', counts(socket), socket.listeners('timeout').indexOf(request.timeoutCb))
        response.on('data', () => run.log('client', 'on data', socket.listenerCount('timeout')))
        response.on('end', () => {
          run.log('client', 'on end', counts(socket, ['timeout', 'close', 'error']))
          setImmediate(resolve)
        })
      })
      request.end()
    })
    run.log('client', 'idle', counts(socket))
  }
})

scenario.client('listeners of a socket when its response cannot be read', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    peer.send('what is this?')
  })
  const request = run.request({ agent: false })
  request.on('error', (error) => run.log('client', 'error', error.code, counts(request.socket, ['data', 'end', 'error'])))
  request.end()
  await run.closed(request)
})

for (const options of [{ timeout: 20 }, {}]) {
  scenario.client(`a request's timeout is told once, its response's each time, with ${JSON.stringify(options)}`, async (run) => {
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

scenario.client('an origin that answers before it was asked', async (run) => {
  for (const answer of ['HTTP/1.1 200 OK\r\n\r\nHello', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok']) {
    await run.origin((peer) => {
      peer.send(answer)
      peer.end()
    })
    await run.exchange({ agent: run.agent({ keepAlive: true }) })
  }
})

scenario.client('createConnection without an agent is not told the target as a path', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
    peer.end()
  })
  for (const path of ['/', '/a/b', undefined]) {
    await run.exchange({
      path,
      createConnection (options) {
        run.log('client', 'options', path, options.path, 'path' in options)
        return net.connect(options)
      }
    })
  }
})

/** A connection that answers by itself, with whatever it is given, as soon as it is read. */
function answering (text) {
  let isSaid = false
  return new Duplex({
    read () {
      if (isSaid) return
      isSaid = true
      this.push(text)
    },
    write (chunk, encoding, callback) { callback() }
  })
}

scenario.client('a duplex that has its answer ready, read as the request wishes', async (run) => {
  const text = 'HTTP/1.1 200 OK\r\nHello: foo\x08foo\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'
  for (const options of [{ insecureHTTPParser: true }, {}, { maxHeaderSize: 40 }]) {
    const socket = answering(text)
    socket.on('error', () => {})
    await run.exchange({ createConnection: () => socket, ...options })
    await later()
    run.log('client', 'socket', socket.destroyed, counts(socket, ['data', 'end']))
  }
})

scenario.client('listeners of a stream before, in, and after its exchange', async (run) => {
  await run.origin(async (peer) => {
    for (let count = 1; count <= 2; count++) {
      await peer.until(new RegExp(`^(?:[^]*?\\r\\n\\r\\n){${count}}`))
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    }
  })
  class Own extends run.client.Agent {
    createConnection (options) { return net.connect(options) }
  }
  const agent = new Own({ keepAlive: true })
  for (const options of [{}, { timeout: 5000 }]) {
    const request = run.request({ agent, ...options })
    const events = ['data', 'end', 'error', 'timeout']
    request.on('socket', (socket) => run.log('client', 'on socket', counts(socket, events)))
    request.on('response', (response) => {
      run.log('client', 'on response', counts(request.socket, events))
      response.resume()
    })
    request.end()
    await run.closed(request)
    await later()
    run.log('client', 'idle', counts(request.socket, events))
  }
  agent.destroy()
})

scenario.client('a stream in the pool that speaks unasked', async (run) => {
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

for (const framing of ['Content-Length: 2\r\n', '']) {
  scenario.client(`whoever listens for the bytes of a client's socket, with ${framing.trim() || 'a body until the end'}`, async (run) => {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send(`HTTP/1.1 200 OK\r\n${framing}\r\nok`)
      peer.end()
    })
    const request = run.request({ agent: run.agent({ keepAlive: true }) })
    request.on('socket', (socket) => {
      let text = ''
      socket.on('data', (chunk) => { text += chunk })
      socket.on('end', () => run.log('client', 'bytes', text))
    })
    request.on('response', (response) => run.read('client', response))
    request.end()
    await run.closed(request)
    await later()
  })
}

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

'use strict'

/** Sockets of a server's own that others read before HTTP, or instead of it: it begins with the server's own 'connection' listener. */

const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { scenario } = require('../../oracle')

const LINE = 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n'

const get = (path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
const POST = 'POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello'

/** Calls back with the first bytes of a socket. */
function read (socket, took) {
  socket.on('readable', function onReadable () {
    const chunk = socket.read()
    if (chunk === null) return
    socket.removeListener('readable', onReadable)
    took(chunk)
  })
}

const behindLine = (run, chunk) => {
  const end = chunk.indexOf('\r\n') + 2
  run.log('server', 'line', String(chunk.subarray(0, end)))
  return chunk.subarray(end)
}

/** How a line before HTTP is taken off; `serve` gives the socket to the server's own listener. */
const STRIPS = {
  'reads, unshifts, serves' (run, socket, serve) {
    read(socket, (chunk) => {
      socket.unshift(behindLine(run, chunk))
      serve(socket)
    })
  },
  'reads, serves, unshifts' (run, socket, serve) {
    read(socket, (chunk) => {
      serve(socket)
      socket.unshift(behindLine(run, chunk))
    })
  },
  'hears the bytes, pauses, unshifts, serves, resumes' (run, socket, serve) {
    socket.once('data', (chunk) => {
      socket.pause()
      socket.unshift(behindLine(run, chunk))
      serve(socket)
      socket.resume()
    })
  },
  'hears the bytes, serves, emits the rest' (run, socket, serve) {
    socket.once('data', (chunk) => {
      serve(socket)
      socket.emit('data', behindLine(run, chunk))
    })
  },
  'reads a tick later' (run, socket, serve) {
    process.nextTick(() => {
      read(socket, (chunk) => {
        socket.unshift(behindLine(run, chunk))
        serve(socket)
      })
    })
  },
  'reads later' (run, socket, serve) {
    setTimeout(() => {
      const chunk = socket.read()
      socket.unshift(behindLine(run, chunk))
      serve(socket)
    }, 40)
  }
}

/** How others get the sockets before the server's own listener. */
const TAKES = {
  'with the own listener removed' (server, take) {
    const own = server.listeners('connection')
    server.removeAllListeners('connection')
    server.on('connection', (socket) => take(socket, () => { for (const listener of own) listener.call(server, socket) }))
  },
  'with the own listener replaced' (server, take) {
    const [own] = server.listeners('connection')
    server.removeListener('connection', own)
    server.addListener('connection', (socket) => take(socket, () => own.call(server, socket)))
  },
  'with emit replaced' (server, take) {
    const { emit } = server
    server.emit = function (event, ...values) {
      if (event !== 'connection') return emit.call(this, event, ...values)
      take(values[0], () => emit.call(server, event, ...values))
      return true
    }
  }
}

const handler = (run) => (req, res) => {
  let body = ''
  req.on('data', (chunk) => { body += chunk })
  req.on('end', () => {
    run.log('server', req.url, body)
    res.end(`${req.url}\n`)
  })
}

const serverOf = (run) => {
  const server = run.server.createServer(handler(run))
  server.on('clientError', (error, socket) => {
    run.log('server', 'clientError', error.code)
    socket.destroy()
  })
  return server
}

for (const [take, takes] of Object.entries(TAKES)) {
  for (const [strip, strips] of Object.entries(STRIPS)) {
    scenario.server(`a line before HTTP is taken off by code that ${strip}, ${take}`, async (run) => {
      const server = serverOf(run)
      takes(server, (socket, serve) => strips(run, socket, serve))
      await run.listen(server)
      for (let i = 0; i < 2; i++) {
        const peer = run.dial()
        peer.send(LINE + POST)
        await peer.until('/first\n')
        peer.send(get('/second') + get('/third'))
        await peer.until('/third\n')
        peer.end()
        await peer.ended()
      }
    })
  }

  scenario.server(`a socket is given to the server's own listener later, ${take}`, async (run) => {
    const server = serverOf(run)
    takes(server, (socket, serve) => {
      run.log('server', 'socket', socket instanceof net.Socket, socket.server === server, socket.parser == null, socket.readableFlowing)
      setTimeout(() => {
        serve()
        run.log('server', 'served', socket.parser !== null, socket.readableFlowing)
      }, 30)
    })
    await run.listen(server)
    const peer = run.dial()
    peer.send(POST)
    await peer.until('/first\n')
    peer.send(get('/second'))
    await peer.until('/second\n')
  })

  scenario.server(`a socket is given to the server's own listener at once, ${take}`, async (run) => {
    const server = serverOf(run)
    takes(server, (socket, serve) => {
      serve()
      run.log('server', 'served', socket.parser !== null, socket.readableFlowing)
    })
    await run.listen(server)
    const peer = run.dial()
    peer.send(POST)
    await peer.until('/first\n')
    peer.send(get('/second'))
    await peer.until('/second\n')
  })

  scenario.server(`a server of which nobody serves the sockets gives them out raw, ${take}`, async (run) => {
    const server = serverOf(run)
    const closed = new Promise((resolve) => takes(server, (socket) => {
      socket.on('data', (chunk) => socket.write(`raw: ${chunk}`))
      socket.on('end', () => {
        run.log('server', 'end')
        socket.end('bye')
      })
      socket.on('close', (hadError) => {
        run.log('server', 'close', hadError, socket.bytesRead, socket.bytesWritten)
        resolve()
      })
    }))
    await run.listen(server)
    const peer = run.dial()
    peer.send('no HTTP')
    await peer.until('raw: no HTTP')
    peer.send(get('/'))
    await peer.until('\r\n\r\n')
    peer.end()
    await peer.ended()
    await closed
    run.log('server', 'closes', await new Promise((resolve) => server.close(resolve)))
  })

  scenario.server(`a socket that is refused before HTTP, ${take}`, async (run) => {
    const server = serverOf(run)
    takes(server, (socket) => {
      socket.on('error', (error) => run.log('server', 'error', error.code))
      socket.on('close', () => run.log('server', 'close'))
      socket.end('HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n\r\n')
    })
    await run.listen(server)
    const peer = run.dial()
    run.log('client', 'ended', await peer.ended())
    peer.end()
    await run.sleep(20)
  })

  scenario.server(`a greeting is written before HTTP, ${take}`, async (run) => {
    const server = serverOf(run)
    takes(server, (socket, serve) => {
      socket.write('hello\n')
      read(socket, (chunk) => {
        socket.unshift(behindLine(run, chunk))
        serve()
      })
    })
    await run.listen(server)
    const peer = run.dial()
    await peer.until('hello\n')
    peer.send(LINE + get('/first'))
    await peer.until('/first\n')
  })

  scenario.server(`a socket is destroyed before HTTP, ${take}`, async (run) => {
    const server = serverOf(run)
    takes(server, (socket) => {
      socket.on('close', () => run.log('server', 'close'))
      socket.destroy()
    })
    await run.listen(server)
    const peer = run.dial()
    run.log('client', 'ended', await peer.ended())
    peer.end()
    run.log('server', 'closes', await new Promise((resolve) => server.close(resolve)))
  })

  scenario.server(`a socket is given to another server, ${take}`, async (run) => {
    const server = serverOf(run)
    const other = run.server.createServer((req, res) => res.end(`other ${req.url}\n`))
    takes(server, (socket) => other.emit('connection', socket))
    await run.listen(server)
    const peer = run.dial()
    for (const path of ['/first', '/second']) {
      peer.send(get(path))
      await peer.until(`${path}\n`)
    }
  })

  scenario.server(`a server with pauseOnConnect, ${take}`, async (run) => {
    const server = run.server.createServer({ pauseOnConnect: true }, handler(run))
    takes(server, (socket, serve) => {
      run.log('server', 'paused', socket.isPaused())
      setTimeout(() => {
        run.log('server', 'read', socket.bytesRead)
        serve()
        socket.resume()
      }, 30)
    })
    await run.listen(server)
    const peer = run.dial()
    peer.send(POST)
    await peer.until('/first\n')
  })
}

for (const [where, add] of Object.entries({
  'behind the server\'s own': 'on',
  'before the server\'s own': 'prependListener'
})) {
  scenario.server(`bytes that a 'connection' listener ${where} puts into the socket are parsed`, async (run) => {
    const server = serverOf(run)
    server[add]('connection', (socket) => {
      run.log('server', 'flowing', socket.readableFlowing, socket.parser == null)
      socket.unshift(get('/put'))
    })
    await run.listen(server)
    const peer = run.dial()
    await peer.until('/put\n')
    peer.send(POST)
    await peer.until('/first\n')
    peer.send(get('/second'))
    await peer.until('/second\n')
  })

  scenario.server(`half a head that a 'connection' listener ${where} puts into the socket goes on with what comes`, async (run) => {
    const server = serverOf(run)
    server[add]('connection', (socket) => { socket.unshift('GET /put HTTP/1.1\r\nHo') })
    await run.listen(server)
    const peer = run.dial()
    peer.send('st: x\r\n\r\n')
    await peer.until('/put\n')
  })

  scenario.server(`bytes that are put into the socket later are parsed, by a 'connection' listener ${where}`, async (run) => {
    const server = serverOf(run)
    server[add]('connection', (socket) => setTimeout(() => { socket.unshift(get('/late')) }, 30))
    await run.listen(server)
    const peer = run.dial()
    peer.send(get('/first'))
    await peer.until('/late\n')
    peer.send(get('/second'))
    await peer.until('/second\n')
  })
}

scenario.server('listeners that are removed before the server\'s own listener has the socket are not the parser\'s', async (run) => {
  const server = serverOf(run)
  server.prependListener('connection', (socket) => socket.on('data', () => {}).removeAllListeners('data'))
  server.on('connection', (socket) => setTimeout(() => socket.on('data', (chunk) => run.log('server', String(chunk))), 20))
  await run.listen(server)
  const peer = run.dial()
  await run.sleep(40)
  for (const target of ['/first', '/second']) {
    peer.send(get(target))
    await peer.until(`${target}\n`)
  }
})

for (const event of ['data', 'readable']) {
  scenario.server(`a '${event}' listener that was there before the server's own hears nothing of what is parsed`, async (run) => {
    const server = run.server.createServer((req, res) => {
      if (req.url === '/second' && event === 'data') req.socket.on('data', (chunk) => run.log('server', 'behind', String(chunk)))
      res.end(`${req.url}\n`)
    })
    server.prependListener('connection', (socket) => {
      socket.on(event, (chunk) => run.log('server', 'before', event === 'data' ? String(chunk) : event))
    })
    await run.listen(server)
    const peer = run.dial()
    for (const path of ['/first', '/second', '/third']) {
      peer.send(get(path))
      await peer.until(`${path}\n`)
    }
  })
}

scenario.server('what a socket is before the server\'s own listener has had it', async (run) => {
  const server = serverOf(run)
  const events = ['data', 'end', 'error', 'close', 'timeout', 'drain', 'resume', 'pause']
  const show = (socket) => run.log('server', 'socket', ...events.map((event) => socket.listenerCount(event)), socket.readableFlowing,
    socket.parser == null, socket._paused, socket.timeout)
  server.prependListener('connection', show)
  server.on('connection', show)
  await run.listen(server)
  const peer = run.dial()
  peer.send(get('/first'))
  await peer.until('/first\n')
})

scenario.server('a listener that throws before the server\'s own leaves a socket that is nobody\'s', async (run) => {
  const server = serverOf(run)
  let isFirst = true
  let socket
  server.prependListener('connection', (accepted) => {
    if (!isFirst) return
    isFirst = false
    socket = accepted
    throw new Error('before HTTP')
  })
  const thrown = new Promise((resolve) => { run.onUncaught = resolve })
  await run.listen(server)
  const lost = run.dial()
  lost.send(get('/lost'))
  await thrown
  await run.sleep(30)
  run.log('server', 'bytes', socket.bytesRead, socket.readableLength, socket.parser == null)
  const peer = run.dial()
  peer.send(get('/first'))
  await peer.until('/first\n')
  socket.destroy()
})

scenario.server('a listening server whose own listener is removed, and added again', async (run) => {
  const server = serverOf(run)
  const [own] = server.listeners('connection')
  await run.listen(server)
  for (const path of ['/first', '/second']) {
    const peer = run.dial()
    peer.send(get(path))
    await peer.until(`${path}\n`)
  }
  server.removeListener('connection', own)
  const raw = (socket) => socket.on('data', (chunk) => socket.end(`raw: ${chunk}`))
  server.on('connection', raw)
  for (const path of ['/third', '/fourth']) {
    const peer = run.dial()
    peer.send(get(path))
    await peer.ended()
    peer.end()
  }
  server.off('connection', raw).on('connection', own)
  for (const path of ['/fifth', '/sixth']) {
    const peer = run.dial()
    peer.send(get(path))
    await peer.until(`${path}\n`)
  }
})

scenario.server('a server without a listener for its connections leaves them open', async (run) => {
  const server = serverOf(run)
  server.removeAllListeners('connection')
  await run.listen(server)
  const peer = run.dial()
  peer.send(get('/'))
  const ended = await Promise.race([peer.ended(), run.sleep(60, 'open')])
  run.log('client', 'is', ended)
  run.log('server', 'connections', await new Promise((resolve) => server.getConnections((error, count) => resolve(error ?? count))))
  const lost = new Promise((resolve) => { run.onUncaught = resolve })
  peer.reset()
  await lost
})

/** What an `emit` that was replaced gives the socket to, in the call. */
const GIVES = {
  'a TLS server': (run, socket, { secure }) => secure.emit('connection', socket),
  'a TLS socket': (run, socket, { server, emit, options }) => {
    const tls = require('node:tls')
    emit.call(server, 'connection', new tls.TLSSocket(socket, { isServer: true, ...options }))
  },
  'a server of core\'s': (run, socket, { core }) => core.emit('connection', socket),
  'the server itself, behind TLS, by turns': (run, socket, { server, emit, secure, isSecure }) => {
    if (isSecure()) secure.emit('connection', socket)
    else emit.call(server, 'connection', socket)
  }
}

for (const [recipient, give] of Object.entries(GIVES)) {
  scenario.server(`a replaced emit gives the socket to: ${recipient}`, async (run) => {
    const tls = require('node:tls')
    const pem = (name) => fs.readFileSync(path.join(__dirname, '../../fixtures/https', `${name}.pem`))
    const options = { key: pem('key'), cert: pem('cert') }
    const handle = (req, res) => res.end(`${req.socket.encrypted === true} ${req.url}\n`)
    const server = run.server.createServer(handle)
    const { emit } = server
    const secure = tls.createServer(options, (socket) => emit.call(server, 'connection', socket))
    const core = require('node:http').createServer(handle)
    let turn = 0
    const isSecure = () => turn++ % 2 === 0
    server.emit = function (event, ...values) {
      if (event !== 'connection') return emit.call(this, event, ...values)
      values[0].setNoDelay(true)
      values[0].on('close', () => run.log('server', 'close'))
      return give(run, values[0], { server, emit, secure, core, options, isSecure })
    }
    await run.listen(server)
    for (let i = 0; i < 3; i++) {
      const peer = run.dial()
      const isTls = recipient.includes('TLS') && !(recipient.includes('turns') && i === 1)
      if (!isTls) {
        for (const target of ['/first', '/second']) {
          peer.send(get(target))
          await peer.until(`${target}\n`)
        }
        peer.end()
        await peer.closed()
        continue
      }
      const client = tls.connect({ socket: peer.socket, rejectUnauthorized: false })
      await once(client, 'secureConnect')
      for (const target of ['/first', '/second']) {
        client.write(get(target))
        let text = ''
        while (!text.endsWith(`${target}\n`)) text += (await once(client, 'data'))[0]
        run.log('client', text.slice(text.indexOf('\r\n\r\n')))
      }
      client.destroy()
    }
    await run.sleep(20)
  })
}

scenario.server('a socket that a replaced emit ends, in the call', async (run) => {
  const server = run.server.createServer()
  const { emit } = server
  server.emit = function (event, ...values) {
    if (event !== 'connection') return emit.call(this, event, ...values)
    values[0].on('error', (error) => run.log('server', 'error', error.code))
    values[0].on('close', () => run.log('server', 'close'))
    values[0].end('bye')
    return true
  }
  await run.listen(server)
  const peer = run.dial()
  await peer.until('bye')
  peer.end()
  await peer.ended()
  await run.sleep(20)
})

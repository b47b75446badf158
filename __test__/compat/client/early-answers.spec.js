'use strict'

/** Servers that answer before they have read the request, end their side or not, and go on reading. */

const net = require('node:net')
const { once } = require('node:events')
const { scenario } = require('../../oracle')

/** More than the kernel buffers. */
const SIZE = 16 << 20

const CLOSE = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\nConnection: close\r\n\r\nearly'
const KEEP = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nearly'
const BODILESS = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'

/** A server that answers the first bytes, and reads the rest when `read` is called. */
async function hasty (run, track, answer, ends, where) {
  let read
  let got = 0
  const over = new Promise((resolve) => {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.once('data', (first) => {
        got = first.length - first.indexOf('\r\n\r\n') - 4
        socket.pause()
        if (ends) socket.end(answer)
        else socket.write(answer)
        socket.on('data', (chunk) => { got += chunk.length })
        read = () => socket.resume()
      })
      socket.on('end', () => {
        socket.end()
        resolve()
      })
      socket.on('error', (error) => {
        run.log(track, 'the server', error.code)
        resolve()
      })
    })
    run.servers.push(server)
    server.listen(where)
  })
  const [server] = run.servers.slice(-1)
  await once(server, 'listening')
  return {
    address: server.address(),
    read: () => read(),
    async total () {
      await over
      return got
    }
  }
}

const ways = {
  'in one piece with its end': (run, request) => { request.end(Buffer.alloc(SIZE), (error) => run.log('end', error?.code ?? 'ok')) },
  'in one piece before its end' (run, request) {
    request.write(Buffer.alloc(SIZE), (error) => run.log('written', error?.code ?? 'ok'))
    request.end((error) => run.log('end', error?.code ?? 'ok'))
  },
  'in pieces before its end' (run, request) {
    for (let count = 0; count < 16; count++) request.write(Buffer.alloc(SIZE / 16), (error) => run.log('written', error?.code ?? 'ok'))
    request.end((error) => run.log('end', error?.code ?? 'ok'))
  },
  'in pieces, of which the last come behind the answer' (run, request) {
    for (let count = 0; count < 8; count++) request.write(Buffer.alloc(SIZE / 16), (error) => run.log('written', error?.code ?? 'ok'))
    request.on('response', (response) => response.on('end', () => setImmediate(() => {
      run.log('late', request.write(Buffer.alloc(SIZE / 16), (error) => run.log('written late', error?.code ?? 'ok')))
      request.end((error) => run.log('end', error?.code ?? 'ok'))
    })))
  }
}

const places = {
  'a port': (run) => ({ listen: { port: 0, host: '127.0.0.1' }, options: ({ port }) => ({ port, host: '127.0.0.1' }) }),
  'a unix socket' (run) {
    const path = run.unixPath()
    return { listen: { path }, options: () => ({ socketPath: path }) }
  },
  'a stream of the application': (run) => ({
    listen: { port: 0, host: '127.0.0.1' },
    options: ({ port }) => ({ createConnection: () => net.connect(port, '127.0.0.1') })
  })
}

for (const [place, where] of Object.entries(places)) {
  for (const [way, say] of Object.entries(ways)) {
    for (const [kind, answer, ends] of [
      ['closes and ends', CLOSE, true], ['closes', CLOSE, false], ['keeps the connection and ends', KEEP, true], ['keeps the connection', KEEP, false],
      ['has no body, closes and ends', BODILESS, true]
    ]) {
      if (place !== 'a port' && kind !== 'closes and ends') continue
      // Whether the server's end is there before what is said late hangs on how it was read.
      if (way.includes('behind') && kind === 'keeps the connection and ends') continue
      scenario.client(`an upload ${way} to ${place}, and an early answer that ${kind}`, async (run) => {
        const { listen, options } = where(run)
        const server = await hasty(run, 'server', answer, ends, listen)
        const agent = run.agent({ keepAlive: true })
        const target = options(server.address)
        const request = run.client.request({ ...target, ...(target.createConnection ? {} : { agent }), method: 'POST', headers: { 'Content-Length': SIZE } })
        const hasClosed = run.closed(request)
        run.watch('client', request, ['finish', 'close'])
        request.on('error', (error) => run.log('client', 'error', error.code))
        say(run, request)
        const response = await new Promise((resolve) => request.once('response', resolve))
        run.watch('response', response, ['data', 'end', 'error'])
        await run.closed(response)
        await run.sleep(30)
        run.log('then', request.destroyed, request.writableFinished, request.finished, response.complete)
        server.read()
        if (way !== 'in pieces, of which the last come behind the answer') await hasClosed
        else await run.sleep(100)
        run.log('after all', request.destroyed, request.writableFinished)
        request.destroy()
        await hasClosed
        agent.destroy()
        // What was on its way when the socket was destroyed hangs on the kernel.
        const total = await server.total()
        run.log('server', total === SIZE ? 'all' : 'a part')
      })
    }
  }
}

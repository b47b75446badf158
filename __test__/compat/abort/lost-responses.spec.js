'use strict'

/** end() of responses whose connection is lost: their properties, events and callbacks. */

const { overAll } = require('../../oracle/transports')

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

const LOSSES = {
  'its socket destroyed': ({ socket }) => { socket.destroy() },
  'its socket reset': ({ socket }) => { (socket.resetAndDestroy ?? socket.destroy).call(socket) },
  'its request destroyed': (req) => { req.destroy() }
}

const WRITES = {
  'a string': (res, callback) => { res.end('text', callback) },
  'a Buffer': (res, callback) => { res.end(Buffer.from('text'), callback) },
  'an empty Buffer, then a string': (res, callback) => {
    res.write(Buffer.alloc(0))
    res.end('text', callback)
  },
  'a Buffer in chunks': (res, callback) => {
    res.write(Buffer.from('text'))
    res.end(callback)
  },
  'a Buffer without a body': (res, callback) => {
    res.statusCode = 204
    res.end(Buffer.from('text'), callback)
  },
  'text in base64': (res, callback) => { res.end('dGV4dA==', 'base64', callback) }
}

/** Watches a response that has ended or will; the function it gives calls end() again when it is closed. */
function watch (run, track, res) {
  const shown = () => [res.writableFinished, res.writableLength, res.outputSize, res.outputData.length]
  for (const event of ['prefinish', 'finish', 'close']) res.on(event, () => run.log(track, event, ...shown()))
  return async () => {
    if (!res.closed) await new Promise((resolve) => res.once('close', resolve))
    res.end(() => run.log(track, 'ended again'))
    await new Promise(setImmediate)
    run.log(track, 'at last', ...shown())
  }
}

for (const [loss, lose] of Object.entries(LOSSES)) {
  overAll(`a response that is ended with ${loss}`, async (run, dial) => {
    for (const [what, write] of Object.entries(WRITES)) {
      const server = run.server.createServer()
      const over = new Promise((resolve) => server.once('request', (req, res) => {
        req.on('error', () => {})
        res.on('error', () => {})
        const rest = watch(run, what, res)
        lose(req)
        write(res, (error) => run.log(what, 'callback', error?.code))
        resolve(rest())
      }))
      const peer = await dial(server)
      peer.socket.on('error', () => {})
      peer.send(GET)
      await over
    }
  }, ['a socket', 'a socket of net'])
}

overAll('a response that is ended behind an error in the packet of its request', async (run, dial) => {
  for (const [what, write] of Object.entries(WRITES)) {
    const server = run.server.createServer()
    const over = new Promise((resolve) => server.once('request', (req, res) => {
      req.on('error', () => {})
      const rest = watch(run, what, res)
      setImmediate(() => {
        write(res, (error) => run.log(what, 'callback', error?.code))
        resolve(rest())
      })
    }))
    const peer = await dial(server)
    peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' + GET)
    await over
  }
}, ['a socket', 'a socket of net'])

'use strict'

/** Bodies of which the kernel still has a part when the connection ends: core's loop reads on before FIN, and leaves it unread at `destroy()`. */

const { scenario } = require('../../oracle')

const SIZE = 66_000
const POST = `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${SIZE}\r\n\r\n${'x'.repeat(SIZE)}`

for (const isPath of [false, true]) {
  scenario.server(`a body that fills more than one read, answered at once, ends${isPath ? ', over a path' : ''}`, async (run) => {
    const server = run.server.createServer()
    const closed = new Promise((resolve) => server.on('connection', (socket) => {
      for (const event of ['finish', 'end', 'close']) socket.on(event, () => run.log('socket', event))
      socket.on('close', resolve)
    }))
    const over = new Promise((resolve) => server.on('request', (req, res) => {
      for (const event of ['end', 'aborted', 'error', 'close']) req.on(event, () => run.log('request', event))
      req.on('close', resolve)
      res.end('refused')
    }))
    await run.listenAt(server, isPath ? { path: run.unixPath() } : { port: 0, host: '127.0.0.1' })
    const peer = run.dial()
    peer.send(POST)
    await Promise.all([over, closed])
    await peer.until('refused')
  })
}

const REFUSALS = {
  'its response is destroyed': (req, res) => res.destroy(),
  'its socket is destroyed': ({ socket }) => socket.destroy()
}

for (const [what, refuse] of Object.entries(REFUSALS)) {
  scenario.server(`a body of which a part is unread when ${what} ends with a reset`, async (run) => {
    const server = run.server.createServer()
    const over = new Promise((resolve) => server.on('request', (req, res) => {
      for (const event of ['end', 'aborted', 'error', 'close']) req.on(event, () => run.log('request', event))
      req.on('close', resolve)
      refuse(req, res)
    }))
    await run.listen(server)
    const peer = run.dial()
    peer.send(POST)
    run.log('peer', await peer.ended())
    await over
  })
}

scenario('the socket of a path cannot be reset', async (run) => {
  const reset = (track, { socket }) => {
    try {
      socket.resetAndDestroy()
    } catch ({ name, code, message }) {
      run.log(track, 'thrown', name, code, message)
    }
    run.log(track, 'destroyed', socket.destroyed)
  }
  const server = run.server.createServer((req, res) => {
    reset('server', req)
    res.end('still here')
  })
  await run.listenAt(server, { path: run.unixPath() })
  await new Promise((resolve) => {
    const request = run.request({ agent: run.agent() }, (response) => {
      reset('client', request)
      response.on('end', () => run.log('client', 'end')).on('close', resolve).resume()
    })
    request.end()
  })
})

'use strict'

/** A client ends or resets its connection at every point of an exchange: what the server's request and response show and emit. */

const { scenario } = require('../../oracle')
const { MESSAGE, watchServer } = require('../../oracle/watched-server')

/** What a server sees when its raw client leaves in one of two ways at one of several points. */
const POINTS = {
  'before the answer': ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', () => {}],
  'in the middle of the answer': ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', (req, res) => res.write('half')],
  'in the middle of its body': ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc', (req, res) => req.resume()],
  'in the middle of its body, unread': ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc', () => {}],
  'in the middle of its chunked body': ['POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab', (req, res) => req.resume()],
  'after its body was read': ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc', (req, res) => req.resume()]
}

for (const [point, [bytes, handle]] of Object.entries(POINTS)) {
  for (const how of ['end', 'reset']) {
    scenario.server(`a client that leaves ${point} with ${how === 'end' ? 'FIN' : 'RST'}`, async (run) => {
      const { handler, done } = watchServer(run, handle)
      const server = await run.serve({}, handler)
      server.on('clientError', (error, socket) => {
        run.log('server', 'clientError', error)
        socket.destroy()
      })
      const handled = run.once(server, 'request')
      const peer = run.dial()
      peer.send(bytes)
      const [req] = await handled
      if (point.includes('read')) await (req.readableEnded || point.includes('unread') || run.once(req, 'end'))
      else if (point.includes('answer,')) await peer.until('half')
      await new Promise(setImmediate)
      peer[how]()
      await done()
    })
  }
}

scenario.server('half-open clients get their answer only with httpAllowHalfOpen', async (run) => {
  for (const allow of [false, true]) {
    const { handler, done } = watchServer(run, (req, res) => {
      req.socket.on('end', () => setImmediate(() => setImmediate(() => res.end('late'))))
    })
    const server = await run.serve({}, handler)
    server.httpAllowHalfOpen = allow
    const peer = run.dial()
    peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    peer.end()
    run.log('client', 'ended', await peer.ended(), peer.received.includes('late'))
    await done()
  }
})

scenario('an error listener is not needed for an aborted request', async (run) => {
  let closed
  const server = await run.serve({}, (req, res) => {
    closed = run.closed(req, res)
    req.on('aborted', () => run.log('server', 'aborted', req.aborted, req.destroyed, req.errored))
  })
  const handled = run.once(server, 'request')
  const request = run.request({ agent: false })
  request.on('error', () => {})
  request.end()
  await handled
  request.destroy()
  await closed
})

scenario('stream.finished reports a premature close', async (run) => {
  const { finished } = require('node:stream')
  let closed
  const server = await run.serve({}, (req, res) => {
    finished(req, (error) => run.log('req', 'finished', error))
    finished(res, (error) => run.log('res', 'finished', error))
    closed = run.closed(req, res)
  })
  const handled = run.once(server, 'request')
  const request = run.request({ agent: false, method: 'POST' })
  request.on('error', () => {})
  request.write('some')
  await handled
  request.destroy()
  await closed
})

scenario('writing to a client that has gone calls back with an error', async (run) => {
  const server = await run.serve({}, () => {})
  const handled = run.once(server, 'request')
  const request = run.request({ agent: false })
  request.on('error', () => {})
  request.end()
  const [, res] = await handled
  request.destroy()
  await run.closed(res)
  run.watch('server', res, MESSAGE, 'res ')
  run.log('server', 'state', res.destroyed, res.closed, res.writable, res.writableEnded, res.headersSent)
  run.log('server', 'write', res.write('x', (error) => run.log('server', 'write callback', error)))
  run.attempt('server', 'end', () => res.end('y', (error) => run.log('server', 'end callback', error)) === res)
  await new Promise(setImmediate)
  await new Promise(setImmediate)
})

'use strict'

/** Servers and requests over Unix sockets. Listening on paths: server/listening. */

const fs = require('node:fs')
const { scenario } = require('../../oracle')

scenario('a request over a unix socket', async (run) => {
  const server = run.server.createServer((req, res) => {
    run.log('server', 'addresses', req.socket.remoteAddress, req.socket.remotePort, req.socket.localAddress, req.headers.host)
    res.end('over a path')
  })
  const path = run.unixPath()
  await run.listenAt(server, path)
  run.log('server', 'address', server.address() === path, server.listening, fs.existsSync(path))
  await run.exchange({ path: '/unix' })
  await run.exchange({ path: '/again' })
})

scenario('options of request with socketPath', async (run) => {
  await run.listenAt(run.server.createServer((req, res) => res.end(req.headers.host)), run.unixPath())
  await run.exchange({ host: 'named.example', port: 5, method: 'POST' }, 'body')
  const request = run.request({ agent: false })
  run.log('client', 'request', request.socketPath, request.host)
  request.end()
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
})

scenario.server('many requests of a raw client over a unix socket', async (run) => {
  await run.listenAt(run.server.createServer((req, res) => res.end(`${req.url}\n`)), run.unixPath())
  const peer = run.dial()
  for (let count = 0; count < 5; count++) peer.send(`GET /${count} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await peer.until('/4\n')
  peer.send('garbage\r\n\r\n')
  run.log('client', 'ended', await peer.ended())
})

'use strict'

/** A reverse proxy: server and client in one, bodies streamed both ways. usage: node proxy.js [upstream port] */

const http = require('http-native')
const { pipeline } = require('node:stream')
const { portOr } = require('./port')

const upstream = { host: '127.0.0.1', port: Number(process.argv[2] ?? 3000) }
// A request that crosses the end of a kept connection is sent once more, if it may be: see docs/AGENT.md.
const agent = new http.Agent({ keepAlive: true, retryStale: true })

// Fields that speak about one connection, not about the message (RFC 9110, section 7.6.1).
const hopByHop = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'])

function forwardable (headers) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)))
}

const server = http.createServer((req, res) => {
  const outgoing = http.request({
    ...upstream,
    agent,
    method: req.method,
    path: req.url,
    headers: forwardable(req.headers)
  })
  outgoing.on('response', (incoming) => {
    res.writeHead(incoming.statusCode, forwardable(incoming.headers))
    pipeline(incoming, res, () => {})
  })
  outgoing.on('error', (error) => {
    if (res.headersSent) res.destroy()
    else res.writeHead(502).end(`${error.message}\n`)
  })
  res.on('close', () => { if (!res.writableFinished) outgoing.destroy() })
  req.pipe(outgoing)
})

server.listen(portOr(3001), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/ -> port ${upstream.port}`)
})

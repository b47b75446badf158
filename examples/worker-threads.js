'use strict'

/** Threads compute, each behind a server of its own, while the main thread passes requests on to them. */

const http = require('http-native')
const { Worker, isMainThread, parentPort } = require('node:worker_threads')
const { once } = require('node:events')
const { pipeline } = require('node:stream')
const { portOr } = require('./port')

const THREADS = 2

const fibonacci = (n) => n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2)

function compute () {
  const server = http.createServer((req, res) => res.end(`${fibonacci(Number(req.url.slice(1)) || 20)}\n`))
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
}

async function main () {
  const agent = new http.Agent({ keepAlive: true })
  const ports = await Promise.all(Array.from({ length: THREADS }, async () => {
    const [port] = await once(new Worker(__filename), 'message')
    return port
  }))
  let turn = 0
  const server = http.createServer((req, res) => {
    const port = ports[turn++ % THREADS]
    const outgoing = http.get({ host: '127.0.0.1', port, path: req.url, agent }, (incoming) => {
      res.writeHead(incoming.statusCode, { 'X-Thread': ports.indexOf(port) })
      pipeline(incoming, res, () => {})
    })
    outgoing.on('error', (error) => res.writeHead(502).end(`${error.message}\n`))
  })
  server.listen(portOr(3000), '127.0.0.1', () => {
    console.log(`http://127.0.0.1:${server.address().port}/`)
  })
}

if (isMainThread) main()
else compute()

'use strict'

/** A process for each core, which share a port; one that dies is replaced. */

const cluster = require('node:cluster')
const http = require('http-native')
const { availableParallelism } = require('node:os')
const { portOr } = require('./port')

const port = portOr(3000)

if (cluster.isPrimary) {
  const workers = Math.min(4, availableParallelism())
  let listening = 0
  for (let count = 0; count < workers; count++) cluster.fork()
  cluster.on('listening', (worker, address) => {
    if (++listening === workers) console.log(`http://127.0.0.1:${address.port}/`)
  })
  cluster.on('exit', (worker) => {
    if (!worker.exitedAfterDisconnect) cluster.fork()
  })
  process.on('SIGTERM', () => cluster.disconnect())
} else {
  http.createServer((req, res) => {
    // A mistake ends one worker, not the service.
    if (req.url === '/crash') process.exit(1)
    res.end(`hello from worker ${cluster.worker.id}\n`)
  }).listen(port, '127.0.0.1')
}

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
  let isStopping = false
  for (let count = 0; count < workers; count++) cluster.fork()
  cluster.on('listening', (worker, address) => {
    if (++listening === workers) console.log(`http://127.0.0.1:${address.port}/`)
  })
  cluster.on('exit', (worker) => {
    // Not of one that is heard to have died when all are told to go: it would stay.
    if (!worker.exitedAfterDisconnect && !isStopping) cluster.fork()
  })
  process.on('SIGTERM', () => {
    isStopping = true
    cluster.disconnect()
  })
} else {
  http.createServer((req, res) => {
    // A mistake ends one worker, not the service.
    if (req.url === '/crash') process.exit(1)
    res.end(`hello from worker ${cluster.worker.id}\n`)
  }).listen(port, '127.0.0.1')
}

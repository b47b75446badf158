'use strict'

/**
 * On SIGTERM or SIGINT: takes no more connections, closes idle ones, serves what is in flight to its end, and gives up on what
 * takes too long. It is core's API: `close()` and `closeAllConnections()`.
 */

const http = require('http-native')
const { portOr } = require('./port')

const GRACE = 5000

let isStopping = false

const server = http.createServer((req, res) => {
  // Clients that keep connections alive learn that this one ends.
  if (isStopping) res.setHeader('Connection', 'close')
  const delay = req.url === '/slow' ? 500 : 0
  setTimeout(() => res.end('served\n'), delay)
})

function stop () {
  if (isStopping) return
  isStopping = true
  server.close(() => console.log('all served'))
  setTimeout(() => server.closeAllConnections(), GRACE).unref()
}

process.on('SIGTERM', stop)
process.on('SIGINT', stop)

server.listen(portOr(3000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`)
})

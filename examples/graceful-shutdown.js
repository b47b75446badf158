'use strict'

/**
 * On SIGTERM or SIGINT: takes no more connections, answers what is in flight, closes the connections that rest, and gives up on
 * what takes too long. See docs/SHUTDOWN.md.
 */

const http = require('http-native')
const { portOr } = require('./port')

const server = http.createServer((req, res) => {
  const delay = req.url === '/slow' ? 500 : 0
  setTimeout(() => res.end('served\n'), delay)
})

async function stop () {
  const { served, cut } = await server.shutdown({ timeout: 5000 })
  console.log(cut === 0 ? 'all served' : `${served} served, ${cut} cut off`)
}

process.on('SIGTERM', stop)
process.on('SIGINT', stop)

server.listen(portOr(3000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`)
})

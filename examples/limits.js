'use strict'

/**
 * A server that takes two requests at a time, answers more with 503, and tells its health while its JavaScript is blocked: open
 * /block in one terminal, and ask /health?turn=1 in another. See docs/LIMITS.md.
 */

const http = require('http-native')
const { portOr } = require('./port')

const limits = { requests: 2, bodySize: 1024 * 1024, healthPath: '/health' }

const server = http.createServer({ limits }, (req, res) => {
  if (req.url === '/block') for (const until = Date.now() + 5000; Date.now() < until;);
  setTimeout(() => res.end('served\n'), 100)
})

server.on('limit', (counts) => console.log('turned away since the last time:', counts))

server.listen(portOr(3000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`)
})

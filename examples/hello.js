'use strict'

/** The smallest server: exactly what one would write with node:http. */

const http = require('http-native')

const server = http.createServer((req, res) => {
  res.end('hello\n')
})

server.listen(process.env.PORT ?? 3000, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`)
})

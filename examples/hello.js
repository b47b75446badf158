'use strict'

/** The smallest server: exactly what one would write with node:http. */

const http = require('http-native')
const { portOr } = require('./port')

const server = http.createServer((req, res) => {
  res.end('hello\n')
})

server.listen(portOr(3000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`)
})

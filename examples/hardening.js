'use strict'

/**
 * Tells which requests a strict server would refuse; with the argument `strict` it refuses them. See docs/HARDENING.md. Try
 * `curl --request-target '*' http://127.0.0.1:3000/`.
 */

const http = require('http-native')
const { portOr } = require('./port')

const [, , hardening = 'audit'] = process.argv

const server = http.createServer({ hardening }, (req, res) => res.end('served\n'))

server.on('hardening', ({ row, count, refused, remoteAddress }) => {
  console.log(`${refused ? 'refused' : 'let through'}: ${row}, ${count} since the last time, now from ${remoteAddress}`)
})

server.listen(portOr(3000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`)
})

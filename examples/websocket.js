'use strict'

/** A WebSocket server that tells everybody what one of them says. It uses the package ws. */

const http = require('http-native')
const { WebSocketServer } = require('ws')
const { portOr } = require('./port')

const server = http.createServer((req, res) => res.writeHead(426).end('a WebSocket, please\n'))
const sockets = new WebSocketServer({ server })

sockets.on('connection', (socket) => {
  socket.on('message', (message) => {
    for (const client of sockets.clients) client.send(`${sockets.clients.size} here: ${message}`)
  })
})

server.listen(portOr(3000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`)
})

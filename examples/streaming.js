'use strict'

/**
 * Events for browsers (Server-Sent Events) at `/`, and a file as a stream at `/file`.
 *
 *     curl --no-buffer http://127.0.0.1:3000/
 */

const http = require('http-native')
const fs = require('node:fs')
const { pipeline } = require('node:stream')
const { portOr } = require('./port')

function sendEvents (req, res) {
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
  let number = 0
  const timer = setInterval(() => res.write(`id: ${++number}\ndata: ${new Date().toISOString()}\n\n`), 100)
  res.on('close', () => clearInterval(timer))
}

function sendFile (req, res) {
  res.setHeader('Content-Type', 'text/javascript')
  pipeline(fs.createReadStream(__filename), res, () => {})
}

const server = http.createServer((req, res) => {
  if (req.url === '/file') sendFile(req, res)
  else sendEvents(req, res)
})

server.listen(portOr(3000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`)
})

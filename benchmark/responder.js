'use strict'

/**
 * What the client is measured against: a bare TCP server that finds the end of each request and sends the same
 * bytes back, so that the server costs as little as JavaScript can make it.
 */

const net = require('node:net')

const answer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nhello world')
const headEnd = Buffer.from('\r\n\r\n')

/** Bytes still missing of a request with this head. */
function bodyLength (head) {
  const match = /\r\ncontent-length: *(\d+)/i.exec(head)
  return match === null ? 0 : Number(match[1])
}

const server = net.createServer({ noDelay: true }, (socket) => {
  let left = 0
  let rest = null
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    if (rest !== null) {
      chunk = Buffer.concat([rest, chunk])
      rest = null
    }
    let at = 0
    while (at < chunk.length) {
      if (left === 0) {
        const end = chunk.indexOf(headEnd, at)
        if (end === -1) {
          rest = chunk.subarray(at)
          return
        }
        left = bodyLength(chunk.latin1Slice(at, end))
        at = end + headEnd.length
      }
      const taken = Math.min(left, chunk.length - at)
      left -= taken
      at += taken
      if (left === 0) socket.write(answer)
    }
  })
})

server.listen(0, '127.0.0.1', 1024, () => { process.send({ port: server.address().port }) })
process.on('disconnect', () => process.exit(0))

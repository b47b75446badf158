'use strict'

/**
 * Takes files of any size: hashes them as they arrive, in little memory, and refuses what is too large before it is sent.
 *
 *     curl --data-binary @FILE http://127.0.0.1:3000/
 */

const http = require('http-native')
const { createHash } = require('node:crypto')
const { pipeline } = require('node:stream/promises')
const { portOr } = require('./port')

const MOST = 1024 ** 3

const server = http.createServer(async (req, res) => {
  if (req.method !== 'POST') return res.writeHead(405, { Allow: 'POST' }).end()
  if (Number(req.headers['content-length']) > MOST) return res.writeHead(413, { Connection: 'close' }).end('too large\n')
  const hash = createHash('sha256')
  let bytes = 0
  try {
    await pipeline(req, async function * (chunks) {
      for await (const chunk of chunks) {
        bytes += chunk.length
        yield chunk
      }
    }, hash)
    res.end(`${bytes} bytes, sha256 ${hash.read().toString('hex')}\n`)
  } catch {
    // The client left in the middle.
    res.destroy()
  }
})

// A client that asks first (`Expect: 100-continue`, as curl does for large files) does not send in vain.
server.on('checkContinue', (req, res) => {
  if (Number(req.headers['content-length']) > MOST) return res.writeHead(413, { Connection: 'close' }).end('too large\n')
  res.writeContinue()
  server.emit('request', req, res)
})

server.listen(portOr(3000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`)
})

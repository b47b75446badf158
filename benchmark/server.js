'use strict'

/** The measured server, a process of its own: node server.js <implementation> <scenario> */

const implementations = require('./implementations')
const { find } = require('./scenarios')

const [implementation, name] = process.argv.slice(2)

async function createServer () {
  const { framework, handler, kind } = find(name)
  if (framework === undefined) {
    const server = implementations[implementation].http().createServer(handler)
    // Five seconds by default, which would close what is to be idle.
    if (kind === 'idle') server.keepAliveTimeout = 600_000
    return server
  }
  implementations[implementation].register()
  const made = await framework()
  return typeof made === 'function' ? require('node:http').createServer(made) : made
}

createServer().then((server) => {
  server.listen(0, '127.0.0.1', 1024, () => { process.send({ port: server.address().port }) })
})

// For memory: what is left after a collection, not what has not been collected yet.
process.on('message', () => {
  globalThis.gc?.()
  globalThis.gc?.()
  process.send({ rss: process.memoryUsage.rss() })
})
process.on('disconnect', () => process.exit(0))

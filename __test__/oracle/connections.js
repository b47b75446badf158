'use strict'

/** The kinds of connection that a client's request can have. */

const net = require('node:net')
const { Duplex } = require('node:stream')

/** A stream that is no socket, over one. */
function wrap (socket) {
  const stream = new Duplex({
    read () { socket.resume() },
    write (chunk, encoding, callback) { socket.write(chunk, encoding, callback) },
    final (callback) {
      socket.destroySoon()
      callback()
    },
    destroy (error, callback) {
      socket.destroy()
      callback(error)
    }
  })
  socket.on('data', (chunk) => { if (!stream.push(chunk)) socket.pause() })
  socket.on('end', () => stream.push(null))
  socket.on('error', (error) => stream.destroy(error))
  socket.on('close', () => stream.destroy())
  return stream
}

/** How a request gets its connection: options for `run.request`, of a run whose agents keep connections alive or not. */
const connections = {
  'dialled by an agent': (run, keepAlive) => ({ agent: run.agent({ keepAlive }) }),
  'made by an agent of the application': (run, keepAlive) => {
    const agent = run.agent({ keepAlive })
    agent.createConnection = (options) => net.connect(options)
    return { agent }
  },
  'made by createConnection': () => ({ agent: undefined, createConnection: (options) => net.connect(options) }),
  'that is no socket': (run, keepAlive) => {
    const agent = run.agent({ keepAlive })
    agent.createConnection = (options) => Object.assign(wrap(net.connect(options)), { setKeepAlive () {}, unref () {}, ref () {}, setTimeout () {} })
    return { agent }
  }
}

/** Calls back with each kind, its name and whether its connections are kept alive, where that can be chosen with both. */
function overAll (visit) {
  for (const [how, connect] of Object.entries(connections)) {
    const choices = how.includes('createConnection') ? [false] : how.includes('no socket') ? [true] : [true, false]
    for (const keepAlive of choices) {
      visit(`on a connection ${how}${keepAlive ? ', kept alive' : ''}`, (run) => connect(run, keepAlive), { isSocket: !how.includes('no socket'), keepAlive })
    }
  }
}

module.exports = { connections, overAll, wrap }

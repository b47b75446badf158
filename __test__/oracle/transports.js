'use strict'

/** The ways bytes can come to an http server: a scenario that runs over each of them sees each of our drivers. */

const net = require('node:net')
const { once } = require('node:events')
const { Duplex } = require('node:stream')
const { scenario } = require('../oracle')
const { Peer } = require('./peer')

/** Two duplexes, each the other end of the other. */
function pair () {
  const ends = [0, 1].map((index) => new Duplex({
    read () {},
    write (chunk, encoding, callback) {
      setImmediate(() => {
        ends[1 - index].push(chunk)
        callback()
      })
    },
    final (callback) {
      setImmediate(() => {
        ends[1 - index].push(null)
        callback()
      })
    },
    destroy (error, callback) {
      setImmediate(() => ends[1 - index].destroyed || ends[1 - index].push(null))
      callback(error)
    }
  }))
  return ends
}

/** A raw client to the server, over a duplex. */
function dialDuplex (run, server) {
  const [near, far] = pair()
  near.setNoDelay = () => {}
  near.resetAndDestroy = () => far.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
  const peer = new Peer(near)
  run.peers.push(peer)
  run.servers.push(server)
  server.emit('connection', far)
  return peer
}

/** Name -> makes the server reachable and gives a raw client. */
const transports = {
  'a socket': async (run, server) => {
    await run.listen(server)
    return run.dial()
  },
  'a duplex': async (run, server) => dialDuplex(run, server),
  'a socket of net': async (run, server) => {
    const acceptor = net.createServer({ allowHalfOpen: true }, (socket) => server.emit('connection', socket))
    run.servers.push(server, acceptor)
    acceptor.listen(0, '127.0.0.1')
    await once(acceptor, 'listening')
    run.port = acceptor.address().port
    run.mask(run.port, 'port')
    return run.dial()
  }
}

/** The scenario over every transport. */
function overAll (name, steps, names = Object.keys(transports)) {
  for (const transport of names) {
    const dial = transports[transport]
    scenario.server(`${name}, over ${transport}`, (run) => steps(run, (server) => dial(run, server)))
  }
}

module.exports = { overAll, pair }

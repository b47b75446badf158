'use strict'

/** How bytes come to the implementation under test: its own sockets, core's, or a Duplex around one. */

const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { once } = require('node:events')
const { Duplex } = require('node:stream')

let sockets = 0

/** A Duplex that is no socket, and has one behind it. */
function wrap (socket) {
  const duplex = new Duplex({
    allowHalfOpen: true,
    read () { socket.resume() },
    write (chunk, encoding, callback) { socket.write(chunk, encoding, (error) => callback(error)) },
    final (callback) { socket.end(() => callback()) },
    destroy (error, callback) {
      socket.destroy()
      callback(error)
    }
  })
  // What an agent calls on its sockets.
  for (const method of ['setKeepAlive', 'setNoDelay', 'setTimeout', 'ref', 'unref']) duplex[method] = () => duplex
  socket.on('data', (chunk) => { if (!duplex.push(chunk)) socket.pause() })
  socket.on('end', () => duplex.push(null))
  socket.on('error', (error) => duplex.destroy(error))
  socket.on('close', () => duplex.destroy())
  return duplex
}

/** Makes a server reachable; gives the address for net.connect, and what to close. */
async function expose (server, transport) {
  const native = transport === 'tcp' || transport === 'unix'
  const door = native
    ? server
    : net.createServer({ allowHalfOpen: true }, (socket) => server.emit('connection', transport === 'duplex' ? wrap(socket) : socket))
  if (transport === 'unix') {
    door.listen(path.join(os.tmpdir(), `http-native-fuzz-${process.pid}-${++sockets}.sock`))
  } else {
    door.listen(0, '127.0.0.1')
  }
  await once(door, 'listening')
  const address = door.address()
  return { door, address: typeof address === 'string' ? { path: address } : { host: '127.0.0.1', port: address.port } }
}

/** Options of a request (or an agent) that goes to an address over a transport. */
function reach (address, transport) {
  if (transport === 'tcp') return { host: address.host, port: address.port }
  if (transport === 'unix') return { socketPath: address.path }
  const dial = () => net.connect({ ...address, allowHalfOpen: false })
  return { host: address.host, port: address.port, createConnection: transport === 'duplex' ? () => wrap(dial()) : dial }
}

module.exports = { expose, reach }

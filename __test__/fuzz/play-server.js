'use strict'

const { Exchange } = require('./steps')
const { contexts, describe, stateOf } = require('./journal')
const { expose } = require('./transports')

/** Starts a server that does what the program says with its requests, and sets the peer at it. */
async function playServer (http, program, journal, peer) {
  const exchanges = []
  const sockets = new Set()
  const server = http.createServer(program.options ?? {})
  if (program.keepAliveTimeout !== undefined) server.keepAliveTimeout = program.keepAliveTimeout
  const watch = program.watch

  const watchSocket = (socket, name) => {
    if (sockets.has(socket)) return
    sockets.add(socket)
    socket.on('close', () => journal.closed(`socket ${name}`))
    if (watch.socket.length > 0) journal.watch(`socket ${name}`, socket, watch.socket, stateOf.socket)
    else journal.open.set(`socket ${name}`, () => stateOf.socket(socket))
  }

  const handle = (kind) => (request, response) => {
    const name = /^\/(\w+)/.exec(request.url)?.[1] ?? `other${exchanges.length}`
    journal.log(`in ${name}`, `${kind} ${request.method} ${request.url}`)
    const index = Number(/r(\d+)$/.exec(name)?.[1] ?? 0)
    const { chains, plain = false } = program.handlers[index % program.handlers.length]
    const exchange = new Exchange(journal, name, index * 10)
    exchanges.push(exchange)
    journal.operations++
    exchange.in = request
    exchange.out = response
    exchange.isPlain = plain
    contexts.run(`handler ${name}`, () => {
      if (plain) {
        exchange.listen('in', request, chains)
        exchange.start(chains)
        return
      }
      if (watch.in.length > 0) journal.watch(`in ${name}`, request, watch.in, stateOf.in)
      else journal.open.set(`in ${name}`, () => stateOf.in(request))
      if (watch.out.length > 0) journal.watch(`out ${name}`, response, watch.out, stateOf.out)
      else journal.open.set(`out ${name}`, () => stateOf.out(response))
      if (watch.socket.length > 0 || watch.early) {
        exchange.socket = request.socket
        watchSocket(request.socket, name.replace(/r\d+$/, ''))
      }
      if (!program.careless) {
        response.on('error', () => {})
        request.on('error', () => {})
      }
      exchange.listen('in', request, chains)
      exchange.listen('out', response, chains)
      if (chains.flat().some((step) => step.when.startsWith('socket:'))) exchange.listen('socket', request.socket, chains)
      exchange.start(chains)
    })
  }

  server.on('request', handle('request'))
  for (const event of ['checkContinue', 'checkExpectation']) if (watch.server.includes(event)) server.on(event, handle(event))
  if (watch.server.includes('connection')) server.on('connection', () => journal.log('server', "'connection'"))
  if (watch.server.includes('clientError')) {
    server.on('clientError', (error, socket) => {
      journal.log('server', `'clientError' ${describe(error)} bytesParsed:${error.bytesParsed}`)
      if (program.clientError === 'end') socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
      else socket.destroy()
    })
  }

  const { door, address } = await contexts.run('listen', () => expose(server, program.transport))
  peer.send('dial', { address, connections: program.peer.connections })

  const closed = (object) => object.closed === true || object.destroyed === true
  return {
    ended: () => {
      for (const { in: request, out: response, name, isPlain } of exchanges) {
        // What is plain is not even looked at.
        if (isPlain) continue
        if (closed(request)) journal.open.delete(`in ${name}`)
        if (closed(response)) journal.open.delete(`out ${name}`)
      }
      return exchanges.every((exchange) => exchange.running === 0)
    },
    bodies: () => Object.fromEntries(exchanges.filter(({ body }) => body !== undefined)
      .map(({ name, in: request, body }) => [`in ${name}`, { ended: request.readableEnded, bytes: Buffer.concat(body) }])),
    atRest: () => exchanges.filter(({ isPlain }) => isPlain).forEach((exchange) => exchange.describeEnd()),
    tearDown: async (rest) => {
      let result = 'server closes'
      const servers = new Set([server, door])
      let open = 0
      if (program.closing !== 'server') await rest(() => peer.over)
      for (const each of servers) {
        if (!each.listening) continue
        open++
        each.close(() => { open--; journal.touch() })
      }
      await rest(() => open === 0)
      if (open > 0) {
        result = 'server does not close'
        server.closeAllConnections()
        for (const socket of sockets) socket.destroy()
        await rest(() => open === 0)
        if (open > 0) result = 'server does not close, whatever one does'
      }
      return result
    }
  }
}

module.exports = { playServer }

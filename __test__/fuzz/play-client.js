'use strict'

const { Exchange } = require('./steps')
const { contexts, describe, stateOf } = require('./journal')
const { reach } = require('./transports')

/** Sends the program's requests to the peer. */
async function playClient (http, program, journal, peer) {
  const { watch } = program
  const address = await peer.listen({ unix: program.transport === 'unix', ...program.peer })
  const exchanges = []
  const sockets = new Set()
  const route = reach(address, program.transport)
  let agent
  if (program.agent === 'keep-alive') agent = new http.Agent({ keepAlive: true, maxSockets: program.maxSockets ?? 1 })
  if (program.agent === 'plain') agent = new http.Agent({ maxSockets: program.maxSockets ?? Infinity })
  if (agent !== undefined && route.createConnection !== undefined) {
    const dial = route.createConnection
    agent.createConnection = () => dial()
  }
  let unsent = program.requests.length

  const observe = (role, name, object, names) => {
    const label = `${role} ${name}`
    if (names.length > 0) journal.watch(label, object, names, stateOf[role])
    else journal.open.set(label, () => stateOf[role](object))
  }

  const sendOnce = (request, index, listen) => {
    let isSent = false
    const go = () => {
      if (isSent) return
      isSent = true
      send(index)
    }
    listen(go)
    request.on('close', go)
  }

  let isOver = false
  const send = (index) => {
    // What follows an exchange that only the teardown ends is not sent.
    if (isOver) return
    const { chains, then, method, headers, responds, plain = false } = program.requests[index]
    const name = `r${index}`
    unsent--
    const exchange = new Exchange(journal, name, index * 10)
    exchange.isPlain = plain
    exchanges.push(exchange)
    const { host, port, socketPath, createConnection } = route
    journal.operations++
    contexts.run(`request ${name}`, () => {
      let request
      try {
        const by = agent === undefined ? { agent: false, createConnection } : { agent }
        if (chains.flat().some(({ op }) => op === 'abortSignal')) exchange.controller = new AbortController()
        const signal = exchange.controller?.signal
        request = http.request({ ...by, host, port, socketPath, method, path: `/${name}`, headers: { Host: 'x', ...headers }, signal })
      } catch (error) {
        journal.log(`out ${name}`, `threw ${describe(error)}`)
        return
      }
      exchange.out = request
      if (!plain) observe('out', name, request, watch.out)
      if (plain || (!watch.out.includes('error') && !program.careless)) request.on('error', () => {})
      // Before those who wait for it: they find what there is to be read.
      if (responds) {
        request.on('response', (response) => {
          journal.log(`out ${name}`, `'response' ${response.statusCode}`)
          journal.operations++
          exchange.in = response
          if (!plain) observe('in', name, response, watch.in)
          exchange.listen('in', response, chains)
        })
      }
      exchange.listen('out', request, chains)
      if ((!plain && (watch.socket.length > 0 || watch.early)) || chains.flat().some((step) => step.when.startsWith('socket:'))) {
        request.on('socket', (socket) => {
          journal.log(`out ${name}`, "'socket'")
          exchange.socket = socket
          exchange.listen('socket', socket, chains)
          if (sockets.has(socket)) return
          sockets.add(socket)
          const first = `s${sockets.size - 1}`
          socket.on('close', () => journal.closed(`socket ${first}`))
          if (watch.socket.length > 0) journal.watch(`socket ${first}`, socket, watch.socket, stateOf.socket)
        })
      }
      if (then !== undefined && index + 1 < program.requests.length) {
        if (then === 'close') request.once('close', () => send(index + 1))
        if (then === 'response') request.on('response', () => send(index + 1))
        if (then === 'end') request.on('response', (response) => response.on('end', () => send(index + 1)))
        // When it is answered, or will not be.
        if (then === 'answered') sendOnce(request, index + 1, (go) => request.on('response', go))
        if (then === 'ended') sendOnce(request, index + 1, (go) => request.on('response', (response) => response.on('end', go)))
        if (then === 'immediate') setImmediate(() => send(index + 1))
        if (then === 'now') process.nextTick(() => send(index + 1))
      }
      exchange.start(chains)
    })
  }
  try {
    send(0)
  } catch (error) {
    // What the first step throws has no caller but this.
    journal.log('process', `uncaught ${error.message}`)
  }

  const closed = (object) => object === undefined || object.closed === true || object.destroyed === true
  const count = (table) => Object.values(table).reduce((sum, list) => sum + list.length, 0)
  return {
    ended: () => {
      for (const { in: response, out: request, name, isPlain } of exchanges) {
        if (isPlain) continue
        if (closed(response)) journal.open.delete(`in ${name}`)
        if (closed(request)) journal.open.delete(`out ${name}`)
      }
      return unsent === 0 && exchanges.every((exchange) => exchange.running === 0)
    },
    bodies: () => Object.fromEntries(exchanges.filter(({ body }) => body !== undefined)
      .map(({ name, in: response, body }) => [`in ${name}`, { ended: response.readableEnded, bytes: Buffer.concat(body) }])),
    atRest: () => {
      isOver = true
      exchanges.filter(({ isPlain }) => isPlain).forEach((exchange) => exchange.describeEnd())
      if (agent === undefined) return
      journal.log('agent', `sockets ${count(agent.sockets)} free ${count(agent.freeSockets)} requests ${count(agent.requests)} total ${agent.totalSocketCount}`)
    },
    tearDown: async (rest) => {
      await rest(() => peer.over)
      agent?.destroy()
      for (const { out } of exchanges) out?.destroy()
      await rest(() => journal.open.size === 0)
      if (agent !== undefined) journal.log('agent', `sockets ${count(agent.sockets)} free ${count(agent.freeSockets)} requests ${count(agent.requests)}`)
      return 'torn down'
    }
  }
}

module.exports = { playClient }

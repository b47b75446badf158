'use strict'

/** Limits and times of a server that are set to what nobody would: what goes out, and what is done. */

const { scenario } = require('../../oracle')

const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

const odd = [
  undefined, null, false, true, '', 'a', '5000', '2', 0, -0, -1, -5000, 0.4, 1, 1.5, 2.9, 60, 999.9, 1000.5, 5000, NaN, Infinity, -Infinity,
  2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53, 1e30, [], [3], {}
]

function shown (value) {
  if (Object.is(value, -0)) return '-0'
  return typeof value === 'number' ? String(value) : JSON.stringify(value) ?? 'undefined'
}

/** A server and a client for each value, all at once; what is uncaught has no track of its own. */
async function each (run, options, set, handler, steps, values = odd) {
  const turns = []
  for (const value of values) {
    const track = `value ${shown(value)}`
    const server = await run.serve(options, (req, res) => handler(res, req, track))
    set(server, value, track)
    const peer = run.dial()
    turns.push(steps(peer, track, server))
  }
  await Promise.all(turns)
}

const answer = (res) => res.end('over\n')
const answers = (peer) => peer.received.split('over').length - 1

for (const name of ['keepAliveTimeout', 'maxRequestsPerSocket']) {
  scenario.server(`odd values of ${name} in the head of an answer`, (run) => each(run, { keepAliveTimeout: 5000 },
    (server, value) => { server[name] = value },
    (res, req, track) => run.attempt(track, 'answers', () => { res.end('over\n') }),
    async (peer, track) => {
      peer.send(request)
      await run.sleep(300)
      run.log(track, 'heard', peer.received.split('\r\n').filter((line) => /^(Connection|Keep-Alive)/.test(line)))
    }))
}

scenario.server('odd values of maxRequestsPerSocket: which requests are dropped', (run) => each(run, {},
  (server, value, track) => {
    server.maxRequestsPerSocket = value
    server.on('dropRequest', () => run.log(track, 'dropRequest'))
  },
  (res, req, track) => {
    run.log(track, 'request', res.maxRequestsOnConnectionReached)
    answer(res)
  },
  async (peer, track) => {
    for (let count = 0; count < 3; count++) {
      peer.send(request)
      await run.sleep(50)
    }
    run.log(track, 'answers', peer.received.split('HTTP/1.1 ').map((answer) => answer.slice(0, 3)))
  }))

scenario.server('odd values of keepAliveTimeout: when an idle connection is closed', (run) => each(run, { keepAliveTimeoutBuffer: 40 },
  (server, value) => { server.keepAliveTimeout = value },
  (res, req, track) => {
    res.on('finish', () => run.log(track, 'finish'))
    answer(res)
  },
  async (peer, track, { keepAliveTimeoutBuffer }) => {
    peer.send(request)
    await run.sleep(keepAliveTimeoutBuffer === undefined ? 1600 : 500)
    run.log(track, 'closed', peer.ending !== undefined)
    peer.send(request)
    await run.sleep(100)
    run.log(track, 'answers', answers(peer))
  }))

scenario.server('odd values of keepAliveTimeoutBuffer', (run) => each(run, { keepAliveTimeout: 30 },
  (server, value) => { if (server.keepAliveTimeoutBuffer !== undefined) server.keepAliveTimeoutBuffer = value },
  answer,
  async (peer, track, { keepAliveTimeoutBuffer }) => {
    peer.send(request)
    await run.sleep(500)
    if (keepAliveTimeoutBuffer !== undefined) run.log(track, 'closed', peer.ending !== undefined)
  }))

scenario.server('odd values of server.timeout', (run) => each(run, { keepAliveTimeout: 0 },
  (server, value, track) => {
    run.log(track, 'setTimeout', server.setTimeout(value) === server, server.timeout)
    server.on('timeout', (socket) => {
      run.log(track, 'timeout', socket.timeout)
      socket.destroy()
    })
  },
  (res) => setTimeout(answer, 250, res),
  async (peer, track) => {
    await run.sleep(20)
    peer.send(request)
    await run.sleep(400)
    run.log(track, 'answers', answers(peer), peer.ending !== undefined)
  },
  // What a timer refuses throws, and leaves a socket behind that nobody closes.
  odd.filter((value) => !value || (value > 0 && value !== Infinity && typeof value === 'number'))))

for (const name of ['headersTimeout', 'requestTimeout']) {
  scenario.server(`odd values of ${name}`, (run) => each(run, { connectionsCheckingInterval: 10 },
    (server, value) => {
      server.headersTimeout = server.requestTimeout = 0
      // What is no number ends the process of Node 20 and 22.
      if (typeof value !== 'number') return
      server[name] = value
    },
    answer,
    async (peer, track) => {
      peer.send('GET / HTTP/1.1\r\n')
      await run.sleep(400)
      run.log(track, 'received', peer.received.slice(0, 12), peer.ending !== undefined)
    }))
}

scenario.server('odd values of connectionsCheckingInterval', (run) => each(run, {},
  (server, value) => {
    server.headersTimeout = 5
    server.connectionsCheckingInterval = value
    server.emit('listening')
  },
  answer,
  async (peer, track) => {
    peer.send('GET / HTTP/1.1\r\n')
    await run.sleep(400)
    run.log(track, 'received', peer.received.slice(0, 12), peer.ending !== undefined)
  }))

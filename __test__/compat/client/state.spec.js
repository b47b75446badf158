'use strict'

/**
 * What a request, its socket, its response and its agent show at each moment of an exchange, on every kind of
 * connection: the values of their properties in every event and every callback.
 */

const net = require('node:net')
const { scenario } = require('../../oracle')
const { overAll } = require('../../oracle/connections')

const OK = 'HTTP/1.1 200 OK\r\n'

/** Lets what follows from an event follow: there is no event for that. */
const later = (ms = 20) => new Promise((resolve) => setTimeout(resolve, ms))

function say (values) {
  return Object.entries(values).map(([name, value]) => `${name}=${value}`).join(' ')
}

/** A stream gets other writes than in core, though the same bytes. */
function length (message, value) {
  return message.seenSocket && !(message.seenSocket instanceof net.Socket) ? 'whatever' : value
}

function ofRequest (request) {
  return say({
    destroyed: request.destroyed,
    aborted: request.aborted,
    closed: request.closed,
    errored: request.errored,
    finished: request.finished,
    ended: request.writableEnded,
    writableFinished: length(request, request.writableFinished),
    writable: request.writable,
    length: length(request, request.writableLength),
    mark: request.writableHighWaterMark,
    corked: request.writableCorked,
    needDrain: request.writableNeedDrain,
    output: request.outputData.length,
    outputSize: request.outputSize,
    head: request._header !== null,
    headersSent: request.headersSent,
    headerSent: request._headerSent,
    over: request._ended,
    reused: request.reusedSocket,
    keepAlive: request.shouldKeepAlive,
    last: request._last,
    timeoutCb: typeof request.timeoutCb,
    parser: request.parser === null ? 'null' : typeof request.parser,
    socket: request.socket === null ? 'null' : typeof request.socket,
    res: request.res?.statusCode
  })
}

const LISTENED = ['data', 'end', 'drain', 'timeout', 'free', 'agentRemove', 'connect']

function ofSocket (socket, request) {
  return say({
    connecting: socket.connecting,
    pending: socket.pending,
    destroyed: socket.destroyed,
    closed: socket.closed,
    readable: socket.readable,
    writable: socket.writable,
    ended: socket.writableEnded,
    readEnded: socket.readableEnded,
    flowing: socket.readableFlowing,
    paused: socket.isPaused(),
    length: request.writableCorked !== 0 ? 'whatever' : length(request, socket.writableLength),
    timeout: socket.timeout,
    message: socket._httpMessage === request ? 'this' : socket._httpMessage === null ? 'null' : typeof socket._httpMessage,
    parser: socket.parser === null ? 'null' : typeof socket.parser,
    listeners: LISTENED.map((name) => `${name}:${socket.listenerCount(name)}`)
  })
}

function ofResponse (response) {
  return say({
    complete: response.complete,
    aborted: response.aborted,
    destroyed: response.destroyed,
    closed: response.closed,
    ended: response.readableEnded,
    length: response.readableLength,
    flowing: response.readableFlowing,
    dumped: response._dumped,
    consuming: response._consuming,
    socket: response.socket === null ? 'null' : typeof response.socket,
    upgrade: response.upgrade
  })
}

function ofAgent (agent) {
  const counts = (table) => Object.values(table).map((list) => list.length)
  return say({ requests: counts(agent.requests), sockets: counts(agent.sockets), free: counts(agent.freeSockets), total: agent.totalSocketCount })
}

/** Logs all there is to see of a request, at this moment. */
function see (run, track, moment, request) {
  const socket = request.socket ?? request.seenSocket
  run.log(track, `${moment} request ${ofRequest(request)}`)
  if (socket) run.log(track, `${moment} socket ${ofSocket(socket, request)}`)
  if (request.res) run.log(track, `${moment} response ${ofResponse(request.res)}`)
  if (request.agent) run.log(track, `${moment} agent ${ofAgent(request.agent)}`)
}

const REQUEST = ['socket', 'response', 'information', 'continue', 'timeout', 'abort', 'error', 'close', 'prefinish', 'finish', 'drain']
const RESPONSE = ['data', 'end', 'aborted', 'error', 'close', 'timeout']
const SOCKET = ['lookup', 'connect', 'ready', 'end', 'error', 'close', 'free', 'agentRemove', 'timeout']

/** A request that is looked at in each of its events. */
function watched (run, options, track) {
  const request = run.request(options)
  const look = (moment) => see(run, track, moment, request)
  for (const name of REQUEST) {
    request.on(name, (value) => look(value instanceof Error ? `${name} ${value.message}` : name))
  }
  request.on('socket', (socket) => {
    request.seenSocket = socket
    const looks = SOCKET.map((name) => [name, () => look(`socket ${name}`)])
    for (const [name, listener] of looks) socket.on(name, listener)
    request.on('close', () => setImmediate(() => {
      for (const [name, listener] of looks) socket.off(name, listener)
    }))
  })
  request.on('response', (response) => {
    for (const name of RESPONSE) {
      response.on(name, (value) => look(value instanceof Error ? `response ${name} ${value.message}` : `response ${name}`))
    }
  })
  request.look = look
  request.told = (what) => (error) => look(`${what} callback ${error?.message}`)
  look('made')
  return request
}

const answer = `${OK}Content-Length: 2\r\n\r\nok`

/** Each request of a connection is answered with these bytes, once its end has come. */
async function answering (run, bytes, end = '\r\n\r\n') {
  await run.origin(async (peer) => {
    for (let count = 1; ; count++) {
      await peer.until(end, count)
      peer.send(bytes)
    }
  })
}

/** The same with two requests, one after the other: the second may find the connection of the first. */
async function twice (run, options, tell) {
  for (const track of ['first', 'second']) {
    const request = watched(run, options, track)
    await tell(request)
    await run.closed(request)
    await later()
    request.look('later')
  }
}

const STORIES = {
  async 'requests without a body, one after the other' (run, options) {
    await answering(run, answer)
    await twice(run, options, (request) => {
      request.end(request.told('end'))
      request.look('ended')
      process.nextTick(() => request.look('tick'))
    })
  },

  async 'bodies in parts, one after the other' (run, options) {
    await answering(run, answer, '0\r\n\r\n')
    await twice(run, { ...options, method: 'POST' }, async (request) => {
      request.write('one', request.told('write'))
      request.look('written')
      await run.once(request, 'socket')
      request.look('with a socket')
      await later()
      request.look('waiting')
      request.write('two', request.told('write'))
      request.look('written late')
      request.end('three', request.told('end'))
      request.look('ended')
    })
  },

  async 'a head that is flushed, one after the other' (run, options) {
    await answering(run, answer, '0\r\n\r\n')
    await twice(run, { ...options, method: 'POST' }, async (request) => {
      request.flushHeaders()
      request.look('flushed')
      process.nextTick(() => request.look('tick'))
      await run.once(request, 'socket')
      await later()
      request.look('waiting')
      request.end()
    })
  },

  async 'a head that is flushed once there is a socket' (run, options) {
    await answering(run, answer, '0\r\n\r\n')
    await twice(run, { ...options, method: 'POST' }, async (request) => {
      await run.once(request, 'socket')
      request.flushHeaders()
      request.look('flushed')
      await later()
      request.look('waiting')
      request.end('body', request.told('end'))
      request.look('ended')
    })
  },

  async 'a body with a length' (run, options) {
    await answering(run, answer, 'bodybody')
    await twice(run, { ...options, method: 'POST', headers: { 'Content-Length': 8 } }, async (request) => {
      request.write('body', request.told('write'))
      await later()
      request.look('waiting')
      request.end('body', request.told('end'))
      request.look('ended')
    })
  },

  async 'a body that is corked' (run, options) {
    await answering(run, answer, '0\r\n\r\n')
    await twice(run, { ...options, method: 'POST' }, async (request) => {
      await run.once(request, 'socket')
      await later()
      request.cork()
      request.write('one', request.told('write'))
      request.write('two', request.told('write'))
      request.look('written late')
      request.uncork()
      request.look('uncorked late')
      request.end(request.told('end'))
    })
  },

  async 'more than fits' (run, options) {
    await run.origin(async (peer) => {
      await peer.until('0\r\n\r\n')
      peer.send(answer)
    })
    const request = watched(run, { ...options, method: 'POST' }, 'first')
    request.write(Buffer.alloc(100000), request.told('write'))
    request.look('written')
    await run.once(request, 'drain')
    request.end(request.told('end'))
    await run.closed(request)
    await later()
  },

  async 'a response that is the last' (run, options) {
    await answering(run, `${OK}Content-Length: 2\r\nConnection: close\r\n\r\nok`)
    const request = watched(run, options, 'first')
    request.end(request.told('end'))
    await run.closed(request)
    await later()
    request.look('later')
  },

  async 'a response without a listener' (run, options) {
    await answering(run, answer)
    const request = watched(run, options, 'first')
    request.removeAllListeners('response')
    request.end(request.told('end'))
    await run.closed(request)
    await later()
    request.look('later')
  },

  async 'news, and a response in pieces' (run, options) {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send('HTTP/1.1 100 Continue\r\n\r\n')
      await later()
      peer.send(`${OK}Content-Length: 4\r\n\r\n`)
      await later()
      peer.send('on')
      await later()
      peer.send('ce')
    })
    const request = watched(run, options, 'first')
    request.end(request.told('end'))
    await run.closed(request)
    await later()
    request.look('later')
  },

  async 'a server that leaves without an answer' (run, options) {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.end()
    })
    const request = watched(run, options, 'first')
    request.end(request.told('end'))
    await run.closed(request)
    await later()
    request.look('later')
  },

  async 'a server that leaves in the middle' (run, options) {
    await run.origin(async (peer) => {
      await peer.until('\r\n\r\n')
      peer.send(`${OK}Content-Length: 4\r\n\r\non`)
      await later()
      peer.end()
    })
    const request = watched(run, options, 'first')
    request.end(request.told('end'))
    await run.closed(request)
    await later()
    request.look('later')
  },

  async 'what is no answer' (run, options) {
    await answering(run, 'garbage\r\n\r\n')
    const request = watched(run, options, 'first')
    request.end(request.told('end'))
    await run.closed(request)
    await later()
    request.look('later')
  },

  async 'an answer before the end' (run, options) {
    await run.origin(async (peer) => {
      await peer.until('first')
      peer.send(answer)
    })
    const request = watched(run, { ...options, method: 'POST' }, 'first')
    const answered = new Promise((resolve) => request.on('response', (response) => response.on('close', resolve)))
    request.write('first', request.told('write'))
    await answered
    await later()
    request.look('answered')
    request.end('last', request.told('end'))
    request.look('ended')
    await later()
    request.look('later')
    request.destroy()
    await later()
  },

  async 'a request that waits for another' (run, options) {
    if (!options.agent) return
    options.agent.maxSockets = 1
    await answering(run, answer)
    const first = watched(run, options, 'first')
    const second = watched(run, options, 'second')
    first.end(first.told('end'))
    second.end(second.told('end'))
    await run.closed(second)
    await later()
    second.look('later')
  }
}

overAll((where, connect) => {
  for (const [what, story] of Object.entries(STORIES)) {
    scenario.client(`${what}, ${where}`, (run) => story(run, connect(run)))
  }
})

scenario('requests on a new connection and on a kept one have the same properties in the same order', async (run) => {
  await run.serve({}, (req, res) => res.end('over\n'))
  const keys = []
  for (let i = 0; i < 2; i++) {
    const request = run.request({ path: '/' })
    request.end()
    await run.closed(request)
    run.log('client', 'reused', request.reusedSocket)
    keys.push(Reflect.ownKeys(request))
  }
  const [fresh, kept] = keys
  run.log('client', 'the same', fresh.length === kept.length && fresh.every((key, index) => key === kept[index]))
})

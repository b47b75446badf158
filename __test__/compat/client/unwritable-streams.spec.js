'use strict'

/** Requests over streams that take nothing: what they read is answered all the same, as when a proxy has refused. */

const net = require('node:net')
const { Duplex, PassThrough } = require('node:stream')
const { scenario } = require('../../oracle')

const REFUSAL = 'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\nConnection: close\r\n\r\nno!\n'
const KEPT = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nkept'

const later = () => new Promise((resolve) => setTimeout(resolve, 30))

/** Streams on which nothing can be said, and which say `text`. */
const streams = {
  // As https-proxy-agent 5 and 7 replay the answer of a proxy that refuses.
  'a socket that is not writable' (text) {
    const socket = new net.Socket({ writable: false })
    socket.readable = true
    return { socket, say: () => { socket.push(text); socket.push(null) } }
  },
  'a duplex that was ended' (text) {
    const socket = new Duplex({ read () {}, write (chunk, encoding, callback) { callback() } })
    socket.end()
    return { socket, say: () => socket.push(text) }
  },
  'a duplex that was ended, and whose peer ends' (text) {
    const socket = new Duplex({ read () {}, write (chunk, encoding, callback) { callback() } })
    socket.end()
    return { socket, say: () => { socket.push(text); socket.push(null) } }
  },
  'a duplex that is said not to be writable' (text) {
    const socket = new Duplex({ read () {}, write (chunk, encoding, callback) { callback() } })
    socket.writable = false
    return { socket, say: () => socket.push(text) }
  },
  'a duplex that was made not to be writable' (text) {
    const socket = new Duplex({ writable: false, read () {} })
    return { socket, say: () => { socket.push(text); socket.push(null) } }
  },
  'a stream that can only be read' (text) {
    const socket = new PassThrough()
    socket.writable = false
    return { socket, say: () => socket.push(text) }
  }
}

/** Ways for a request to get one. */
const ways = {
  createConnection: (run, socket) => ({ createConnection: () => socket }),
  'createConnection that calls back': (run, socket) => ({ createConnection: (options, callback) => { setImmediate(callback, null, socket) } }),
  'an agent\'s createConnection' (run, socket) {
    const agent = run.agent({ keepAlive: true })
    agent.createConnection = () => socket
    return { agent }
  },
  'an agent\'s createSocket' (run, socket) {
    const agent = run.agent()
    agent.createSocket = (request, options, callback) => callback(null, socket)
    return { agent }
  },
  'an agent\'s addRequest' (run, socket) {
    const agent = run.agent()
    agent.addRequest = (request) => request.onSocket(socket)
    return { agent }
  }
}

const answers = { refusal: REFUSAL, 'an answer that keeps the connection': KEPT, garbage: 'garbage', nothing: '' }

for (const [kind, make] of Object.entries(streams)) {
  for (const [way, options] of Object.entries(ways)) {
    scenario.client(`${kind}, by ${way}`, async (run) => {
      await Promise.all(Object.entries(answers).flatMap(([name, text]) => [undefined, 'a body'].map((body) => {
        const { socket, say } = make(text)
        return ask(run, `${name}, ${body}`, socket, options(run, socket), say, body)
      })))
    })
  }
}

/** Makes a request over the stream, has that say its text, and logs what becomes of them on the track. */
async function ask (run, track, socket, options, say, body) {
  socket.on('error', (error) => run.log(track, 'socket error', error.code))
  const request = run.client.request({ method: body === undefined ? 'GET' : 'POST', host: 'unwritable', ...options })
  run.watch(track, request, ['finish', 'close', 'error'])
  request.once('socket', () => {
    run.log(track, 'socket', socket.writable, socket.listenerCount('data'))
    say()
  })
  request.on('response', (response) => {
    run.log(track, 'response', response.statusCode)
    run.watch(track, response, ['data', 'end', 'error', 'close'])
  })
  run.attempt(track, 'end', () => request.end(body, (error) => run.log(track, 'end callback', error?.code)) === request)
  await later()
  run.log(track, 'later', request.destroyed, request.writableFinished, request.closed, socket.destroyed, request.res?.complete)
  if (request.closed) return
  request.destroy()
  await later()
  run.log(track, 'destroyed', request.closed)
}

for (const moment of ['socket', 'tick behind it', 'response']) {
  scenario.client(`a stream that ends its writable side at ${moment}`, async (run) => {
    let bytes = ''
    const socket = new Duplex({ read () {}, write (chunk, encoding, callback) { bytes += chunk; callback() } })
    const request = run.client.request({ method: 'POST', host: 'unwritable', createConnection: () => socket })
    run.watch('client', request, ['finish', 'error', 'close'])
    request.once('socket', () => {
      if (moment === 'socket') socket.end()
      if (moment === 'tick behind it') process.nextTick(() => socket.end())
      setImmediate(() => socket.push(REFUSAL))
    })
    request.on('response', (response) => {
      run.log('client', 'response', response.statusCode)
      if (moment === 'response') socket.end()
      run.watch('client', response, ['data', 'end', 'error', 'close'])
    })
    request.write('a part')
    await later()
    run.log('client', 'later', request.destroyed, request.writableFinished, request.closed, socket.destroyed)
    run.attempt('client', 'end', () => request.end('the rest') === request)
    await later()
    run.log('client', 'ended', request.destroyed, request.writableFinished, request.closed, socket.destroyed)
    run.log('bytes', bytes)
  })
}

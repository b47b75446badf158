'use strict'

/**
 * What is written to a stream of the application comes in core's calls: the same pieces, as strings with the same encoding or
 * as Buffers. What mocks and changes messages on their way (@mswjs/interceptors) reads it there.
 */

const { Duplex } = require('node:stream')
const { scenario } = require('../../oracle')

/** @returns {object} a stream that logs the calls of its write() and end() */
function spied (run, side) {
  const stream = new Duplex({
    read () {},
    write (chunk, encoding, callback) { callback() },
    final (callback) { callback() }
  })
  for (const name of ['write', 'end']) {
    const original = stream[name]
    stream[name] = function (chunk, encoding, ...rest) {
      const isBytes = chunk instanceof Uint8Array
      const text = isBytes ? Buffer.from(chunk).toString('latin1') : chunk
      run.log(side, name, isBytes ? 'bytes' : typeof chunk, typeof encoding === 'function' ? 'callback' : encoding, text?.replace?.(/Date: [^\r]*/, 'Date'))
      return original.call(this, chunk, encoding, ...rest)
    }
  }
  return stream
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Sends a request, then answers it. */
async function answered (run, stream, request, send) {
  const finished = run.once(request, 'finish')
  const response = run.once(request, 'response')
  await send(request)
  await finished
  stream.push('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  await response
  stream.destroy()
}

const BODIES = {
  'a text in end()': (message) => message.end('some text'),
  'a text beyond latin1 in end()': (message) => message.end('ä€😀'),
  'a text with an encoding': (message) => message.end('äöü', 'latin1'),
  'a text in hex': (message) => message.end('616263', 'hex'),
  'a Buffer in end()': (message) => message.end(Buffer.from('bytes')),
  'an empty end()': (message) => message.end(),
  'parts in one tick': (message) => {
    message.write('one')
    message.write(Buffer.from('two'))
    message.end('three')
  },
  'parts in several ticks': async (message) => {
    message.write('eins', 'latin1')
    await turn()
    message.write(new Uint8Array([65, 66]))
    await turn()
    message.end('drei ü')
  },
  'a length that is announced': (message) => {
    message.setHeader('Content-Length', 6)
    message.write('abc')
    message.end('def')
  },
  'a head that is flushed': async (message) => {
    message.flushHeaders()
    await turn()
    message.end('later')
  },
  'a field beyond ASCII': (message) => {
    message.setHeader('X-Field', 'ä')
    message.end('text')
  },
  trailers: (message) => {
    message.setHeader('Trailer', 'T')
    message.setHeader('Transfer-Encoding', 'chunked')
    message.write('body')
    message.addTrailers({ T: 'ü' })
    message.end()
  },
  'writes while corked': (message) => {
    message.cork()
    message.write('a')
    message.write('b')
    message.uncork()
    message.end('c')
  }
}

for (const [what, send] of Object.entries(BODIES)) {
  scenario.client(`the calls by which a request reaches a stream: ${what}`, async (run) => {
    const stream = spied(run, 'client')
    const request = run.client.request({ method: 'POST', host: 'x', createConnection: () => stream })
    await answered(run, stream, request, send)
  })

  scenario.client(`the same by an agent's createConnection: ${what}`, async (run) => {
    const stream = spied(run, 'client')
    const agent = new run.client.Agent({ keepAlive: true })
    agent.createConnection = () => stream
    const request = run.client.request({ method: 'POST', host: 'x', agent })
    await turn()
    await answered(run, stream, request, send)
  })

  scenario.server(`the calls by which a response reaches a stream: ${what}`, async (run) => {
    const stream = spied(run, 'server')
    await new Promise((resolve) => {
      const server = run.server.createServer((request, response) => {
        response.on('finish', resolve)
        send(response)
      })
      server.emit('connection', stream)
      stream.push('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    })
    stream.destroy()
  })
}

for (const [what, bytes] of Object.entries({
  'a parse error': 'GET / HTTP/1.1\r\nBad\r\n\r\n',
  'an answer to Expect': 'POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx',
  'a refused Expect': 'POST / HTTP/1.1\r\nHost: x\r\nExpect: else\r\nContent-Length: 0\r\n\r\n',
  'a missing Host': 'GET / HTTP/1.1\r\n\r\n',
  'early hints': 'GET /hints HTTP/1.1\r\nHost: x\r\n\r\n',
  HEAD: 'HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  'two requests in one packet': 'GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n'
})) {
  scenario.server(`the calls by which the server's own answers reach a stream: ${what}`, async (run) => {
    const stream = spied(run, 'server')
    const server = run.server.createServer((request, response) => {
      if (request.url === '/hints') response.writeEarlyHints({ link: '</style.css>; rel=preload' })
      response.end('text')
    })
    server.emit('connection', stream)
    stream.on('error', () => {})
    stream.push(bytes)
    for (let turns = 0; turns < 10; turns++) await turn()
    stream.destroy()
  })
}

'use strict'

/** Servers and clients on streams that are no sockets, and responses with a stream of their own. */

const net = require('node:net')
const { Duplex, Writable } = require('node:stream')
const { scenario } = require('../../oracle')
const { pair } = require('../../oracle/transports')

/** Writes bytes to one end of a pair whose other end is a connection of the server; resolves with all that came back. */
async function converse (run, server, bytes, until) {
  const [near, far] = pair()
  let text = ''
  near.on('data', (chunk) => { text += chunk.toString('latin1') })
  near.on('error', () => {})
  run.watch('server', far, ['error', 'close', 'end'], 'duplex ')
  server.emit('connection', far)
  near.write(bytes, 'latin1')
  while (!(until instanceof RegExp ? until.test(text) : near.readableEnded)) await new Promise(setImmediate)
  near.end()
  await new Promise(setImmediate)
  run.log('client', 'received', text.split(/(?<=\n)/))
  return { near, far }
}

scenario.server('a server serves any duplex given to it', async (run) => {
  const server = run.server.createServer((req, res) => {
    run.log('server', 'request', req.method, req.url, req.socket instanceof Duplex, req.socket.remoteAddress, res.socket === req.socket)
    res.end('over a duplex')
  })
  await converse(run, server, 'GET /duplex HTTP/1.1\r\nHost: x\r\n\r\n', /over a duplex/)
})

scenario.server('the high water mark of messages on a duplex is the duplex\'s', async (run) => {
  const server = run.server.createServer({ highWaterMark: 1 }, (req, res) => {
    run.log('server', req.url, req.readableHighWaterMark, res.writableHighWaterMark, res.write('x'.repeat(500)), res.writableNeedDrain)
    res.end('over')
  })
  await converse(run, server, 'GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n', /over[^]*over/)
})

scenario.server('bodies, keep-alive and pipelining over a duplex', async (run) => {
  const server = run.server.createServer((req, res) => {
    const chunks = []
    req.on('data', (chunk) => chunks.push(chunk))
    req.on('end', () => {
      res.write(`${req.url}: `)
      res.end(Buffer.concat(chunks))
    })
  })
  await converse(run, server, 'POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\noneGET /2 HTTP/1.1\r\nHost: x\r\n\r\n' +
    'POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthree\r\n0\r\n\r\n', /three[^]*0\r\n\r\n$/)
})

/** A duplex that gives its bytes when it is told to, in the call. */
class Given extends Duplex {
  _read () {}

  _write (chunk, encoding, callback) { callback() }
}

for (const [what, where] of [['the handler of a request', 'request'], ['a listener for a body', 'data'], ['a tick', 'tick']]) {
  scenario.server(`${what} on a duplex has another duplex give its bytes: each message belongs to its own connection`, async (run) => {
    const [one, other] = [new Given(), new Given()]
    const ended = []
    const bytes = (name, count) => Array.from({ length: count }, (_, at) =>
      `POST /${name}/${at} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n${name}${at}\r\n2\r\n--\r\n0\r\nT: ${name}${at}\r\n\r\n`).join('')
    const give = () => {
      run.log('server', 'gives')
      other.push(bytes('by', 3))
      run.log('server', 'has given')
    }
    const server = run.server.createServer((req, res) => {
      run.log('server', req.url, req.socket === (req.url.startsWith('/in') ? one : other))
      if (where === 'request' && req.url === '/in/1') give()
      req.on('data', (chunk) => {
        run.log('server', req.url, String(chunk))
        if (where === 'data' && req.url === '/in/1' && chunk.length === 3) give()
        if (where === 'tick' && req.url === '/in/0' && chunk.length === 3) process.nextTick(give)
      })
      req.on('end', () => {
        run.log('server', req.url, 'end', req.trailers)
        res.end()
        ended.push(req.url)
      })
    })
    for (const duplex of [one, other]) server.emit('connection', duplex)
    await new Promise(setImmediate)
    one.push(bytes('in', 4))
    while (ended.length < 7) await new Promise(setImmediate)
    for (const duplex of [one, other]) duplex.destroy()
  })
}

scenario.server('Connection: close ends the duplex', async (run) => {
  const server = run.server.createServer((req, res) => res.end('bye'))
  await converse(run, server, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
})

scenario.server('a parse error over a duplex', async (run) => {
  const server = run.server.createServer()
  await converse(run, server, 'garbage\r\n\r\n')
})

scenario.server('a clientError listener gets the duplex', async (run) => {
  const server = run.server.createServer()
  server.on('clientError', (error, socket) => {
    run.log('server', 'clientError', error, socket)
    socket.end('HTTP/1.1 400 Mine\r\n\r\n')
  })
  await converse(run, server, 'garbage\r\n\r\n')
})

scenario.server('an upgrade over a duplex', async (run) => {
  const server = run.server.createServer()
  server.on('upgrade', (req, socket, head) => {
    run.log('server', 'upgrade', socket, head)
    socket.write('upgraded ')
    socket.on('data', (chunk) => socket.write(chunk))
    if (head.length > 0) socket.write(head)
  })
  const { near } = await converse(run, server, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhead', /upgraded head/)
  near.destroy()
})

scenario.server('expectations and informational responses over a duplex', async (run) => {
  const server = run.server.createServer((req, res) => {
    res.writeProcessing()
    req.resume().on('end', () => res.end('done'))
  })
  await converse(run, server, 'POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok', /done/)
})

scenario.server('a large answer over a duplex', async (run) => {
  const server = run.server.createServer((req, res) => {
    res.write(Buffer.alloc(300000, 'a'))
    res.end(Buffer.alloc(300000, 'b'))
  })
  const [near, far] = pair()
  let length = 0
  near.on('data', (chunk) => { length += chunk.length })
  server.emit('connection', far)
  near.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await run.once(near, 'end')
  run.log('client', 'length', length > 600000)
})

scenario.server('a duplex that is destroyed under a request', async (run) => {
  const server = run.server.createServer((req, res) => {
    run.watch('server', req, ['aborted', 'close', 'error', 'end'], 'req ')
    run.watch('server', res, ['close', 'finish'], 'res ')
    setImmediate(() => far.destroy())
  })
  const [near, far] = pair()
  near.resume()
  server.emit('connection', far)
  near.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await run.closed(far)
  await new Promise(setImmediate)
  await new Promise(setImmediate)
})

scenario.server('res.assignSocket with a socket of its own', async (run) => {
  const { ServerResponse } = run.server
  const written = []
  const socket = new Duplex({
    read () {},
    write (chunk, encoding, callback) {
      written.push(chunk)
      callback()
    }
  })
  const res = new ServerResponse({ method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1, headers: {} })
  run.watch('server', res, ['socket', 'prefinish', 'finish', 'close'])
  res.write('early ')
  res.assignSocket(socket)
  run.log('server', 'assigned', res.socket === socket, socket._httpMessage === res, res.writableLength)
  run.attempt('server', 'again', () => new ServerResponse({ method: 'GET' }).assignSocket(socket))
  res.end('late')
  await run.once(res, 'finish')
  run.log('server', 'written', Buffer.concat(written).toString('latin1').replace(/Date: [^\r]*/, 'Date').split(/(?<=\n)/))
  run.attempt('server', 'detached', () => {
    res.detachSocket(socket)
    return [res.socket, socket._httpMessage]
  })
})

scenario.server('a response without a socket keeps its output', async (run) => {
  const res = new run.server.ServerResponse({ method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1, headers: {} })
  run.watch('server', res, ['prefinish', 'finish', 'close', 'drain'])
  res.setHeader('Date', 'x')
  run.log('server', 'write', res.write('one'), res.write('two'))
  res.end('three')
  run.log('server', 'output', res.outputData.map(({ data, encoding, callback }) => [data, encoding, typeof callback]), res.outputSize, res.writableLength, res.finished)
  await new Promise(setImmediate)
  run.log('server', 'destroy', res.destroy() === res, res.destroyed)
  await new Promise(setImmediate)
})

scenario.client('createConnection may return any duplex', async (run) => {
  const [near, far] = pair()
  let asked = ''
  far.on('data', (chunk) => {
    asked += chunk
    if (asked.endsWith('body')) far.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  far.on('end', () => far.end())
  const request = run.client.request({
    host: 'a.example',
    method: 'POST',
    createConnection: (options, callback) => {
      run.log('client', 'createConnection', options.host, options.port, typeof callback)
      return near
    }
  })
  run.watch('client', request, ['socket', 'response', 'finish', 'close', 'error'])
  request.end('body')
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
  await run.closed(request)
  run.log('server', 'asked', asked.split(/(?<=\n)/))
})

scenario.client('createConnection may give its connection later', async (run) => {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  const { port } = run
  await run.exchange({ agent: undefined, createConnection: (options, callback) => { setImmediate(() => callback(null, net.connect(port, '127.0.0.1'))) } })
  await run.exchange({ agent: undefined, createConnection: () => net.connect(port, '127.0.0.1') })
})

scenario('both sides over a pair of duplexes', async (run) => {
  const server = run.server.createServer((req, res) => {
    run.log('server', 'request', req.url, req.rawHeaders)
    req.pipe(res)
  })
  const agent = run.agent({ keepAlive: true })
  agent.createConnection = () => {
    const [near, far] = pair()
    server.emit('connection', far)
    return near
  }
  const target = { host: 'pair.example', port: 80 }
  await run.exchange({ ...target, agent, method: 'POST' }, 'first')
  await run.exchange({ ...target, agent, method: 'POST', path: '/second' }, 'second')
})

scenario('a net server that hands its connections over', async (run) => {
  const server = run.server.createServer((req, res) => res.end(`served ${req.url}`))
  const sniffer = net.createServer((socket) => {
    socket.once('readable', () => {
      const head = socket.read()
      run.log('server', 'sniffed', head.toString('latin1', 0, 4))
      socket.unshift(head)
      server.emit('connection', socket)
    })
  })
  await run.listen(sniffer)
  await run.exchange({ path: '/sniffed' })
  await run.exchange({ path: '/again' })
})

scenario('_connectionListener serves sockets of another server', async (run) => {
  const http = run.server
  const server = http.createServer((req, res) => res.end('listener'))
  const outer = net.createServer((socket) => http._connectionListener.call(server, socket))
  await run.listen(outer)
  await run.exchange()
})

for (const [name, prepare] of Object.entries({
  'without a head': (message) => { message._implicitHeader = () => {} },
  'with a head': (message) => { message._implicitHeader = () => message._storeHeader('X / HTTP/1.1\r\n', {}) }
})) {
  scenario.server(`a message ${name} over a stream that is assigned`, async (run) => {
    const message = new run.server.OutgoingMessage()
    prepare(message)
    run.watch('server', message, ['prefinish', 'finish', 'drain'])
    const stream = new Writable({
      write (chunk, encoding, callback) {
        run.log('server', 'chunk', chunk.toString())
        setImmediate(callback)
      }
    })
    run.log('server', 'write', message.write('queued '))
    message.socket = stream
    stream._httpMessage = message
    message._flush()
    run.log('server', 'write', message.write('written '))
    const finished = run.once(message, 'finish')
    message.end('ended')
    await finished
  })
}

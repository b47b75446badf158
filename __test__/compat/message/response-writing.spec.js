'use strict'

/** How a response is written in the usual ways: write, end, callbacks, cork, pipe, back-pressure, strictContentLength. */

const { Readable, finished, pipeline } = require('node:stream')
const { scenario } = require('../../oracle')
const { overAll } = require('../../oracle/transports')
const versions = require('../../../lib/core/versions')

const STATE = ['statusCode', 'statusMessage', 'headersSent', 'writableEnded', 'writableFinished', 'writableNeedDrain', 'writableLength',
  'writableHighWaterMark', 'writableCorked', 'writableObjectMode', 'errored', 'closed', 'destroyed', 'finished', 'writable', 'sendDate',
  'shouldKeepAlive', 'chunkedEncoding', 'useChunkedEncodingByDefault', '_last', '_hasBody', '_headerSent', '_contentLength', 'strictContentLength',
  '_sent100', '_closed', '_defaultKeepAlive', '_removedConnection', '_removedContLen', '_removedTE', 'outputSize', 'maxRequestsOnConnectionReached',
  '_expect_continue', '_keepAliveTimeout', '_trailer']

function logState ({ log }, track, res) {
  for (const name of STATE) log(track, name, res[name])
}

/** A server with this handler, one raw GET, and the connection read to its end. */
async function answer (run, handler, head = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n') {
  let closed
  await run.serve({}, (req, res) => {
    closed = run.closed(res)
    return handler(req, res)
  })
  const peer = run.dial()
  peer.send(head)
  run.log('client', 'ended', await peer.ended())
  await closed
}

scenario.server('the state of a response before, between and after', (run) => answer(run, (req, res) => {
  logState(run, 'before', res)
  // On Node 20 core's `socket` is one of them; deliberately not here (docs/COMPATIBILITY.md).
  run.log('before', 'own keys', Object.keys(res).filter((key) => key !== 'socket').sort())
  res.write('x')
  logState(run, 'written', res)
  res.on('finish', () => logState(run, 'finish', res))
  res.on('close', () => logState(run, 'close', res))
  res.end()
  logState(run, 'ended', res)
}))

scenario.server('end() with a body sets Content-Length', (run) => answer(run, (req, res) => {
  run.log('server', 'returns res', res.end('hello') === res)
}))

scenario.server('end() without a body sets Content-Length: 0', (run) => answer(run, (req, res) => res.end()))

scenario.server('writeHead and end is chunked', (run) => answer(run, (req, res) => res.writeHead(200).end('hello')))

scenario.server('several writes in one tick', (run) => answer(run, (req, res) => {
  run.log('server', 'write', res.write('one'), res.write(''), res.write(Buffer.from('two')), res.write(new Uint8Array([51])))
  res.end('four')
}))

scenario.server('writes in several ticks', (run) => answer(run, async (req, res) => {
  for (const part of ['one', 'two', 'three']) {
    res.write(part)
    await new Promise(setImmediate)
  }
  res.end()
}))

scenario.server('callbacks of write and end come in order', (run) => answer(run, (req, res) => {
  res.on('prefinish', () => run.log('server', 'prefinish'))
  res.on('finish', () => run.log('server', 'finish'))
  res.on('close', () => run.log('server', 'close'))
  res.write('a', (...values) => run.log('server', 'write callback a', ...values))
  res.write('b', 'latin1', (...values) => run.log('server', 'write callback b', ...values))
  res.end('c', 'utf8', (...values) => run.log('server', 'end callback', ...values))
}))

scenario.server('end(callback) alone, and end again', (run) => answer(run, (req, res) => {
  res.on('finish', () => run.log('server', 'finish'))
  res.on('error', (error) => run.log('server', 'error', error))
  res.end((...values) => run.log('server', 'first callback', ...values))
  run.log('server', 'end again', res.end() === res)
  res.end((...values) => run.log('server', 'second callback', ...values))
  res.on('close', () => res.end((...values) => run.log('server', 'third callback', ...values)))
}))

scenario.server('write after end is an error', (run) => answer(run, (req, res) => {
  run.watch('server', res, ['finish', 'close', 'error', 'prefinish'])
  res.end('done')
  run.attempt('server', 'write', () => res.write('more', (error) => run.log('server', 'write callback', error)))
  run.attempt('server', 'end with chunk', () => res.end('more', (error) => run.log('server', 'end callback', error)) === res)
}))

scenario.server('write after destroy is refused', (run) => answer(run, (req, res) => {
  run.watch('server', res, ['finish', 'close', 'error'])
  res.destroy()
  run.log('server', 'destroyed', res.destroyed, res.writableEnded)
  run.attempt('server', 'write', () => res.write('more', (error) => run.log('server', 'write callback', error)))
  run.attempt('server', 'end', () => res.end('more', (error) => run.log('server', 'end callback', error)) === res)
}))

scenario.server('chunks of wrong types are refused', (run) => answer(run, (req, res) => {
  for (const chunk of [null, undefined, 5, {}, [], true, new Uint16Array(2)]) {
    run.attempt('server', `write ${run.summary(chunk)}`, () => res.write(chunk))
    if (chunk) run.attempt('server', `end ${run.summary(chunk)}`, () => res.end(chunk))
  }
  if (!res.writableEnded) res.end('in the end')
}))

scenario.server('end(null) and end(undefined) are end()', async (run) => {
  await answer(run, (req, res) => res.end(null))
  await answer(run, (req, res) => res.end(undefined))
})

scenario.server('flushHeaders sends the head before any body', async (run) => {
  let release
  await run.serve({}, (req, res) => {
    res.setHeader('x-early', '1')
    res.flushHeaders()
    run.log('server', 'headersSent', res.headersSent, res._header)
    release = () => res.end('late')
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await peer.until('\r\n\r\n')
  release()
  await peer.ended()
})

/** True if core's message keeps its later writes until the end behind an uncork() without a cork() (docs/COMPATIBILITY.md). */
const { tickMergesChunks: KEEPS_LATER_WRITES } = versions

const CORKS = {
  'cork the socket': ({ socket }) => socket.cork(),
  'uncork the socket': ({ socket }) => socket.uncork(),
  uncork: ({ message }) => message.uncork(),
  flushHeaders: ({ message }) => message.flushHeaders(),
  write: ({ message, say }) => message.write('part', () => say('written')),
  end: ({ message, say }) => message.end('end.', () => say('ended'))
}

const UNCORKED = [
  ['cork the socket', 'uncork', '…', 'end'],
  ['cork the socket', 'uncork', 'end'],
  ['cork the socket', 'cork the socket', 'uncork', '…', 'end'],
  ['cork the socket', 'uncork', 'write', '…', 'write', '…', 'end'],
  ['cork the socket', '…', 'uncork', 'write', '…', 'end'],
  ['cork the socket', '…', 'uncork', '…', 'write', 'write', '…', 'end'],
  ['cork the socket', 'cork the socket', 'uncork', 'write', '…', 'uncork', '…', 'end'],
  ['cork the socket', 'cork the socket', 'uncork', 'write', '…', 'uncork the socket', '…', 'end'],
  ['cork the socket', 'flushHeaders', 'uncork', '…', 'write', '…', 'end'],
  ['write', '…', 'cork the socket', 'uncork', 'write', '…', 'write', '…', 'end'],
  ['write', 'cork the socket', 'uncork', '…', 'write', '…', 'end'],
  ['write', 'cork the socket', 'uncork', 'uncork', '…', 'end']
].filter((steps) => !KEEPS_LATER_WRITES || !steps.includes('write', steps.indexOf('uncork')))

/** Takes the steps, each "…" a while, on a message of so many bytes. */
async function corkAndWrite (run, message, steps) {
  const { socket } = message
  const say = (what) => run.log('message', what)
  for (const step of steps) {
    if (step === '…') {
      await run.sleep(10)
      run.log('message', '…')
    } else {
      CORKS[step]({ message, socket, say })
      // From Node 22 on core counts below zero.
      run.log('message', step, Math.max(0, message.writableCorked), message.writableLength)
    }
  }
}

for (const steps of UNCORKED) {
  const length = steps.filter((step) => step === 'write' || step === 'end').length * 4
  overAll(`a response's uncork() ends the socket's cork: ${steps.join(', ')}`, async (run, dial) => {
    const server = run.server.createServer((req, res) => {
      res.setHeader('Content-Length', length)
      corkAndWrite(run, res, steps)
    })
    const peer = await dial(server)
    peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await peer.ended()
  })
  scenario.client(`a request's uncork() ends the socket's cork: ${steps.join(', ')}`, async (run) => {
    await run.origin(async (peer) => {
      await peer.until('end.')
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    })
    const request = run.request({ method: 'POST', agent: false, headers: { 'Content-Length': length } })
    request.on('response', (response) => response.resume())
    await run.once(request, 'socket')
    if (request.socket.connecting) await run.once(request.socket, 'connect')
    await run.sleep(5)
    await corkAndWrite(run, request, steps)
    await run.closed(request)
  })
}

scenario.server('cork and uncork gather writes', (run) => answer(run, (req, res) => {
  res.cork()
  run.log('server', 'corked', res.writableCorked)
  res.write('one')
  res.write('two')
  res.cork()
  run.log('server', 'corked twice', res.writableCorked, res.writableLength > 0)
  res.uncork()
  res.uncork()
  run.log('server', 'uncorked', res.writableCorked)
  setImmediate(() => {
    res.write('three')
    res.end()
  })
}))

scenario.server('pipe into a response, and a response has no pipe of its own', (run) => answer(run, (req, res) => {
  run.watch('server', res, ['pipe', 'unpipe', 'finish', 'close', 'error'])
  res.pipe(process.stdout)
  Readable.from(['a', 'b', 'c']).pipe(res)
}))

scenario.server('stream.finished and stream.pipeline understand a response', (run) => answer(run, (req, res) => {
  finished(req, (error) => run.log('req', 'finished', error))
  finished(res, (error) => run.log('res', 'finished', error))
  pipeline(Readable.from(['a', 'b', 'c']), res, (error) => run.log('pipeline', 'done', error))
}))

scenario.server('a failing pipeline ends the connection', (run) => answer(run, (req, res) => {
  run.watch('server', res, ['finish', 'close'])
  const source = new Readable({ read () {} })
  source.push('partial')
  pipeline(source, res, (error) => run.log('pipeline', 'done', error, res.destroyed))
  setImmediate(() => setImmediate(() => source.destroy(new Error('source failed'))))
}))

scenario.server('back-pressure: write returns false and drain follows', (run) => answer(run, (req, res) => {
  const chunk = Buffer.alloc(4 * 1024 * 1024, 'z')
  run.log('server', 'write', res.write(chunk), res.writableNeedDrain, res.writableLength > 0)
  res.once('drain', () => {
    run.log('server', 'drain', res.writableLength, res.writableNeedDrain)
    res.end()
  })
}))

scenario.server('a small highWaterMark needs drain early', async (run) => {
  await run.serve({ highWaterMark: 10 }, (req, res) => {
    run.log('server', 'marks', res.writableHighWaterMark, req.readableHighWaterMark, req.socket.writableHighWaterMark)
    run.log('server', 'write', res.write('123456789012345'))
    res.on('drain', () => run.log('server', 'drain'))
    setImmediate(() => setImmediate(() => res.end()))
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await peer.ended()
})

scenario.server('write() counts what its tick has written before, although that has a callback', async (run) => {
  await run.serve({ highWaterMark: 1000 }, (req, res) => {
    res.on('drain', () => {
      run.log('server', 'drain', res.writableLength)
      res.end()
    })
    run.log('server', 'first', res.write('x'.repeat(600), () => run.log('server', 'called back')))
    run.log('server', 'second', res.write('y'.repeat(600)), res.writableNeedDrain)
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await peer.ended()
})

for (const when of ['in the same tick', 'in the next']) {
  scenario.server(`an empty part behind one that was too much says whether there is room by then: ${when}`, async (run) => {
    await run.serve({ highWaterMark: 10 }, (req, res) => {
      const writeNothing = () => {
        run.log('server', 'empty', res.write(''), res.writableNeedDrain)
        setImmediate(() => res.end())
      }
      run.log('server', 'write', res.write('123456789012345'))
      res.on('drain', () => run.log('server', 'drain'))
      if (when === 'in the next') process.nextTick(writeNothing)
      else writeNothing()
    })
    const peer = run.dial()
    peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await peer.ended()
  })
}

scenario.server('an empty part begins the chunk of the parts of its tick', async (run) => {
  await run.serve({}, (req, res) => {
    process.nextTick(() => res.write('first'))
    res.write('')
    process.nextTick(() => {
      res.write('second')
      res.end()
    })
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await peer.ended()
})

scenario.server('a response of a large Buffer has closed by the next immediate, although its request is listened to', async (run) => {
  await run.serve({}, (req, res) => {
    req.on('end', () => run.log('request', 'end'))
    setImmediate(() => run.log('server', 'closed', res.destroyed, res.writableFinished))
    res.end(Buffer.alloc(16384))
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await peer.ended()
})

scenario.server('_header and outputData can be looked at', (run) => answer(run, (req, res) => {
  run.log('server', 'before', res._header, res.outputData)
  res.setHeader('A', '1')
  res._implicitHeader()
  run.log('server', 'implicit', res._header, res.headersSent)
  run.attempt('server', 'setHeader', () => res.setHeader('B', '2'))
  res._header = null
  run.log('server', 'reset', res.headersSent)
  res.setHeader('B', '2')
  res.end('x')
  run.log('server', 'after', res._header)
}))

scenario.server('a patched writeHead on the instance is called for implicit headers', (run) => answer(run, (req, res) => {
  const { writeHead } = res
  res.writeHead = function (...values) {
    run.log('server', 'writeHead', ...values)
    this.setHeader('x-patched', 'yes')
    return writeHead.apply(this, values)
  }
  res.end('x')
}))

scenario.server('strictContentLength throws on a mismatch', (run) => answer(run, (req, res) => {
  res.strictContentLength = true
  res.setHeader('Content-Length', 5)
  run.attempt('server', 'short end', () => res.end('abc'))
  run.attempt('server', 'first write', () => res.write('abc'))
  run.attempt('server', 'too long write', () => res.write('defg'))
  run.attempt('server', 'too long end', () => res.end('defg') === res)
  run.attempt('server', 'right end', () => res.end('de') === res)
}))

scenario.server('a body longer or shorter than Content-Length goes out as it is', async (run) => {
  await answer(run, (req, res) => {
    res.setHeader('Content-Length', 3)
    res.end('longer')
  })
  await answer(run, (req, res) => {
    res.setHeader('Content-Length', 10)
    res.end('short')
  })
})

scenario.server('own properties of a response may be set', (run) => answer(run, (req, res) => {
  res.sendDate = false
  res.statusCode = 299
  res.statusMessage = 'Odd But Fine'
  res.shouldKeepAlive = false
  res.useChunkedEncodingByDefault = false
  res.locals = { any: 'thing' }
  res.write('until close')
  res.end()
}))

scenario.server('writableFinished, closed and destroyed around the events', (run) => answer(run, (req, res) => {
  const say = (when) => run.log('server', when, res.writableFinished, res.finished, res.closed, res.destroyed, res.socket === null, res.writable)
  res.on('prefinish', () => say('prefinish'))
  res.on('finish', () => say('finish'))
  res.on('close', () => say('close'))
  res.end('x', () => say('callback'))
  say('after end')
}))

/** Writes the parts, each in a tick of its own, and ends. */
async function writeByTicks (run, track, message, sizes) {
  run.watch(track, message, ['drain'])
  for (const [index, size] of sizes.entries()) {
    const part = index % 2 === 0 ? Buffer.alloc(size, 'x') : 'y'.repeat(size)
    run.log(track, 'write', message.write(part), message.writableLength)
    await new Promise((resolve) => process.nextTick(resolve))
  }
  message.end()
}

for (const sizes of [[1000, 4000, 1000, 1000, 4000, 1000, 4000, 1000, 1], [9000, 9000, 9000], [20_000, 1000, 1000], [40_000, 40_000, 40_000], [1, 70_000, 1], [100_000, 1000, 1000, 70_000]]) {
  scenario(`parts of ${sizes.join(', ')} bytes, each written in a tick of its own: what waits is that of a tick, and drain comes behind it`, async (run) => {
    await run.serve({}, async (req, res) => {
      await run.once(req.resume(), 'end')
      writeByTicks(run, 'server', res, sizes)
    })
    const agent = run.agent({ keepAlive: true })
    // The second has a connection when it begins.
    for (const path of ['/1', '/2']) {
      const request = run.request({ path, method: 'POST', agent })
      if (path === '/2') await run.once(request, 'socket')
      await writeByTicks(run, 'client', request, sizes)
      const [response] = await run.once(request, 'response')
      response.resume()
      await run.closed(request)
    }
  })
}

scenario.server('an array that grows behind write() was written as long as it was', async (run) => {
  await run.serve({}, (req, res) => {
    const array = new Uint8Array(new ArrayBuffer(4, { maxByteLength: 8 })).fill(97)
    res.write(array)
    array.buffer.resize(8)
    res.write(array)
    res.end('c')
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await peer.ended()
})

for (const method of ['write', 'end']) {
  scenario.server(`${method}() of an array whose memory was given away`, async (run) => {
    await run.serve({}, (req, res) => {
      const array = new Uint8Array(20).fill(97)
      structuredClone(array.buffer, { transfer: [array.buffer] })
      try {
        run.log('server', 'gives', typeof res[method](array))
      } catch (error) {
        run.log('server', 'throws', error.name, error.message)
      }
      req.socket.destroy()
    })
    const peer = run.dial()
    peer.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await peer.ended()
  })
}

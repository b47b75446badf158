'use strict'

/** Writes, ends and destroys in orders that few applications have: what is returned, the events and callbacks with their order, and what is on the wire. */

const { AsyncLocalStorage } = require('node:async_hooks')
const { scenario } = require('../../oracle')

const EVENTS = ['prefinish', 'finish', 'close', 'error', 'drain']
const GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

const settled = async () => {
  for (let i = 0; i < 5; i++) await new Promise(setImmediate)
}

/**
 * One raw request, whose handler takes these steps: names of STEPS, or '…' to wait for what follows from the ones before.
 */
async function take (run, steps, head = GET) {
  let done
  const server = await run.serve({}, (req, res) => {
    done = walk(run, steps, req, res)
  })
  const handled = run.once(server, 'request')
  const peer = run.dial().send(head)
  // A socket that is ended closes when its peer ends, too.
  if (steps.some((name) => /socket (soon|with data)|end socket/.test(name))) peer.ended().then(() => peer.end())
  await handled
  await done
}

async function walk (run, steps, req, res) {
  run.watch('server', res, EVENTS, 'res ')
  run.watch('server', req, ['end', 'aborted', 'error', 'close'], 'req ')
  const closed = run.closed(res)
  for (const name of steps) {
    if (name === '…') {
      await settled()
      run.log('server', '…')
    } else if (name === 'closed') {
      await closed
      await settled()
      run.log('server', 'has closed')
    } else {
      run.attempt('server', name, () => STEPS[name]({ req, res, told: (what) => (...values) => run.log('server', `told ${what}`, ...values) }))
    }
  }
  if (res.finished || res.destroyed || req.destroyed || req.socket.destroyed || req.socket.writableEnded) await closed
  await settled()
  run.log('server', 'finally', res.headersSent, res._headerSent, res.finished, res.writableFinished, res.outputSize, res.outputData.length, res._contentLength,
    res.destroyed, res.closed, res.errored, res.writableNeedDrain, res.socket === req.socket, req.socket._httpMessage === res)
}

const STEPS = {
  'write': ({ res, told }) => res.write('part', told('write')),
  'write empty': ({ res, told }) => res.write('', told('write empty')),
  'write 200 KB': ({ res, told }) => res.write(Buffer.alloc(200 * 1024, 'x'), told('write 200 KB')),
  'end': ({ res, told }) => res.end(told('end')) === res,
  'end without callback': ({ res }) => res.end() === res,
  'end part': ({ res, told }) => res.end('last', told('end part')) === res,
  'end buffer': ({ res, told }) => res.end(Buffer.from('last'), told('end buffer')) === res,
  'end object': ({ res, told }) => res.end({}, told('end object')) === res,
  'destroy': ({ res }) => res.destroy() === res,
  'destroy with an error': ({ res }) => res.destroy(new Error('mine')) === res,
  'destroy request': ({ req }) => req.destroy() === req,
  'destroy socket': ({ req }) => req.socket.destroy() === req.socket,
  'destroy socket with an error': ({ req }) => req.socket.on('error', () => {}).destroy(new Error('mine')) === req.socket,
  'end socket': ({ req }) => req.socket.end() === req.socket,
  'end socket with data': ({ req }) => req.socket.end('bye') === req.socket,
  'destroy socket soon': ({ req }) => req.socket.destroySoon(),
  'write 20 KB': ({ res, told }) => res.write(Buffer.alloc(20_000, 'x'), told('write 20 KB')),
  'look': ({ res }) => [res.writableLength, res.writableCorked, res.writableNeedDrain, res.outputSize],
  'read': ({ req }) => req.on('data', () => {}) === req,
  'flush': ({ res }) => res.flushHeaders(),
  'continue': ({ res, told }) => res.writeContinue(told('continue')),
  'hints': ({ res, told }) => res.writeEarlyHints({ link: '</a>; rel=preload' }, told('hints')),
  'length 4': ({ res }) => res.setHeader('Content-Length', 4) === res,
  'strict': ({ res }) => { res.strictContentLength = true },
  'count by hand': ({ res }) => { res._contentLength = 6 },
  'raw': ({ res, told }) => res._send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 'latin1', told('raw')),
  'raw and callback': ({ res, told }) => res._writeRaw('HTTP/1.1 102 Processing\r\n\r\n', told('raw')),
  'look at the socket': ({ req, res }) => [req.socket.destroyed, res.socket.destroyed, res.socket.writable]
}

const WALKS = [
  // Ends after ends.
  ['end', 'end part'],
  ['end part', '…', 'end part'],
  ['end part', '…', 'end'],
  ['end part', 'end'],
  ['end', '…', 'end object'],
  ['end without callback', 'end object'],
  ['end', 'write', 'write empty'],
  ['end', '…', 'write'],
  // Destroyed.
  ['end', 'destroy'],
  ['end', 'destroy with an error'],
  ['end part', 'destroy with an error', 'end'],
  ['end part', 'destroy socket with an error'],
  ['flush', 'destroy', 'end', 'look at the socket'],
  ['destroy', 'look at the socket', 'end'],
  ['destroy', 'hints', 'continue', 'end'],
  ['destroy with an error', 'closed', 'end', 'end'],
  ['destroy', 'closed', 'end part', 'end'],
  ['destroy', 'closed', 'write', 'end object'],
  ['destroy', 'end part'],
  ['destroy socket', 'closed', 'end part', 'write'],
  ['destroy socket', 'write', 'end'],
  ['destroy socket', 'end part'],
  ['destroy request', 'end'],
  ['destroy request', 'end part', 'end'],
  ['length 4', 'flush', 'destroy', 'closed', 'end'],
  ['length 4', 'flush', 'destroy with an error', 'closed', 'end'],
  // What is sent in the tick in which the connection is lost, and which callbacks come.
  ['write empty', 'destroy socket'],
  ['write empty', 'destroy request'],
  ['write', 'destroy socket', 'end'],
  ['write', 'destroy', 'end'],
  ['write', 'destroy socket with an error', 'write empty', 'write', 'end'],
  ['write', 'write empty', 'destroy socket'],
  ['flush', 'write', 'destroy socket'],
  ['write', 'flush', 'destroy socket'],
  ['write', 'flush', 'destroy with an error'],
  ['write', 'destroy', 'end part'],
  ['destroy request', 'flush', 'write'],
  ['write 20 KB', 'destroy socket'],
  // Behind the end of the socket.
  ['end socket', 'end'],
  ['end socket', 'end part'],
  ['flush', 'end socket', 'end'],
  ['flush', 'end socket', 'end part'],
  ['length 4', 'flush', 'end socket', 'end'],
  ['write', 'end socket', 'end'],
  ['write', 'end socket with data', 'end'],
  ['write 20 KB', 'end socket'],
  ['write 20 KB', 'end socket', 'destroy'],
  ['destroy socket soon', 'write 20 KB'],
  ['write', 'destroy socket soon', 'destroy with an error'],
  ['end part', 'end socket'],
  ['end socket with data', 'hints', 'end'],
  // What waits.
  ['look', 'flush', 'look', 'write', 'look', 'end', 'look'],
  ['write', 'look', '…', 'look', 'write 20 KB', 'look', '…', 'look', 'end', 'look'],
  ['hints', 'look', 'write', 'continue', 'look', 'end'],
  ['write 20 KB', 'write', 'look', 'end part', 'look'],
  // The order of callbacks.
  ['write 20 KB', 'write', '…', 'end'],
  ['read', 'write'],
  ['read', 'write', 'write empty', 'continue'],
  ['write empty', 'write'],
  ['write', 'hints', 'write empty'],
  ['write', 'write', 'end part'],
  ['write', '…', 'write empty', 'write', 'end'],
  ['write 200 KB', 'write', 'write empty'],
  ['end part', 'read'],
  // Lengths.
  ['strict', 'length 4', 'end'],
  ['strict', 'length 4', 'end part'],
  ['strict', 'count by hand', 'end part'],
  ['strict', 'count by hand', 'end'],
  ['strict', 'count by hand', 'write'],
  ['strict', 'end part'],
  // Beside the framing.
  ['raw'],
  ['raw and callback', 'end part']
]

for (const steps of WALKS) {
  scenario.server(`a response and ${steps.join(', ')}`, (run) => take(run, steps))
  if (!steps.includes('…')) {
    scenario.server(`a response to HEAD and ${steps.join(', ')}`, (run) => take(run, steps, GET.replace('GET', 'HEAD')))
    scenario.server(`a response to HTTP/1.0 and ${steps.join(', ')}`, (run) => take(run, steps, 'GET / HTTP/1.0\r\n\r\n'))
  }
}

scenario.server('what a response shows after its client has gone', async (run) => {
  const server = await run.serve({}, () => {})
  const handled = run.once(server, 'request')
  const peer = run.dial()
  peer.send(GET)
  const [req, res] = await handled
  const closed = run.closed(res)
  peer.reset()
  await closed
  run.log('server', 'response', res.socket === req.socket, res.socket.destroyed, res.socket._httpMessage === res, res.writableLength, res.destroyed, res.closed)
  run.log('server', 'request', req.aborted, req.destroyed, req.complete, req.socket.parser)
})

scenario.server('the last of many answers arrives whole although its finish came before', async (run) => {
  // A small highWaterMark: core's socket then calls back for each by itself.
  await run.serve({ highWaterMark: 16384 }, (req, res) => {
    res.on('finish', () => {})
    res.end(Buffer.alloc(100000, req.url))
  })
  const peer = run.dial()
  peer.socket.pause()
  peer.send(Array.from({ length: 40 }, (_, index) => `GET /${index} HTTP/1.1\r\nHost: x\r\n${index === 39 ? 'Connection: close\r\n' : ''}\r\n`).join(''))
  await run.sleep(20)
  peer.socket.resume()
  run.log('client', 'ended', await peer.ended())
  run.log('client', 'length', peer.chunks.reduce((sum, chunk) => sum + chunk.length, 0))
})

for (const mistake of ['write', 'end']) {
  for (const when of ['at once', 'in the next tick', 'later']) {
    scenario.server(`${mistake} ${when} after the end of a response without an error listener`, async (run) => {
      let told
      const uncaught = new Promise((resolve) => { told = resolve })
      run.onUncaught = told
      await run.serve({}, (req, res) => {
        const err = () => {
          run.attempt('server', mistake, () => { res[mistake]('late') })
          // Behind what it may have queued.
          setImmediate(() => setImmediate(told))
        }
        res.end('over')
        if (when === 'at once') err()
        else if (when === 'in the next tick') process.nextTick(err)
        else setImmediate(() => setImmediate(err))
      })
      run.dial().send(GET.replace('Connection: close\r\n', ''))
      await uncaught
    })
  }
}

/** `tell` gets the responses to two requests of a pipeline, when both are there. */
async function inPipeline (run, tell) {
  const responses = []
  let over
  const done = new Promise((resolve) => { over = resolve })
  await run.serve({}, (req, res) => {
    responses.push(run.watch('server', res, EVENTS, `${req.url} `))
    if (responses.length === 2) over(tell(...responses))
  })
  run.dial().send('GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n')
  await done
}

scenario.server('a response that is being sent gets a drain while another waits behind it', async (run) => {
  await inPipeline(run, async (first, second) => {
    run.log('server', 'first', first.write(Buffer.alloc(200_000, 'x')))
    run.log('server', 'second', second.write('part'))
    run.log('server', 'needs', first.writableNeedDrain, second.writableNeedDrain)
    second.end('last')
    await settled()
    first.end()
    await settled()
  })
})

scenario.server('a response that is destroyed while it waits, and ended then', async (run) => {
  await inPipeline(run, async (first, second) => {
    first.end('first')
    second.destroy()
    run.log('server', 'write', second.write('part', (...values) => run.log('server', 'told write', ...values)), second.writableNeedDrain)
    second.end((...values) => run.log('server', 'told end', ...values))
    await settled()
  })
})

scenario.server('process.nextTick of a \'prefinish\' listener comes after the end of the exchange', async (run) => {
  let done
  const over = new Promise((resolve) => { done = resolve })
  await run.serve({}, (req, res) => {
    run.watch('server', res, EVENTS)
    res.on('prefinish', () => process.nextTick(() => run.log('server', 'put off', res.socket === null, res.writableFinished)))
    res.on('close', done)
    setImmediate(() => res.end('answer'))
  })
  run.dial().send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await over
})

scenario.server('the async context of the end of a request that is answered at once', async (run) => {
  const storage = new AsyncLocalStorage()
  const answers = {
    'end()': (res) => res.end(),
    'write(large) with callback, end()': (res) => { res.write('x'.repeat(65535), () => {}); res.end() },
    'end() with the socket\'s \'drain\' listened for': (res) => { res.socket.on('drain', () => {}); res.end('x'.repeat(16384)) }
  }
  const closed = []
  let requests = 0
  let over
  const all = new Promise((resolve) => { over = resolve })
  const server = await storage.run('listen', () => run.serve({}, (req, res) => {
    const [name, answer] = Object.entries(answers)[Number(req.url.slice(1))]
    for (const event of ['end', 'close']) req.on(event, () => run.log(name, event, storage.getStore()))
    closed.push(run.closed(req, res))
    storage.run('handler', () => answer(res))
    if (++requests === Object.keys(answers).length) over()
  }))
  server.keepAliveTimeout = 0
  for (const index of Object.keys(answers).keys()) {
    const handled = run.once(server, 'request')
    run.dial().send(`GET /${index} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await handled
    await closed[index]
  }
  await all
})

for (const what of ['destroy', 'destroy with an error', 'destroy socket']) {
  scenario.server(`the callback of a part in whose tick comes '${what}' comes before the ticks that are queued behind that`, async (run) => {
    let over
    await run.serve({}, (req, res) => {
      over = run.closed(res)
      res.on('error', () => {})
      res.write('part', (error) => run.log('server', 'callback', error?.code ?? error?.message))
      STEPS[what]({ req, res })
      process.nextTick(() => {
        run.log('server', 'tick')
        res.end()
      })
    })
    const peer = run.dial().send(GET)
    await peer.ended()
    await over
  })
}

scenario.server('the callback of a part that cork() follows in its tick comes behind uncork()', (run) => run.serve({}, (req, res) => {
  res.write('part', (error) => run.log('server', 'callback', error))
  res.cork()
  setImmediate(() => {
    run.log('server', 'uncork')
    res.uncork()
    setImmediate(() => res.end())
  })
}).then(() => run.dial().send(GET).ended()))

'use strict'

/** 1xx blocks: what each method takes and refuses, in every state of the response. */

const { scenario } = require('../../oracle')

const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')

const hints = { link: '</a>; rel=preload' }

/** Each way to send a 1xx block; those that this Node has not are left out, on both sides. */
const ways = {
  'writeContinue': (res, callback) => res.writeContinue(callback),
  'writeProcessing': (res, callback) => res.writeProcessing(callback),
  'writeEarlyHints': (res, callback) => res.writeEarlyHints(hints, callback),
  'writeInformation': (res, callback) => res.writeInformation?.(104, { 'X-A': '1' }, callback)
}

const states = {
  'fresh': () => {},
  'with headers set': (res) => res.setHeader('X-Set', '1'),
  'with a head that waits': (res) => { res.writeHead(200, { 'Content-Length': 2 }) },
  'with a head that has left': (res) => res.flushHeaders(),
  'within the body': (res) => res.write('a'),
  'corked': (res) => res.cork(),
  'ended': (res) => res.end('ok'),
  'ended without a body': (res) => res.writeHead(204).end(),
  'destroyed': (res) => res.destroy(),
  'whose socket is ended': (res) => res.socket.end(),
  'whose socket is destroyed': (res) => res.socket.destroy(),
  'of a request that expects': () => {}
}

for (const [state, enter] of Object.entries(states)) {
  for (const [name, send] of Object.entries(ways)) {
    scenario.server(`${name} on a response ${state}`, async (run) => {
      const server = await run.serve({})
      let over
      const done = new Promise((resolve) => { over = resolve })
      const handle = async (req, res) => {
        run.watch('response', res, ['error', 'close', 'finish'])
        enter(res)
        // When what is corked leaves is listed in COMPATIBILITY.md.
        const callback = state === 'corked' ? undefined : (...values) => run.log('server', 'called back', ...values)
        run.attempt('server', 'first', () => send(res, callback))
        run.attempt('server', 'without a callback', () => send(res))
        run.log('server', 'then', res._sent100, res.headersSent, res._headerSent, state === 'corked' || res.writableLength)
        await run.sleep(20)
        run.attempt('server', 'later', () => send(res))
        run.attempt('server', 'end', () => { res.end('ok') })
        await run.sleep(20)
        run.attempt('server', 'last', () => send(res, (...values) => run.log('server', 'called back at last', ...values)))
        await run.sleep(20)
        over()
      }
      server.on('request', handle)
      server.on('checkContinue', handle)
      const peer = run.dial()
      peer.send(get('/', ...(state.endsWith('expects') ? ['Expect: 100-continue'] : [])))
      await done
    })
  }
}

scenario.server('informational blocks of a response that waits for its turn', async (run) => {
  const responses = []
  let over
  const done = new Promise((resolve) => { over = resolve })
  await run.serve({}, async (req, res) => {
    responses.push(res)
    if (responses.length !== 2) return
    for (const [name, send] of Object.entries(ways)) {
      run.attempt('server', name, () => send(res, (...values) => run.log('server', `${name} called back`, ...values)))
      run.log('server', 'waits', res.writableLength, res.outputSize, res.outputData.length)
    }
    res.end('second')
    await run.sleep(20)
    responses[0].end('first')
    await run.sleep(20)
    over()
  })
  const peer = run.dial()
  peer.send(get('/1') + get('/2'))
  await done
})

const odd = [undefined, null, 99, 100, 101, 102, 199, 200, 100.5, '103', NaN, Infinity, true, {}, -100]
const fields = [
  undefined, null, {}, [], 'a', 0, 1, true, () => {}, new Map([['a', 'b']]), Object.create({ Inherited: '1' }),
  { a: 1, b: ['x', 'y'], c: undefined }, { a: null }, { 'é': '1' }, { a: 'é' }, { a: '\u0100' }, { a: 'x\r\ny' }, { '': '1' }, { 'a b': '1' },
  { a: true }, { a: [] }, { a: Symbol.iterator },
  ['a'], ['a', '1', 'b'], ['a', '1', 'b', '2'], [['a', '1'], ['b', '2']], [['a', '1', 'c']], [['a']], [[]], ['a', undefined], [null, '1'], [['a', ['x', 'y']]]
]

scenario.server('the arguments that writeInformation accepts', async (run) => {
  await run.serve({}, (req, res) => {
    for (const code of odd) run.attempt('server', `code ${String(code)}`, () => res.writeInformation?.(code))
    fields.forEach((headers, index) => run.attempt('server', `headers ${index}`, () => res.writeInformation?.(103, headers)))
    for (const callback of [null, 1, 'a', {}]) {
      run.attempt('server', `callback ${String(callback)}`, () => res.writeInformation?.(103, {}, callback))
    }
    run.attempt('server', 'a callback for headers', () => res.writeInformation?.(103, (...values) => run.log('server', 'called back', ...values)))
    run.log('server', 'sent100', res._sent100)
    run.attempt('server', '100', () => res.writeInformation?.(100, null))
    run.log('server', 'sent100', res._sent100)
    res.end('ok')
  })
  const peer = run.dial()
  peer.send(get('/'))
  await peer.until('ok')
})

scenario.server('the arguments that writeEarlyHints accepts', async (run) => {
  const links = [
    undefined, null, '', [], 'a', '</a>', '</a>; rel=preload', '</a>; rel=preload; as=style', ['</a>; rel=preload', '</b>; rel=preload'], ['a'], [''], [1], 1, true, {},
    '</a>;', '</a>; rel', '</a>; rel="x"', '</é>; rel=preload', '<>; rel=preload', '</a>; rel=preload, </b>; rel=preload', '</a> ; rel=preload', ['</a>; rel=preload', null]
  ]
  await run.serve({}, (req, res) => {
    for (const hints of [undefined, null, 1, 'a', [], () => {}]) run.attempt('server', `hints ${String(hints)}`, () => res.writeEarlyHints(hints))
    links.forEach((link, index) => run.attempt('server', `link ${index}`, () => res.writeEarlyHints({ link })))
    for (const value of [1, 'x', ['x', 'y'], null, true, 'é']) {
      run.attempt('server', `field ${String(value)}`, () => res.writeEarlyHints({ link: '</a>; rel=preload', 'X-A': value }))
    }
    run.attempt('server', 'Link twice', () => res.writeEarlyHints({ link: '</a>; rel=preload', Link: 'x' }))
    run.attempt('server', 'inherited', () => res.writeEarlyHints(Object.create({ link: '</a>; rel=preload' })))
    for (const callback of [null, 1, {}]) run.attempt('server', `callback ${String(callback)}`, () => res.writeEarlyHints(hints, callback))
    res.end('ok')
  })
  const peer = run.dial()
  peer.send(get('/'))
  await peer.until('ok')
})

scenario.server('the other informational methods call those of the response', async (run) => {
  await run.serve({}, (req, res) => {
    const { _writeRaw: writeRaw, writeInformation } = res
    res._writeRaw = function (...args) {
      run.log('server', '_writeRaw', ...args)
      return writeRaw.apply(this, args)
    }
    if (writeInformation) {
      res.writeInformation = function (...args) {
        run.log('server', 'writeInformation', ...args)
        return writeInformation.apply(this, args)
      }
    }
    const callback = () => {}
    res.writeContinue(callback)
    res.writeProcessing()
    res.writeEarlyHints({ ...hints, 'X-A': '1' }, callback)
    delete res._writeRaw
    delete res.writeInformation
    res.end('ok')
  })
  const peer = run.dial()
  peer.send(get('/'))
  await peer.until('ok')
})

for (const [what, parts] of Object.entries({
  'in pieces': ['HTTP/1.1 102 Processing\r\n', 'X-A: 1\r\n', '\r\n'],
  'as a Buffer': [Buffer.from('HTTP/1.1 102 Processing\r\nX-A: 1\r\n\r\n')],
  'two in one string': ['HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n']
})) {
  scenario.server(`a 1xx block that is written raw ${what} is sent before the head`, async (run) => {
    await run.serve({}, (req, res) => {
      for (const part of parts) res._writeRaw(part)
      res.end('ok')
    })
    const peer = run.dial()
    peer.send(get('/') + get('/second'))
    await peer.until('ok', 2)
  })
}

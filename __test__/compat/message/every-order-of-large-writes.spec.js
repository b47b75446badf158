'use strict'

/**
 * All orders of a few steps, one connection for each, of parts that the kernel must take before they count as taken, and of
 * a cork() in, or behind, the tick that writes: what writes return, the order of callbacks and 'drain', and the lengths between.
 * And what ends the cork of a tick before the tick ends: it writes, and callbacks come in the next tick.
 */

const { scenario } = require('../../oracle')

const GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

/** More than may count as taken (docs/COMPATIBILITY.md). */
const LARGE = 'b'.repeat(256 * 1024 + 1)
const LITTLE = 'a'.repeat(900)

/** All sequences of so many of the names. */
function sequences (names, length) {
  if (length === 0) return [[]]
  return names.flatMap((name) => sequences(names, length - 1).map((rest) => [name, ...rest]))
}

/** Answers with steps, one case after the other, and logs for each what was told in which order, and how much the peer got. */
async function playAll (run, cases, steps, end) {
  let current
  let said
  await run.serve({}, (req, res) => {
    said = []
    const say = (...words) => said.push(words.join(' '))
    for (const event of ['prefinish', 'finish', 'drain', 'error']) res.on(event, () => say(event))
    current.forEach((step, index) => steps[step](res, say, index))
    process.nextTick(say, 'tick')
    end(res, say)
  })
  for (current of cases) {
    const peer = run.dial()
    peer.send(GET)
    const received = await peer.ended()
    await new Promise(setImmediate)
    run.log('server', current.join(', '), said.join('; '))
    run.log('client', current.join(', '), received.length)
  }
}

const write = (chunk, isTold) => (res, say, name) => say(name, isTold ? res.write(chunk, () => say('told', name)) : res.write(chunk))
const inTick = (step) => (res, say, name) => process.nextTick(() => step(res, say, name))

const WRITES = {
  little: write(LITTLE, true),
  large: write(LARGE, true),
  'large without callback': write(LARGE, false),
  'little in a tick': inTick(write(LITTLE, true)),
  'large in a tick': inTick(write(LARGE, true))
}

for (const [first, begin] of Object.entries(WRITES)) {
  scenario.server(`three parts, and an end at 'drain' or later: ${first}, and any two`, async (run) => {
    const cases = sequences(Object.keys(WRITES), 2).map((rest) => [first, ...rest])
    await playAll(run, cases, { ...WRITES, [first]: begin }, (res, say) => {
      const done = () => { if (!res.writableEnded) res.end(() => say('told end')) }
      res.once('drain', done)
      setImmediate(() => setImmediate(() => { if (!res.writableNeedDrain) done() }))
    })
  })
}

const CORKS = {
  'a little': write(LITTLE, true),
  'too much': write('c'.repeat(70_000), true),
  'cork()': (res) => res.cork(),
  'cork() of the socket': ({ socket }) => socket.cork(),
  'a little in a tick': inTick(write(LITTLE, true)),
  'cork() in a tick': inTick((res) => res.cork())
}

for (const first of Object.keys(CORKS)) {
  scenario.server(`parts and corks, which are over in an immediate: ${first}, and any two`, async (run) => {
    await playAll(run, sequences(Object.keys(CORKS), 2).map((rest) => [first, ...rest]), CORKS, (res, say) => {
      process.nextTick(() => process.nextTick(() => say('length', res.writableLength, res.socket.writableLength, res.writableNeedDrain)))
      setImmediate(() => {
        say('immediate', res.writableLength)
        while (res.writableCorked > 0 || res.socket.writableCorked > 0) {
          if (res.writableCorked > 0) res.uncork()
          else res.socket.uncork()
        }
        setImmediate(() => res.end(() => say('told end')))
      })
    })
  })
}

const PARTS = {
  'a little': write(LITTLE, true),
  'too much': write('c'.repeat(70_000), true),
  large: write(LARGE, true)
}

/** What ends the cork that a part has begun. */
const ENDS = {
  'end()': (message, say) => message.end(() => say('told end')),
  'end() with a part': (message, say) => message.end('z', () => say('told end')),
  'end() with a large part': (message, say) => message.end(LARGE, () => say('told end')),
  'uncork()': (message) => message.uncork(),
  'uncork() of the socket': ({ socket }) => socket?.uncork(),
  'cork() and two uncork()': (message) => {
    message.cork()
    message.uncork()
    message.uncork()
  }
}

/** Says the ticks behind what ends a cork, and ends the message if that has not. */
function endLater (message, say) {
  process.nextTick(process.nextTick, say, 'later tick')
  setImmediate(() => setImmediate(() => { if (!message.writableEnded) message.end(() => say('told later end')) }))
}

for (const [part, begin] of Object.entries(PARTS)) {
  const steps = { [part]: begin, ...ENDS, 'end() of the socket': ({ socket }, say) => socket.end(() => say('told end of the socket')) }

  scenario.server(`a part whose cork ends in its tick: ${part}`, async (run) => {
    await playAll(run, Object.keys(steps).slice(1).map((end) => [part, end]), steps, (res, say) => {
      if (res.socket.writable) endLater(res, say)
    })
  })

  scenario.server(`a part whose cork ends in its tick, behind the request's: ${part}`, async (run) => {
    const cases = Object.keys(ENDS).map((end) => [end])
    const later = Object.fromEntries(cases.map(([end]) => [end, (res, say) => setImmediate(() => {
      begin(res, say, part)
      ENDS[end](res, say)
      process.nextTick(say, 'tick behind it')
      endLater(res, say)
    })]))
    await playAll(run, cases, later, () => {})
  })

  scenario.client(`a part of a request whose cork ends in its tick: ${part}`, async (run) => {
    await run.origin(async (peer) => {
      while (true) {
        await peer.until('0\r\n\r\n')
        peer.chunks.length = 0
        peer.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      }
    })
    const agent = run.agent({ keepAlive: true, maxSockets: 1 })
    for (const moment of [process.nextTick, setImmediate]) {
      for (const [end, act] of Object.entries(ENDS)) {
        const said = []
        const say = (...words) => said.push(words.join(' '))
        const request = run.request({ agent, method: 'POST' })
        for (const event of ['prefinish', 'finish', 'drain', 'error']) request.on(event, () => say(event))
        moment(() => {
          begin(request, say, part)
          act(request, say)
          process.nextTick(say, 'tick')
          endLater(request, say)
        })
        const [response] = await run.once(request, 'response')
        await run.read('client', response)
        run.log('client', moment.name, end, said.join('; '))
      }
    }
  })
}

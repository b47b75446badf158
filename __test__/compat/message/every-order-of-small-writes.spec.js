'use strict'

/**
 * All orders of a few steps, one connection for each: what writes return, the order of their callbacks and of the events, and
 * the chunks on the wire. The steps are small, so that all of them together say how writes, ticks and turns go together.
 */

const { scenario } = require('../../oracle')

const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')
const EVENTS = ['prefinish', 'finish', 'drain', 'error']

/** All sequences of so many of the names. */
function sequences (names, length) {
  if (length === 0) return [[]]
  return names.flatMap((name) => sequences(names, length - 1).map((rest) => [name, ...rest]))
}

/** A response's journal, in one line. */
class Line {
  #said = []

  constructor (response, events = EVENTS) {
    for (const event of events) response.on(event, (error) => this.say(event, error?.code ?? ''))
  }

  say (...words) {
    this.#said.push(words.filter((word) => word !== '').join(' '))
  }

  /** A callback that is noted. */
  told (name) {
    return (error) => this.say(`told ${name}`, error?.code ?? error?.message ?? '')
  }

  toString () {
    return this.#said.join('; ')
  }
}

/**
 * Answers a request for each of the cases, on a connection of its own.
 * @param {object} options of the server
 * @param {Function} handle takes a case, the request and the response, and gives the Line of the response that it is about
 */
async function playAll (run, options, cases, sent, handle) {
  let line
  let current
  await run.serve(options, (req, res) => { line = handle(current, req, res) ?? line })
  for (current of cases) {
    const peer = run.dial()
    peer.send(sent)
    const received = await peer.ended()
    await new Promise(setImmediate)
    run.log('server', current.join(', '), String(line))
    run.log('client', current.join(', '), received)
  }
}

const STEPS = {
  write: (res, line, name) => line.say(res.write('a', line.told(name))),
  'write without callback': (res, line) => line.say(res.write('bb')),
  'write nothing': (res, line, name) => line.say(res.write('', line.told(name))),
  'flush the head': (res) => res.flushHeaders(),
  end: (res, line, name) => res.end('z', line.told(name)),
  'write in a tick': (res, line, name) => process.nextTick(() => line.say(name, res.write('t', line.told(name))))
}

for (const first of Object.keys(STEPS)) {
  scenario.server(`three steps in a tick: ${first}, and any two`, async (run) => {
    await playAll(run, {}, sequences(Object.keys(STEPS), 2).map((rest) => [first, ...rest]), get('/', 'Connection: close'), (steps, req, res) => {
      const line = new Line(res)
      steps.forEach((step, index) => STEPS[step](res, line, index))
      process.nextTick(() => line.say('tick'))
      setImmediate(() => {
        line.say('immediate', res.writableLength)
        res.end(line.told('end'))
      })
      return line
    })
  })
}

/** Moments, of those at which a response may end. */
const MOMENTS = {
  'at once': (act) => act(),
  'in a tick': (act) => process.nextTick(act),
  'in the tick behind it': (act) => process.nextTick(() => process.nextTick(act)),
  'in an immediate': (act) => setImmediate(act)
}

const WAITING = {
  little: (res, line, name) => line.say(res.write('a', line.told(name))),
  much: (res, line, name) => line.say(res.write('b'.repeat(2000), line.told(name))),
  head: (res) => res.flushHeaders(),
  'little in a tick': (res, line, name) => process.nextTick(() => line.say(name, res.write('t', line.told(name)))),
  'much in a tick': (res, line, name) => process.nextTick(() => line.say(name, res.write('t'.repeat(1500), line.told(name)))),
  'some in an immediate': (res, line, name) => setImmediate(() => line.say(name, res.write('i'.repeat(900), line.told(name))))
}

for (const [moment, at] of Object.entries(MOMENTS)) {
  scenario.server(`two writes, at any time, of a response that waits for one that ends ${moment}`, async (run) => {
    const sent = get('/first') + get('/second', 'Connection: close')
    await playAll(run, { highWaterMark: 1000 }, sequences(Object.keys(WAITING), 2), sent, (steps, req, res) => {
      if (req.url === '/first') {
        res.on('finish', () => {})
        at(() => res.end('first'))
        return
      }
      const line = new Line(res)
      steps.forEach((step, index) => WAITING[step](res, line, index))
      process.nextTick(() => line.say('tick', res.writableLength, res.writableNeedDrain))
      setImmediate(() => {
        line.say('immediate', res.writableLength)
        setImmediate(() => res.end(line.told('end')))
      })
      return line
    })
  })
}

/** Writes that a second end() follows: its error comes in the tick, and so do the callbacks of what came before. */
const WRITTEN = {
  'a little, and more with end()': (res, line) => {
    line.say(res.write('a', line.told('write')))
    res.end('b'.repeat(1000))
  },
  'too much': (res, line) => {
    line.say(res.write('a'.repeat(2000), line.told('write')))
    res.end()
  },
  'too much, and more with end()': (res, line) => {
    line.say(res.write('a'.repeat(2000)))
    line.say(res.write('a', line.told('write')))
    res.end('b', line.told('end'))
  },
  'more than the socket takes': (res, line) => {
    line.say(res.write('a'.repeat(100000), line.told('write')))
    res.end('b', line.told('end'))
  },
  'too much, and end() in a tick': (res, line) => {
    line.say(res.write('a'.repeat(2000), line.told('write')))
    process.nextTick(() => res.end('b', line.told('end')))
  }
}

scenario.server('a second end() with a part, behind all that was written', async (run) => {
  await playAll(run, { highWaterMark: 1000 }, Object.keys(WRITTEN).map((name) => [name]), get('/', 'Connection: close'), ([name], req, res) => {
    const line = new Line(res)
    WRITTEN[name](res, line)
    process.nextTick(() => line.say('tick'))
    res.end('c', line.told('second end'))
    process.nextTick(() => line.say('later tick'))
    setImmediate(() => line.say('immediate'))
    return line
  })
})

const DRAINED = {
  'end() in a tick': (res, line) => process.nextTick(() => {
    res.end('b', line.told('end'))
    process.nextTick(() => line.say('tick behind end()'))
  }),
  'nothing else': (res, line) => setImmediate(() => res.end(line.told('end')))
}

scenario.server('the callback of a chunk that was too much, in the next tick', async (run) => {
  const cases = Object.keys(DRAINED).flatMap((then) => [5, 65536, 1048576].map((size) => [then, size]))
  await playAll(run, { highWaterMark: 1 }, cases, get('/', 'Connection: close'), ([then, size], req, res) => {
    const line = new Line(res)
    line.say(res.write('a'.repeat(size), line.told('write')))
    DRAINED[then](res, line)
    process.nextTick(() => line.say('tick'))
    return line
  })
})

const CORKED = {
  'cork() and uncork() in the tick of a write': (res, line) => {
    res.cork()
    res.uncork()
    process.nextTick(() => process.nextTick(() => res.end(line.told('end'))))
  },
  'cork() of the socket in the tick of a write': (res, line) => {
    const { socket } = res
    socket.cork()
    setImmediate(() => {
      res.end(line.told('end'))
      socket.uncork()
    })
  }
}

for (const size of [1, 1000]) {
  scenario.server(`the callback and 'drain' of a write of ${size} bytes that is corked in its tick`, async (run) => {
    // With too much to write it is the message's own cork() that 'drain' waits for here.
    const cases = Object.keys(CORKED).filter((name) => size === 1 || !name.includes('socket'))
    await playAll(run, { highWaterMark: 1000 }, cases.map((name) => [name]), get('/', 'Connection: close'), ([name], req, res) => {
      const line = new Line(res)
      line.say(res.write('a'))
      process.nextTick(() => process.nextTick(() => line.say('tick')))
      line.say(res.write(Buffer.alloc(size, 'b'), line.told('write')))
      CORKED[name](res, line)
      return line
    })
  })
}

scenario.server("'drain' of a write without a callback that is corked in its tick", async (run) => {
  const moments = { 'in a microtask': queueMicrotask, ...MOMENTS }
  await playAll(run, { highWaterMark: 1000 }, Object.keys(moments).map((name) => [name]), get('/', 'Connection: close'), ([name], req, res) => {
    const line = new Line(res)
    line.say(res.write('a'.repeat(1000)))
    res.cork()
    moments[name](() => {
      res.uncork()
      line.say('uncorked')
      setImmediate(() => res.end(line.told('end')))
    })
    process.nextTick(() => line.say('tick'))
    return line
  })
})

/** Moments of writes, of which none waits for another: 256 KiB of them and more are written within one turn. */
const MUCH = {
  'in ticks': [['tick', 100], ['tick', 100000, true], ['tick', 65536, true], ['tick', 100000, true]],
  'in ticks and a microtask': [['tick', 65536, true], ['tick behind it', 100000, true], ['microtask', 100000, true]],
  'in microtasks and a tick': [['microtask', 65536], ['microtask', 100000, true], ['tick behind it', 100000, true]],
  'in a call and a tick': [['call', 65535], ['call', 65537], ['tick', 65535, true], ['tick', 65535, true]],
  'in a call and a microtask': [['call', 1000, true], ['call', 100000, true], ['call', 100000], ['microtask', 100000]]
}

const WITHIN = {
  call: (act) => act(),
  tick: (act) => process.nextTick(act),
  'tick behind it': (act) => process.nextTick(() => process.nextTick(act)),
  microtask: queueMicrotask
}

scenario.server('the order of callbacks of much that is written in one turn, and of its immediates', async (run) => {
  await playAll(run, {}, Object.keys(MUCH).map((name) => [name]), get('/', 'Connection: close'), ([name], req, res) => {
    const line = new Line(res)
    MUCH[name].forEach(([moment, size, isTold], index) => {
      WITHIN[moment](() => line.say(index, res.write('x'.repeat(size), isTold && line.told(index))))
    })
    setImmediate(() => {
      line.say('immediate')
      setImmediate(() => res.end(line.told('end')))
    })
    return line
  })
})

/** How a response is given up. */
const GIVEN_UP = {
  'res.destroy()': (req, res) => res.destroy(),
  'socket.destroy()': (req) => req.socket.destroy(),
  'req.destroy()': (req) => req.destroy()
}

for (const [how, giveUp] of Object.entries(GIVEN_UP)) {
  scenario.server(`'finish' and 'close' of what is written, and given up by ${how}`, async (run) => {
    const cases = [10, 65536, 300000].flatMap((size) => ['write', 'end'].flatMap((method) => ['at once', 'in a tick'].map((moment) => [size, method, moment])))
    await playAll(run, {}, cases, get('/', 'Connection: close'), ([size, method, moment], req, res) => {
      const line = new Line(res, ['finish', 'close'])
      res[method]('x'.repeat(size))
      MOMENTS[moment](() => giveUp(req, res))
      process.nextTick(() => line.say('tick'))
      setImmediate(() => {
        line.say('immediate')
        setImmediate(() => line.say('second immediate'))
      })
      return line
    })
  })
}

for (const [how, giveUp] of Object.entries({ ...GIVEN_UP, 'socket.destroy(error)': (req) => req.socket.destroy(new Error('on purpose')) })) {
  scenario.server(`callbacks of what is given up in the tick of its write by ${how} tell so, however much it is`, async (run) => {
    await playAll(run, {}, [10, 65536, 300000, 1048576].map((size) => [size]), get('/', 'Connection: close'), ([size], req, res) => {
      const line = new Line(res, ['close'])
      req.socket.on('error', () => {})
      res.write('x'.repeat(size), line.told('first'))
      res.write('y', line.told('second'))
      giveUp(req, res)
      return line
    })
  })
}

scenario.server('an end() behind one whose response was destroyed in its tick fails with the reason', async (run) => {
  const cases = [5, 65536].flatMap((size) => ['at once', 'in a tick'].map((moment) => [size, moment]))
  await playAll(run, {}, cases, get('/', 'Connection: close'), ([size, moment], req, res) => {
    const line = new Line(res, [])
    res.end('x'.repeat(size))
    MOMENTS[moment](() => res.destroy(new Error('on purpose')))
    setImmediate(() => {
      res.end(line.told('end'))
      setImmediate(() => res.end(line.told('later end')))
    })
    return line
  })
})

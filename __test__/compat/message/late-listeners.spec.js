'use strict'

/**
 * A response that has ended, and what listens to it, or to its request, only then: at any moment between end() and 'close'. A message
 * without listeners ends by a shorter way, which must not be seen.
 */

const { finished } = require('node:stream')
const { scenario } = require('../../oracle')

const connections = (server) => new Promise((resolve) => server.getConnections((error, count) => resolve(error ?? count)))

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

/** How the request comes: all at once, or with a part that follows the answer. */
const WIRES = {
  'without a body': { first: GET },
  'with a body in its packet': { first: 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello' },
  'with a body behind the answer': { first: 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n', rest: 'hello' },
  'that is the last': { first: 'GET / HTTP/1.0\r\n\r\n', isLast: true }
}

/** What is done at the moment. `req` and `res` are tracks of their own: how they lie to each other hangs on the tick. */
const ACTS = {
  'listens for close': (run, req, res) => run.watch('res', res, ['close']),
  'waits with finished()': (run, req, res) => finished(res, (error) => run.log('res', 'finished', error)),
  'listens to the request': (run, req) => run.watch('req', req, ['end', 'close', 'error']),
  'waits for the request with finished()': (run, req) => finished(req, (error) => run.log('req', 'finished', error)),
  'reads the request': (run, req) => run.watch('req', req, ['data', 'end', 'close']).resume(),
  'destroys the socket': (run, req, res) => {
    run.watch('res', res, ['close', 'error'])
    run.watch('req', req, ['close', 'error'])
    run.watch('socket', req.socket, ['close'])
    req.socket.destroy()
  }
}

const MOMENTS = {
  'behind end()': (res, act) => {
    res.end('over\n')
    act()
  },
  'in a tick from before end()': (res, act) => {
    process.nextTick(act)
    res.end('over\n')
  },
  'in a tick from behind end()': (res, act) => {
    res.end('over\n')
    process.nextTick(act)
  },
  'in a microtask': (res, act) => {
    res.end('over\n')
    Promise.resolve().then(act)
  },
  'in prefinish': (res, act) => res.on('prefinish', act).end('over\n'),
  'in finish': (res, act) => res.on('finish', act).end('over\n'),
  'in close': (res, act) => res.on('close', act).end('over\n')
}

/** Whether the response is listened to from the start, and whether the handler ends it, or what runs later. */
const WAYS = {
  'an unheard response': (res, go) => go(),
  'an unheard response that ends later': (res, go) => setImmediate(go),
  'a response that was begun, and ends later': (res, go) => setImmediate(() => {
    res.write('begun ')
    go()
  }),
  'a heard response': (res, go) => {
    res.on('finish', () => {})
    go()
  }
}

for (const [way, begin] of Object.entries(WAYS)) {
  for (const [wire, { first, rest, isLast }] of Object.entries(WIRES)) {
    for (const [moment, at] of Object.entries(MOMENTS)) {
      // It has ended before the ticks of its handler: docs/COMPATIBILITY.md.
      if (way === 'an unheard response' && moment.startsWith('in a tick')) continue
      scenario.server(`${way} to a request ${wire}: what begins ${moment}`, async (run) => {
        const played = Object.entries(ACTS)
        const server = await run.serve({}, (req, res) => {
          const [what, act] = played.shift()
          for (const track of ['req', 'res', 'socket']) run.log(track, what)
          begin(res, () => at(res, () => act(run, req, res)))
        })
        while (played.length !== 0) {
          const isDestroyed = played[0][0] === 'destroys the socket'
          const peer = run.dial()
          peer.send(first)
          if (!isLast && !isDestroyed) {
            await peer.until('over\n')
            if (rest !== undefined) peer.send(rest)
            peer.end()
          }
          await peer.ended()
          while (await connections(server) !== 0) await new Promise(setImmediate)
        }
      })
    }
  }
}

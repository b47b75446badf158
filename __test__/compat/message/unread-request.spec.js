'use strict'

/**
 * What a server that answers shows of a request that it has not read: what is done with the request around the answer's
 * end() decides whether its body is still told or discarded, and in which tick.
 */

const { scenario } = require('../../oracle')

const head = (...fields) => ['POST / HTTP/1.1', 'Host: x', ...fields, '', ''].join('\r\n')

/** How the body comes: with the head, in a part of its own before the answer's end, or in part behind the answer. */
const BODIES = {
  'no body': { first: head() },
  'a body in its head\'s packet': { first: head('Content-Length: 5') + 'hello' },
  'a part of its body in its head\'s packet': { first: head('Content-Length: 10') + 'hello', behind: 'world' },
  'its body behind the answer': { first: head('Content-Length: 5'), behind: 'hello' },
  'a body in a packet of its own': { first: head('Transfer-Encoding: chunked'), body: '5\r\nhello\r\n0\r\n\r\n' },
  'a part of its body in a packet of its own': { first: head('Transfer-Encoding: chunked'), body: '5\r\nhello\r\n', behind: '0\r\n\r\n' }
}

/** What the server does with request and response, besides end(). */
const WAYS = {
  nothing: [],
  paused: ['pause', 'data'],
  'read from, paused': ['data', 'pause'],
  resumed: ['resume'],
  'asked for a part': ['read'],
  'listened to for its end': ['onEnd'],
  'read by readable': ['readable'],
  'read as text': ['setEncoding', 'data'],
  'read from behind the end': ['end', 'data'],
  'resumed behind the end': ['end', 'resume'],
  'paused and resumed around the end': ['data', 'pause', 'end', 'resume'],
  'read by readable behind the end': ['end', 'readable'],
  'read from a tick behind the end': ['end', 'dataInTick']
}

/** Says only for listeners whether a response is over: an end that no listener waits for takes a shorter way. */
const LISTENED = { unheard: [], 'with a prefinish listener': ['prefinish'], 'with a finish listener': ['finish'] }

for (const [listened, events] of Object.entries(LISTENED)) {
  for (const [title, { first, body, behind }] of Object.entries(BODIES)) {
    scenario.server(`a request with ${title} is answered, ${listened}`, async (run) => {
      const played = Object.values(WAYS)
      await run.serve({}, (req, res) => {
        if (req.url !== '/') return res.end('next\n')
        const way = played.shift()
        run.log('server', 'way', way.join())
        run.watch('server', req, ['resume', 'pause', 'end', 'close'], 'req ')
        req.on('resume', () => run.log('server', 'left at resume', req.readableLength))
        for (const event of events) res.on(event, () => run.log('server', event))
        const steps = {
          end: () => res.end('done\n'),
          pause: () => req.pause(),
          resume: () => req.resume(),
          read: () => run.log('server', 'read', String(req.read())),
          data: () => req.on('data', (chunk) => run.log('server', 'data', String(chunk))),
          dataInTick: () => process.nextTick(steps.data),
          onEnd: () => req.on('end', () => run.log('server', 'ended')),
          readable: () => req.on('readable', () => run.log('server', 'readable', String(req.read()))),
          setEncoding: () => req.setEncoding('utf8')
        }
        const answer = () => {
          for (const step of way) steps[step]()
          if (!way.includes('end')) steps.end()
          process.nextTick(() => run.log('server', 'tick'))
          setImmediate(() => run.log('server', 'immediate', req.readableFlowing, req.listenerCount('data')))
        }
        if (body === undefined) return answer()
        req.socket.once('data', answer)
        res.flushHeaders()
      })
      while (played.length !== 0) {
        const peer = run.dial()
        peer.send(first)
        if (body !== undefined) {
          await peer.until('\r\n\r\n')
          peer.send(body)
        }
        await peer.until(body === undefined ? 'done\n' : '0\r\n\r\n')
        if (behind !== undefined) peer.send(behind)
        peer.send('GET /next HTTP/1.1\r\nHost: x\r\n\r\n')
        await peer.until('next\n')
      }
    })
  }
}

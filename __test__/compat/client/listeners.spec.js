'use strict'

/**
 * Requests to which little listens, or nothing: what no listener sees may be left out, and must change nothing else. Each
 * combination of listeners is tried on a fresh connection and on a kept one, and a request with all of them follows.
 */

const { EventEmitter, once } = require('node:events')
const { scenario } = require('../../oracle')

const EVENTS = ['socket', 'finish', 'response', 'close']

/** All subsets of the events. */
const subsets = EVENTS.reduce((sets, event) => [...sets, ...sets.map((set) => [...set, event])], [[]])

const endings = {
  'end()': (request) => { request.end() },
  'end(body)': (request) => { request.end('body') },
  'end(callback)': (request, log) => { request.end(() => { log('callback of end') }) },
  'write, end': (request) => {
    request.write('one')
    request.end('two')
  },
  'write with a callback, end in an immediate': (request, log) => {
    request.write('one', () => { log('callback of write') })
    setImmediate(() => { request.end() })
  },
  'an empty end behind a large write': (request) => {
    request.write(Buffer.alloc(300000))
    request.end()
  }
}

const echo = (run, heard) => (request, response) => {
  let length = 0
  request.on('data', (chunk) => { length += chunk.length })
  request.on('end', () => {
    run.log('server', request.method, request.url, length)
    response.end(`${length}`)
    heard.emit(request.url)
  })
}

for (const [name, end] of Object.entries(endings)) {
  scenario(`requests with some listeners or none: ${name}`, async (run) => {
    const heard = new EventEmitter()
    await run.serve({}, echo(run, heard))
    const agent = run.agent({ keepAlive: true, maxSockets: 1 })
    for (const keepsAlive of [false, true]) {
      for (const events of subsets) {
        const path = `/${events.join('-')}`
        const request = run.client.request({ ...run.target(keepsAlive ? { agent } : { agent: false }), method: 'POST', path })
        for (const event of events) {
          request.on(event, (response) => {
            run.log('client', path, event)
            if (event === 'response') response.resume()
          })
        }
        const over = once(heard, path)
        end(request, (text) => { run.log('client', path, text) })
        // With one socket the next waits for the end of the first.
        if (!keepsAlive) await over
        const next = run.request({ agent, path: `${path}/behind` })
        next.end()
        const [response] = await run.once(next, 'response')
        await run.read('client', response)
        run.log('client', 'reused', keepsAlive && next.reusedSocket)
        await run.closed(request)
      }
    }
  })
}

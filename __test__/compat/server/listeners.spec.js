'use strict'

/**
 * Requests and responses to which little listens, or nothing: what no listener sees may be left out, and must change nothing else.
 * Each combination of listeners is tried on one kept connection.
 */

const { scenario } = require('../../oracle')

const subsetsOf = (events) => events.reduce((sets, event) => [...sets, ...sets.map((set) => [...set, event])], [[]])

const ofRequest = subsetsOf(['data', 'end', 'close'])
const ofResponse = subsetsOf(['prefinish', 'finish', 'close', 'drain'])

const endings = {
  'end()': (response) => { response.end() },
  'end(body, callback)': (response, log) => { response.end('body', () => { log('callback of end') }) },
  'writes and an end in an immediate': (response, log) => {
    response.write('one')
    response.write('two', () => { log('callback of write') })
    setImmediate(() => { response.end() })
  },
  'a large write and an end': (response) => {
    response.write(Buffer.alloc(300000))
    response.end('end')
  }
}

for (const [name, end] of Object.entries(endings)) {
  scenario(`exchanges with some listeners or none: ${name}`, async (run) => {
    const listeners = []
    await run.serve({}, (request, response) => {
      const [ofThis, ofThat] = listeners[request.url.slice(1)]
      for (const event of ofThis) request.on(event, () => { run.log('server', request.url, `request ${event}`) })
      for (const event of ofThat) response.on(event, () => { run.log('server', request.url, `response ${event}`) })
      end(response, (text) => { run.log('server', request.url, text) })
    })
    const agent = run.agent({ keepAlive: true, maxSockets: 1 })
    for (const first of ofRequest) {
      for (const second of ofResponse) {
        listeners.push([first, second])
        const request = run.request({ agent, method: 'POST', path: `/${listeners.length - 1}` })
        request.end('body')
        const [response] = await run.once(request, 'response')
        let length = 0
        for await (const chunk of response) length += chunk.length
        run.log('client', response.statusCode, length, request.reusedSocket)
      }
    }
  })
}

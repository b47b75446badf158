'use strict'

/** Events and callbacks of a request that is destroyed before it is connected. */

const net = require('node:net')
const { AsyncLocalStorage } = require('node:async_hooks')
const { scenario } = require('../../oracle')

const moments = {
  'before there is a socket': (request, act) => act(),
  'in the next tick': (request, act) => process.nextTick(act),
  'at \'socket\'': (request, act) => request.on('socket', act),
  'behind the first tick': (request, act) => setImmediate(act)
}

const programs = {
  'end(chunk)': ({ end }) => end('x'),
  'end(large chunk)': ({ end }) => end(Buffer.alloc(70000)),
  'end()': ({ end }) => end(),
  'write, end()': ({ write, end }) => { write('a'); end() },
  'write, write, end(chunk)': ({ write, end }) => { write('a'); write('b'); end('c') },
  'write, empty write': ({ write }) => { write('a'); write('') },
  'write, and an empty write in the next tick': ({ write }) => { write('a'); process.nextTick(() => process.nextTick(write, '')) },
  'write, and a write in the next tick': ({ write }) => { write('a'); process.nextTick(() => process.nextTick(write, 'b')) },
  'write, and the end in the next tick': ({ write, end }) => { write('a'); process.nextTick(() => process.nextTick(end)) },
  'flushHeaders, write': ({ request, write }) => { request.flushHeaders(); write('a') }
}

const ways = {
  'destroy()': (request) => request.destroy(),
  'destroy(error)': (request) => request.destroy(new Error('on purpose')),
  'abort()': (request) => request.abort(),
  'socket.destroy()': (request) => request.socket.destroy(),
  'socket.destroy(error)': (request) => request.socket.destroy(new Error('on purpose'))
}

const paths = {
  'over TCP': () => ({}),
  'over a socket of net': () => ({ createConnection: (options) => net.connect(options) })
}

for (const [how, reach] of Object.entries(paths)) {
  for (const [way, give] of Object.entries(ways)) {
    scenario.client(`callbacks of a request that is destroyed before it is connected, by ${way}, ${how}`, async (run) => {
      await run.origin(() => {})
      for (const method of ['POST', 'GET']) {
        for (const [moment, at] of Object.entries(moments)) {
          for (const [name, play] of Object.entries(programs)) {
            const storage = new AsyncLocalStorage()
            const say = (...values) => run.log(`${method} ${name}, ${moment}`, ...values, storage.getStore())
            // The address is found after the request was destroyed.
            let find
            const lookup = (host, { all }, callback) => {
              find = () => callback(null, ...(all ? [[{ address: '127.0.0.1', family: 4 }]] : ['127.0.0.1', 4]))
            }
            const request = run.request({ method, agent: false, host: 'somewhere.example', lookup, ...reach() })
            for (const event of ['finish', 'error', 'close']) request.on(event, (error) => say(event, error?.code ?? error?.message))
            request.on('socket', (socket) => process.nextTick(() => socket.on('close', (hadError) => {
              say('socket closed', hadError, socket.errored?.code ?? socket.errored?.message)
            })))
            let count = 0
            const write = (chunk) => {
              const index = count++
              storage.run(`write ${index}`, () => request.write(chunk, (error) => say('written', index, error?.code ?? error?.message)))
            }
            const end = (chunk) => storage.run('end', () => request.end(chunk, (error) => say('ended', error?.code ?? error?.message)))
            at(request, () => {
              play({ request, write, end })
              if (request.socket) storage.run('giving up', () => give(request))
              else request.on('socket', () => process.nextTick(() => storage.run('giving up', () => give(request))))
            })
            await run.closed(request)
            find?.()
            // For what comes behind 'close'.
            await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
          }
        }
      }
    })
  }
}

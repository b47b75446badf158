'use strict'

/** Responses on streams of their users, as light-my-request, serverless-http and others make them: every call to the stream counts. */

const { EventEmitter } = require('node:events')
const { Duplex, Writable } = require('node:stream')
const { scenario } = require('../../oracle')

const EVENTS = ['socket', 'prefinish', 'finish', 'drain', 'error', 'close']

/** Streams to assign; `say` notes what reaches them. */
const STREAMS = {
  'a Writable': (say) => new Writable({
    write (chunk, encoding, callback) {
      say('chunk', chunk)
      callback()
    },
    destroy (error, callback) {
      say('destroyed', error)
      callback(error)
    }
  }),
  'a Writable that takes strings': (say) => new Writable({
    decodeStrings: false,
    write (chunk, encoding, callback) {
      say('chunk', chunk, encoding)
      callback()
    }
  }),
  'a slow Writable with a low mark': (say) => new Writable({
    highWaterMark: 30,
    write (chunk, encoding, callback) {
      say('chunk', chunk)
      setImmediate(callback)
    }
  }),
  'a Duplex': (say) => new Duplex({
    read () {},
    write (chunk, encoding, callback) {
      say('chunk', chunk)
      process.nextTick(callback)
    }
  }),
  'an object that is no stream': (say) => Object.assign(new EventEmitter(), {
    writable: true,
    _writableState: {},
    cork () { say('cork') },
    uncork () { say('uncork') },
    end () { say('end') },
    destroy (error) {
      say('destroy', error)
      this.destroyed = true
    },
    write (chunk, encoding, callback) {
      say('write', typeof chunk === 'string' ? chunk : Buffer.from(chunk), encoding, typeof callback)
      if (typeof callback === 'function') process.nextTick(callback)
      return true
    }
  })
}

const STEPS = {
  assign: ({ res, stream }) => res.assignSocket(stream),
  detach: ({ res, stream }) => res.detachSocket(stream),
  'write': ({ res, told }) => res.write('part', told('write')),
  'write empty': ({ res, told }) => res.write('', told('write empty')),
  'write bytes': ({ res }) => res.write(Buffer.from('bytes')),
  'write 70 KB': ({ res, told }) => res.write('x'.repeat(70000), told('write 70 KB')),
  'end': ({ res, told }) => res.end(told('end')) === res,
  'end part': ({ res, told }) => res.end('last', told('end part')) === res,
  'end bytes': ({ res, told }) => res.end(Buffer.from('last'), told('end bytes')) === res,
  'flush': ({ res }) => res.flushHeaders(),
  'continue': ({ res, told }) => res.writeContinue(told('continue')),
  'processing': ({ res }) => res.writeProcessing(),
  'length 4': ({ res }) => res.setHeader('Content-Length', 4) === res,
  'strict': ({ res }) => { res.strictContentLength = true },
  'trailers': ({ res }) => res.addTrailers({ a: 'b' }),
  'cork': ({ res }) => res.cork(),
  'uncork': ({ res }) => res.uncork(),
  'destroy': ({ res }) => res.destroy() === res,
  'destroy with an error': ({ res }) => res.destroy(new Error('mine')) === res,
  'destroy the stream': ({ stream }) => { stream.destroy() },
  'end the stream': ({ stream }) => { stream.end() },
  'close the stream': ({ stream }) => stream.emit('close'),
  'look': ({ res, stream }) => [res.socket === stream, stream._httpMessage === res, stream.listenerCount('close'), res.writableLength, res.writableHighWaterMark,
    res.writableNeedDrain, res.outputSize, res._headerSent]
}

const WALKS = [
  ['assign', 'end'],
  ['assign', 'end part'],
  ['assign', 'end bytes'],
  ['assign', 'look', 'write', 'look', '…', 'look', 'end', 'look'],
  ['assign', 'write', 'write bytes', 'write empty', 'end part'],
  ['assign', 'write empty', 'write', '…', 'trailers', 'end bytes'],
  ['assign', 'length 4', 'write', 'look', 'end'],
  ['assign', 'length 4', 'strict', 'end part'],
  ['assign', 'flush', 'look', 'end part'],
  ['assign', 'flush', 'end'],
  ['assign', 'continue', 'processing', 'look', 'end'],
  ['assign', 'write 70 KB', 'write', 'look', '…', 'look', 'end'],
  ['assign', 'cork', 'write', 'write bytes', 'look', 'uncork', '…', 'end'],
  ['write', 'write empty', 'assign', '…', 'look', 'end'],
  ['cork', 'write', 'assign', 'uncork', 'end'],
  ['end part', 'look', 'assign', '…', 'look'],
  ['continue', 'write', 'end', 'assign'],
  ['write 70 KB', 'look', 'assign', '…', 'look'],
  ['assign', 'end part', '…', 'detach', 'look'],
  ['assign', 'write', '…', 'detach', 'look', 'write', 'look'],
  ['assign', 'assign'],
  ['assign', 'write', 'close the stream', 'look', 'write', 'end'],
  ['end part', 'assign', 'close the stream'],
  ['assign', 'write', 'destroy the stream', 'end'],
  ['assign', 'destroy the stream', 'write', '…', 'end'],
  ['assign', 'destroy', 'end', 'look'],
  ['assign', 'write', 'destroy with an error', 'write', 'end part'],
  ['assign', 'end', 'destroy with an error'],
  ['assign', 'end the stream', 'write', 'look', 'end'],
  ['destroy', '…', 'end', 'look'],
  ['destroy with an error', '…', 'write', 'end'],
  ['write', 'destroy', '…', 'assign', 'look']
]

const REQUESTS = {
  GET: { method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1, headers: {} },
  HEAD: { method: 'HEAD', httpVersionMajor: 1, httpVersionMinor: 1, headers: {} },
  'HTTP/1.0': { method: 'GET', httpVersionMajor: 1, httpVersionMinor: 0, headers: {} }
}

async function settled () {
  for (let i = 0; i < 5; i++) await new Promise(setImmediate)
}

for (const [what, make] of Object.entries(STREAMS)) {
  for (const [kind, request] of Object.entries(REQUESTS)) {
    scenario.module(`a response to ${kind} on ${what}`, async (run) => {
      for (const steps of WALKS) {
        const track = steps.join(', ')
        const stream = make((...values) => run.log(`stream, ${track}`, ...values))
        stream.on('error', (error) => run.log(`stream, ${track}`, 'error', error))
        const res = new run.server.ServerResponse(request)
        run.watch(track, res, EVENTS)
        const told = (name) => (...values) => run.log(track, `told ${name}`, ...values)
        for (const name of steps) {
          if (name === '…') await settled()
          else run.attempt(track, name, () => STEPS[name]({ res, stream, told }))
        }
        await settled()
        run.log(track, 'finally', res.finished, res.writableFinished, res.destroyed, res.closed, res.errored, res.outputSize, res._contentLength,
          res.outputData.map(({ data, encoding, callback }) => [String(data).slice(-12), encoding, typeof callback]))
      }
    })
  }
}

'use strict'

/** What the fuzzer takes for a difference between runs of core and ours. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { differences } = require('./compare')

const request = (number) => `GET /r${number} HTTP/1.1\\r\nHost: x\\r\n\\r\n`

/** A run in which the peer's connections received these requests. */
const run = (lines, ...connections) => ({ lines, received: connections.map((numbers) => ({ bytes: numbers.map(request).join(''), events: [] })) })

const program = { side: 'client', transport: 'tcp', agent: 'keep-alive', maxSockets: 2, requests: [0, 1, 2].map(() => ({ chains: [] })), peer: { answers: [{}], connections: [{}] } }

test('a run of core that hung is not compared, whether the peer received nothing or had no connection', () => {
  const served = { side: 'server', transport: 'tcp', handlers: [{ chains: [] }], peer: { connections: [{}] } }
  const hung = { lines: { 'run unplayed': ['the process hangs'] }, received: [] }
  assert.deepEqual(differences(served, [hung, run({}, [])], [run({}, []), run({}, [])]), [])
})

test('callbacks of a request that waits for its connection in one run only may come later', () => {
  const waits = run({ 'out r2': ["'prefinish' @", '0 end -> itself @', '0 callback null @', "'finish' @"] }, [0], [1], [2])
  const goesOn = run({ 'out r2': ['0 callback null @', "'prefinish' @", '0 end -> itself @', "'finish' @"] }, [0, 2], [1])
  assert.deepEqual(differences(program, [waits, waits], [goesOn, goesOn]), [])
  assert.equal(differences(program, [waits, waits], [run(goesOn.lines, [0], [1], [2])])[0].label, 'out r2')
})

test('what such a request does is compared all the same', () => {
  const waits = run({ 'out r2': ['0 callback null @', "'finish' @"] }, [0], [1], [2])
  const fails = run({ 'out r2': ['0 callback ECONNRESET @', "'finish' @"] }, [0, 2], [1])
  assert.equal(differences(program, [waits], [fails])[0].label, 'out r2 (callbacks)')
})

test('behind an uncaught exception, and only there, a callback may come at another moment than the steps', () => {
  const lines = (texts, ...uncaught) => run({ process: uncaught, 'out r1': texts }, [0], [1])
  const early = ['0 callback null @', '1 end 1 -> itself @']
  const late = early.toReversed()
  const error = 'uncaught Error HPE_CLOSED_CONNECTION'
  assert.deepEqual(differences(program, [lines(early, error)], [lines(late, error)]), [])
  assert.equal(differences(program, [lines(early)], [lines(late)])[0].label, 'out r1')
})

test('a 400 that core sends behind an exception of a listener may be missing, and nothing else', () => {
  const careless = { side: 'server', transport: 'tcp', careless: true, handlers: [{ chains: [] }], peer: { connections: [{ requests: [{}] }] } }
  const answers = (bytes) => ({ lines: {}, received: [{ bytes, events: [] }] })
  for (const fields of ['', 'Connection: close\\r\n']) {
    assert.deepEqual(differences(careless, [answers(`x HTTP/1.1 400 Bad Request\\r\n${fields}\\r\n`)], [answers('x ')]), [])
  }
  assert.equal(differences(careless, [answers('x HTTP/1.1 200 OK\\r\n\\r\n')], [answers('x ')])[0].label, 'peer 0 received')
})

test('a connection that core has used again behind its end may be another one, on which nothing was sent', () => {
  const ending = { ...program, maxSockets: 1, peer: { answers: [{ end: 'fin-with' }], connections: [{}] } }
  const fails = run({ 'out r1': ["'error' ECONNRESET @"] }, [0], [2])
  const waits = run({ 'out r1': ['at rest: [] @'] }, [0], [])
  assert.deepEqual(differences(ending, [fails], [waits]), [])
  assert.notDeepEqual(differences({ ...ending, peer: program.peer }, [fails], [waits]), [])
})

test('a step in the callback of a request that waited for its connection has the async context of that callback', () => {
  const inCallback = { ...program, requests: [0, 1, 2].map(() => ({ chains: [[{ id: 0, when: 'sync', op: 'write' }, { id: 1, when: 'callback', op: 'end' }]] })) }
  const at = (context) => run({ 'out r2': ['0 write 5 -> true @request r2', `0 callback null @${context}`, `1 end -> itself @${context}`] }, [0], [1], [2])
  assert.deepEqual(differences(inCallback, [at('request r2')], [at('request r1')]), [])
  const wrong = run({ 'out r2': ['0 write 5 -> true @request r1', '0 callback null @request r1', '1 end -> itself @request r1'] }, [0], [1], [2])
  assert.equal(differences(inCallback, [at('request r2')], [wrong])[0].label, 'contexts of out r2')
})

test("a 'free' that core's agent emits once more counts where it is not seen that the stream has closed", () => {
  const streams = { ...program, transport: 'duplex', watch: { socket: ['free'] } }
  const [once, none] = [run({ 'socket s0': ["'free' @request r0"] }, [0]), run({}, [0])]
  assert.deepEqual(differences(streams, [once], [none]), [])
  assert.equal(differences(streams, [none], [once])[0].label, 'socket s0')
  assert.equal(differences({ ...streams, watch: { socket: ['free', 'close'] } }, [once], [none])[0].label, 'socket s0')
  assert.equal(differences({ ...streams, transport: 'tcp' }, [once], [none])[0].label, 'socket s0')
})

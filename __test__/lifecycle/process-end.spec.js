'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const net = require('node:net')
const { once } = require('node:events')
const { Child, converse } = require('../child')

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
const WAIT = 'GET /wait HTTP/1.1\r\nHost: x\r\n\r\n'
const POST = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc'

/** Ways to end (fixtures/lifecycle/server.js) and what raw clients say to the server, one connection each. */
const WAYS = {
  'exit in the handler': [WAIT, 'GET / HT', GET],
  'end and exit': [GET],
  'write, end and exit': [GET],
  'head, end and exit': [GET],
  'exit later': [WAIT, GET],
  'exit in finish': [WAIT, GET],
  'throw in the handler': [WAIT, GET],
  'reject in the handler': [WAIT, GET],
  'throw in a data listener': [WAIT, POST],
  'throw in finish': [GET],
  'caught throw': ['/1', '/throw', '/2', '/throw', '/3'].map((path) => GET.replace('/', path)),
  'close': [GET],
  'close and answer later': [GET],
  'unref and answer later': [GET],
  'closeAllConnections and exit': [WAIT, GET],
  'destroy everything': [GET],
  'kill itself': [WAIT, GET],
  'exitCode': [GET]
}

const LIMIT_MS = 8000

async function end (module, way, conversations) {
  const child = new Child('lifecycle/server.js', { module, args: [way], deadline: LIMIT_MS })
  const port = await child.port()
  const received = []
  for (const bytes of conversations.slice(0, -1)) {
    received.push(converse(port, bytes))
    await new Promise((resolve) => setTimeout(resolve, way === 'caught throw' ? 0 : 30))
  }
  received.push(converse(port, conversations.at(-1)))
  const { code, signal, stdout, stderr } = await child.ended()
  return {
    code,
    signal,
    stdout: stdout.replace(/^port \d+\n/, '').split('\n').sort(),
    error: /^\w*Error: .*$/m.exec(stderr)?.[0],
    received: (await Promise.all(received)).map((text) => text.replace(/^Date: .*$/m, 'Date: <date>\r')).sort()
  }
}

for (const [way, conversations] of Object.entries(WAYS)) {
  test(`a process that serves comes to its end as with core: ${way}`, async () => {
    const [ours, core] = await Promise.all([end('ours', way, conversations), end('core', way, conversations)])
    assert.deepEqual(ours, core)
  })
}

for (const way of ['tunnel', 'tunnel with a last word']) {
  test(`a half-open tunnel alone does not keep a process: ${way}`, async () => {
    const runs = []
    for (const module of ['core', 'ours']) {
      const child = new Child('lifecycle/server.js', { module, args: [way], deadline: LIMIT_MS })
      const socket = net.connect({ port: await child.port(), host: '127.0.0.1', allowHalfOpen: true })
      socket.end('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n')
      let received = ''
      socket.setEncoding('latin1').on('data', (text) => { received += text }).on('error', () => {})
      await once(socket, 'close')
      const { code, signal, stdout } = await child.ended()
      runs.push({ code, signal, stdout: stdout.replace(/^port \d+\n/, ''), received })
    }
    assert.deepEqual(runs[1], runs[0])
  })
}

'use strict'

/** Which end the peer sees, FIN or a reset: of a body that is not read, of an answer whose socket is reset, and what resetAndDestroy() does by then. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Child } = require('../../child')
const { scenario } = require('../../oracle')
const { byTarget } = require('../../oracle/answering')

async function play (module, where) {
  const { stdout, stderr } = await new Child('ends/unheard.js', { module, args: [where] }).ended()
  return stdout + stderr
}

test('a TCP socket that was reset, of which nothing is known yet, can be reset as in core', async () => {
  assert.equal(await play('ours', 'tcp'), await play('core', 'tcp'))
})

test('a Unix socket that was reset, of which nothing is known yet, cannot be reset, as in core', { skip: process.platform === 'win32' }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'unheard-'))
  try {
    assert.equal(await play('ours', path.join(folder, 'ours')), await play('core', path.join(folder, 'core')))
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})

const SIZE = 66_000
const POST = `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${SIZE}\r\n\r\n${'x'.repeat(SIZE)}`

for (const isPath of [false, true]) {
  scenario.server(`a body that fills more than one read, answered at once, ends${isPath ? ', over a path' : ''}`, async (run) => {
    const server = run.server.createServer()
    const closed = new Promise((resolve) => server.on('connection', (socket) => {
      for (const event of ['finish', 'end', 'close']) socket.on(event, () => run.log('socket', event))
      socket.on('close', resolve)
    }))
    const over = new Promise((resolve) => server.on('request', (req, res) => {
      for (const event of ['end', 'aborted', 'error', 'close']) req.on(event, () => run.log('request', event))
      req.on('close', resolve)
      res.end('refused')
    }))
    await run.listenAt(server, isPath ? { path: run.unixPath() } : { port: 0, host: '127.0.0.1' })
    const peer = run.dial()
    peer.send(POST)
    await Promise.all([over, closed])
    await peer.until('refused')
  })
}

const REFUSALS = {
  'its response is destroyed': (req, res) => res.destroy(),
  'its socket is destroyed': ({ socket }) => socket.destroy()
}

for (const [what, refuse] of Object.entries(REFUSALS)) {
  scenario.server(`a body of which a part is unread when ${what} ends with a reset`, async (run) => {
    const server = run.server.createServer()
    const over = new Promise((resolve) => server.on('request', (req, res) => {
      for (const event of ['end', 'aborted', 'error', 'close']) req.on(event, () => run.log('request', event))
      req.on('close', resolve)
      refuse(req, res)
    }))
    await run.listen(server)
    const peer = run.dial()
    peer.send(POST)
    run.log('peer', await peer.ended())
    await over
  })
}

scenario('the socket of a path cannot be reset', async (run) => {
  const reset = (track, { socket }) => {
    try {
      socket.resetAndDestroy()
    } catch ({ name, code, message }) {
      run.log(track, 'thrown', name, code, message)
    }
    run.log(track, 'destroyed', socket.destroyed)
  }
  const server = run.server.createServer((req, res) => {
    reset('server', req)
    res.end('still here')
  })
  await run.listenAt(server, { path: run.unixPath() })
  await new Promise((resolve) => {
    const request = run.request({ agent: run.agent() }, (response) => {
      reset('client', request)
      response.on('end', () => run.log('client', 'end')).on('close', resolve).resume()
    })
    request.end()
  })
})

const answers = {
  'by end()': (res) => res.end('answer'),
  'by write()': (res) => res.write('answer'),
  'by a write() to its socket': (res) => res.socket.write('HTTP/1.1 200 OK\r\n\r\nanswer')
}

for (const [how, answer] of Object.entries(answers)) {
  scenario.server(`what a peer gets of an answer ${how} whose connection is reset in the same tick`, async (run) => {
    const server = run.server.createServer((req, res) => {
      const { socket } = req
      answer(res)
      socket.resetAndDestroy()
    })
    await run.listenAt(server, { port: 0, host: '127.0.0.1' })
    const peer = run.dial()
    peer.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    // Where core's Node has not closed the handle by then, it stays open (docs/COMPATIBILITY.md).
    if (how === 'by write()') await peer.closed()
    else await peer.until('answer')
  })
}

scenario.client('resetAndDestroy() of a Unix socket', async (run) => {
  const socketPath = run.unixPath()
  await run.origin(byTarget, socketPath)
  for (const event of ['socket', 'connect']) {
    const request = run.request({ socketPath, path: '/slow', agent: false })
    request.on('error', (error) => run.log('client', error.code))
    request.on('socket', (socket) => {
      const reset = () => {
        run.attempt('client', event, () => socket.resetAndDestroy())
        request.destroy()
      }
      if (event === 'socket') reset()
      else socket.on('connect', reset)
    })
    request.end()
    await run.closed(request)
  }
})

for (const event of ['aborted', 'close']) {
  scenario.server(`the error of a connection that was reset, asked for in '${event}' of its request, and of what is written then`, async (run) => {
    const server = run.server.createServer()
    const peers = []
    const told = new Promise((resolve) => server.on('request', (req, res) => {
      const responseClosed = run.closed(res)
      req.on(event, () => {
        res.write('late', (error) => run.log('callback', error?.code))
        const { errored, destroyed } = req.socket
        run.log('socket', errored?.code, errored?.syscall, destroyed)
        resolve(responseClosed)
      })
      peers[0].reset()
    }))
    await run.listenAt(server, { port: 0, host: '127.0.0.1' })
    peers.push(run.dial())
    peers[0].send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await told
    await new Promise(setImmediate)
  })
}

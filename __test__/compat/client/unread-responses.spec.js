'use strict'

/** Responses that are not read, or not yet: how much of them is taken from the kernel, and which of the later events come. */

const { scenario } = require('../../oracle')
const { overAll } = require('../../oracle/connections')

const OK = 'HTTP/1.1 200 OK\r\n'

/** Lets what follows from an event follow: there is no event for that. */
const later = (ms = 40) => new Promise((resolve) => setTimeout(resolve, ms))

const body = 'x'.repeat(50000)
const chunk = `c350\r\n${body}\r\n`

/** What the server says, and whether it leaves then. */
const ANSWERS = {
  'a length': [`${OK}Content-Length: 400000\r\n\r\n${body.repeat(8)}`],
  'a length, and the server leaves': [`${OK}Content-Length: 400000\r\n\r\n${body.repeat(8)}`, true],
  'a length, and is the last': [`${OK}Content-Length: 400000\r\nConnection: close\r\n\r\n${body.repeat(8)}`, true],
  'a length, and the next answer behind it': [`${OK}Content-Length: 400000\r\n\r\n${body.repeat(8)}${OK}Content-Length: 0\r\n\r\n`],
  'chunks and trailers': [`${OK}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(8)}0\r\nA: b\r\n\r\n`],
  'chunks, one of which is bad': [`${OK}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(8)}nonsense\r\n`],
  'the end of the connection': [`${OK}\r\n${body.repeat(8)}`, true],
  'a length, and is cut short': [`${OK}Content-Length: 500000\r\n\r\n${body.repeat(8)}`, true],
  'more than the kernel takes': [`${OK}Content-Length: 20000000\r\n\r\n${body.repeat(400)}`]
}

/** A request whose events are logged, with those of its response, which is not read. */
async function begin (run, options, [bytes, leaves]) {
  await run.origin(async (peer) => {
    await peer.until('\r\n\r\n')
    peer.send(bytes)
    if (leaves) peer.end()
  })
  const request = run.request(options)
  run.watch('client', request, ['socket', 'timeout', 'close', 'finish'], 'request ')
  // Where in a packet an error lies is the kernel's to say.
  request.on('error', (error) => run.log('client', 'request error', error.code, error.message))
  request.on('socket', (socket) => run.watch('client', socket, ['end', 'close', 'error', 'free', 'timeout'], 'socket '))
  request.end()
  const [response] = await run.once(request, 'response')
  run.watch('client', response, ['aborted', 'error', 'end', 'close'], 'response ')
  return { request, response }
}

function see (run, moment, { request, response }) {
  const { socket } = request
  // What one read brings is the kernel's to say.
  const length = response.readableLength
  run.log('client', moment, response.complete, length > 0, length < 160000, response.destroyed, request.destroyed, socket.isPaused(), socket.readableFlowing, socket.destroyed)
}

overAll((where, connect, { isSocket }) => {
  for (const [what, answer] of Object.entries(ANSWERS)) {
    scenario.client(`a response with ${what} that is read late, ${where}`, async (run) => {
      const exchange = await begin(run, connect(run), answer)
      await later()
      see(run, 'unread', exchange)
      const { response } = exchange
      let size = 0
      response.on('data', (piece) => { size += piece.length })
      await run.closed(response)
      run.log('client', 'read', size, response.complete, response.rawTrailers)
      await later()
      see(run, 'later', exchange)
    })
  }

  for (const what of ['a length', 'chunks and trailers', 'the end of the connection']) {
    // This stream closes without having been read.
    if (isSocket || what !== 'the end of the connection') {
      scenario.client(`a response with ${what} that is read in pieces, with rests, ${where}`, async (run) => {
        const exchange = await begin(run, connect(run), ANSWERS[what])
        const { response } = exchange
        let size = 0
        for await (const piece of response) {
          size += piece.length
          if (size > 100000 && size < 300000) await later(5)
        }
        run.log('client', 'read', size, response.complete, response.rawTrailers)
        await later()
        see(run, 'later', exchange)
      })
    }

    for (const [how, act] of Object.entries({
      'request.destroy': ({ request }) => request.destroy(),
      'response.destroy': ({ response }) => response.destroy(),
      'response.destroy with an error': ({ response }) => response.destroy(new Error('mine')),
      'the destruction of its socket': ({ request }) => request.socket.destroy(),
      'the end of its socket': ({ request }) => request.socket.end(),
      '_dump': ({ response }) => response._dump()
    })) {
      // What becomes of a stream that has ended is the stream's.
      if (!isSocket && how === 'the end of its socket') continue
      scenario.client(`a response with ${what} that is not read, and ${how}, ${where}`, async (run) => {
        const exchange = await begin(run, connect(run), ANSWERS[what])
        await later()
        act(exchange)
        see(run, 'at once', exchange)
        await later()
        see(run, 'later', exchange)
        exchange.request.destroy()
        await later()
      })
    }
  }

  scenario.client(`a response whose socket is paused, before and in its body, ${where}`, async (run) => {
    let origin
    await run.origin(async (peer) => {
      origin = peer
      await peer.until('\r\n\r\n')
    })
    const request = run.request(connect(run))
    run.watch('client', request, ['response', 'close', 'error'], 'request ')
    request.on('response', (response) => run.watch('client', response, ['data', 'end', 'close'], 'response '))
    request.end()
    const [socket] = await run.once(request, 'socket')
    await later()
    socket.pause()
    origin.send(`${OK}Content-Length: 8\r\n\r\nhalf`)
    await later()
    run.log('client', 'paused', request.res === null)
    socket.resume()
    await later()
    socket.pause()
    origin.send('half')
    await later()
    run.log('client', 'paused again', request.res?.complete)
    socket.resume()
    await run.closed(request)
  })
})

/** Bytes of a body that stay below a buffer's mark, that fill it with one read on Node 20, and that fill the socket's, too. */
for (const size of [10000, 40000, 300000]) {
  for (const [what, head] of Object.entries({ 'with a length, cut short': `Content-Length: ${size + 10}\r\n`, 'until close': '' })) {
    for (const [how, leave] of Object.entries({ ends: (peer) => peer.end(), 'resets the connection': (peer) => peer.socket.resetAndDestroy() })) {
      scenario.client(`a response ${what}, of ${size} bytes that are not read, whose server ${how}`, async (run) => {
        const peers = []
        await run.origin(async (peer) => {
          peers.push(peer)
          await peer.until('\r\n\r\n')
          peer.send(`${OK}${head}\r\n${'x'.repeat(size)}`)
        })
        const request = run.request({ agent: false })
        request.on('error', (error) => run.log('client', 'request error', error.code))
        request.on('close', () => run.log('client', 'request close'))
        request.on('socket', (socket) => run.watch('client', socket, ['end', 'close', 'error'], 'socket '))
        request.end()
        const [response] = await run.once(request, 'response')
        run.watch('client', response, ['aborted', 'error', 'end', 'close'], 'response ')
        await later()
        leave(peers[0])
        await later()
        run.log('client', 'left', response.complete, response.destroyed, response.readableLength > 0)
        request.destroy()
        peers[0].destroy()
        await run.closed(request)
      })
    }
  }
}

'use strict'

/** Raw servers that answer every request with the same bytes, or by its target, and a request all of whose events are logged. */

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

async function answering (run, bytes = OK) {
  await run.origin(async (peer) => {
    for (let count = 1; ; count++) {
      await peer.until('\r\n\r\n', count)
      peer.send(bytes)
    }
  })
}

/** Handler of a raw server's connection: answers all requests but those for /slow; /last and /fin end the connection. */
async function byTarget (peer) {
  for (let count = 1; ; count++) {
    await peer.until('\r\n\r\n', count)
    const target = /\S+ (\S+) [^\r]*\r\n(?:[^\r]+\r\n)*\r\n$/.exec(peer.received)[1]
    if (target.startsWith('/slow')) continue
    peer.send(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${target.startsWith('/last') ? 'Connection: close\r\n' : ''}\r\nok`)
    if (target.startsWith('/fin')) peer.end()
  }
}

function watched (run, track, options) {
  const request = run.request(options)
  run.watch(track, request, ['socket', 'response', 'abort', 'error', 'close', 'prefinish', 'finish', 'timeout'], 'request ')
  request.on('socket', (socket) => run.watch(track, socket, ['connect', 'end', 'error', 'close', 'free', 'agentRemove'], 'socket '))
  request.on('response', (response) => run.watch(track, response, ['data', 'end', 'aborted', 'error', 'close'], 'response '))
  return request
}

module.exports = { answering, byTarget, watched }

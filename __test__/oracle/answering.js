'use strict'

/** A raw server that answers every request with the same bytes, and a request all of whose events are logged. */

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

async function answering (run, bytes = OK) {
  await run.origin(async (peer) => {
    for (let count = 1; ; count++) {
      await peer.until('\r\n\r\n', count)
      peer.send(bytes)
    }
  })
}

function watched (run, track, options) {
  const request = run.request(options)
  run.watch(track, request, ['socket', 'response', 'abort', 'error', 'close', 'prefinish', 'finish', 'timeout'], 'request ')
  request.on('socket', (socket) => run.watch(track, socket, ['connect', 'end', 'error', 'close', 'free', 'agentRemove'], 'socket '))
  request.on('response', (response) => run.watch(track, response, ['data', 'end', 'aborted', 'error', 'close'], 'response '))
  return request
}

module.exports = { answering, watched }

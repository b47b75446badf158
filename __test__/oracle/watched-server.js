'use strict'

/** A handler of requests that are cut short: what the request, the response and the socket emit on the server. */

const MESSAGE = ['aborted', 'end', 'error', 'close', 'finish', 'prefinish']

/**
 * @param {object} run
 * @param {(req: object, res: object) => void} [handler] what the server does besides
 * @returns {{handler: Function, done: () => Promise<void>}} `done` waits until all that it has seen is closed
 */
function watchServer (run, handler) {
  const closed = []
  return {
    done: () => Promise.all(closed),
    handler: (req, res) => {
      run.watch('server', req, MESSAGE, 'req ')
      run.watch('server', res, MESSAGE, 'res ')
      const socket = req.socket
      run.watch('server', socket, ['end', 'close'], 'socket ')
      closed.push(run.closed(req, res, socket))
      handler?.(req, res)
    }
  }
}

module.exports = { MESSAGE, watchServer }

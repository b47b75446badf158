'use strict'

/** What the specs of this folder share: the tables of an agent, a server whose answers wait for a call, and requests to it. */

const pools = ({ sockets, freeSockets, requests }) => Object.fromEntries(Object.entries({ sockets, freeSockets, requests })
  .map(([name, map]) => [name, Object.values(map).map((list) => list.length)]))

/** All tables with their names, the port masked by the run. */
const tables = (agent) => Object.fromEntries(['sockets', 'freeSockets', 'requests']
  .map((table) => [table, Object.entries(agent[table]).map(([name, list]) => [name, list.map((one) => one.path ?? 'socket')])]).concat([['total', agent.totalSocketCount]]))

/** Lets connections close and pools settle: there is no event for that. */
const later = () => new Promise((resolve) => setTimeout(resolve, 30))

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** A server that answers each request of a connection when `answer` is called, or at once. */
const serve = async (run, { held = false } = {}) => {
  const waiting = []
  await run.origin(async (peer) => {
    peer.ended().then(() => peer.end())
    for (let count = 1; ; count++) {
      await peer.until('\r\n\r\n', count)
      if (held) waiting.push(() => peer.send(OK))
      else peer.send(OK)
    }
  })
  return {
    async answer () {
      while (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 2))
      waiting.shift()()
    }
  }
}

function ask (run, agent, path, options) {
  const request = run.request({ agent, path, ...options })
  run.watch('client', request, ['socket', 'response', 'abort', 'timeout', 'error', 'close'], `${path} `)
  request.on('response', (response) => response.resume())
  return request.end()
}

module.exports = { OK, ask, later, pools, serve, tables }

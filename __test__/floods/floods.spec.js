'use strict'

/** What a peer can make a process hold, and for how long it can keep it from others, beside core's. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const http = require('node:http')
const { once } = require('node:events')
const { setTimeout: sleep } = require('node:timers/promises')
const { Child } = require('../child')
const { BLOCKED_MS } = require('../fixtures/floods/victim')
const floods = require('../fixtures/floods/bytes')

const FLOOD_MS = 2000
const INNOCENT_EVERY_MS = 50
const DEADLINE = 15000

/** A server that has answered as many as these, for so long, has come to all that were before them. */
const LATER = 50
const LATER_MS = 1000
const MIB = 1024

/** What may be more than core's: a runtime and buffers of its own, and the noise of a busy machine. */
const allowed = {
  size: (core) => 1.5 * core + 32 * MIB,
  // A request that is on its way when the loop is blocked waits as long as that; on one side only, as it happens.
  wait: (core, isBlocked) => 2 * core + 300 + (isBlocked ? BLOCKED_MS : 0),
  turn: (core) => 2 * core + 300
}

/** Asks for an answer on a connection of its own; resolves when that is over, however. */
function ask (port) {
  return new Promise((resolve) => {
    const request = http.get({ port, host: '127.0.0.1', path: '/innocent', agent: false }, (response) => response.resume())
    request.on('error', resolve).on('close', resolve)
  })
}

/**
 * Sends a request every so often. `stop()`, when the flood is over, waits for the last answers and gives the longest time of any,
 * in ms, and how many were left behind: not answered yet when so many that were asked later, one behind the other, were.
 */
function innocents (port) {
  let latest = 0
  const running = new Set()
  const timer = setInterval(() => {
    const begun = performance.now()
    const done = ask(port).then(() => {
      latest = Math.max(latest, performance.now() - begun)
      running.delete(done)
    })
    running.add(done)
  }, INNOCENT_EVERY_MS)
  return async function stop () {
    clearInterval(timer)
    const all = Promise.all(running)
    const patience = new AbortController()
    const over = sleep(8000).then(() => patience.abort())
    const begun = performance.now()
    for (let later = 0; running.size !== 0 && !patience.signal.aborted && (later < LATER || performance.now() - begun < LATER_MS); later++) {
      await Promise.race([ask(port), over])
    }
    const leftBehind = patience.signal.aborted ? 0 : running.size
    await Promise.race([all, over.then(() => { latest = Infinity })])
    return { wait: Math.round(latest), leftBehind }
  }
}

/** Resolves after the time of a flood; blocks the child's loop in the middle of it. */
async function flooding (child, isBlocked) {
  await sleep(300)
  if (isBlocked) child.kill('SIGUSR2')
  await sleep(FLOOD_MS)
}

/** The number that a child prints at its end; Infinity if it prints none. */
async function told (child, what) {
  await child.ended().catch(() => {})
  return Number(new RegExp(`${what} (\\d+)`).exec(child.stdout)?.[1] ?? Infinity)
}

/** The greatest size of a server under a flood, in KiB, how long others waited, and how long its own timers did. */
async function floodServer (module, kind, isBlocked) {
  const server = new Child('floods/server.js', { module, deadline: DEADLINE })
  const port = await server.port()
  const flooder = new Child('floods/flooder.js', { args: ['server', kind, port], deadline: DEADLINE })
  await flooder.port()
  const stop = innocents(port)
  await flooding(server, isBlocked)
  flooder.kill()
  const { wait, leftBehind } = await stop()
  server.kill('SIGTERM')
  return { size: await told(server, 'peak'), wait, turn: await told(server, 'turn'), leftBehind }
}

async function floodClient (module, kind, isBlocked) {
  const innocent = http.createServer((request, response) => response.end('answer')).listen(0, '127.0.0.1')
  await once(innocent, 'listening')
  const flooder = new Child('floods/flooder.js', { args: ['client', kind], deadline: DEADLINE })
  const port = await flooder.port()
  const client = new Child('floods/client.js', { module, args: [kind, port, innocent.address().port], deadline: DEADLINE })
  await client.port()
  await flooding(client, isBlocked)
  client.kill('SIGTERM')
  const size = await told(client, 'peak')
  const wait = await told(client, 'latest')
  const turn = await told(client, 'turn')
  flooder.kill()
  innocent.closeAllConnections()
  innocent.close()
  return { size, wait, turn }
}

/** What is more than allowed, of size, wait and turn. */
async function excess (t, flood, kind, isBlocked) {
  const core = await flood('core', kind, isBlocked)
  const ours = await flood('ours', kind, isBlocked)
  const size = `size ${Math.round(ours.size / MIB)} MiB, core's ${Math.round(core.size / MIB)} MiB`
  const wait = `wait ${ours.wait} ms, core's ${core.wait} ms`
  const turn = `a turn of ${ours.turn} ms, core's ${core.turn} ms`
  // No machine is so busy that this is by chance: a wake was lost, and the next deadline finds it.
  assert.equal(ours.leftBehind ?? 0, 0, `${ours.leftBehind} connections are not read`)
  t.diagnostic(`${size}; ${wait}; ${turn}`)
  return [
    ...(ours.size <= allowed.size(core.size) ? [] : [size]),
    ...(ours.wait <= allowed.wait(core.wait, isBlocked) ? [] : [wait]),
    ...(ours.turn <= allowed.turn(core.turn) ? [] : [turn])
  ]
}

for (const [side, flood] of Object.entries({ server: floodServer, client: floodClient })) {
  for (const kind of Object.keys(floods[side])) {
    for (const loop of ['free', 'blocked']) {
      const name = `a ${side} under ${kind}, with its loop ${loop}`
      test(`${name}, stays small and serves others`, async (t) => {
        // What is too much counts when it is seen twice: other work on the machine makes a flood of its own.
        const first = await excess(t, flood, kind, loop === 'blocked')
        if (first.length !== 0) assert.deepEqual(await excess(t, flood, kind, loop === 'blocked'), [])
      })
    }
  }
}

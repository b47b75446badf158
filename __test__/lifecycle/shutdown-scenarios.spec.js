'use strict'

/**
 * server.shutdown() where applications use http-terminator, stoppable or terminus: what these promise of a stopping server, over
 * http and https, seen by agents that keep their connections.
 */

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')
require('../../register')

const folder = path.join(__dirname, '../fixtures/https')
const pem = (name) => fs.readFileSync(path.join(folder, name))
const MODULES = {
  http: { module: require('node:http'), options: {} },
  https: { module: require('node:https'), options: { key: pem('key.pem'), cert: pem('cert.pem') } }
}

/** Milliseconds: a time that none of these may take. */
const LONG = 30_000

/** Starts a server whose answers wait until the test ends them, but for `/`; with an agent that keeps connections. */
async function stage (t, { module, options }) {
  const held = new Map()
  const server = module.createServer({ ...options, keepAliveTimeout: LONG }, (request, response) => {
    if (request.url === '/') return response.end('done')
    if (request.url === '/begun') response.write('begun')
    held.set(request.url, response)
    server.emit('held')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const agent = new module.Agent({ keepAlive: true, rejectUnauthorized: false })
  t.after(() => {
    agent.destroy()
    server.closeAllConnections()
  })
  const { port } = server.address()
  const ask = (url) => new Promise((resolve) => {
    const request = module.get({ host: '127.0.0.1', port, path: url, agent }, async (response) => {
      let text = ''
      try {
        for await (const chunk of response) text += chunk
        resolve({ text, connection: response.headers.connection })
      } catch ({ code }) {
        resolve({ text, connection: response.headers.connection, code })
      }
    })
    request.on('error', ({ code }) => resolve({ code }))
  })
  /** Asks for what waits, and comes back when the server has it. */
  const begin = async (url) => {
    const answer = ask(url)
    while (!held.has(url)) await once(server, 'held')
    return { answer }
  }
  return { server, held, ask, begin }
}

/** Connects from another process while this one waits. @returns {string} `connect`, or why not */
function tryToConnect (port) {
  const program = `const say = (text) => { console.log(text); process.exit() }
    require('node:net').connect(${port}, '127.0.0.1').on('connect', () => say('connect')).on('error', ({ code }) => say(code))`
  return execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }).trim()
}

for (const [scheme, kind] of Object.entries(MODULES)) {
  test(`${scheme}: a server without connections has stopped at once`, async (t) => {
    const { server } = await stage(t, kind)
    const closed = once(server, 'close')
    assert.deepEqual(await server.shutdown({ timeout: LONG }), { served: 0, refused: 0, cut: 0 })
    await closed
    assert.equal(server.listening, false)
  })

  test(`${scheme}: connections that rest do not keep a server from stopping`, async (t) => {
    const { server, ask } = await stage(t, kind)
    await Promise.all([ask('/'), ask('/'), ask('/')])
    const before = performance.now()
    assert.deepEqual(await server.shutdown({ timeout: LONG, idleTimeout: 0 }), { served: 0, refused: 0, cut: 0 })
    assert.ok(performance.now() - before < LONG / 3)
  })

  test(`${scheme}: no connection is accepted any more`, async (t) => {
    const { server, held, ask, begin } = await stage(t, kind)
    const { answer } = await begin('/slow')
    const ended = server.shutdown({ timeout: LONG })
    assert.equal((await ask('/')).code, 'ECONNREFUSED')
    held.get('/slow').end('slow')
    assert.equal((await answer).text, 'slow')
    await ended
  })

  test(`${scheme}: a connection that comes while those that wait are taken is refused, not reset`, async (t) => {
    const { server } = await stage(t, kind)
    const { port } = server.address()
    const outcomes = []
    server.on('connection', () => outcomes.push(tryToConnect(port)))
    outcomes.push(tryToConnect(port))
    const ended = server.shutdown({ timeout: LONG })
    assert.deepEqual(outcomes, ['connect', 'ECONNREFUSED'])
    await ended
  })

  test(`${scheme}: what is under way is served, told that the connection ends, and not waited for longer than that`, async (t) => {
    const { server, held, begin } = await stage(t, kind)
    const [slow, begun] = [await begin('/slow'), await begin('/begun')]
    const before = performance.now()
    const ended = server.shutdown({ timeout: LONG })
    held.get('/slow').end('slow')
    held.get('/begun').end(' and over')
    assert.deepEqual(await slow.answer, { text: 'slow', connection: 'close' })
    // Its head had left.
    assert.deepEqual(await begun.answer, { text: 'begun and over', connection: 'keep-alive' })
    assert.deepEqual(await ended, { served: 2, refused: 0, cut: 0 })
    assert.ok(performance.now() - before < LONG / 3)
  })

  test(`${scheme}: a request on a connection that was kept is served, and is its last`, async (t) => {
    const { server, held, ask, begin } = await stage(t, kind)
    await ask('/')
    const { answer: first } = await begin('/1')
    held.get('/1').end('1')
    await first
    const ended = server.shutdown({ timeout: LONG, idleTimeout: 5000 })
    assert.deepEqual(await ask('/'), { text: 'done', connection: 'close' })
    assert.deepEqual(await ended, { served: 1, refused: 0, cut: 0 })
  })

  test(`${scheme}: what takes longer than the time that is left is cut off, and what does not is served`, async (t) => {
    const { server, held, begin } = await stage(t, kind)
    const [quick, never] = [await begin('/quick'), await begin('/never')]
    const ended = server.shutdown({ timeout: 1000 })
    await sleep(50)
    held.get('/quick').end('quick')
    assert.equal((await quick.answer).text, 'quick')
    assert.equal((await never.answer).code, 'ECONNRESET')
    assert.deepEqual(await ended, { served: 1, refused: 0, cut: 1 })
  })

  test(`${scheme}: close() waits for the same, and calls back`, async (t) => {
    const { server, held, begin } = await stage(t, kind)
    const { answer } = await begin('/slow')
    const closed = new Promise((resolve) => server.close(resolve))
    const ended = server.shutdown({ timeout: LONG })
    held.get('/slow').end('slow')
    await answer
    assert.equal(await closed, undefined)
    assert.deepEqual(await ended, { served: 1, refused: 0, cut: 0 })
  })
}

'use strict'

/** What async_hooks are told of servers, their connections and messages: which resources there are, until when, and which keep the process running. */

const { createHook } = require('node:async_hooks')
const { once } = require('node:events')
const { scenario } = require('../../oracle')

const get = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')

const SERVERS = new Set(['TCPSERVERWRAP', 'PIPESERVERWRAP'])

/** Runs steps with a hook that logs servers and messages on the track 'hooks': their types, what they come from, their ends. */
async function hooked (run, steps) {
  const types = new Map()
  const shown = new Set()
  const hook = createHook({
    init (id, type, trigger, resource) {
      types.set(id, type)
      if (type !== 'HTTPINCOMINGMESSAGE' && !SERVERS.has(type)) return
      shown.add(id)
      run.log('hooks', 'init', type, SERVERS.has(type) || types.get(trigger), 'hasRef' in resource)
    },
    destroy (id) { if (shown.has(id)) run.log('hooks', 'destroy', types.get(id)) }
  }).enable()
  try {
    await steps()
    // Ends are told behind the turn that brought them about.
    await run.sleep(10)
  } finally {
    hook.disable()
  }
}

const WHERE = {
  'a port': () => ({ port: 0, host: '127.0.0.1' }),
  'a path': (run) => ({ path: run.unixPath() })
}

/** What is done with a server that listens. */
const STEPS = {
  'is closed at once': (run, server) => server.close(),
  'answers two requests of a connection': async (run, server) => {
    const closed = []
    server.on('request', (req, res) => {
      closed.push(run.closed(req, res))
      res.end('over\n')
    })
    const peer = run.dial()
    peer.send(get('/1'))
    await peer.until('over\n')
    peer.send(get('/2', 'Connection: close'))
    await peer.ended()
    await Promise.all(closed)
    server.close()
  },
  'is closed with a request that is never answered': async (run, server) => {
    run.dial().send(get('/'))
    await once(server, 'request')
    server.close()
  },
  'gets a request whose client leaves': async (run, server) => {
    const peer = run.dial()
    peer.send(get('/'))
    const [req, res] = await once(server, 'request')
    peer.destroy()
    await run.closed(req, res)
    server.close()
  },
  'destroys its connections': async (run, server) => {
    run.dial().send(get('/'))
    const [req, res] = await once(server, 'request')
    server.close()
    server.closeAllConnections()
    await run.closed(req, res)
  },
  'destroys one in a handler': async (run, server) => {
    run.dial().send(get('/'))
    const [req, res] = await once(server, 'request')
    req.socket.destroy()
    await run.closed(req, res)
    server.close()
  },
  'upgrades a connection': async (run, server) => {
    run.dial().send(get('/', 'Connection: Upgrade', 'Upgrade: x'))
    const [, socket] = await once(server, 'upgrade')
    await run.sleep(10)
    run.log('hooks', 'upgraded')
    socket.destroy()
    await run.closed(socket)
    server.close()
  },
  'upgrades a connection behind a request that is not answered yet': async (run, server) => {
    const answers = []
    server.on('request', (req, res) => answers.push(res))
    const peer = run.dial()
    peer.send(get('/') + get('/', 'Connection: Upgrade', 'Upgrade: x'))
    const [, socket] = await once(server, 'upgrade')
    await run.sleep(10)
    run.log('hooks', 'upgraded')
    for (const res of answers) res.end('over\n')
    await peer.until('over\n')
    socket.destroy()
    await run.closed(socket)
    server.close()
  }
}

for (const [where, place] of Object.entries(WHERE)) {
  for (const [what, steps] of Object.entries(STEPS)) {
    scenario.server(`the async resources of a server on ${where} that ${what}`, (run) => hooked(run, async () => {
      const server = run.server.createServer()
      await run.listenAt(server, place(run))
      await steps(run, server)
    }))
  }
}

/** Types that jest does not look at, and those of what it waits for. */
const UNSEEN = new Set(['PROMISE', 'TIMERWRAP', 'TLSWRAP', 'TCPWRAP'])

/** Collects what jest's --detectOpenHandles would report at the end of steps of this file, by its rules. */
async function openBehind (run, steps) {
  const active = new Map()
  const hook = createHook({
    init (id, type, trigger, resource) {
      if (UNSEEN.has(type) || !(active.has(trigger) || new Error().stack.includes(__filename))) return
      active.set(id, () => (!('hasRef' in resource) || resource.hasRef()) && run.log('open', 'handle', type))
    },
    destroy (id) { active.delete(id) }
  }).enable()
  try {
    await steps()
    await run.sleep(30)
  } finally {
    hook.disable()
  }
  for (const tell of active.values()) tell()
  run.log('open', 'all told')
  // Those in messages are held as long as these are.
  run.held = active
  run.upgraded?.destroy()
}

const LEAVING = {
  'an open server': () => {},
  'an unreferenced server': (run, server) => server.unref(),
  'a server that was unreferenced and is referenced': (run, server) => server.unref().ref(),
  'a closed server with a request that is never answered': STEPS['is closed with a request that is never answered'],
  'an unreferenced server with a connection between requests': async (run, server) => {
    server.on('request', (req, res) => res.end('over\n'))
    server.unref()
    const peer = run.dial()
    peer.send(get('/'))
    await peer.until('over\n')
  },
  'a closed server whose connections have closed': STEPS['answers two requests of a connection'],
  'a closed server with an unreferenced socket': async (run, server) => {
    run.dial().send(get('/'))
    const [req] = await once(server, 'request')
    req.socket.unref()
    server.close()
  },
  'a closed server with an upgraded connection': async (run, server) => {
    run.dial().send(get('/', 'Connection: Upgrade', 'Upgrade: x'))
    const [, socket] = await once(server, 'upgrade')
    run.upgraded = socket
    server.close()
  },
  'a closed server with an upgraded connection that owes an answer': async (run, server) => {
    run.dial().send(get('/') + get('/', 'Connection: Upgrade', 'Upgrade: x'))
    server.on('request', (req, res) => { run.owed = res })
    const [, socket] = await once(server, 'upgrade')
    run.upgraded = socket
    server.close()
  },
  'an unreferenced server with responses that have begun, one behind the other': async (run, server) => {
    const responses = []
    server.on('request', (req, res) => {
      responses.push(res)
      res.write('begun\n')
    })
    server.unref()
    run.responses = responses
    const peer = run.dial()
    peer.send(get('/1') + get('/2'))
    await peer.until('begun\n')
  }
}

for (const [where, place] of Object.entries(WHERE)) {
  for (const [what, steps] of Object.entries(LEAVING)) {
    scenario.server(`what async_hooks show as open behind ${what}, on ${where}`, (run) => openBehind(run, async () => {
      const server = run.server.createServer()
      await run.listenAt(server, place(run))
      await steps(run, server)
    }))
  }
}

scenario('what async_hooks show as open behind a request that had a body before it had a connection', (run) => openBehind(run, async () => {
  const server = await run.serve({}, (req, res) => req.resume().on('end', () => res.end()))
  server.unref()
  const req = run.request({ method: 'POST', agent: false })
  run.sent = req
  req.write('some')
  req.end('body')
  const [res] = await once(req, 'response')
  res.resume()
  await run.closed(res)
}))

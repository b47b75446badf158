'use strict'

/** One measurement: a fresh process of one implementation in one scenario, warmed up, then measured. */

const { fork, spawn } = require('node:child_process')
const { once } = require('node:events')
const http = require('node:http')
const https = require('node:https')
const net = require('node:net')
const path = require('node:path')
const { createInterface } = require('node:readline')
const implementations = require('./implementations')
const load = require('./load')
const peers = require('./peers')
const usage = require('./usage')

const children = new Set()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/** Starts a script of this folder, whose first argument is the implementation. */
function start (settings, file, implementation, ...args) {
  const child = fork(path.join(__dirname, file), [implementation, ...args].map(String), {
    ...peers.start(implementations[implementation].runtime, settings.node),
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc']
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

/** The child's next message. */
function message (child) {
  return new Promise((resolve, reject) => {
    const gone = (code, signal) => reject(new Error(`${child.spawnargs.slice(2).join(' ')} ended: ${signal ?? code}`))
    child.once('exit', gone)
    child.once('message', (value) => {
      child.off('exit', gone)
      resolve(value)
    })
  })
}

function stop (child) {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}

/** Asks once, with core's client, whether the server does what is to be measured. */
function check (port, { bytes, isSecure, load: { body, headers, method } }) {
  return new Promise((resolve, reject) => {
    const { request: ask } = isSecure ? https : http
    const request = ask({ host: '127.0.0.1', port, method, headers, agent: false, rejectUnauthorized: false }, (response) => {
      let length = 0
      response.on('data', (chunk) => { length += chunk.length })
      response.on('end', () => {
        if (response.statusCode === 200 && length === bytes) resolve()
        else reject(new Error(`wrong answer: status ${response.statusCode}, ${length} bytes instead of ${bytes}`))
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** Numbers per request. Durations are microseconds, memory is bytes; what is not known is null. */
function summary ({ requests, rps, p50, p99, errors, idle }, spent, peak) {
  const each = (nanoseconds) => requests === 0 ? null : nanoseconds / 1000 / requests
  return {
    rps,
    p50,
    p99,
    cpu: spent === null ? null : each(spent.all),
    js: spent === null ? null : each(spent.js),
    peak,
    idle: idle ?? null,
    errors
  }
}

/** One of the Rust programs beside this file: the process and the lines it prints. It ends with its standard input. */
function startBare (name, ...args) {
  const child = spawn('cargo', ['run', '--quiet', '--release', '--example', name, '--', ...args.map(String)], {
    cwd: path.join(__dirname, '..'),
    stdio: ['pipe', 'pipe', 'inherit']
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  const gone = once(child, 'exit').then(([code]) => { throw new Error(`${name} ended: ${code}`) })
  gone.catch(() => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    child,
    line: async () => (await Promise.race([lines.next(), gone])).value
  }
}

/** The peer of a measured client, and what servers are measured beside. */
async function startResponder () {
  const { child, line } = startBare('responder')
  return { child, port: Number(await line()) }
}

async function startServer (settings, implementation, scenario) {
  if (implementations[implementation].bare) return startResponder()
  const child = start(settings, 'server.js', implementation, scenario.name)
  const { port } = await message(child)
  return { child, port }
}

async function server (settings, implementation, scenario) {
  const { child, port } = await startServer(settings, implementation, scenario)
  try {
    const url = `${scenario.isSecure ? 'https' : 'http'}://127.0.0.1:${port}/`
    await check(port, scenario)
    await load.run(url, scenario.load, settings.warmUp)
    const before = usage.read(child.pid)
    const rest = usage.idle()
    const result = { ...await load.run(url, scenario.load, settings.seconds), idle: rest() }
    return summary(result, spentBy(implementation, before, usage.read(child.pid)), usage.peak(child.pid))
  } finally {
    await stop(child)
  }
}

/** The messages that an echo server answers. */
async function websocket (settings, implementation, scenario) {
  const { connections, depth, length, protocol = '' } = scenario.load
  const { child, port } = await startServer(settings, implementation, scenario)
  try {
    const talker = startBare('talker', port, connections, depth, length, settings.warmUp, settings.seconds, protocol)
    try {
      return await measureBare(talker, child, implementation)
    } finally {
      await stop(talker.child)
    }
  } finally {
    await stop(child)
  }
}

/** What a Rust program counted, and what another process spent meanwhile. */
async function measureBare ({ line }, { pid }, implementation) {
  await line()
  const before = usage.read(pid)
  const rest = usage.idle()
  const [requests, elapsed, p50, p99] = (await line()).split(' ').map(Number)
  const result = { requests, rps: requests / elapsed, p50, p99, errors: 0, idle: rest() }
  return summary(result, spentBy(implementation, before, usage.read(pid)), usage.peak(pid))
}

/** What a process spent between two readings; only a node has a JS thread. */
function spentBy (implementation, before, after) {
  const spent = usage.between(before, after)
  return spent !== null && implementations[implementation].bare ? { ...spent, js: NaN } : spent
}

/** As benchmark/client.js, without HTTP. */
async function requester (settings, implementation, { inFlight, body }, port) {
  const bare = startBare('requester', port, inFlight, body?.length ?? 0, settings.warmUp, settings.seconds)
  try {
    return await measureBare(bare, bare.child, implementation)
  } finally {
    await stop(bare.child)
  }
}

async function client (settings, implementation, scenario) {
  // The Rust program knows no TLS.
  const { child: responder, port } = await (scenario.isSecure ? startServer(settings, 'core', { name: 'https' }) : startResponder())
  try {
    if (implementations[implementation].bare) return await requester(settings, implementation, scenario, port)
    const child = start(settings, 'client.js', implementation, scenario.name, port, settings.warmUp, settings.seconds)
    try {
      const result = await message(child)
      return summary(result, result.spent, result.peak)
    } finally {
      await stop(child)
    }
  } finally {
    await stop(responder)
  }
}

/** A connection that has had one answer. */
function visit (port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'))
    socket.once('error', reject)
    socket.once('data', () => resolve(socket))
  })
}

async function residentMemory (child) {
  await new Promise((resolve) => setTimeout(resolve, 500))
  child.send('memory')
  return (await message(child)).rss
}

async function idle (settings, implementation, scenario) {
  const child = start(settings, 'server.js', implementation, scenario.name)
  const sockets = []
  try {
    const { port } = await message(child)
    for (let i = 0; i < 200; i++) (await visit(port)).destroy()
    const before = await residentMemory(child)
    while (sockets.length < scenario.connections) {
      sockets.push(...await Promise.all(Array.from({ length: 100 }, () => visit(port))))
    }
    const after = await residentMemory(child)
    return { memory: (after - before) / sockets.length, errors: 0 }
  } finally {
    await stop(child)
    for (const socket of sockets) socket.destroy()
  }
}

/** The start of a process that has made a server which listens: what it took, and the memory it has then. */
async function startUp (settings, implementation, scenario) {
  const begin = process.hrtime.bigint()
  const child = start(settings, 'server.js', implementation, scenario.name)
  try {
    await message(child)
    const wall = Number(process.hrtime.bigint() - begin) / 1e6
    const spent = usage.read(child.pid)
    const total = spent === null ? null : Array.from(spent.threads.values()).reduce((sum, time) => sum + time, 0) / 1e6
    return { wall, processor: total, resident: await residentMemory(child), errors: 0 }
  } finally {
    await stop(child)
  }
}

module.exports = { client, idle, server, start: startUp, websocket }

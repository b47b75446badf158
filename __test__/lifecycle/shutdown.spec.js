'use strict'

/** server.shutdown(): what becomes of every kind of connection, and what the promise says of it. */

const assert = require('node:assert')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { mkdtempSync, readFileSync, rmSync } = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { test } = require('node:test')
const http = require('../..')

const get = (url = '/', ...fields) => [`GET ${url} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n')

/** A client that keeps what it gets. */
class Client {
  constructor (server) {
    this.text = ''
    this.ends = []
    this.socket = net.connect(server.address().port, '127.0.0.1')
    this.socket.on('data', (chunk) => { this.text += chunk })
    this.socket.on('end', () => this.ends.push('end'))
    this.socket.on('error', ({ code }) => this.ends.push(code))
    this.closed = once(this.socket, 'close').catch(() => {})
  }

  send (text) {
    this.socket.write(text)
    return this
  }

  /** Waits until what was got contains the text so many times. */
  async until (text, times = 1) {
    while (this.text.split(text).length <= times) await once(this.socket, 'data')
  }
}

/** A server whose answers end when the test says so, by their URL. */
async function serve (t, options = {}) {
  const held = new Map()
  const server = http.createServer(options, (req, res) => {
    if (req.url === '/') return res.end('done\n')
    if (req.url.startsWith('/begun')) res.write('begun\n')
    held.set(req.url, res)
    server.emit('held', req.url)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.closeAllConnections())
  return { server, held }
}

test('a connection between requests is closed once it has rested, and one that is used is told', async (t) => {
  const { server } = await serve(t)
  const { port } = server.address()
  const [idle, used, fresh] = [new Client(server).send(get()), new Client(server).send(get()), new Client(server)]
  await Promise.all([idle.until('done'), used.until('done'), once(fresh.socket, 'connect')])
  const ended = server.shutdown({ idleTimeout: 50 })
  assert.strictEqual(server.listening, false)
  used.send(get())
  await used.until('done', 2)
  assert.match(used.text, /Connection: keep-alive[^]*Connection: close/)
  assert.deepStrictEqual(await ended, { served: 1, refused: 0, cut: 0 })
  await Promise.all([idle.closed, used.closed, fresh.closed])
  assert.deepStrictEqual([idle.ends, used.ends, fresh.ends], [['end'], ['end'], ['end']])
  await assert.rejects(once(net.connect(port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' })
})

test('with an idleTimeout of 0 no connection may rest', async (t) => {
  const { server, held } = await serve(t)
  const [idle, begun] = [new Client(server).send(get()), new Client(server).send(get('/begun'))]
  await Promise.all([idle.until('done'), begun.until('begun')])
  const ended = server.shutdown({ idleTimeout: 0 })
  await idle.closed
  held.get('/begun').end('over')
  await begun.until('over')
  assert.deepStrictEqual(await ended, { served: 1, refused: 0, cut: 0 })
  assert.doesNotMatch(begun.text, /Connection: close/)
})

test('what is under way is answered, and the answer says that the connection ends', async (t) => {
  const { server, held } = await serve(t)
  const client = new Client(server).send(get('/slow'))
  await once(server, 'held')
  const ended = server.shutdown()
  held.get('/slow').end('slow\n')
  await client.closed
  assert.match(client.text, /Connection: close\r\n[^]*slow\n$/)
  assert.deepStrictEqual(client.ends, ['end'])
  assert.deepStrictEqual(await ended, { served: 1, refused: 0, cut: 0 })
})

test('every request of a pipeline is answered, and the last answer ends it', async (t) => {
  const { server, held } = await serve(t)
  const client = new Client(server).send(get('/1') + get('/2'))
  while (held.size < 2) await once(server, 'held')
  const ended = server.shutdown()
  client.send(get('/3'))
  while (held.size < 3) await once(server, 'held')
  for (const url of ['/3', '/1', '/2']) held.get(url).end(`answer to ${url}\n`)
  await client.closed
  assert.deepStrictEqual(client.text.match(/Connection: \S+|answer to \S+/g), [
    'Connection: keep-alive', 'answer to /1', 'Connection: keep-alive', 'answer to /2', 'Connection: close', 'answer to /3'
  ])
  assert.deepStrictEqual(await ended, { served: 3, refused: 0, cut: 0 })
})

test('at the deadline what is left is ended, and the promise counts it', async (t) => {
  const { server } = await serve(t)
  const client = new Client(server).send(get('/never'))
  await once(server, 'held')
  assert.deepStrictEqual(await server.shutdown({ timeout: 1 }), { served: 0, refused: 0, cut: 1 })
  await client.closed
  assert.deepStrictEqual(client.ends, ['end'])
})

test('a client that does not end its side behind the deadline is reset', async (t) => {
  const { server } = await serve(t)
  const socket = net.connect({ port: server.address().port, host: '127.0.0.1', allowHalfOpen: true })
  socket.write(get('/never'))
  await once(server, 'held')
  const ended = server.shutdown({ timeout: 1 })
  socket.resume()
  await once(socket, 'end')
  assert.deepStrictEqual(await ended, { served: 0, refused: 0, cut: 1 })
  socket.write('x')
  const [{ code }] = await once(socket, 'error')
  // The kernel has had the RST: the first write fails.
  assert.match(code, /^(ECONNRESET|EPIPE)$/)
})

for (const socketIsMade of [false, true]) {
  test(`a pipe has no RST: its client is closed behind the deadline, ${socketIsMade ? 'with' : 'without'} a socket`, { skip: process.platform === 'win32' }, async (t) => {
    const server = http.createServer((req, res) => {
      if (socketIsMade) req.socket.setNoDelay(true)
      res.write('begun\n')
    })
    const folder = mkdtempSync(path.join(os.tmpdir(), 'http-native-shutdown-'))
    t.after(() => rmSync(folder, { recursive: true }))
    server.listen(path.join(folder, 'pipe'))
    await once(server, 'listening')
    const socket = net.connect({ path: server.address(), allowHalfOpen: true })
    socket.write(get())
    await once(socket, 'data')
    const ended = server.shutdown({ timeout: 1 })
    socket.resume()
    await once(socket, 'end')
    assert.deepStrictEqual(await ended, { served: 0, refused: 0, cut: 1 })
    socket.destroy()
  })
}

test('a signal brings the deadline forward', async (t) => {
  const { server } = await serve(t)
  const client = new Client(server).send(get('/never'))
  await once(server, 'held')
  const controller = new AbortController()
  const ended = server.shutdown({ signal: controller.signal })
  controller.abort()
  assert.deepStrictEqual(await ended, { served: 0, refused: 0, cut: 1 })
  await client.closed
})

test('a signal that was aborted before leaves no time', async (t) => {
  const { server } = await serve(t)
  const client = new Client(server).send(get('/never'))
  await once(server, 'held')
  assert.deepStrictEqual(await server.shutdown({ signal: AbortSignal.abort() }), { served: 0, refused: 0, cut: 1 })
  await client.closed
})

test('an upgraded socket is told of the deadline, and cut off behind it', async (t) => {
  const { server } = await serve(t)
  const sockets = []
  server.on('upgrade', (req, socket) => {
    sockets.push(socket)
    socket.on('end', () => socket.end())
    socket.resume()
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
  })
  const upgrade = get('/', 'Connection: Upgrade', 'Upgrade: x')
  const [polite, deaf] = [new Client(server).send(upgrade), new Client(server).send(upgrade)]
  await Promise.all([polite.until('101'), deaf.until('101')])
  const told = []
  server.on('shutdown', (socket, deadline) => {
    told.push([socket, typeof deadline])
    if (told.length === 1) socket.end('bye')
  })
  assert.deepStrictEqual(await server.shutdown({ timeout: 200 }), { served: 0, refused: 0, cut: 1 })
  assert.deepStrictEqual(told, [[sockets[0], 'number'], [sockets[1], 'number']])
  await Promise.all([polite.closed, deaf.closed])
})

/** Counts the connections of a port that the kernel has made, by its table. */
function established (port) {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = readFileSync('/proc/net/tcp', 'latin1').trim().split('\n').map((line) => line.trim().split(/\s+/))
  return rows.filter(([, address, , state]) => address.endsWith(local) && state === '01').length
}

for (const [backlog, text, summary] of [['serve', /done\n$/, { served: 20, refused: 0, cut: 0 }], ['refuse', /^$/, { served: 0, refused: 20, cut: 0 }]]) {
  test(`connections that came while JavaScript was busy, with backlog '${backlog}'`, { skip: process.platform !== 'linux' }, async (t) => {
    const { server } = await serve(t)
    const { port } = server.address()
    const child = spawn(process.execPath, [path.join(__dirname, '..', 'fixtures', 'twenty-clients.js'), String(port)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const texts = []
    child.on('message', (got) => { texts.push(got) })
    const gone = once(child, 'exit')
    while (established(port) < 20);
    assert.deepStrictEqual(await server.shutdown({ backlog }), summary)
    await gone
    assert.strictEqual(texts.length, 20)
    for (const got of texts) assert.match(got, text)
  })
}

/** Blocks JavaScript for longer than connections may rest. */
function block () {
  const end = performance.now() + 150
  while (performance.now() < end);
}

/** Asks on each connection until the sockets of all are lent to this thread. */
async function borrow (clients) {
  const { native } = http
  for (let times = 1; native.objects().lent < clients.length; times++) {
    for (const client of clients) await client.send(get()).until('done', times)
  }
}

for (const [name, prepare] of [
  ['that carried nothing', () => {}],
  ['that carried one', (clients) => Promise.all(clients.map((client) => client.send(get()).until('done')))],
  ['whose sockets are lent', borrow]
]) {
  test(`requests that came while JavaScript was busy are served, on connections ${name}`, async (t) => {
    const { server } = await serve(t)
    const clients = Array.from({ length: 4 }, () => new Client(server))
    await Promise.all(clients.map(({ socket }) => once(socket, 'connect')))
    await prepare(clients)
    const before = clients.map(({ text }) => text.length)
    const ended = server.shutdown({ idleTimeout: 50 })
    for (const client of clients) client.send(get())
    block()
    assert.deepStrictEqual(await ended, { served: 4, refused: 0, cut: 0 })
    await Promise.all(clients.map(({ closed }) => closed))
    for (const [at, { text, ends }] of clients.entries()) {
      assert.match(text.slice(before[at]), /^HTTP\/1.1 200 [^]*Connection: close[^]*done\n$/)
      assert.deepStrictEqual(ends, ['end'])
    }
  })
}

for (const [name, timeout, summary, text] of [
  ['are waited for', 10000, { served: 1, refused: 0, cut: 0 }, /Connection: close[^]*late$/],
  ['are cut off at the deadline', 1, { served: 0, refused: 0, cut: 1 }, /^$/]
]) {
  test(`streams of a server that does not listen ${name}`, async (t) => {
    const server = http.createServer((req, res) => server.emit('held', res))
    const front = net.createServer((socket) => server.emit('connection', socket)).listen(0, '127.0.0.1')
    await once(front, 'listening')
    t.after(() => front.close())
    const client = new Client(front).send(get())
    const [res] = await once(server, 'held')
    const ended = server.shutdown({ timeout })
    if (timeout > 1) setImmediate(() => setImmediate(() => res.end('late')))
    assert.deepStrictEqual(await ended, summary)
    await client.closed
    assert.match(client.text, text)
  })
}

test('a second call gives the same promise', async (t) => {
  const { server } = await serve(t)
  assert.strictEqual(server.shutdown(), server.shutdown())
})

test('a server that does not run rejects, and after a shutdown it can listen again', async (t) => {
  const { server } = await serve(t)
  await server.shutdown()
  await assert.rejects(server.shutdown(), { code: 'ERR_SERVER_NOT_RUNNING', message: 'Server is not running.' })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = new Client(server).send(get())
  await client.until('done')
  assert.match(client.text, /Connection: keep-alive/)
  await server.shutdown({ idleTimeout: 0 })
})

test('bad options throw as core\'s do', () => {
  const server = http.createServer()
  for (const options of [null, 1, 'x', []]) assert.throws(() => server.shutdown(options), { code: 'ERR_INVALID_ARG_TYPE', name: 'TypeError' })
  for (const timeout of ['1', null, {}]) assert.throws(() => server.shutdown({ timeout }), { code: 'ERR_INVALID_ARG_TYPE', message: /^The "options\.timeout" property must be of type number\. Received / })
  for (const idleTimeout of [-1, NaN, 2 ** 31]) assert.throws(() => server.shutdown({ idleTimeout }), { code: 'ERR_OUT_OF_RANGE', name: 'RangeError' })
  assert.throws(() => server.shutdown({ backlog: 'drop' }), { code: 'ERR_INVALID_ARG_VALUE', message: 'The property \'options.backlog\' must be one of: \'serve\', \'refuse\'. Received \'drop\'' })
  assert.throws(() => server.shutdown({ signal: {} }), { code: 'ERR_INVALID_ARG_TYPE', message: 'The "options.signal" property must be an instance of AbortSignal. Received an instance of Object' })
})

test('the method is not enumerable', () => {
  const server = http.createServer()
  assert.strictEqual('shutdown' in server, true)
  for (const key in server) assert.notStrictEqual(key, 'shutdown')
})

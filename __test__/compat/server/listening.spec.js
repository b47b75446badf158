'use strict'

/** All that `server.listen` takes, and what the server shows of it: ports, paths, handles, descriptors, signals, errors. */

const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { scenario } = require('../../oracle')

/** A server that answers with its name, destroyed after the run. */
function named (run, name) {
  const server = run.server.createServer((req, res) => res.end(name))
  run.servers.push(server)
  return run.watch(name, server, ['listening', 'error', 'close'])
}

/** Listens, and logs what can be seen of it at once and at 'listening'. */
async function listening (run, name, server, ...where) {
  const shown = () => {
    const address = server.address()
    return [server.listening, typeof address === 'string' ? 'a path' : [address?.address, address?.family, typeof address?.port], server._handle?.constructor.name, server._handle?.fd >= 0]
  }
  run.log(name, 'returns itself', server.listen(...where) === server, ...shown())
  await run.once(server, 'listening')
  const { port } = server.address()
  if (port) run.mask(port, 'port')
  run.log(name, 'listens', ...shown(), port && server._connectionKey, server._unref)
  return port
}

/** Sends a request, and logs which server answered. */
function ask (run, name, where) {
  return new Promise((resolve) => {
    const peer = net.connect(where)
    let answer = ''
    peer.on('error', (error) => run.log(name, error.syscall === 'connect' ? error.code : 'refused'))
    peer.setEncoding('latin1').on('data', (text) => { answer += text })
    peer.on('close', () => {
      run.log(name, 'answer', answer.split('\r\n').at(-1))
      resolve()
    })
    peer.end('GET / HTTP/1.0\r\n\r\n')
  })
}

const tcp = {
  'a port': () => [0],
  'a port and a host': () => [0, '127.0.0.1'],
  'a port, a host and a backlog': () => [0, '127.0.0.1', 7],
  'a port and a backlog': () => [0, 7],
  'a callback alone': () => [() => {}],
  nothing: () => [],
  null: () => [null],
  'a port as text': () => ['0'],
  'options with a port': () => [{ port: 0 }],
  'options with an undefined port': () => [{ port: undefined }],
  'options with a null port': () => [{ port: null }],
  'options with a host name': () => [{ port: 0, host: 'localhost', backlog: 3 }],
  'options with exclusive': () => [{ port: 0, exclusive: true }],
  'options with an IPv6 host': () => [{ port: 0, host: '::1' }],
  'options with ipv6Only': () => [{ port: 0, host: '::', ipv6Only: true }],
  'options with ipv6Only and no host': () => [{ port: 0, ipv6Only: true }]
}

for (const [form, where] of Object.entries(tcp)) {
  scenario.module(`a server listens: ${form}`, async (run) => {
    const server = named(run, 'server')
    const port = await listening(run, 'server', server, ...where())
    await ask(run, 'server', { port, host: '127.0.0.1' })
    await ask(run, 'server', { port, host: '::1' })
    run.log('server', 'close', await new Promise((resolve) => server.close(resolve)), server.listening, server.address(), server._handle)
  })
}

scenario.module('a path: as text, as an option, for all to read and write, abstract', async (run) => {
  for (const where of [
    (file) => file, (file) => ({ path: file }), (file) => ({ path: file, readableAll: true, writableAll: true }), (file) => ({ path: `\0${file}` })
  ]) {
    const file = run.unixPath()
    const server = named(run, 'server')
    const at = where(file)
    await listening(run, 'server', server, at)
    const name = server.address()
    run.log('server', 'mode', fs.existsSync(file) && (fs.statSync(file).mode & 0o777).toString(8), name.endsWith(file))
    if (!name.startsWith('\0') || process.versions.uv >= '1.46') await ask(run, 'server', { path: name })
    await new Promise((resolve) => server.close(resolve))
    run.log('server', 'gone', !fs.existsSync(file))
  }
})

scenario.module('a path that was renamed meanwhile is not removed at close()', async (run) => {
  const file = run.unixPath()
  const server = named(run, 'server')
  await listening(run, 'server', server, file)
  fs.renameSync(file, `${file}.moved`)
  await ask(run, 'server', { path: `${file}.moved` })
  await new Promise((resolve) => server.close(resolve))
  run.log('server', 'there', fs.existsSync(`${file}.moved`))
  fs.rmSync(`${file}.moved`)
})

scenario.module('a server listens on the descriptor of a bound socket', async (run) => {
  const handle = net._createServerHandle('127.0.0.1', 0, 4)
  const server = named(run, 'server')
  const port = await listening(run, 'server', server, { fd: handle.fd })
  run.log('server', 'the same', server._handle.fd === handle.fd)
  await ask(run, 'server', { port, host: '127.0.0.1' })
  await new Promise((resolve) => server.close(resolve))
  // The descriptor went with the server.
  run.attempt('handle', 'fstat', () => fs.fstatSync(handle.fd))
}, { skip: process.platform !== 'linux' })

scenario.module('a server cannot listen on descriptors that are no sockets', async (run) => {
  const file = fs.openSync(__filename)
  for (const fd of [file, 1000, -1]) {
    const server = named(run, 'server')
    if (run.attempt('server', `fd ${fd === file ? 'of a file' : fd}`, () => server.listen({ fd }) === server) === true) {
      const [error] = await run.once(server, 'error')
      run.log('server', 'error', error.errno, error.syscall, error.address, error.port, server._handle, server.listening)
    }
  }
  fs.closeSync(file)
})

const handles = {
  'a handle': (handle) => handle,
  'an object with a handle': (handle) => ({ handle }),
  'an object with _handle': (handle) => ({ _handle: handle })
}

for (const [form, given] of Object.entries(handles)) {
  scenario.module(`a server listens: ${form}`, async (run) => {
    const handle = net._createServerHandle('127.0.0.1', 0, 4)
    const server = named(run, 'server')
    const port = await listening(run, 'server', server, given(handle), 5)
    run.log('server', 'the handle', server._handle === handle, Object.keys(handle), handle instanceof handle.constructor)
    await ask(run, 'server', { port, host: '127.0.0.1' })
    await new Promise((resolve) => server.close(resolve))
    run.log('server', 'closed', handle.fd)
    await ask(run, 'server', { port, host: '127.0.0.1' })
  })
}

scenario.module('a server listens on a handle that was never bound', async (run) => {
  const { constructor: TCP } = net._createServerHandle('127.0.0.1', 0, 4)
  const server = named(run, 'server')
  const port = await listening(run, 'server', server, new TCP(1))
  await ask(run, 'server', { port, host: '127.0.0.1' })
})

scenario.module('a server cannot listen on a handle whose address is in use', async (run) => {
  const first = named(run, 'first')
  const port = await listening(run, 'first', first, 0, '127.0.0.1')
  const second = named(run, 'second')
  second.listen(net._createServerHandle('127.0.0.1', port, 4))
  const [error] = await run.once(second, 'error')
  run.log('second', 'error', error.errno, error.syscall, error.address, error.port, error.message, second._handle)
  await ask(run, 'first', { port, host: '127.0.0.1' })
})

scenario.module('a server listens on the handle of a pipe', async (run) => {
  const file = run.unixPath()
  const server = named(run, 'server')
  server.listen({ fd: net._createServerHandle(file, -1, -1).fd })
  await run.once(server, 'listening')
  run.log('server', 'listens', server.address(), server._handle.constructor.name)
  await ask(run, 'server', { path: file })
  await new Promise((resolve) => server.close(resolve))
  fs.rmSync(file, { force: true })
})

scenario.module('a server that listens on the handle of another takes its place', async (run) => {
  const first = named(run, 'first')
  const port = await listening(run, 'first', first, 0, '127.0.0.1')
  await ask(run, 'first', { port, host: '127.0.0.1' })
  const second = named(run, 'second')
  await listening(run, 'second', second, first)
  run.log('second', 'the same handle', second._handle === first._handle)
  await ask(run, 'second', { port, host: '127.0.0.1' })
  await new Promise((resolve) => second.close(resolve))
  await ask(run, 'second', { port, host: '127.0.0.1' })
})

scenario.module('a server that listens on the handle of a net.Server takes its place', async (run) => {
  const first = net.createServer((socket) => socket.resume().end('first'))
  run.servers.push(first)
  const port = await listening(run, 'first', first, 0, '127.0.0.1')
  await ask(run, 'first', { port, host: '127.0.0.1' })
  const second = named(run, 'second')
  await listening(run, 'second', second, first)
  for (let count = 0; count < 20; count++) await ask(run, 'second', { port, host: '127.0.0.1' })
})

scenario.module('a net.Server that listens on the handle of a server', async (run) => {
  const first = named(run, 'first')
  const port = await listening(run, 'first', first, 0, '127.0.0.1')
  await ask(run, 'first', { port, host: '127.0.0.1' })
  run.log('first', 'handle', first._handle.constructor.name, Object.keys(first._handle), first._handle.hasRef())
})

scenario.module('a server listens on a net.BoundSocket', async (run) => {
  for (const options of [{ port: 0, host: '127.0.0.1' }, { path: run.unixPath() }]) {
    const bound = new net.BoundSocket(options)
    const server = named(run, 'server')
    const where = bound.address()
    await listening(run, 'server', server, bound)
    run.log('server', 'address', where.port === server.address().port)
    await ask(run, 'server', where.port ? { port: where.port, host: '127.0.0.1' } : { path: options.path })
    run.attempt('bound', 'again', () => named(run, 'again').listen(bound))
    await new Promise((resolve) => server.close(resolve))
  }
}, { skip: net.BoundSocket === undefined && 'this Node has no bound sockets' })

scenario.module('what a server cannot listen on, and the errors', async (run) => {
  // A path that is too long: some Nodes cut it, and make a socket there.
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'listening-'))
  run.mask(folder, 'folder')
  for (const where of [
    [{ }], [{ port: -1 }], [{ port: 65536 }], [{ port: 'x' }], [{ path: true }], [{ port: 0, host: 5 }], [{ fd: -1 }], [true], ['no/such/folder/x'],
    [{ port: 0, host: '1.2.3.4' }], [{ port: 0, host: '::1', ipv6Only: true }], [{ port: 0, host: 'no.such.name.invalid' }],
    [{ port: 0, signal: 'none' }], [path.join(folder, 'x'.repeat(200))], [{ port: 1e9 }], [{ port: 0, backlog: 'x' }], [{ path: '\0x', readableAll: true }]
  ]) {
    const server = run.server.createServer()
    run.servers.push(server)
    const what = run.summary(where)
    const event = new Promise((resolve) => {
      server.on('error', (error) => resolve([error.code, error.errno, error.syscall, error.address, error.port, error.hostname, error.message]))
      server.on('listening', () => resolve(['listens']))
    })
    if (run.attempt('server', what, () => server.listen(...where) === server) === true) run.log('server', what, ...await event)
  }
  fs.rmSync(folder, { recursive: true })
})

scenario.module('an address in use: port, host, all addresses, path', async (run) => {
  const first = named(run, 'first')
  const port = await listening(run, 'first', first, 0)
  const file = run.unixPath()
  await listening(run, 'path', named(run, 'path'), file)
  for (const where of [{ port }, { port, host: '127.0.0.1' }, { port, host: '::' }, { port, host: 'localhost' }, { path: file }, { port, reusePort: true }]) {
    const server = named(run, 'second')
    run.log('second', 'listen', server.listen(where) === server, server.listening)
    const [error] = await run.once(server, 'error')
    run.log('second', 'error', { ...error }, error.message, server.listening, server._handle)
    // It may try again.
    await listening(run, 'second', server, 0)
    await new Promise((resolve) => server.close(resolve))
  }
})

scenario.module('reusePort shares a port', async (run) => {
  const first = named(run, 'first')
  const port = await listening(run, 'first', first, { port: 0, host: '127.0.0.1', reusePort: true })
  const second = named(run, 'second')
  await listening(run, 'second', second, { port, host: '127.0.0.1', reusePort: true })
  await new Promise((resolve) => first.close(resolve))
  for (let count = 0; count < 5; count++) await ask(run, 'second', { port, host: '127.0.0.1' })
}, { skip: Number(process.versions.node.split('.')[0]) < 22 && 'this Node has no reusePort' })

scenario.module('the port is free as soon as close() returns', async (run) => {
  const server = named(run, 'server')
  const port = await listening(run, 'server', server, 0, '127.0.0.1')
  for (let count = 0; count < 10; count++) {
    while (server._connections !== 0) await run.sleep(1)
    server.close()
    server.listen(port, '127.0.0.1')
    await run.once(server, 'listening')
    await ask(run, 'server', { port, host: '127.0.0.1' })
  }
})

scenario.module('a server closes when the signal given to listen is aborted', async (run) => {
  for (const early of [true, false]) {
    const controller = new AbortController()
    if (early) controller.abort()
    const server = named(run, 'server')
    server.listen({ port: 0, signal: controller.signal })
    run.log('server', 'listening', server.listening)
    if (!early) {
      await run.once(server, 'listening')
      controller.abort()
    }
    run.log('server', 'listening', server.listening)
    await run.once(server, 'close')
  }
})

scenario.module('ref and unref, before and after listen', async (run) => {
  const server = named(run, 'server')
  run.log('server', 'unref', server.unref() === server, server._unref)
  await listening(run, 'server', server, 0)
  run.log('server', 'has', server._handle.hasRef())
  run.log('server', 'ref', server.ref() === server, server._handle.hasRef(), server._unref)
  run.log('server', 'unref', server.unref() === server, server._handle.hasRef(), server._unref)
  server.ref()
  run.log('server', 'seen', process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length > 0)
})

scenario.module('many servers give their descriptors back', async (run) => {
  const open = () => fs.readdirSync('/proc/self/fd').length
  const round = async (where) => {
    const server = named(run, 'server')
    server.listen(where)
    await run.once(server, 'listening')
    const at = server.address()
    await ask(run, 'server', typeof at === 'string' ? { path: at } : { port: at.port })
    await new Promise((resolve) => server.close(resolve))
  }
  const file = run.unixPath()
  await round(0)
  const before = open()
  for (let count = 0; count < 5; count++) {
    await round(0)
    await round(file)
    await round({ fd: net._createServerHandle('127.0.0.1', 0, 4).fd })
    await round(net._createServerHandle('127.0.0.1', 0, 4))
  }
  // A descriptor that was given to a server is closed with it; its first handle stays open until it is collected.
  while (open() > before) await run.sleep(5)
  run.log('process', 'as before')
}, { skip: process.platform !== 'linux' })

for (const maxConnections of [0, 1]) {
  scenario.module(`a path, and maxConnections = ${maxConnections}`, async (run) => {
    const file = run.unixPath()
    const server = named(run, 'server')
    server.maxConnections = maxConnections
    server.on('drop', (...data) => run.log('server', 'drop', ...data))
    await listening(run, 'server', server, file)
    const first = net.connect(file)
    first.on('error', () => {})
    if (maxConnections === 1) await run.once(server, 'connection')
    await ask(run, 'second', { path: file })
    first.destroy()
  })
}

scenario.module('a server with a blockList closes connections from its addresses', async (run) => {
  const server = named(run, 'server')
  server.blockList = new net.BlockList()
  server.on('connection', () => run.log('server', 'connection'))
  const port = await listening(run, 'server', server, 0, '127.0.0.1')
  await ask(run, 'server', { port, host: '127.0.0.1' })
  server.blockList.addAddress('127.0.0.1')
  const peer = net.connect(port, '127.0.0.1')
  peer.on('error', () => {}).resume()
  await run.once(peer, 'close')
  run.log('server', 'connections', server._connections)
}, { skip: !('blockList' in net.createServer({ blockList: new net.BlockList() })) && 'this Node has no blockList of servers' })

scenario.module('a server with pauseOnConnect', async (run) => {
  const server = named(run, 'server')
  server.pauseOnConnect = true
  const port = await listening(run, 'server', server, 0, '127.0.0.1')
  const answered = ask(run, 'server', { port, host: '127.0.0.1' })
  const [socket] = await run.once(server, 'connection')
  run.log('server', 'paused', socket.isPaused(), socket.readableFlowing)
  await run.sleep(50)
  run.log('server', 'read', socket.bytesRead)
  socket.resume()
  await answered
})

scenario.module('listen: errors, address and its forms', async (run) => {
  const { log, once } = run
  const server = run.server.createServer()
  log('server', 'before', server.listening, server.address())
  log('server', 'returns itself', server.listen(0) === server)
  log('server', 'synchronously', server.listening, typeof server.address()?.port, server.address()?.family)
  run.attempt('server', 'again', () => server.listen(0))
  await once(server, 'listening')
  const { port } = server.address()
  run.mask(port, 'port')
  const second = run.server.createServer()
  second.on('error', (error) => log('second', 'error', error, error.port === port, error.address))
  log('second', 'returns', second.listen(port) === second)
  await once(second, 'error')
  log('second', 'after', second.listening)
  for (const value of [-1, 65536, NaN, 'abc:def', {}, true, { port: -1 }, { path: 5 }, { port: 'x' }]) {
    const third = run.server.createServer().on('error', (error) => log('third', 'error', error.code))
    if (value === 'abc:def') continue
    run.attempt('third', `listen(${run.summary(value)})`, () => third.listen(value) === third)
    third.close()
  }
  const callback = run.server.createServer()
  await new Promise((resolve) => callback.listen({ port: 0, host: '127.0.0.1', backlog: 5 }, resolve))
  log('callback', 'address', callback.address().address, callback.address().family, callback._connectionKey)
  const controller = new AbortController()
  const aborted = run.server.createServer()
  aborted.listen({ port: 0, signal: controller.signal })
  await once(aborted, 'listening')
  controller.abort()
  await once(aborted, 'close')
  log('aborted', 'listening', aborted.listening)
  await Promise.all([server, callback].map((each) => new Promise((resolve) => each.close(resolve))))
})

scenario.server('unref and ref return the server', async (run) => {
  const server = await run.serve({}, (req, res) => res.end('over\n'))
  run.log('server', 'chaining', server.unref() === server, server.ref() === server)
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until('over\n')
})

scenario.module('the file of a path is removed when the server closes', async (run) => {
  const path = run.unixPath()
  const server = run.server.createServer()
  server.listen({ path })
  await run.once(server, 'listening')
  run.log('server', 'there', fs.existsSync(path), server.address() === path)
  const second = run.server.createServer()
  second.listen(path)
  const [error] = await run.once(second, 'error')
  run.log('second', 'error', error.code, error.syscall, error.address === path, error.port, error.message.replace(path, '<path>'))
  await new Promise((resolve) => server.close(resolve))
  run.log('server', 'there', fs.existsSync(path))
})

scenario.module('a server cannot listen on a path in a folder that does not exist', async (run) => {
  const server = run.server.createServer()
  server.listen('/no/such/directory/x.sock')
  const [error] = await run.once(server, 'error')
  run.log('server', 'error', error, error.errno, error.syscall, error.address)
})

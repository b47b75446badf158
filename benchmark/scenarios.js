'use strict'

/**
 * What is measured. Handlers get whichever `http` is measured and nothing else of it.
 *
 * kind      server: load on a server, the server is measured
 *           client: a fixed responder in another process, the client is measured
 *           websocket: messages to an echo server (talker.rs), which is measured; a message counts as a request
 *           idle:   connections that do nothing, their memory is measured
 *           start:  a process with a server that listens: its time and memory are measured
 * load      connections, requests in flight on each (depth), wrk script, how long a body it sends (megabytes), and what to send; for the talker the length of
 *           a message, and the protocol above WebSocket
 * handler   http => request listener (kind server and idle)
 * framework http => listener or server, after the implementation was registered as `http`
 * bytes     length of the right answer, checked before anything is measured
 * isFresh   a client with a connection for each request
 * isSecure  over TLS, with `https`; its certificate is that of the tests
 * isBare    a program that knows no HTTP can do it: responder.rs, requester.rs
 */

const fs = require('node:fs')
const path = require('node:path')

const words = ['the', 'quick', 'brown', 'fox', 'jumps', 'over', 'the', 'lazy', 'dog']

/** About 1 KB of JSON, made anew for every request as an API would. */
function record (id) {
  return {
    id,
    name: 'A. N. Other',
    active: true,
    tags: words,
    scores: Array.from({ length: 40 }, (_, i) => i * 1.5),
    items: Array.from({ length: 12 }, (_, i) => ({ sku: `A-${i}`, count: i, label: words[i % words.length] })),
    note: 'x'.repeat(254)
  }
}

const fragment = Buffer.alloc(64 * 1024, 'x')
const large = Buffer.alloc(100 * 1024, 'x')
const upload = Buffer.alloc(10 * 1024, 'x')
const megabyte = Buffer.alloc(1024 * 1024, 'x')

/** A body to be sent, of so many MB. Made for those who send it: a measured server loads this file, too. */
const bodyOf = (megabytes) => Buffer.alloc(megabytes * megabyte.length, 'x')

const hello = (req, res) => { res.end('hello world') }

function json (req, res) {
  const body = JSON.stringify(record(1))
  res.setHeader('Content-Type', 'application/json')
  res.setHeader('Content-Length', Buffer.byteLength(body))
  res.end(body)
}

/** Twenty fields, as a browser behind a proxy sends them. */
const twentyHeaders = {
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  'Accept-Language': 'en-GB,en;q=0.7,de;q=0.3',
  'Cache-Control': 'no-cache',
  Cookie: 'session=0123456789abcdef0123456789abcdef; theme=dark; consent=all',
  DNT: '1',
  Origin: 'https://example.org',
  Pragma: 'no-cache',
  Priority: 'u=0, i',
  Referer: 'https://example.org/a/rather/ordinary/path?with=query',
  'Sec-Fetch-Dest': 'document',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-Site': 'same-origin',
  'Upgrade-Insecure-Requests': '1',
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  Via: '1.1 proxy.example.org',
  'X-Forwarded-For': '192.0.2.7, 198.51.100.3',
  'X-Forwarded-Proto': 'https',
  'X-Request-Id': '6b1f8a1e-9f0c-4a51-9c9e-0d7a2b5c3d4e'
} // and Host

function readHeaders (req, res) {
  let total = 0
  const { headers } = req
  for (const name in headers) total += name.length + headers[name].length
  res.end(total > 900 ? 'all read' : 'missing!')
}

function readBody (req, res) {
  let total = 0
  req.on('data', (chunk) => { total += chunk.length })
  req.on('end', () => { res.end(`got ${total}`) })
}

/** A handler that works for so many microseconds before it answers. */
function burn (microseconds) {
  return (req, res) => {
    const end = process.hrtime.bigint() + BigInt(microseconds * 1000)
    while (process.hrtime.bigint() < end);
    res.end('hello world')
  }
}

/** Sends a body of so many pieces of 1 MB. */
function download (pieces) {
  return (req, res) => {
    res.setHeader('Content-Length', pieces * megabyte.length)
    let left = pieces
    const more = () => {
      while (left > 0) {
        left--
        if (!res.write(megabyte) && left > 0) {
          res.once('drain', more)
          return
        }
      }
      res.end()
    }
    more()
  }
}

function stream (req, res) {
  let left = 16
  const more = () => {
    while (left > 0) {
      left--
      if (!res.write(fragment) && left > 0) {
        res.once('drain', more)
        return
      }
    }
    res.end()
  }
  more()
}

const scenarios = [
  { name: 'hello-1', title: 'hello, 1 connection', handler: hello, bytes: 11, load: { connections: 1 } },
  { name: 'hello-8', title: 'hello, 8 connections', handler: hello, bytes: 11, load: { connections: 8 } },
  { name: 'hello-64', title: 'hello, 64 connections', handler: hello, bytes: 11, load: { connections: 64 } },
  { name: 'hello-512', title: 'hello, 512 connections', handler: hello, bytes: 11, load: { connections: 512 } },
  {
    name: 'json',
    title: 'JSON, 1 KB',
    handler: json,
    bytes: Buffer.byteLength(JSON.stringify(record(1))),
    load: { connections: 64 }
  },
  {
    name: 'headers',
    title: '20 headers, all read',
    handler: readHeaders,
    bytes: 8,
    load: { connections: 64, headers: twentyHeaders }
  },
  {
    name: 'post',
    title: 'POST 10 KB, body read',
    handler: readBody,
    bytes: 'got 10240'.length,
    load: { connections: 64, script: 'post.lua', method: 'POST', body: upload }
  },
  {
    name: 'upload',
    title: 'POST 4 MB, body read',
    handler: readBody,
    bytes: 'got 4194304'.length,
    load: { connections: 4, script: 'upload.lua', megabytes: 4, method: 'POST', get body () { return bodyOf(4) } }
  },
  {
    name: 'stream',
    title: 'stream, 16 × 64 KB',
    handler: stream,
    bytes: 16 * fragment.length,
    load: { connections: 16 }
  },
  {
    name: 'buffer',
    title: 'Buffer, 100 KB',
    handler: (req, res) => { res.end(large) },
    bytes: large.length,
    load: { connections: 64 }
  },
  {
    name: 'download-1m',
    title: 'Buffer, 1 MB',
    handler: (req, res) => { res.end(megabyte) },
    bytes: megabyte.length,
    load: { connections: 16 }
  },
  {
    name: 'download-100m',
    title: 'body of 100 MB, written by 1 MB',
    handler: download(100),
    bytes: 100 * megabyte.length,
    load: { connections: 2 }
  },
  {
    name: 'upload-1m',
    title: 'POST 1 MB, body read',
    handler: readBody,
    bytes: 'got 1048576'.length,
    load: { connections: 16, script: 'upload.lua', megabytes: 1, method: 'POST', get body () { return bodyOf(1) } }
  },
  {
    name: 'upload-100m',
    title: 'POST 100 MB, body read',
    handler: readBody,
    bytes: 'got 104857600'.length,
    load: { connections: 2, script: 'upload.lua', megabytes: 100, method: 'POST', get body () { return bodyOf(100) } }
  },
  ...[5, 20, 100].map((microseconds) => ({
    name: `burn-${microseconds}`,
    title: `handler of ${microseconds} µs`,
    handler: burn(microseconds),
    bytes: 11,
    load: { connections: 64 }
  })),
  {
    name: 'fresh',
    title: 'hello, a connection for each',
    handler: hello,
    isBare: false,
    bytes: 11,
    load: { connections: 64, headers: { Connection: 'close' } }
  },
  {
    name: 'pipeline',
    title: 'hello, pipelined 16 deep',
    handler: hello,
    bytes: 11,
    load: { connections: 64, depth: 16, script: 'pipeline.lua' }
  },
  {
    name: 'express',
    title: 'express 5, hello',
    framework: () => require('express')().get('/', (req, res) => { res.send('hello world') }),
    bytes: 11,
    load: { connections: 64 }
  },
  {
    name: 'fastify',
    title: 'fastify 5, hello',
    framework: async () => {
      const app = require('fastify')()
      app.get('/', async () => 'hello world')
      await app.ready()
      return app.server
    },
    bytes: 11,
    load: { connections: 64 }
  },
  {
    name: 'koa',
    title: 'koa 3, hello',
    framework: () => {
      const Koa = require('koa')
      return new Koa().use((ctx) => { ctx.body = 'hello world' }).callback()
    },
    bytes: 11,
    load: { connections: 64 }
  },
  {
    name: 'ws',
    title: 'ws 8, messages of 64 bytes, 64 × 4 in flight',
    kind: 'websocket',
    framework: () => {
      const { WebSocketServer } = require('ws')
      const server = require('node:http').createServer()
      const talk = (socket) => {
        socket.on('message', (data) => { socket.send(data) })
        // The load is killed when it is over.
        socket.on('error', () => {})
      }
      new WebSocketServer({ server }).on('connection', talk)
      return server
    },
    load: { connections: 64, depth: 4, length: 64 }
  },
  {
    name: 'socket.io',
    title: 'socket.io 4, events of 64 bytes, 64 × 4 in flight',
    kind: 'websocket',
    framework: () => {
      const { Server } = require('socket.io')
      const server = require('node:http').createServer()
      // A ping would come between the answers.
      new Server(server, { pingInterval: 3_600_000 }).on('connection', (socket) => {
        socket.on('echo', (text) => { socket.emit('echo', text) })
      })
      return server
    },
    load: { connections: 64, depth: 4, length: 64, protocol: 'socket.io' }
  },
  {
    name: 'https',
    title: 'https, hello, 64 connections',
    isSecure: true,
    framework: () => {
      const [key, cert] = ['key.pem', 'cert.pem'].map((file) => fs.readFileSync(path.join(__dirname, '..', '__test__', 'fixtures', 'https', file)))
      return require('node:https').createServer({ key, cert }, hello)
    },
    bytes: 11,
    load: { connections: 64 }
  },
  { name: 'client-get', title: 'client: GET, 64 in flight', kind: 'client', inFlight: 64 },
  { name: 'client-post', title: 'client: POST 10 KB, 64 in flight', kind: 'client', inFlight: 64, body: upload },
  {
    name: 'client-fresh',
    title: 'client: GET, a connection for each, 16 in flight',
    kind: 'client',
    isFresh: true,
    isBare: false,
    inFlight: 16
  },
  { name: 'client-https', title: 'client: GET over https, 64 in flight', kind: 'client', isSecure: true, isBare: false, inFlight: 64 },
  { name: 'start', title: 'start of a process with a server', kind: 'start', isBare: false, handler: hello },
  { name: 'idle', title: 'memory of an idle connection', kind: 'idle', isBare: false, handler: hello, connections: 4000 }
].map((scenario) => ({ kind: 'server', isBare: scenario.handler === hello || scenario.kind === 'client', ...scenario }))

module.exports = { scenarios, find: (name) => scenarios.find((scenario) => scenario.name === name) }

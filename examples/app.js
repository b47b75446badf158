'use strict'

/** What `npm start` serves: one route for each thing worth trying. Ctrl-C stops it. */

const http = require('http-native')
const { pipeline } = require('node:stream')
const { portOr } = require('./port')

const host = '127.0.0.1'
const port = portOr(3000)
const GIB = 1024 ** 3

/** How long requests in flight may take once a stop was asked for. */
const GRACE = 3000

const page = (origin) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>http-native</title>
<style>
  :root { color-scheme: light dark }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem }
  pre { padding: .75rem; overflow-x: auto; border: 1px solid color-mix(in srgb, currentColor 25%, transparent) }
</style>
<h1>http-native is serving this page</h1>
<p>Node ${process.version}; the sockets are on a Rust thread, this handler is plain JavaScript.</p>
<ul>
  <li><a href="/json">/json</a>: a JSON answer, with what the server saw of your request</li>
  <li><code>POST /echo</code>: sends back the body while it is still arriving</li>
  <li><a href="/stream?bytes=1000000">/stream</a>: 1 GiB unless <code>?bytes=</code> says otherwise, in little memory</li>
  <li><a href="/fetch">/fetch</a>: gets <code>/json</code> (or <code>?path=</code>) through our own client</li>
</ul>
<pre>curl ${origin}/json
curl --data-binary @package-lock.json ${origin}/echo | wc -c
curl ${origin}/stream -o /dev/null
curl '${origin}/fetch?path=/stream%3Fbytes=100000' | wc -c</pre>
`

function sendText (res, status, text) {
  res.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text)
}

function json (req, res) {
  const body = JSON.stringify({
    method: req.method,
    url: req.url,
    headers: req.headers,
    memory: process.memoryUsage.rss()
  }, null, 2)
  res.setHeader('Content-Type', 'application/json')
  res.end(`${body}\n`)
}

function echo (req, res) {
  if (req.method !== 'POST') {
    res.setHeader('Allow', 'POST')
    sendText(res, 405, 'POST something here\n')
    return
  }
  res.setHeader('Content-Type', req.headers['content-type'] ?? 'application/octet-stream')
  pipeline(req, res, () => {})
}

/** Writes until the peer cannot keep up, and goes on when it can: memory stays flat however large the answer. */
function stream (req, res, query) {
  let left = Number(query.get('bytes') ?? GIB)
  if (!Number.isSafeInteger(left) || left < 0) {
    sendText(res, 400, 'bytes must be a whole number\n')
    return
  }
  const chunk = Buffer.alloc(64 * 1024, 'http-native\n')
  res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': left })
  const more = () => {
    while (left > 0 && !res.destroyed) {
      const part = left < chunk.length ? chunk.subarray(0, left) : chunk
      left -= part.length
      if (!res.write(part)) {
        res.once('drain', more)
        return
      }
    }
    res.end()
  }
  more()
}

/** Another of our routes, through our own client. The host is fixed: this is no open proxy. */
function fetchOwn (req, res, query) {
  const path = query.get('path') ?? '/json'
  if (!/^\/[!-~]*$/.test(path)) {
    sendText(res, 400, 'path must be one of ours\n')
    return
  }
  const outgoing = http.get({ host, port: server.address().port, path }, (incoming) => {
    const type = incoming.headers['content-type'] ?? 'application/octet-stream'
    res.writeHead(incoming.statusCode, { 'Content-Type': type })
    pipeline(incoming, res, () => {})
  })
  outgoing.on('error', (error) => {
    if (res.headersSent) res.destroy()
    else sendText(res, 502, `${error.message}\n`)
  })
  res.on('close', () => { if (!res.writableFinished) outgoing.destroy() })
}

function home (req, res) {
  res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' })
  res.end(page(`http://${req.headers.host ?? `${host}:${server.address().port}`}`.replace(/[<>&"']/g, '')))
}

const routes = { '/': home, '/echo': echo, '/fetch': fetchOwn, '/json': json, '/stream': stream }

const server = http.createServer((req, res) => {
  const [path, search] = req.url.split('?', 2)
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined
  if (route === undefined) sendText(res, 404, 'not here; / says what is\n')
  else route(req, res, new URLSearchParams(search))
})

/** Answers what is in flight, then goes; after the grace, or when asked again, it goes at once. */
let stopping = 0
function stop () {
  if (stopping === 0) {
    stopping = Date.now()
    console.log('\nstopping')
    server.close(() => process.exit(0))
    http.globalAgent.destroy()
    setTimeout(() => server.closeAllConnections(), GRACE).unref()
  } else if (Date.now() - stopping > 300) {
    // Sooner it is the same Ctrl-C: the terminal sends it to us and to npm, and npm passes it on.
    server.closeAllConnections()
  }
}

process.on('SIGINT', stop)
process.on('SIGTERM', stop)

server.on('error', (error) => {
  if (error.code === 'EADDRINUSE') {
    console.error(`Port ${port} is taken. Choose another: PORT=${port === 65535 ? 3000 : port + 1} npm start`)
  } else {
    console.error(error.message)
  }
  process.exit(1)
})

server.listen(port, host, () => {
  console.log(`http-native is listening on http://${host}:${server.address().port}/ (Ctrl-C stops it)`)
})

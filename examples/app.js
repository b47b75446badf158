'use strict'

/** What `npm start` serves: one route for each thing worth trying. Ctrl-C stops it. */

const http = require('http-native')
const { pipeline } = require('node:stream')
const { live, metrics, section } = require('./live')
const { portOr } = require('./port')

const host = '127.0.0.1'
const port = portOr(3000)
const GIB = 1024 ** 3

/** How long requests in flight may take once a stop was asked for. */
const GRACE = 3000

/** Of the page: what there is to try. A button fetches `path` and shows the answer below itself. */
const TRIALS = [
  ['See your request', '/json', 'A JSON answer with what the server saw, and the memory that it takes.', 'curl ORIGIN/json'],
  ['Send something', '/echo', 'The body comes back while it is still arriving.', 'curl --data-binary @package-lock.json ORIGIN/echo | wc -c', 'some text from the browser'],
  ['Download 100 MB', '/stream?bytes=100000000', 'As fast as the client takes it; memory stays flat. Without <code>?bytes=</code> it is 1 GiB.', 'curl ORIGIN/stream -o /dev/null'],
  ['Be a client', '/fetch?path=/json', 'The server gets one of its own routes by <code>http.get</code>, which is native, too.', "curl 'ORIGIN/fetch?path=/stream%3Fbytes=100000' | wc -c"],
  ['Find nothing', '/nowhere', 'A 404, with keep-alive.', 'curl -i ORIGIN/nowhere']
]

const trial = ([title, path, text, command, body], origin) => `
  <section>
    <h2>${title}</h2>
    <p>${text}</p>
    <p class="act"><button data-path="${path}"${body === undefined ? '' : ` data-body="${body}"`}>${body === undefined ? 'GET' : 'POST'} ${path.replaceAll('&', '&amp;')}</button>
    ${body === undefined ? `<a href="${path}">open</a>` : ''}</p>
    <pre tabindex="0">${command.replaceAll('ORIGIN', origin)}</pre>
    <output></output>
  </section>`

const page = (origin) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>http-native</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --line: light-dark(#d8dbe0, #3a3f47); --soft: light-dark(#f5f6f8, #1c1f24); --back: light-dark(#fff, #131519); --text: light-dark(#1b1e23, #e4e7eb); --accent: light-dark(#a63c06, #ff9a5c) }
  body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 46rem; margin: 2.5rem auto; padding: 0 1rem }
  h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem }
  h2 { font-size: 1.05rem; margin: 0 }
  p { margin: .35rem 0 }
  a { color: var(--accent) }
  code, pre, button, output { font: .875rem/1.45 ui-monospace, monospace }
  section { border-top: 1px solid var(--line); padding: 1.1rem 0 }
  pre, output { display: block; margin: .6rem 0 0; padding: .6rem .75rem; overflow: auto; background: var(--soft); border: 1px solid var(--line); border-radius: .4rem; white-space: pre }
  pre::before { content: "$ "; opacity: .55 }
  output:empty { display: none }
  output { max-height: 16rem; border-color: var(--accent) }
  .act { display: flex; gap: 1rem; align-items: baseline; margin-top: .6rem }
  button { padding: .35rem .8rem; color: var(--accent); background: none; border: 1px solid currentColor; border-radius: .4rem; cursor: pointer; text-align: start; overflow-wrap: anywhere }
  button:hover, button:focus-visible { color: var(--back); background: var(--accent) }
  button:disabled { opacity: .5; cursor: progress }
</style>
<h1>http-native is serving this page</h1>
<p>Node’s <code>http</code>, server and client, with the sockets and the parser in Rust. This is Node ${process.version} on ${process.platform} ${process.arch},
the native part is <strong>${http.native.active ? 'active' : 'not loaded: core’s http serves'}</strong>, and the handler is plain JavaScript:
<code>examples/app.js</code>.</p>
<p>In your own application, nothing changes but a flag:</p>
<pre>node --require http-native/register app.js</pre>
${section(server)}
<h2 style="margin: 1.6rem 0 .6rem">Things to try, by a click or in a terminal</h2>
${TRIALS.map((one) => trial(one, origin)).join('')}
<script>
  for (const button of document.querySelectorAll('button')) {
    const output = button.closest('section').querySelector('output')
    button.onclick = async () => {
      const { path, body } = button.dataset
      button.disabled = true
      output.textContent = '…'
      const begun = performance.now()
      try {
        const response = await fetch(path, body === undefined ? {} : { method: 'POST', body })
        let bytes = 0
        let text = ''
        const decoder = new TextDecoder()
        for (const reader = response.body.getReader(); ;) {
          const { done, value } = await reader.read()
          if (done) break
          bytes += value.length
          if (text.length < 2000) text += decoder.decode(value, { stream: true })
        }
        const ms = performance.now() - begun
        const rate = bytes > 1e6 ? ', ' + (bytes / 1e3 / ms).toFixed(0) + ' MB/s' : ''
        output.textContent = response.status + ' ' + response.statusText + ', ' + bytes.toLocaleString('en') + ' bytes in ' + ms.toFixed(1) + ' ms' + rate +
          '\\n\\n' + (bytes > 2000 ? text.slice(0, 200) + ' …' : text)
      } catch (error) {
        output.textContent = String(error)
      }
      button.disabled = false
    }
  }
</script>
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

/** What server.stats() has counted: as it goes on, and all of it. Not there where node:http serves. */
const counted = (answer) => (req, res) => server.stats === undefined ? sendText(res, 404, 'node:http does not count\n') : answer(server, res)

const routes = { '/': home, '/echo': echo, '/fetch': fetchOwn, '/json': json, '/live': counted(live), '/metrics': counted(metrics), '/stream': stream }

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
    server.emit('stopping')
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

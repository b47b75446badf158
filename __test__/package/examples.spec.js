'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { spawn, spawnSync } = require('node:child_process')
const { createHash } = require('node:crypto')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const https = require('node:https')
const net = require('node:net')
const path = require('node:path')
const { WebSocket } = require('ws')
const { check } = require('../prometheus')
const { stats } = require('../..')

const root = path.join(__dirname, '..', '..')

const keys = path.join(root, '__test__', 'fixtures', 'https')
const certificate = { KEY: path.join(keys, 'key.pem'), CERT: path.join(keys, 'cert.pem') }

const folder = path.join(root, 'examples')
const programs = fs.readdirSync(folder).filter((file) => file.endsWith('.js') && !['live.js', 'port.js'].includes(file))

for (const program of ['scripts/start.js', ...programs.map((file) => `examples/${file}`)]) {
  test(`${program} says what is wrong with a port that is none`, () => {
    for (const port of ['70000', 'abc', '-1', '80.5']) {
      const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(root, program)], { env: { ...process.env, ...certificate, PORT: port }, encoding: 'utf8' })
      assert.deepEqual({ status, stdout, stderr }, { status: 1, stdout: '', stderr: `PORT must be a number from 0 to 65535, and is "${port}".\n` })
    }
  })
}

/** Starts an example. @returns {Promise<{ child: object, port: number, output: () => string }>} once it says where it listens */
async function start (t, file, ...args) {
  const child = spawn(process.execPath, [path.join(folder, file), ...args], { env: { ...process.env, ...certificate, NODE_OPTIONS: '', PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => { output += text })
  const url = /https?:\/\/127\.0\.0\.1:(\d+)\//
  while (!url.test(output)) {
    const [event] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => ['exit'])])
    assert.notEqual(event, 'exit', `${file} ended with ${child.exitCode}`)
  }
  return { child, port: Number(url.exec(output)[1]), output: () => output }
}

/** @returns {Promise<{ status: number, headers: object, text: string }>} */
async function ask (port, url = '/', { body, secure = false, ...options } = {}) {
  const request = (secure ? https : http).request({ host: '127.0.0.1', port, path: url, agent: false, rejectUnauthorized: false, ...options })
  request.end(body)
  const [response] = await once(request, 'response')
  const text = (await response.setEncoding('utf8').toArray()).join('')
  return { status: response.statusCode, headers: response.headers, text }
}

/** Asks again if there is no answer: of a connection that cluster gives to a worker just before it hears of its death, nobody hears again. */
async function askUntilAnswered (port) {
  for (;;) {
    try {
      return (await ask(port, '/', { signal: AbortSignal.timeout(1000) })).text
    } catch (error) {
      if (error.name !== 'AbortError') throw error
    }
  }
}

/** What each example is for, tried as its reader would. */
const TRIALS = {
  'hello.js': async (t, { port }) => {
    assert.equal((await ask(port)).text, 'hello\n')
  },
  'app.js': async (t, { port, child, output }) => {
    const page = await ask(port)
    assert.match(page.text, /^<!doctype html>/)
    assert.equal(page.headers['content-type'], 'text/html; charset=utf-8')
    // All that the page leads to answers.
    const leads = [...page.text.matchAll(/(?:href|data-path)="(\/[^"]*)"/g)].map(([, url]) => url)
    assert.ok(leads.length > 5)
    for (const url of leads.filter((url) => url !== '/echo')) assert.equal((await ask(port, url)).status, url === '/nowhere' ? 404 : 200, url)
    assert.equal((await ask(port, '/echo', { method: 'POST', body: 'said' })).text, 'said')
    assert.equal((await ask(port, '/stream?bytes=100000')).text.length, 100000)
    assert.equal(JSON.parse((await ask(port, '/fetch')).text).url, '/json')
    assert.equal((await ask(port, '/nothing')).status, 404)
    const request = http.get({ host: '127.0.0.1', port, path: '/live', agent: false })
    const [events] = await once(request, 'response')
    assert.equal(events.headers['content-type'], 'text/event-stream')
    let figures
    for await (const text of events.setEncoding('utf8')) {
      figures = /^data: (\[.*\])$/m.exec(text)
      if (figures !== null) break
    }
    const [rate, , , , open] = JSON.parse(figures[1])
    assert.ok(rate >= 0 && open >= 1)
    child.kill('SIGINT')
    assert.deepEqual(await once(child, 'exit'), [0, null])
    assert.match(output(), /stopping\n$/)
  },
  'express.js': async (t, { port }) => {
    assert.equal((await ask(port)).text, 'hello from express\n')
    const sum = await ask(port, '/sum', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"numbers":[1,2,3]}' })
    assert.equal(sum.text, '{"sum":6}')
  },
  'fastify.js': async (t, { port }) => {
    assert.equal((await ask(port)).text, 'hello from fastify\n')
    const sum = await ask(port, '/sum', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"numbers":[1,2,3]}' })
    assert.equal(sum.text, '{"sum":6}')
  },
  'proxy.js': async (t, { port }, origin) => {
    assert.equal((await ask(port)).text, 'hello\n')
    origin.child.kill('SIGKILL')
    await once(origin.child, 'exit')
    assert.equal((await ask(port)).status, 502)
    // An origin that ends each connection when its second request comes.
    let refused = 0
    const fickle = net.createServer((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfickle')
        socket.once('data', () => {
          refused++
          socket.destroy()
        })
      }).on('error', () => {})
    }).listen(0, '127.0.0.1')
    t.after(() => fickle.close())
    await once(fickle, 'listening')
    const before = await start(t, 'proxy.js', String(fickle.address().port))
    for (let count = 0; count < 3; count++) assert.equal((await ask(before.port)).text, 'fickle')
    assert.equal(refused, 2)
    before.child.kill('SIGKILL')
  },
  'upload.js': async (t, { port }) => {
    const body = Buffer.alloc(3_000_000, 'upload')
    const digest = createHash('sha256').update(body).digest('hex')
    assert.equal((await ask(port, '/', { method: 'POST', body })).text, `3000000 bytes, sha256 ${digest}\n`)
    assert.equal((await ask(port, '/', { method: 'POST', body, headers: { expect: '100-continue', 'content-length': body.length } })).status, 200)
    assert.equal((await ask(port)).status, 405)
    const request = http.request({ host: '127.0.0.1', port, method: 'POST', headers: { 'content-length': 2 ** 31, expect: '100-continue' } })
    request.flushHeaders()
    const [response] = await once(request, 'response')
    assert.equal(response.statusCode, 413)
    request.destroy()
  },
  'streaming.js': async (t, { port }) => {
    const request = http.get({ host: '127.0.0.1', port })
    const [response] = await once(request, 'response')
    assert.equal(response.headers['content-type'], 'text/event-stream')
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) {
      text += chunk
      if (text.includes('id: 2')) break
    }
    assert.match(text, /^id: 1\ndata: \S+\n\nid: 2\n/)
    assert.equal((await ask(port, '/file')).text, fs.readFileSync(path.join(folder, 'streaming.js'), 'utf8'))
  },
  'websocket.js': async (t, { port }) => {
    const [one, other] = [new WebSocket(`ws://127.0.0.1:${port}`), new WebSocket(`ws://127.0.0.1:${port}`)]
    await Promise.all([once(one, 'open'), once(other, 'open')])
    const heard = Promise.all([once(one, 'message'), once(other, 'message')])
    one.send('good morning')
    assert.deepEqual((await heard).map(([message]) => message.toString()), Array(2).fill('2 here: good morning'))
    one.terminate()
    other.terminate()
    assert.equal((await ask(port)).status, 426)
  },
  'cluster.js': async (t, { port, child }) => {
    const seen = new Set()
    for (let count = 0; count < 20; count++) seen.add((await ask(port)).text)
    assert.ok(seen.size > 1 || require('node:os').availableParallelism() === 1, [...seen].join())
    await assert.rejects(ask(port, '/crash'))
    for (let count = 0; count < 4; count++) assert.match(await askUntilAnswered(port), /^hello from worker \d+\n$/)
    child.kill('SIGTERM')
    assert.deepEqual(await once(child, 'exit'), [0, null])
  },
  'worker-threads.js': async (t, { port }) => {
    const [one, other] = [await ask(port, '/20'), await ask(port, '/10')]
    assert.deepEqual([one.text, one.headers['x-thread'], other.text, other.headers['x-thread']], ['6765\n', '0', '55\n', '1'])
  },
  'https.js': async (t, { port }) => {
    assert.equal((await ask(port, '/', { secure: true })).text, 'TLSv1.3, one family: true\n')
  },
  'graceful-shutdown.js': async (t, { port, child, output }) => {
    const agent = new http.Agent({ keepAlive: true })
    assert.equal((await ask(port, '/', { agent })).headers.connection, 'keep-alive')
    const slow = ask(port, '/slow', { agent })
    // It is on its way behind this answer.
    await ask(port)
    child.kill('SIGTERM')
    assert.equal((await slow).text, 'served\n')
    assert.deepEqual(await once(child, 'exit'), [0, null])
    assert.match(output(), /all served\n$/)
    agent.destroy()
  },
  'hardening.js': async (t, { port, child, output }) => {
    assert.equal((await ask(port, '*')).text, 'served\n')
    while (!output().includes('let through')) await once(child.stdout, 'data')
    assert.match(output(), /let through: target-asterisk, 1 since the last time, now from 127\.0\.0\.1\n$/)
    const strict = await start(t, 'hardening.js', 'strict')
    assert.equal((await ask(strict.port, '*')).status, 400)
  },
  'limits.js': async (t, { port, output, child }) => {
    assert.equal((await ask(port, '/health')).text, '{"status":"ok"}\n')
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(port, '/')))
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 503, 503, 503])
    while (!output().includes('turned away')) await once(child.stdout, 'data')
  },
  'metrics.js': async (t, { port, output }) => {
    for (const url of ['/', '/', '/nowhere']) await ask(port, url)
    const [, at] = /counted at http:\/\/127\.0\.0\.1:(\d+)\//.exec(output())
    assert.equal((await ask(Number(at), '/')).status, 404)
    let samples
    // A thread may be about to count the last one.
    do {
      const { text, headers } = await ask(Number(at), '/metrics')
      assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
      samples = check(text).get('http_server_requests_total').samples.map(({ labels, value }) => [labels.server, labels.http_request_method, labels.http_response_status_class, value])
    } while (samples.reduce((sum, [, , , value]) => sum + value, 0) < 3)
    assert.deepEqual(samples, [['example', 'GET', '2xx', 2], ['example', 'GET', '4xx', 1]])
  }
}

test('examples/grafana-dashboard.json asks for metrics that there are', () => {
  const { panels } = JSON.parse(fs.readFileSync(path.join(folder, 'grafana-dashboard.json'), 'utf8'))
  const families = check(stats().toPrometheus())
  const names = panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => expr.match(/\bhttp_(?:server|client|native)_\w+/g)))
  assert.ok(names.length > 20)
  for (const name of names) assert.ok(families.has(name) || families.get(name.replace(/_bucket$/, ''))?.type === 'histogram', name)
  const covered = new Set(panels.flatMap(({ gridPos: { x, y } }) => `${x},${y}`))
  assert.equal(covered.size, panels.length)
})

for (const file of programs) {
  test(`examples/${file} does what it says`, async (t) => {
    if (file !== 'proxy.js') return TRIALS[file](t, await start(t, file))
    const origin = await start(t, 'hello.js')
    await TRIALS[file](t, await start(t, file, String(origin.port)), origin)
  })
}

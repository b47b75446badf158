'use strict'

/** The option `limits`: what is refused, what is told, and where the settings come from. */

const assert = require('node:assert')
const { once } = require('node:events')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { test } = require('node:test')
const http = require('../../..')
const { check } = require('../../prometheus')
const { get, serve } = require('./served')

test('wrong settings are refused as core refuses its own', () => {
  const wrong = [
    [5, 'ERR_INVALID_ARG_TYPE', 'TypeError'],
    [null, 'ERR_INVALID_ARG_TYPE', 'TypeError'],
    [[], 'ERR_INVALID_ARG_TYPE', 'TypeError'],
    [{ request: 5 }, 'ERR_INVALID_ARG_VALUE', 'TypeError'],
    [{ requests: '5' }, 'ERR_INVALID_ARG_TYPE', 'TypeError'],
    [{ requests: NaN }, 'ERR_OUT_OF_RANGE', 'RangeError'],
    [{ requests: 1.5 }, 'ERR_OUT_OF_RANGE', 'RangeError'],
    [{ requests: -1 }, 'ERR_OUT_OF_RANGE', 'RangeError'],
    [{ requests: { then: 'wait' } }, 'ERR_INVALID_ARG_TYPE', 'TypeError'],
    [{ requests: { max: 1, then: 'drop' } }, 'ERR_INVALID_ARG_VALUE', 'TypeError'],
    [{ requests: { max: 1, then: null } }, 'ERR_INVALID_ARG_VALUE', 'TypeError'],
    [{ bodySize: { max: 1, then: 'wait' } }, 'ERR_INVALID_ARG_VALUE', 'TypeError'],
    [{ connectionsPerAddress: { max: 1, then: 'wait' } }, 'ERR_INVALID_ARG_VALUE', 'TypeError'],
    [{ retryAfter: -1 }, 'ERR_OUT_OF_RANGE', 'RangeError'],
    [{ bodyGrace: '1' }, 'ERR_INVALID_ARG_TYPE', 'TypeError'],
    [{ bodyGrace: 0 }, 'ERR_OUT_OF_RANGE', 'RangeError'],
    [{ healthPath: 1 }, 'ERR_INVALID_ARG_TYPE', 'TypeError'],
    [{ healthPath: 'health' }, 'ERR_INVALID_ARG_VALUE', 'TypeError'],
    [{ healthPath: '/health?x' }, 'ERR_INVALID_ARG_VALUE', 'TypeError']
  ]
  for (const [limits, code, name] of wrong) assert.throws(() => http.createServer({ limits }), { code, name }, JSON.stringify(limits))
  for (const limits of [undefined, {}, { requests: undefined }, { requests: 0, bodySize: { max: 0 } }]) http.createServer({ limits })
})

test('a limit is told of at most once a second, with all that was beyond it', async (t) => {
  const { server, connect } = await serve(t, { limits: { requests: 0 } }, () => assert.fail('nothing is served'))
  const told = []
  server.on('limit', (counts) => told.push([performance.now(), counts]))
  const client = connect()
  for (let count = 1; count <= 50; count++) await client.send(get()).until(' 503 ', count)
  while (told.reduce((sum, [, { requests }]) => sum + requests, 0) < 50) await once(server, 'limit')
  // Behind a second in which nothing was beyond it, the next is told at once.
  await new Promise((resolve) => setTimeout(resolve, 1100))
  await client.send(get()).until(' 503 ', 51)
  while (told.length < 3) await once(server, 'limit')
  const counts = told.map(([, { requests }]) => requests)
  assert.equal(counts.reduce((sum, count) => sum + count), 51)
  assert.equal(counts.at(-1), 1)
  for (let at = 1; at < told.length - 1; at++) assert.ok(told[at][0] - told[at - 1][0] > 900)
})

test('what was beyond limits is in the text for Prometheus', async (t) => {
  const { server, connect } = await serve(t, { limits: { requests: 0, bodySize: 1 } }, () => {})
  await connect().send(get()).until(' 503 ')
  const text = server.stats().toPrometheus()
  check(text)
  assert.match(text, /^http_server_limited_total\{limit="requests"\} 1$/m)
})

/** Runs a program under register. @returns {string} what it prints */
function underRegister (program, env) {
  const register = path.join(__dirname, '../../../register.js')
  const { stdout, stderr } = spawnSync(process.execPath, ['-r', register, '-e', program], { env: { ...process.env, ...env }, encoding: 'utf8' })
  return stdout + stderr
}

const ASK = `
const http = require('http')
const server = http.createServer((request, response) => response.end('served')).listen(0, '127.0.0.1', async () => {
  for (const path of ['/', '/health']) {
    const { status } = await fetch('http://127.0.0.1:' + server.address().port + path)
    console.log(path, status)
  }
  server.close()
  server.closeAllConnections()
})`

test('register takes limits and the health path from the environment', () => {
  assert.equal(underRegister(ASK, {}), '/ 200\n/health 200\n')
  const env = { HTTP_NATIVE_LIMITS: 'requests=0:answer, connections=10,retryAfter=3', HTTP_NATIVE_HEALTH_PATH: '/health' }
  assert.equal(underRegister(ASK, env), '/ 503\n/health 503\n')
  assert.equal(underRegister(ASK, { HTTP_NATIVE_HEALTH_PATH: '/health' }).split('\n')[1], '/health 200')
  for (const text of ['requests', 'request=5', 'requests=5:drop', 'bodyGrace=x']) {
    const shown = underRegister(ASK, { HTTP_NATIVE_LIMITS: text })
    assert.match(shown, /HTTP_NATIVE_BAD_LIMITS/, text)
    assert.match(shown, /^\/ 200$/m, text)
  }
})

test('https has limits under register, and its health path', () => {
  const program = `
const https = require('https')
const fs = require('fs')
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
process.removeAllListeners('warning')
const keys = ${JSON.stringify(path.join(__dirname, '../../fixtures/https'))}
const options = { key: fs.readFileSync(keys + '/key.pem'), cert: fs.readFileSync(keys + '/cert.pem'), limits: { bodySize: 3, healthPath: '/health' } }
const server = https.createServer(options, (request, response) => request.resume().on('end', () => response.end()))
server.listen(0, '127.0.0.1', async () => {
  const ask = (path, body) => new Promise((resolve) => {
    const request = https.request({ port: server.address().port, host: '127.0.0.1', path, method: body ? 'POST' : 'GET', agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode))
    })
    request.on('error', () => {}).end(body)
  })
  console.log(await ask('/', 'abc'), await ask('/', 'abcd'), await ask('/health'), JSON.stringify(server.stats().limits))
  server.close()
})`
  assert.equal(underRegister(program, {}), '200 413 200 {"bodySize":1}\n')
})

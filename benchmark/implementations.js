'use strict'

/**
 * What is compared, by name; `core` is the baseline. To add one: `http()` gives what answers like
 * `require('http')`, `register()` makes it what frameworks get when they ask for `http`. What is no `http` but a
 * client has only `client`: like the one below, in its own words. What is `bare` is no JavaScript: see measure.js.
 */

/** BENCH_NATIVE tries the benchmark itself, without a binary: BENCH_NATIVE=node:http npm run bench */
const substitute = process.env.BENCH_NATIVE

/** The package hands out core's http where its binary does not load; that must not be measured as ours. */
function notCore (before, after) {
  if (before === after) throw new Error('http-native handed out node:http: the native part did not load')
}

/**
 * A client of `http` or `https`.
 * @param {object} http
 * @param {{ port: number, method: string, headers?: object, body?: Buffer, inFlight: number, isSecure?: boolean, isFresh?: boolean }} what
 * @returns {(done: (error: Error|null, status?: number, length?: number) => void) => void} asks once
 */
function httpClient (http, { port, method, headers, body, inFlight, isFresh }) {
  const agent = new http.Agent({ keepAlive: !isFresh, maxSockets: inFlight })
  const options = { agent, host: '127.0.0.1', port, path: '/', method, headers, rejectUnauthorized: false }
  return (done) => {
    const request = http.request(options, (response) => {
      let length = 0
      response.on('data', (chunk) => { length += chunk.length })
      response.on('end', () => done(null, response.statusCode, length))
    })
    request.on('error', done)
    request.end(body)
  }
}

/** undici.request: what stands behind Node's fetch, and the client to compare clients with. */
function undiciClient ({ port, method, headers, body, inFlight, isSecure, isFresh }) {
  const undici = require('undici')
  const dispatcher = new undici.Agent({ connections: inFlight, connect: { rejectUnauthorized: false } })
  const url = `${isSecure ? 'https' : 'http'}://127.0.0.1:${port}/`
  return (done) => {
    undici.request(url, { dispatcher, method, headers, body, reset: isFresh }).then((response) => {
      let length = 0
      response.body.on('data', (chunk) => { length += chunk.length })
      response.body.on('end', () => done(null, response.statusCode, length))
      response.body.on('error', done)
    }, done)
  }
}

/** Everything on that a server and a client can be guarded with: no limit is met. */
const GUARDS = {
  HTTP_NATIVE_HARDENING: 'strict',
  HTTP_NATIVE_LIMITS: 'connections=20000,connectionsPerAddress=20000,requests=20000,requestsWaiting=20000,bufferedBytes=100000000,bodySize=1000000000,headersTimeout=60000',
  HTTP_NATIVE_HEALTH_PATH: '/health'
}

const implementations = {
  core: {
    http: () => require('node:http'),
    register: () => {}
  },
  native: {
    http () {
      if (substitute !== undefined) return require(substitute)
      const http = require('..')
      notCore(require('node:http').Server, http.Server)
      return http
    },
    register () {
      if (substitute !== undefined) return
      const { Server } = require('node:http')
      require('../register.js')
      notCore(Server, require('node:http').Server)
    }
  },
  // Ours with everything on that is off: what that costs.
  guarded: {
    http () {
      Object.assign(process.env, GUARDS)
      return implementations.native.http()
    },
    register () {
      Object.assign(process.env, GUARDS)
      implementations.native.register()
    }
  },
  undici: {
    client: undiciClient
  },
  // node:http of other runtimes, which --peers installs (peers.js); `runtime` is how a script is started there.
  bun: {
    runtime: 'bun',
    http: () => require('node:http'),
    register: () => {}
  },
  deno: {
    runtime: 'deno',
    http: () => require('node:http'),
    register: () => {}
  },
  // What the kernel, the load and the peer leave to a server that does nothing but send and receive: no ratio is above it.
  bare: {
    bare: true
  }
}

for (const implementation of Object.values(implementations)) {
  if (implementation.http === undefined) continue
  implementation.client = (what) => {
    if (!what.isSecure) return httpClient(implementation.http(), what)
    implementation.register()
    return httpClient(require('node:https'), what)
  }
}

module.exports = implementations

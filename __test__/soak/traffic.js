'use strict'

/**
 * A process under the soak: servers, and visitors that come again and again. It answers its parent with what it holds.
 * `traffic.js VISITORS`.
 */

const fs = require('node:fs')
const http = require('node:http')
const https = require('node:https')
const path = require('node:path')
const { once } = require('node:events')
const { answer, OPTIONS, HASTY, LIMITED } = require('./server')
const { resident } = require('./resident')
const visits = require('./visits')

const [, , visitors] = process.argv.map(Number)
const { objects = () => ({}) } = process.execArgv.includes('-r') ? require('../../index.js').native : {}

/** Failures that are kept, of which the parent is told. */
const KEPT = 10

/** A visit that takes longer has failed, ms. */
const DEADLINE = 10_000

const begun = performance.now()
const counts = Object.fromEntries(Object.keys(visits).map((name) => [name, 0]))
const failures = []
const ending = new AbortController()
let descriptorsBefore

const descriptors = () => fs.readdirSync('/proc/self/fd').length
const threads = () => fs.readdirSync('/proc/self/task').length

function sample () {
  // Twice: what finalizers let go of is collected by the second.
  global.gc()
  global.gc()
  const { rss, heapUsed, external } = process.memoryUsage()
  return {
    seconds: (performance.now() - begun) / 1000,
    rss: rss / 1024,
    malloc: resident().malloc,
    heap: heapUsed / 1024,
    external: external / 1024,
    descriptors: descriptors(),
    threads: threads(),
    resources: process.getActiveResourcesInfo().length,
    visits: counts,
    failures,
    ...objects()
  }
}

async function visitor (place) {
  const names = Object.keys(visits)
  for (let turn = Math.floor(Math.random() * names.length); !ending.signal.aborted; turn++) {
    const name = names[turn % names.length]
    let late
    try {
      await Promise.race([visits[name](place), new Promise((resolve, reject) => {
        late = setTimeout(reject, DEADLINE, new Error('does not end'))
      })])
      counts[name]++
    } catch (error) {
      if (failures.length < KEPT) failures.push(`${name}: ${error.stack ?? error}`)
    }
    clearTimeout(late)
  }
}

async function main () {
  const pem = (name) => fs.readFileSync(path.join(__dirname, '../fixtures/https', `${name}.pem`))
  const tls = { key: pem('key'), cert: pem('cert') }
  const servers = [http.createServer(OPTIONS), http.createServer(HASTY), http.createServer(LIMITED), https.createServer({ ...OPTIONS, ...tls })]
  descriptorsBefore = descriptors()
  for (const server of servers) {
    answer(server.listen(0, '127.0.0.1'))
    await once(server, 'listening')
  }
  const [port, hastyPort, limitedPort, securePort] = servers.map((server) => server.address().port)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  const secureAgent = new https.Agent({ keepAlive: true, maxSockets: 2, ca: pem('cert'), checkServerIdentity: () => {} })
  const place = { port, hastyPort, limitedPort, securePort, agent, secureAgent }
  const all = Promise.all(Array.from({ length: visitors }, () => visitor(place)))
  // The parent was ended.
  process.on('disconnect', () => process.exit())
  process.on('message', async (question) => {
    if (question === 'sample') return process.send(sample())
    ending.abort()
    await all
    agent.destroy()
    secureAgent.destroy()
    for (const server of servers) {
      server.close()
      server.closeIdleConnections()
      await once(server, 'close')
    }
    // The ends of the last sockets are told in later turns.
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
    process.send({ ...sample(), descriptorsBefore })
  })
}

main()

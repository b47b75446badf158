'use strict'

/** The measured client, a process of its own: node client.js <implementation> <scenario> <port> <warm-up s> <seconds> */

const implementations = require('./implementations')
const usage = require('./usage')
const { find } = require('./scenarios')
const { percentile } = require('./statistics')

const [implementation, name, port, warmUp, seconds] = process.argv.slice(2)
const { body, inFlight, isFresh, isSecure } = find(name)
const ask = implementations[implementation].client({
  port: Number(port),
  method: body ? 'POST' : 'GET',
  headers: body ? { 'Content-Length': body.length, 'Content-Type': 'application/octet-stream' } : undefined,
  body,
  inFlight,
  isFresh,
  isSecure
})

/** Microseconds each, of the requests that ended while measuring. */
let latencies = []
let errors = 0
let running = true

/** One of the requests in flight: when its answer was read, the next. */
function loop () {
  if (!running) return
  const begin = process.hrtime.bigint()
  ask((error, status, length) => {
    if (error) {
      errors++
      setTimeout(loop, 1)
      return
    }
    latencies.push(Number(process.hrtime.bigint() - begin) / 1000)
    if (status !== 200 || length !== 11) errors++
    loop()
  })
}

for (let i = 0; i < inFlight; i++) loop()

setTimeout(() => {
  latencies = []
  errors = 0
  const before = usage.read(process.pid)
  const rest = usage.idle()
  const begin = process.hrtime.bigint()
  setTimeout(() => {
    running = false
    const elapsed = Number(process.hrtime.bigint() - begin) / 1e9
    const spent = usage.between(before, usage.read(process.pid))
    const requests = latencies.length
    latencies.sort((a, b) => a - b)
    process.send({
      requests,
      errors,
      spent,
      rps: requests / elapsed,
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      peak: usage.peak(process.pid),
      idle: rest()
    }, () => process.exit(0))
  }, Number(seconds) * 1000)
}, Number(warmUp) * 1000)

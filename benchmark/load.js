'use strict'

/** The load on a server: wrk where it is installed, autocannon otherwise. Both give the same numbers back. */

const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')

const microseconds = { us: 1, ms: 1e3, s: 1e6, m: 6e7 }

/** '1.25ms' -> 1250 */
function duration (text) {
  const match = /^([\d.]+)(us|ms|s|m)$/.exec(text)
  return match === null ? NaN : Number(match[1]) * microseconds[match[2]]
}

/** The first group of a pattern in wrk's report, as a number. */
function count (report, pattern) {
  return Number(pattern.exec(report)?.[1] ?? 0)
}

function parseWrk (report) {
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(report)
  return {
    requests: count(report, /(\d+) requests in/),
    rps: count(report, /Requests\/sec:\s+([\d.]+)/),
    p50: duration(/\s50%\s+(\S+)/.exec(report)?.[1] ?? ''),
    p99: duration(/\s99%\s+(\S+)/.exec(report)?.[1] ?? ''),
    errors: count(report, /Non-2xx or 3xx responses: (\d+)/) +
      (socketErrors === null ? 0 : socketErrors.slice(1).reduce((sum, number) => sum + Number(number), 0))
  }
}

async function wrk (url, { connections, depth = 1, headers = {}, megabytes, script }, seconds) {
  const args = ['--latency', '--threads', '1', '--timeout', '10s',
    '--connections', String(connections), '--duration', `${seconds}s`]
  if (script !== undefined) args.push('--script', path.join(__dirname, 'wrk', script))
  for (const [name, value] of Object.entries(headers)) args.push('--header', `${name}: ${value}`)
  args.push(url)
  if (megabytes !== undefined) args.push('--', String(megabytes))
  const child = spawn('wrk', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let report = ''
  child.stdout.setEncoding('utf8').on('data', (text) => { report += text })
  const [status] = await once(child, 'close')
  if (status !== 0) throw new Error(`wrk ended with status ${status}\n${report}`)
  const result = parseWrk(report)
  // Of pipelined requests wrk times the last one of each batch only, and its percentiles come out wrong.
  return depth === 1 ? result : { ...result, p50: NaN, p99: NaN }
}

async function autocannon (url, { body, connections, depth = 1, headers, method = 'GET' }, seconds) {
  const result = await require('autocannon')({
    url, body, connections, headers, method, pipelining: depth, duration: seconds, timeout: 10
  })
  return {
    requests: result.requests.total,
    rps: result.requests.total / result.duration,
    p50: result.latency.p50 * 1000,
    p99: result.latency.p99 * 1000,
    errors: result.errors + result.non2xx
  }
}

// It ends with status 1 even after --version: what it prints tells whether it is there.
const { error, stdout } = spawnSync('wrk', ['--version'], { encoding: 'utf8' })
const version = error ? null : /^wrk \D*([\d.]+)/.exec(stdout)?.[1] ?? 'of unknown version'

module.exports = {
  /** @type {string} what makes the load, for people */
  generator: version === null
    ? `autocannon ${require('autocannon/package.json').version} (latencies in whole milliseconds)`
    : `wrk ${version}`,
  run: version === null ? autocannon : wrk
}

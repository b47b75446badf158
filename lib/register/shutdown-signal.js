'use strict'

/**
 * HTTP_NATIVE_SHUTDOWN=30s: the first SIGTERM shuts the servers of the process down, then ends it as without us. A process
 * with a SIGTERM listener of its own decides itself.
 *
 * One signal may come more than once: a service manager sends it to each process of a group, and npm, or a cluster's primary, passes
 * on what its children have got already.
 */

const { constants: { signals: { SIGTERM } } } = require('node:os')
const { isMainThread } = require('node:worker_threads')
const { process, setTimeout } = require('../host')
const { WeakList } = require('../core/weak-list')
const { observeServers } = require('../server/server')
const { shutdown } = require('../server/shutdown')

const UNITS = { ms: 1, s: 1000 }

/** Milliseconds behind the first SIGTERM in which another one is the same. */
const SAME = 1000

/**
 * Milliseconds for which a worker of a cluster stays behind its servers: the primary may have sent it a connection before it heard that
 * they are closed. Core gives such a one back, to another worker; it would be lost if the worker were gone.
 */
const RETURNS = 200

/** What a shell shows of a process that SIGTERM has ended. */
const EXIT_CODE = 128 + SIGTERM

/** Passes the signal on to a cluster's workers, and waits for their end. */
function endWorkers ({ workers = {} }) {
  return Object.values(workers).map((worker) => new Promise((resolve) => {
    worker.once('exit', resolve)
    // The application must not start another in its place.
    worker.exitedAfterDisconnect = true
    worker.process.kill('SIGTERM')
  }))
}

/**
 * Waits for SIGTERM.
 * @param {string} text the time until what is left is cut off: `30s`, `500ms`
 */
function arm (text) {
  const [, number, unit] = /^(\d{1,7})(ms|s)$/.exec(text) ?? []
  if (unit === undefined) {
    process.emitWarning(`HTTP_NATIVE_SHUTDOWN must be a time like 30s or 500ms, not ${text}`, { type: 'HttpNativeWarning', code: 'HTTP_NATIVE_BAD_SHUTDOWN' })
    return
  }
  const timeout = Number(number) * UNITS[unit]
  const servers = new WeakList()
  observeServers((server) => servers.add(server))
  // Signals come to the main thread alone.
  if (!isMainThread) return
  // Before those that were there already, which may be removed when they are called.
  process.prependOnceListener('SIGTERM', async () => {
    // The application's listeners are called behind this one, and end the process or do not.
    if (process.listenerCount('SIGTERM') > 0) return
    process.on('SIGTERM', ignore)
    setTimeout(() => process.removeListener('SIGTERM', ignore), SAME).unref()
    const cluster = require('node:cluster')
    const running = servers.all().filter((server) => server.listening)
    await Promise.allSettled([...endWorkers(cluster), ...running.map((server) => shutdown.call(server, { timeout }))])
    if (cluster.isWorker) await new Promise((resolve) => setTimeout(resolve, RETURNS))
    process.removeListener('SIGTERM', ignore)
    process.kill(process.pid, 'SIGTERM')
    // The first process of a container is not ended by a signal that it does not listen for.
    if (process.listenerCount('SIGTERM') === 0) process.exit(EXIT_CODE)
  })
}

function ignore () {}

module.exports = { arm }

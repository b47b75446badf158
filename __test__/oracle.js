'use strict'

/**
 * The oracle: runs the same steps against node:http and against us, in every pairing of server and client,
 * and demands that both sides saw the same as with node:http alone.
 *
 * `scenario(name, steps)` has an http server and an http client; `scenario.server` a raw client, `scenario.client`
 * a raw server, `scenario.module` no peer at all. The steps get a Run (oracle/run.js).
 */

const { test, after } = require('node:test')
const { inspect } = require('node:util')
const { setTimeout: sleep } = require('node:timers/promises')
const core = require('node:http')
const { difference } = require('./oracle/difference')
const { Run } = require('./oracle/run')

/**
 * Differences that are known and not mended yet: pairings by scenario, by major version of Node. They are run and
 * shown as todo. With ORACLE_KNOWN=check those that are gone fail, so that the list only shrinks.
 */
const known = require('./compat/known-differences.json')[process.versions.node.split('.')[0]] ?? {}

/** A run that has not finished by then fails, with its log so far. */
const DEADLINE = Number(process.env.ORACLE_DEADLINE ?? 5000)

const LATE = Symbol('late')

const ours = require(process.env.OURS ?? '../index.js')

if (process.env.OURS === undefined && !ours.native?.active) {
  throw new Error('index.js handed out node:http: there is nothing to compare (is native/ built?)')
}

const pairings = {
  both: {
    reference: { server: core, client: core },
    'our server, core\'s client': { server: ours, client: core },
    'core\'s server, our client': { server: core, client: ours },
    'our server, our client': { server: ours, client: ours }
  },
  server: { reference: { server: core }, 'our server': { server: ours } },
  client: { reference: { client: core }, 'our client': { client: ours } },
  module: { reference: { server: core, client: core }, 'our module': { server: ours, client: ours } }
}

/** The run that an uncaught exception belongs to. */
let current

process.setUncaughtExceptionCaptureCallback((error) => {
  if (current === undefined) {
    console.error('an exception after all scenarios:', error)
    process.exitCode = 1
    return
  }
  current.fail(error)
})

/** What keeps a process alive after its last scenario is a leak; it must not hold up the run. */
after(() => {
  setTimeout(() => {
    console.error(`the process does not end, because of: ${process.getActiveResourcesInfo().join(', ') || 'nothing that node knows'}`)
    process.exit(1)
  }, DEADLINE).unref()
})

/** Runs the steps with one pairing: what was seen, and why it did not come to its end if it did not. */
async function play (modules, kind, steps, deadline) {
  const run = new Run(modules, kind === 'both')
  current = run
  const timer = new AbortController()
  const late = sleep(deadline, LATE, { signal: timer.signal }).catch(() => {})
  const done = Promise.resolve().then(() => steps(run))
  done.catch(() => {})
  let failure
  try {
    if (await Promise.race([done, late]) === LATE) failure = `not finished after ${deadline} ms`
  } catch (error) {
    failure = error.stack
  }
  timer.abort()
  await run.tearDown()
  failure ??= run.strays[0]?.stack
  return { failure, report: run.report() }
}

/** What a pairing did not do as core did; '' if it is the same. */
function compare (expected, { failure, report }) {
  const differences = difference(expected.report, report)
  if (failure !== undefined) return `${failure}\nuntil then, not as with core (-):\n${differences}`
  return differences === '' ? '' : `not as with core (-):\n${differences}`
}

function declare (kind, name, steps, options = {}) {
  const { deadline = DEADLINE, ...rest } = options
  test(name, rest, async (t) => {
    const { reference, ...others } = pairings[kind]
    let expected = await play(reference, kind, steps, deadline)
    // As below: what a busy machine delays may fail once.
    if (expected.failure !== undefined && process.env.ORACLE_STRICT === undefined) {
      t.diagnostic(`failed once with core: ${expected.failure}`)
      expected = await play(reference, kind, steps, deadline)
    }
    if (expected.failure !== undefined) {
      throw new Error(`with core: ${expected.failure}\nthe log so far: ${inspect(expected.report, { depth: 6, maxArrayLength: 400, maxStringLength: 4000 })}`)
    }
    for (const [pairing, modules] of Object.entries(others)) {
      const isKnown = process.env.OURS === undefined && known[name]?.includes(pairing) === true
      const checking = isKnown && process.env.ORACLE_KNOWN === 'check'
      await t.test(pairing, { todo: isKnown && !checking && 'known-differences.json' }, async (t) => {
        let seen = compare(expected, await play(modules, kind, steps, deadline))
        if (checking) {
          if (seen === '') throw new Error('as with core: take it off known-differences.json')
          return
        }
        // Some of what is compared hangs on how the kernel cuts the bytes, with core as with us: a difference is
        // one only if it is seen twice. ORACLE_STRICT=1 demands equality at once, to hunt for races.
        if (seen !== '' && !isKnown && process.env.ORACLE_STRICT === undefined) {
          t.diagnostic(`differed once: ${seen}`)
          seen = compare(await play(reference, kind, steps, deadline), await play(modules, kind, steps, deadline))
        }
        if (seen !== '') throw new Error(seen)
      })
    }
  })
}

/** An http server and an http client, with a relay between them that keeps the bytes. */
const scenario = (name, steps, options) => declare('both', name, steps, options)

/** An http server; the client writes bytes. */
scenario.server = (name, steps, options) => declare('server', name, steps, options)

/** An http client; the server answers bytes. */
scenario.client = (name, steps, options) => declare('client', name, steps, options)

/** The module alone. */
scenario.module = (name, steps, options) => declare('module', name, steps, options)

module.exports = { scenario, core, ours }

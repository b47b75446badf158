'use strict'

/** Plays a case with one implementation, in this process, and gives its journal. */

const path = require('node:path')
const { fork } = require('node:child_process')
const { Journal } = require('./journal')
const { playServer } = require('./play-server')
const { playClient } = require('./play-client')
const { show } = require('./bytes')

/** A run that takes longer is broken off. */
const LIMIT_MS = 4000

/** How often a run is looked at: each look costs as much as several steps. */
const LOOK_MS = 4

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** The peer's process, as seen from here. */
class PeerProcess {
  constructor () {
    this.child = fork(path.join(__dirname, 'peer.js'), [], { serialization: 'advanced', execArgv: [] })
    this.child.on('message', (message) => this.heard(message))
    this.quiet = false
    this.run = 0
  }

  begin (journal) {
    this.journal = journal
    this.quiet = false
    this.over = false
    this.run++
    this.report = new Promise((resolve) => { this.reported = resolve })
  }

  heard ({ run, type, ...message }) {
    if (run !== this.run) return
    this.journal.touch()
    if (type === 'quiet') this.quiet = message.quiet
    if (type === 'over') this.over = true
    if (type === 'listening') this.listening(message.address)
    if (type === 'report') this.reported(message.connections)
  }

  send (type, message = {}) {
    this.child.send({ run: this.run, type, ...message })
  }

  listen (answers) {
    return new Promise((resolve) => {
      this.listening = resolve
      this.send('listen', answers)
    })
  }
}

const peer = new PeerProcess()
let current

/** What the run under way waits for, and what is open: told if it does not come to its end. */
let waitsFor = 'nothing'

const whereabouts = () => `waits for ${waitsFor}; open: ${[...current?.open ?? []].map(([label, state]) => `${label} ${state()}`).join(', ')}; ${JSON.stringify(current?.entries.slice(-5))}`

process.on('uncaughtException', (error) => {
  if (current === undefined) console.error('an exception after a run:', error)
  else current.log('process', `uncaught ${error.code ?? `${error.name}: ${error.message}`}`)
})

/**
 * @param {object} http the implementation
 * @param {object} program the case
 * @param {number} quietMs how long nothing must happen until the run counts as over
 */
async function play (http, program, quietMs) {
  const journal = new Journal()
  current = journal
  peer.begin(journal)
  waitsFor = 'the stage'
  const stage = await (program.side === 'server' ? playServer : playClient)(http, program, journal, peer)
  const begun = Date.now()
  waitsFor = 'rest'
  // The run is over when everything is closed, or when nothing happens any more.
  while (true) {
    await pause(LOOK_MS)
    const ended = stage.ended() && journal.open.size === 0 && peer.over
    const idle = Date.now() - journal.last
    if (ended && idle > 2) break
    if (peer.quiet && idle > quietMs) break
    if (Date.now() - begun > LIMIT_MS) {
      journal.log('run', 'never comes to rest')
      break
    }
  }
  journal.snapshot('at rest')
  stage.atRest?.()
  peer.send('hang up')
  waitsFor = 'the end'
  // Waits until nothing happens any more; a little only, once what is waited for is there and all is closed.
  const closed = await stage.tearDown(async (isThere) => {
    const from = Date.now()
    while (true) {
      await pause(LOOK_MS)
      stage.ended()
      const idle = Date.now() - Math.max(from, journal.last)
      if (idle > quietMs || (idle > 2 && journal.open.size === 0 && isThere())) return
    }
  })
  journal.log('run', closed)
  waitsFor = "the peer's report"
  const connections = await peer.report
  journal.snapshot('never closed')
  current = undefined
  return { entries: journal.entries, operations: journal.operations, connections, bodies: stage.bodies() }
}

/** The number of the first request on a connection; those without one come last. */
const firstRequest = ({ text }) => Number(/^\S+ \/r(\d+) /.exec(text)?.[1] ?? 1000)

/** A run as lines by object. */
async function seen (http, program, quietMs) {
  const { entries, operations, connections, bodies } = await play(http, program, quietMs)
  const lines = {}
  for (const [label, text] of entries) (lines[label] ??= []).push(text)
  for (const [label, { ended, bytes }] of Object.entries(bodies)) {
    if (ended) (lines[label] ??= []).push(`body ${show(bytes)}`)
  }
  // Connections that are made at once are accepted in any order.
  if (program.side === 'client') connections.sort((a, b) => firstRequest(a) - firstRequest(b))
  return { lines, operations, received: connections.map(({ text, events }) => ({ bytes: text, events })) }
}

module.exports = { seen, whereabouts }

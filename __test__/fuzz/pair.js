'use strict'

/** The two implementations, each in a process of its own, that play the same cases. */

const path = require('node:path')
const { fork } = require('node:child_process')
const { UNPLAYED } = require('./compare')

const ours = process.env.OURS ?? path.join(__dirname, '..', '..', 'index.js')

/** A process that has not answered by then has hung: it is replaced, and that is what was seen. */
const HUNG_MS = 12000

/** So long it has to say what it waits for: if it does not, its JavaScript has hung. */
const ASKED_MS = 3000

/** Time is counted in such steps: while all processes are stopped (SIGSTOP, a machine that sleeps) at most one passes. */
const STEP_MS = 250

/** Calls back once so much time has passed in which this process was running. @returns {{ stop: () => void }} */
function elapse (ms, callback) {
  let left = Math.ceil(ms / STEP_MS)
  const interval = setInterval(() => {
    if (--left > 0) return
    clearInterval(interval)
    callback()
  }, STEP_MS)
  return { stop: () => clearInterval(interval) }
}

class Player {
  constructor (module, execPath) {
    this.module = module
    this.execPath = execPath
    this.id = 0
  }

  start () {
    this.stderr = ''
    this.child = fork(path.join(__dirname, 'player.js'), [], {
      env: { ...process.env, NODE_OPTIONS: '', NODE_TEST_CONTEXT: '', HTTP_MODULE: this.module },
      execPath: this.execPath,
      execArgv: [],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc']
    })
    this.child.stderr.on('data', (text) => { this.stderr = (this.stderr + text).slice(-2000) })
    const child = this.child
    child.on('exit', (code, signal) => {
      if (this.child !== child) return
      this.child = undefined
      this.settle?.({ lines: { [UNPLAYED]: [`the process has ended: ${signal ?? code}`], stderr: [this.stderr] }, received: [] })
    })
    child.on('message', ({ id, result, fault, where }) => {
      if (id !== this.id) return
      if (where !== undefined) this.hangs?.(where)
      else this.settle(fault === undefined ? result : { lines: { [UNPLAYED]: [`the fuzzer fails: ${fault}`] }, received: [] })
    })
  }

  async play (program, quietMs) {
    if (this.child === undefined) this.start()
    const id = ++this.id
    const result = await new Promise((resolve) => {
      this.settle = resolve
      this.hangs = (where) => {
        this.stop()
        resolve({ lines: { [UNPLAYED]: ['the process hangs', where] }, received: [] })
      }
      this.clock = elapse(HUNG_MS, () => {
        this.child.send({ id })
        this.clock = elapse(ASKED_MS, () => this.hangs?.('does not answer'))
      })
      this.child.send({ id, program, quietMs })
    })
    this.settle = this.hangs = undefined
    this.clock.stop()
    // An exception that the process survives leaves its async context behind (core, Node 26): the next case begins anew.
    if (result.lines.process !== undefined) this.stop()
    return result
  }

  stop () {
    const child = this.child
    this.child = undefined
    child?.kill('SIGKILL')
  }
}

class Pair {
  /** @param {string[]} ignored what is not compared: parts of labels */
  constructor (ignored = [], execPath = process.execPath) {
    this.ignored = ignored
    this.core = new Player('node:http', execPath)
    this.ours = new Player(ours, execPath)
  }

  stop () {
    this.core.stop()
    this.ours.stop()
  }
}

module.exports = { Pair }

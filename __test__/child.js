'use strict'

/** Runs scripts of fixtures/ in processes of their own, and talks to the servers they start. */

const net = require('node:net')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { EventEmitter } = require('node:events')

/** A child that is still there by then is killed, and its run fails. */
const DEADLINE = 10000

const root = path.join(__dirname, '..')

/** The module that a fixture gets with `require(process.env.HTTP_MODULE)`. */
const modules = { core: 'node:http', ours: process.env.OURS ?? path.join(root, 'index.js') }

/** Those that another addon needs (scripts/sanitize.js). */
const optionsOfAll = process.env.HTTP_NATIVE_ADDON === undefined ? '' : process.env.NODE_OPTIONS

class Child extends EventEmitter {
  /**
   * @param {string} script relative to fixtures/
   * @param {{ module?: 'core'|'ours', args?: string[], execArgv?: string[], env?: object, launcher?: string[], deadline?: number }} options
   *   launcher: a command that Node is an argument of
   */
  constructor (script, { module = 'ours', args = [], execArgv = [], env = {}, launcher = [], deadline = DEADLINE } = {}) {
    super()
    this.stdout = ''
    this.stderr = ''
    this.exit = undefined
    const [command, ...rest] = [...launcher, process.execPath, ...execArgv, path.join(__dirname, 'fixtures', script), ...args]
    this.process = spawn(command, rest, {
      cwd: root,
      env: { ...process.env, NODE_OPTIONS: optionsOfAll, NODE_TEST_CONTEXT: '', HTTP_MODULE: modules[module], ...env },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    for (const name of ['stdout', 'stderr']) {
      this.process[name].setEncoding('utf8').on('data', (text) => {
        this[name] += text
        this.emit('change')
      })
    }
    this.late = false
    const timer = setTimeout(() => {
      this.late = true
      this.process.kill('SIGKILL')
    }, deadline)
    this.process.on('close', (code, signal) => {
      clearTimeout(timer)
      this.exit = { code, signal }
      this.emit('change')
    })
  }

  async when (condition) {
    while (!condition()) {
      if (this.exit !== undefined) throw new Error(`the child has ended with ${JSON.stringify(this.exit)}\n${this.stdout}\n${this.stderr}`)
      await new Promise((resolve) => this.once('change', resolve))
    }
  }

  /** Waits for a line `port <number>` and gives the number. */
  async port () {
    await this.when(() => /^port \d+$/m.test(this.stdout))
    return Number(/^port (\d+)$/m.exec(this.stdout)[1])
  }

  /** Waits for a line. */
  line (text) {
    return this.when(() => this.stdout.split('\n').includes(text))
  }

  /** Waits for the end; resolves with the exit code, the signal and the output. */
  async ended () {
    while (this.exit === undefined) await new Promise((resolve) => this.once('change', resolve))
    if (this.late) throw new Error(`the child had to be killed\n${this.stdout}\n${this.stderr}`)
    return { ...this.exit, stdout: this.stdout, stderr: this.stderr }
  }

  kill (signal = 'SIGKILL') {
    this.process.kill(signal)
  }
}

/** Sends bytes to a port; resolves with what came back until the connection ended. */
function converse (port, bytes) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    let received = ''
    socket.setEncoding('latin1').on('data', (text) => { received += text })
    socket.on('error', () => {})
    socket.on('close', () => resolve(received))
    socket.write(bytes, 'latin1')
  })
}

module.exports = { Child, converse, modules, root }

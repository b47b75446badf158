'use strict'

/** One end of a TCP connection that speaks bytes: the raw client and the raw server of a scenario. */

const { EventEmitter } = require('node:events')

class Peer extends EventEmitter {
  /** @param {import('node:net').Socket} socket */
  constructor (socket) {
    super()
    this.socket = socket
    this.sent = []
    this.chunks = []
    /** How the other side finished: undefined, 'end' or an error code. */
    this.ending = undefined
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.chunks.push(chunk)
      this.emit('change')
    })
    socket.on('end', () => this.finish('end'))
    socket.on('error', (error) => this.finish(error.code))
    socket.on('close', () => this.finish('close'))
  }

  finish (how) {
    this.ending ??= how
    this.emit('change')
  }

  /** What has come so far, as latin1. */
  get received () {
    return Buffer.concat(this.chunks).toString('latin1')
  }

  send (...parts) {
    for (const part of parts) {
      const chunk = typeof part === 'string' ? Buffer.from(part, 'latin1') : part
      this.sent.push(chunk)
      this.socket.write(chunk)
    }
    return this
  }

  /** FIN, after what was sent. */
  end () {
    this.socket.end()
  }

  /** RST. */
  reset () {
    this.socket.resetAndDestroy()
  }

  destroy () {
    this.socket.destroy()
  }

  /** Waits until the condition holds; the deadline of the scenario is the limit. */
  async when (condition) {
    while (!condition()) await new Promise((resolve) => this.once('change', resolve))
  }

  /** Waits until the text has come `times` times. */
  async until (text, times = 1) {
    await this.when(() => this.received.split(text).length > times)
    return this.received
  }

  /** Waits until the other side has finished and says how. */
  async ended () {
    await this.when(() => this.ending !== undefined)
    return this.ending
  }

  /** Waits until the connection is closed on our side too. */
  async closed () {
    await this.when(() => this.socket.closed || this.socket.destroyed)
  }
}

module.exports = { Peer }

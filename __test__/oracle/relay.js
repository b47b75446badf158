'use strict'

/** A TCP relay between a client and a server that keeps what passes, in both directions. */

const net = require('node:net')

class Crossing {
  constructor (near, far) {
    this.near = near
    this.far = far
    this.toServer = []
    this.toClient = []
    this.forward(near, far, this.toServer)
    this.forward(far, near, this.toClient)
    this.closed = Promise.all([near, far].map((socket) => new Promise((resolve) => socket.once('close', resolve))))
  }

  forward (from, to, record) {
    from.setNoDelay?.(true)
    from.on('data', (chunk) => {
      record.push(chunk)
      if (to.destroyed || to.write(chunk)) return
      from.pause()
      to.once('drain', () => from.resume())
    })
    from.on('end', () => to.end())
    from.on('error', () => to.destroyed || to.resetAndDestroy())
    from.on('close', () => {
      if (!from.readableEnded) to.destroy()
    })
  }

  /** Forces both connections closed. */
  destroy () {
    this.near.destroy()
    this.far.destroy()
  }
}

class Relay {
  /** @param {import('node:net').NetConnectOpts} target where the server listens */
  constructor (target) {
    this.crossings = []
    this.server = net.createServer({ allowHalfOpen: true }, (near) => {
      this.crossings.push(new Crossing(near, net.connect({ ...target, allowHalfOpen: true })))
    })
  }

  /** @param {object} at port and host, or path */
  async listen (at) {
    await new Promise((resolve) => this.server.listen(at, resolve))
    return this.server.address().port
  }

  /** Waits until every connection is closed on both sides. */
  closed () {
    return Promise.all(this.crossings.map((crossing) => crossing.closed))
  }

  destroy () {
    for (const crossing of this.crossings) crossing.destroy()
    this.server.close()
  }
}

module.exports = { Relay }

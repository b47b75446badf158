'use strict'

/**
 * The stream that 'upgrade' gets while the body of its request is still arriving: what is written goes to the socket at
 * once, and what is read is what comes behind the body.
 */

const { Duplex } = require('node:stream')

class UpgradeStream extends Duplex {
  #socket
  /** The request, until its body is complete. */
  #request

  /**
   * @param {import('node:stream').Duplex} socket
   * @param {import('../message/incoming').IncomingMessage} request
   */
  constructor (socket, request) {
    super({ allowHalfOpen: socket.allowHalfOpen })
    this.#socket = socket
    this.#request = request
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
    this.on('close', () => socket.destroy())
    socket.on('end', () => {
      this.push(null)
      // A socket reports its end without being read, too, if nothing is left to read.
      if (this.readableLength === 0) this.resume()
    })
  }

  /** Begins to read from the socket: the body is complete. @param {Buffer} head what has come behind it */
  begin (head) {
    this.#request = null
    if (head.length > 0) this.#take(head)
    this.#socket.on('data', (chunk) => this.#take(chunk))
  }

  #take (chunk) {
    if (!this.push(chunk)) this.#socket.pause()
  }

  _read () {
    // Nothing can come before the body was read, which the reader of this stream may have no interest in.
    this.#request?.resume()
    this.#socket.resume()
  }

  _write (chunk, encoding, callback) {
    this.#socket.write(chunk, encoding, callback)
  }

  _final (callback) {
    this.#socket.end(callback)
  }

  _destroy (error, callback) {
    this.#socket.destroy(error)
    callback(error)
  }
}

module.exports = { UpgradeStream }

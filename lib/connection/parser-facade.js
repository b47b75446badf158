'use strict'

/**
 * `socket.parser`. There is no parser object in JavaScript; packages ask for one to find the message that is under way,
 * and wait for it to be freed. A server has one for each socket that it made, a client one for each connection, from
 * request to request.
 */

/** Slots in which core's parser has its callbacks. */
const ON_MESSAGE_BEGIN = 0
const CALLBACKS = 7

/** The slots that a free parser keeps. */
const LASTING = new Set([1, 2, 3, 4])

/** Fields that a message may have: core's default, names and values counted. */
const MAX_HEADER_PAIRS = 2000

/** Never called; they show that the parser is in use. */
function called () {}
function onIncoming () {}

class HTTPParser {
  #connection = null

  constructor () {
    for (let i = ON_MESSAGE_BEGIN; i < CALLBACKS; i++) this[i] = LASTING.has(i) ? called : null
    this._headers = []
    this._url = ''
    this.#clean()
  }

  get incoming () { return this.#connection === null ? null : this.#connection.incoming }

  set incoming (message) {
    if (this.#connection !== null) this.#connection.incoming = message
  }

  /** Gives a server's socket its parser. */
  static of (connection, socket) {
    const parser = new HTTPParser()
    const { maxHeadersCount } = connection.server
    parser.#connection = connection
    parser.socket = socket
    parser[5] = parser[6] = called
    parser._consumed = connection.stream === null
    parser.onIncoming = onIncoming
    if (typeof maxHeadersCount === 'number') parser.maxHeaderPairs = maxHeadersCount << 1
    return parser
  }

  /** Gives a client's connection its parser: an exchange begins. */
  static take (connection, request) {
    const parser = connection.parser ??= new HTTPParser()
    const { maxHeadersCount } = request
    parser.#connection = connection
    parser.socket = connection.socket
    parser.outgoing = request
    parser.onIncoming = onIncoming
    parser.joinDuplicateHeaders = request.joinDuplicateHeaders
    parser.maxHeaderPairs = typeof maxHeadersCount === 'number' ? maxHeadersCount << 1 : MAX_HEADER_PAIRS
    parser.socket.parser = request.parser = parser
  }

  /** Frees a client's parser at the end of the response. @returns {boolean} false if it was free */
  static freeFrom (connection) {
    const { parser } = connection
    if (parser === null || parser.outgoing === null) return false
    parser.outgoing.parser = null
    if (parser.socket.parser === parser) parser.socket.parser = null
    parser.#clean()
    return true
  }

  /** Frees a socket's parser: the connection speaks HTTP no longer. */
  static free (socket) {
    const { parser } = socket
    if (parser) {
      if (#connection in parser) parser.#clean()
      else parser.socket = null
      parser.free()
    }
    socket.parser = null
  }

  #clean () {
    this.#connection = null
    this.socket = null
    this.outgoing = null
    this.maxHeaderPairs = MAX_HEADER_PAIRS
    this[5] = this[6] = null
    this._consumed = false
    this.onIncoming = null
    this.joinDuplicateHeaders = null
  }

  pause () {
    this.#connection?.pause()
  }

  resume () {
    this.#connection?.resume()
  }

  free () {}

  close () {}

  remove () {}

  finish () {}

  /** Nothing to do: bytes pass through the socket if it has listeners for them (lib/connection/socket.js). */
  consume () {}

  unconsume () {}
}

module.exports = { Parser: HTTPParser }

'use strict'

/**
 * What `socket.parser` shows. There is no parser object in JavaScript; packages ask it for the message that is under way,
 * and wait for it to be freed. On a server there is one for each socket that somebody looks at, on a client one for each
 * connection, which goes from request to request.
 */

/** Where core's parser has its callbacks. */
const ON_MESSAGE_BEGIN = 0
const CALLBACKS = 7

/** The callbacks that a free parser has, too. */
const LASTING = new Set([1, 2, 3, 4])

/** Fields that a message may have: core's default, in names and values. */
const MAX_HEADER_PAIRS = 2000

/** Nobody calls them; they show that the parser is in use. */
function called () {}
function onIncoming () {}

class HTTPParser {
  #connection = null

  constructor () {
    for (let i = ON_MESSAGE_BEGIN; i < CALLBACKS; i++) this[i] = LASTING.has(i) ? called : null
    this._headers = []
    this._url = ''
    this.socket = null
    this.outgoing = null
    this.maxHeaderPairs = MAX_HEADER_PAIRS
    this._consumed = false
    this.onIncoming = null
    this.joinDuplicateHeaders = null
  }

  get incoming () { return this.#connection === null ? null : this.#connection.incoming }

  set incoming (message) {
    if (this.#connection !== null) this.#connection.incoming = message
  }

  /** A server's. */
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

  /** A client's: an exchange begins. */
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

  /** A client's: nothing more is to be parsed for the exchange. @returns {boolean} whether there was anything before */
  static leave (connection) {
    const { parser } = connection
    if (parser === null || parser.outgoing === null) return false
    parser.outgoing.parser = null
    if (parser.socket.parser === parser) parser.socket.parser = null
    parser.#clean()
    return true
  }

  /** The connection speaks HTTP no longer. */
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

  /** The bytes come through the socket: whoever listens for them sees to it (lib/connection/socket.js). */
  consume () {}

  unconsume () {}
}

module.exports = { Parser: HTTPParser }

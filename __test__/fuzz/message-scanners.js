'use strict'

/** Finds where messages begin and end in what the implementation under test sends: the peer's own little parser. */
class MessageScanner {
  constructor () {
    this.heads = 0
    this.complete = 0
    /** Bytes behind the last head. */
    this.bodyBytes = 0
    this.rest = Buffer.alloc(0)
    this.left = undefined
  }

  push (chunk) {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    while (this.left === undefined ? this.head() : this.body());
  }

  head () {
    const end = this.rest.indexOf('\r\n\r\n')
    if (end === -1) return false
    const head = this.rest.latin1Slice(0, end)
    this.rest = this.rest.subarray(end + 4)
    this.heads++
    this.bodyBytes = 0
    this.left = this.bodyOf(head)
    return true
  }

  /** The body that a head announces: its length, 'chunked', or undefined if there is none. */
  framing (head) {
    if (/\r\nTransfer-Encoding: *chunked/i.test(head)) return 'chunked'
    const length = /\r\nContent-Length: *(\d+)/i.exec(head)?.[1]
    return length === undefined ? undefined : Number(length)
  }

  body () {
    if (this.left === 'chunked') {
      const line = this.rest.indexOf('\r\n')
      if (line === -1) return false
      const size = parseInt(this.rest.latin1Slice(0, line), 16)
      if (size === 0) {
        const end = this.rest.indexOf('\r\n\r\n', line)
        if (end === -1) return false
        this.rest = this.rest.subarray(end + 4)
        return this.ended()
      }
      // What is no chunk has no end.
      if (!(this.rest.length >= line + 2 + size + 2)) {
        this.bodyBytes = Math.max(this.bodyBytes, this.rest.length)
        return false
      }
      this.rest = this.rest.subarray(line + 2 + size + 2)
      this.bodyBytes += size
      return true
    }
    const taken = Math.min(this.left, this.rest.length)
    this.left -= taken
    this.bodyBytes += taken
    this.rest = this.rest.subarray(taken)
    return this.left === 0 && this.ended()
  }

  ended () {
    this.left = undefined
    this.complete++
    return this.rest.length > 0
  }
}

class RequestScanner extends MessageScanner {
  /** The numbers of the requests, from their targets `/rN`. */
  numbers = []

  bodyOf (head) {
    this.numbers.push(Number(/^\S+ \/r(\d+) /.exec(head)?.[1] ?? 0))
    const body = this.framing(head)
    if (body === undefined) this.complete++
    return body
  }
}

class AnswerScanner extends MessageScanner {
  /** The methods of the requests whose answers have not begun. */
  methods = []
  /** An answer said that it is the last one. */
  isLast = false

  bodyOf (head) {
    const status = Number(/^HTTP\/1\.\d (\d{3})/.exec(head)?.[1])
    if (status >= 100 && status < 200 && status !== 101) return undefined
    this.isLast ||= /\r\nConnection: *close/i.test(head)
    const method = this.methods.shift()
    if (method === 'HEAD' || status === 204 || status === 304) {
      this.complete++
      return undefined
    }
    // What has no length ends with the connection.
    return this.framing(head) ?? Infinity
  }
}

module.exports = { AnswerScanner, RequestScanner }

'use strict'

/** Finds where requests begin and end in what the implementation under test sends: the peer's own little parser. */
class RequestScanner {
  constructor () {
    this.heads = 0
    /** The numbers of the requests, from their targets `/rN`. */
    this.numbers = []
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
    this.numbers.push(Number(/^\S+ \/r(\d+) /.exec(head)?.[1] ?? 0))
    this.bodyBytes = 0
    const length = /\r\nContent-Length: *(\d+)/i.exec(head)?.[1]
    if (/\r\nTransfer-Encoding: *chunked/i.test(head)) this.left = 'chunked'
    else if (length !== undefined) this.left = Number(length)
    else this.complete++
    return true
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
      if (this.rest.length < line + 2 + size + 2) {
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

module.exports = { RequestScanner }

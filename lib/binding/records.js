'use strict'

/** The words, kinds and flags of records and commands, as docs/BOUNDARY.md describes them. */

/** Int32 words per record. */
const STRIDE = 8

/** Index of the word that is 1 where a packet begins with the record. */
const BEGINS = 7

/** Records per dispatch at most; more wait for the next call. */
const MAX_RECORDS = 512

const events = Object.freeze({
  ACCEPT: 1,
  REQUEST: 2,
  RESPONSE: 3,
  DATA: 4,
  END: 5,
  PARSE_ERROR: 6,
  EOF: 7,
  CLOSED: 8,
  DRAIN: 9,
  TIMEOUT: 10,
  RAW: 11,
  CONNECTED: 12,
  EXPIRED: 13,
  FIN: 14
})

/** Flags of DATA: a whole Buffer, or a part of one of which more follows. */
const WHOLE = 0
const PART = 1

/** Flags of END: trailers follow; the FIN ended the body. */
const TRAILERS = 1
const AT_EOF = 2

/** System calls of CLOSED: none failed; reading failed. */
const SYSCALL_NONE = 0
const SYSCALL_READ = 1

/** Fields that core's parser hands over in one call. */
const BATCH = 31

/** Flags of REQUEST and RESPONSE records. */
const headFlags = Object.freeze({
  KEEP_ALIVE: 1,
  BODY: 2,
  UPGRADE: 4,
  HAS_EXPECT: 8,
  HAS_HOST: 16,
  FRAMED: 32,
  INFORMATIONAL: 64,
  UNTIL_CLOSE: 128,
  SURPLUS: 256
})

/** Flags of `Connection.send`. */
const sendFlags = Object.freeze({
  HEAD: 1,
  BODY: 2,
  END: 4,
  NO_BODY: 0,
  LENGTH: 8,
  CHUNKED: 16,
  UNTIL_CLOSE: 24,
  LAST: 32,
  HEAD_UTF8: 64,
  BODY_UTF8: 128,
  INFORMATIONAL: 256,
  REQUEST_HEAD: 512,
  REQUEST_CONNECT: 1024,
  TRAILERS: 2048,
  CORK: 4096,
  UNTOLD: 8192
})

module.exports = {
  STRIDE, BEGINS, MAX_RECORDS, WHOLE, PART, TRAILERS, AT_EOF, SYSCALL_NONE, SYSCALL_READ, BATCH, events, headFlags, sendFlags
}

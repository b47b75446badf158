'use strict'

/** The words, kinds and flags of what the addon tells and is told. Rust declares them; docs/BOUNDARY.md describes them. */

const native = require('../addon')

const { STRIDE, BEGINS, FULL, MAX_RECORDS, MAX_FED } = native.RECORDS
const { WHOLE, PART } = native.DATA_PARTS
const { TRAILERS, AT_EOF, NOTED } = native.END_FLAGS
const { NONE: SYSCALL_NONE, READ: SYSCALL_READ } = native.SYSCALLS

/** Fields that core's parser gives at a time. */
const { FIELD_GROUP } = native.LIMITS

/** The kinds of events. */
const events = Object.freeze({ ...native.EVENTS })

/** Flags of REQUEST and RESPONSE records. */
const headFlags = Object.freeze({ ...native.HEAD_FLAGS })

/** Flags of `Connection.send`. */
const sendFlags = Object.freeze({ ...native.SEND_FLAGS })

module.exports = {
  STRIDE, BEGINS, FULL, MAX_RECORDS, MAX_FED, WHOLE, PART, TRAILERS, AT_EOF, NOTED, SYSCALL_NONE, SYSCALL_READ, FIELD_GROUP, events, headFlags, sendFlags
}

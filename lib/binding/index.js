'use strict'

/**
 * All that lib/ knows of the addon: events go up to their owners, commands go down; nothing of HTTP is decided here. The
 * tables and the numbers are described in docs/BOUNDARY.md.
 */

const native = require('../addon')
const { process } = require('../host')
const { connections, limited, listeners, isSamePacket, isReadOn } = require('./deliver')
const { start, receive, receiveBody, readAhead, takeAccepted, isFollowed } = require('./dispatch')
const { deliverKept, takeKept, hasKeptBytes, hasKeptEnd, dropKept, isFull } = require('./kept')
const { headFlags, sendFlags } = require('./records')
const { isDispatching, kSettle, settle, touch, flush, isDirty, atClosePhase, atPendingPhase } = require('./turn')

/** Slot of the addon for what all copies of lib/ in an environment share: the first one's. Test runners load many. */
const kFirst = Symbol.for('http-native: lib/binding')

if (native[kFirst] === undefined) {
  start()
  // process.exit() right after res.end(): what was sent must still reach the kernel, as it does in core.
  process.on('exit', () => { native.flushNow() })
}

module.exports = native[kFirst] ??= {
  native,
  headFlags,
  sendFlags,
  connections,
  limited,
  listeners,
  settle,
  isDispatching,
  touch,
  flush,
  isDirty,
  receive,
  receiveBody,
  readAhead,
  deliverKept,
  takeKept,
  hasKeptBytes,
  hasKeptEnd,
  dropKept,
  isFull,
  takeAccepted,
  isFollowed,
  isSamePacket,
  isReadOn,
  atClosePhase,
  atPendingPhase,
  kSettle,
  /** What else the copies share, by name (lib/core/symbols.js, lib/core/classes.js). */
  common: Object.create(null)
}

'use strict'

/**
 * Pauses a connection whose reader is behind. Core would not read meanwhile what the I/O thread has read: it is kept
 * until the connection goes on, and then delivered a packet at a time.
 */

const { native, atClosePhase, touch, deliverKept, hasKeptEnd, dropKept, isFull } = require('../binding')

/** Kept records up to which reading goes on at once. */
const FEW = 2

/** Pauses a native connection: later packets are kept from now on. */
function pause (connection) {
  if (!connection.readsOn || connection.willEnd || connection.detached || isFull(connection)) native.pause(connection.id)
  // Nothing would let it go on to its end.
  if (connection.willEnd) return
  connection.paused = connection.keeps = true
  connection.kept ??= []
}

/** Lets a native connection go on: kept packets are delivered first. */
function resume (connection) {
  const { kept } = connection
  connection.paused = false
  const count = kept === null ? 0 : kept.length
  if (count !== 0) deliverLater(connection)
  else connection.keeps = connection.dropsInput
  // The I/O thread reads more meanwhile only if few records are kept.
  if (count > FEW) return
  native.resume(connection.id)
  touch()
}

/** Delivers a packet, and those behind it that core would read at once; its reader may be behind again. */
function deliverNext (connection) {
  const hasKept = connection.kept.length !== 0
  connection.isDeliveryDue = false
  try {
    let readsOn = true
    while (readsOn && !connection.paused && connection.kept.length !== 0) readsOn = deliverKept(connection)
  } finally {
    // Also behind what a listener threw.
    if (!connection.paused) {
      if (connection.kept.length !== 0) {
        deliverLater(connection)
      } else {
        connection.resume()
        if (hasKept) awaitEnd(connection)
      }
    }
  }
}

/** Has the end of input come no earlier than a turn behind the bytes before it, and what these led to, as when core reads. */
function awaitEnd (connection) {
  if (connection.id === -1 || connection.dropsInput) return
  connection.keeps = true
  deliverLater(connection)
}

/** Delivers where core would read again: when the event loop has come round. */
function deliverLater (connection) {
  if (connection.isDeliveryDue) return
  connection.isDeliveryDue = true
  atClosePhase(() => deliverNext(connection))
}

/** Drops what is kept, and all input behind it: the connection is to end. */
function discardInput (connection) {
  connection.willEnd = true
  if (!connection.keeps) return
  if (dropKept(connection)) connection.dropsInput = true
  resume(connection)
}

/** Drops what is kept if the connection's end is among it: a command is given, which meets that end. */
function meetEnd (connection) {
  if (hasKeptEnd(connection.kept)) discardInput(connection)
}

module.exports = { pause, resume, discardInput, meetEnd }

'use strict'

/**
 * A connection whose reader is behind. Core would not have read what the I/O thread reads meanwhile: nobody hears of it
 * until the connection goes on, and then a packet at a time.
 */

const { process, setImmediate } = require('../host')
const { native, events, touch, handKept, hasKeptEnd, dropKept } = require('../binding')

/** Records that may wait when reading goes on. */
const FEW = 2

function standStill (connection) {
  if (!connection.readsOn || connection.isLeaving) native.pause(connection.id)
  // Nobody would let it go on to its end.
  if (connection.isLeaving) return
  connection.paused = connection.keeps = true
  connection.kept ??= []
}

function goOn (connection) {
  const { kept } = connection
  connection.paused = false
  const count = kept === null ? 0 : kept.length
  if (count !== 0) handOverLater(connection)
  else connection.keeps = false
  // The next comes meanwhile, but what is kept does not grow.
  if (count > FEW) return
  native.resume(connection.id)
  touch()
}

/** A packet a tick: its reader may be behind again. */
function handOver (connection) {
  if (connection.paused || connection.kept.length === 0) return
  try {
    handKept(connection)
  } finally {
    // Also behind what a listener threw.
    if (!connection.paused) {
      if (connection.kept.length !== 0) handOverLater(connection)
      else connection.resume()
    }
  }
}

function handOverLater (connection) {
  // An end is read by itself: what the last of the data led to is over by then.
  if (connection.kept[0].record[0] === events.EOF) setImmediate(handOver, connection)
  else process.nextTick(handOver, connection)
}

/** The connection is to end: what nobody has heard of is lost. */
function forgetKept (connection) {
  connection.isLeaving = true
  if (!connection.keeps) return
  dropKept(connection.kept)
  goOn(connection)
}

/** Something is said on it, which meets its end: whoever waits to be read cannot be waited for. */
function meetEnd (connection) {
  if (hasKeptEnd(connection.kept)) forgetKept(connection)
}

module.exports = { standStill, goOn, forgetKept, meetEnd }

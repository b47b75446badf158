'use strict'

/**
 * The diagnostics channels `http-native.connection.opened` and `http-native.connection.closed`: published to only while they have
 * subscribers (docs/STATS.md).
 */

const diagnostics = require('node:diagnostics_channel')
const { native } = require('../binding')
const { nameOfErrno, namesOfReasons } = require('./reasons')

const openedChannel = diagnostics.channel('http-native.connection.opened')
const closedChannel = diagnostics.channel('http-native.connection.closed')

const REASONS = { server: namesOfReasons('client', 'server'), client: namesOfReasons('server', 'client') }

class Opened {
  #connection

  /** @param {object} connection a Connection @param {'server'|'client'} side @param {object} owner */
  constructor (connection, side, owner) {
    this.#connection = connection
    this.side = side
    if (side === 'server') this.server = owner
  }

  /** The socket, which is made now if nothing has looked at it before. */
  get socket () {
    return this.#connection.getSocket()
  }
}

/** Tells that a connection was opened. @param {'server'|'client'} side @param {object} [server] */
function tellOpened (connection, side, server) {
  if (openedChannel.hasSubscribers) openedChannel.publish(new Opened(connection, side, server))
}

/** Tells that a connection is closed: its native side is about to be released. @param {number} errno 0, or as libuv has it */
function tellClosed (connection, errno) {
  if (!closedChannel.hasSubscribers) return
  const { id, server, stream, socket } = connection
  const side = server === undefined ? 'client' : 'server'
  const reason = REASONS[side][native.closeReason(id)]
  const code = errno < 0 ? nameOfErrno(-errno) : reason === 'error' ? stream?.errored?.code : undefined
  const { bytesRead, bytesWritten } = stream ?? connection
  closedChannel.publish({ side, ...(server && { server }), socket, reason, code, bytesRead, bytesWritten })
}

module.exports = { tellOpened, tellClosed }

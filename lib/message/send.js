'use strict'

/**
 * Sends a message's parts through the Connection that carries it: one `send` each; proto frames them.
 */

const { Buffer, process } = require('../host')
const { sendFlags } = require('../binding')
const { putStandIn } = require('../connection/stand-in')
const { isTaken, isWaiting, whenTaken, waitForRest } = require('./write-callbacks')
const { countLines } = require('./head')
const { codes } = require('../core/errors')
const { Scope } = require('../core/scope')
const {
  kConnection, kCallbacks, kDrainScope, kErrored, kFraming, kHead, kHeadFlags, kHighWaterMark, kLastFlags, kLines, kNative, kNeedDrain, kSocket, kBeyondAscii
} = require('../core/symbols')

const { HEAD, BODY, END, CHUNKED, UNTIL_CLOSE, NO_BODY, TRAILERS, HEAD_UTF8, BODY_UTF8 } = sendFlags

const CRLF = Buffer.from('\r\n')

/** Gives the number of CRLFs in the head; counted anew if `_header` was replaced. */
function headLines (message, head) {
  return message[kHead] === head ? message[kLines] : countLines(head)
}

/** Gives the framing of the body behind the head. `chunkedEncoding` is public and decides to the last. */
function framingOf (message) {
  if (message.chunkedEncoding) return message._hasBody ? CHUNKED : NO_BODY
  const framing = message[kFraming]
  return framing === CHUNKED ? UNTIL_CLOSE : framing
}

function isUtf8 (encoding) {
  return !encoding || encoding === 'utf8' || encoding === 'utf-8'
}

function isLatin1 (encoding) {
  return encoding === 'latin1' || encoding === 'binary'
}

/** Gives the bytes of a part. */
function sizeOf (chunk, encoding) {
  if (typeof chunk !== 'string') return chunk.byteLength
  return Buffer.byteLength(chunk, encoding || 'utf8')
}

/**
 * Sends a part of the message with its connection.
 * @param {number} flags HEAD, BODY, END, INFORMATIONAL, HEAD_UTF8; framing, encodings and the rest are added here
 * @param {string} head rendered block for HEAD and INFORMATIONAL
 * @param {string|Uint8Array|undefined} body
 * @param {string|null|undefined} encoding of a string body
 * @param {number} size bytes of the body, -1 if not known
 * @param {Function|null} callback for the body or the end
 * @param {boolean} [isWrite=false] the part is a write of its own: core corks the socket for the rest of the tick then
 * @returns {number} bytes the transport has not taken
 */
function transmit (message, flags, head, body, encoding, size, callback, isWrite = false) {
  const connection = message[kConnection]
  if (connection.surplus !== 0) connection.clearSurplus()

  let lines = 0
  let length = 0
  const isHead = (flags & HEAD) !== 0
  if (isHead) {
    lines = headLines(message, head)
    const framing = framingOf(message)
    flags |= message[kHeadFlags] | framing
    length = message._contentLength ?? 0
  } else if (head !== '') {
    lines = countLines(head)
  }
  const isPart = (flags & END) === 0
  if ((flags & BODY) !== 0) {
    if (typeof body === 'string') {
      const { length: characters } = body
      if (isUtf8(encoding)) {
        const bytes = size === -1 ? Buffer.byteLength(body) : size
        if (bytes !== characters) {
          flags |= BODY_UTF8
          if (isPart) connection.countAs(characters, bytes)
        }
        // Core writes a head that is glued to a string body in the body's encoding.
        if (isHead && message[kBeyondAscii] && (flags & UNTIL_CLOSE) !== CHUNKED) flags |= HEAD_UTF8
      } else if (!isLatin1(encoding)) {
        body = Buffer.from(body, encoding)
        if (isPart) connection.countAs(characters, body.length)
      }
    }
  } else {
    body = undefined
  }
  // What an end waits for is bytes; what a part's writer is told is counted as its stream would.
  if (isPart) return connection.counted(afterSend(message, connection, connection.send(flags, head, lines, body, length), callback, isWrite))

  if (connection.corkCallbacks !== null) connection.corkCallbacks.endCork()
  if (message._last) flags |= message[kLastFlags]
  if (message._trailer === '' || framingOf(message) !== CHUNKED) {
    return afterSend(message, connection, connection.send(flags, head, lines, body, length), callback)
  }
  if ((flags & (HEAD | BODY)) !== 0) {
    connection.send(flags & ~(END | message[kLastFlags]), head, lines, body, length)
    flags &= END | message[kLastFlags]
  }
  const { _trailer: trailer } = message
  return afterSend(message, connection, connection.send(flags | TRAILERS, trailer, countLines(trailer), undefined, 0), callback)
}

/** Callbacks of parts written in one tick: called in the tick behind the end of the cork, be that uncork() or end(). */
class CorkCallbacks {
  callbacks = []
  error = null
  /** The async context of the callbacks. */
  resource = null
  /** 'drain' is due with these callbacks, too. */
  drains = false

  constructor (message, connection) {
    this.message = message
    this.connection = connection
  }

  endCork () {
    const { connection, message } = this
    if (connection.corkCallbacks !== this) return
    const { socket, stream } = connection
    if (stream === null && socket !== null && socket.writableCorked !== 0) this.passTo(socket)
    if (connection.corkCallbacks !== this) return
    connection.corkCallbacks = null
    if (isLost(message)) this.error = whyLost(message)
    else if (waitForRest(message, connection, this.callbacks)) return
    // All is written, and what follows is due with it.
    else if (message[kNeedDrain] && connection.fullAt === connection.corks) this.drains = true
    this.tellNext()
  }

  /** Has the socket call back, whose cork would hold the parts in core: behind what it holds, and its 'drain', which core's messages hear. */
  passTo (socket) {
    if (!socket.writable || (this.drains && this.message[kNative] === true)) return
    this.connection.corkCallbacks = null
    if (this.drains) socket._writableState.needDrain = true
    putStandIn(this.connection, this.callbacks)
  }

  /** Calls back in the next tick, or before the callback of a later part that is taken until then. */
  tellNext () {
    const { connection } = this
    connection.due ??= []
    connection.due.push(this)
    this.resource = new Scope('HTTPWRITE')
    process.nextTick(tell, this)
  }
}

/**
 * Calls back for a part that counts as taken, at the moment when core would.
 * @param {boolean} isWrite as in `transmit`
 */
function written (message, callback, isWrite) {
  const connection = message[kConnection]
  const corkCallbacks = connection?.corkCallbacks
  if (corkCallbacks && corkCallbacks.message === message) {
    corkCallbacks.callbacks.push(callback)
  } else if (isWrite && connection) {
    corkCallbacks?.endCork()
    connection.corkCallbacks = new CorkCallbacks(message, connection)
    connection.corkCallbacks.callbacks.push(callback)
    // Else the tick that ends the cork, which the first part of this tick has begun, sees to it.
    if (!connection.corked) process.nextTick(endCork, connection.corkCallbacks)
  } else if (connection) {
    const own = new CorkCallbacks(message, connection)
    own.callbacks.push(callback)
    own.drains = message[kNeedDrain]
    own.tellNext()
  } else {
    process.nextTick(callback, null)
  }
}

function tell (corkCallbacks) {
  const { callbacks, error, drains, connection, message } = corkCallbacks
  if (!connection.due.includes(corkCallbacks)) return
  const isOver = message.finished
  if (drains && !isOver && connection.id !== -1) {
    corkCallbacks.drains = false
    // Behind 'drain' it tells of later parts, if they are taken by now, and of these before them.
    connection.onDrain()
  }
  const at = connection.due.indexOf(corkCallbacks)
  if (at === -1) return
  connection.due.splice(at, 1)
  try {
    for (const callback of callbacks) callback(error)
  } finally {
    // For an ended message this brings 'finish', too.
    if (drains && isOver && connection.id !== -1) connection.onDrain()
  }
}

function endCork (corkCallbacks) {
  corkCallbacks.endCork()
}

/** Calls the callbacks of parts that were taken before others, whose callbacks are next. */
function tellDue (connection) {
  while (connection.due?.length > 0) {
    const [corkCallbacks] = connection.due
    corkCallbacks.resource.runInAsyncScope(tell, undefined, corkCallbacks)
  }
}

/** Fails the parts of a cork that the connection was given up under, where core's stream fails its buffer: a tick behind that. */
function failCorked (connection) {
  if (connection.corkCallbacks !== null && isLost(connection.corkCallbacks.message)) connection.corkCallbacks.endCork()
  if (connection.due !== null) for (const corkCallbacks of connection.due.filter(({ error }) => error !== null)) tell(corkCallbacks)
}

/** Gives the error for the callback of a part that was lost with the transport. */
function whyLost (message) {
  return message[kErrored] || (message[kConnection]?.socket ?? message[kSocket])?.errored || new codes.ERR_STREAM_DESTROYED('write')
}

/** Sees to a write's callback: that of a write of its own waits for the end of the tick, as in core. @returns {number} pending */
function afterSend (message, connection, pending, callback, isWrite = false) {
  if (callback !== null) {
    // Even an empty list shows that callbacks wait for the transport: 'finish' comes behind them.
    message[kCallbacks] ??= []
    if (isTaken(message, connection)) written(message, callback, isWrite)
    else whenTaken(message, connection, callback)
  }
  return pending
}

/**
 * Puts the callback of an empty part behind those of the writes before it in this tick.
 * @returns {boolean} false, and the callback is not kept, if there is nothing that it has to wait for
 */
function awaitOthers (message, callback) {
  const connection = message[kConnection]
  if (connection === null || message.outputData.length !== 0) return false
  if (!isWaiting(message) && connection.corkCallbacks?.message !== message && !connection.corked) return false
  afterSend(message, connection, connection.pending(), callback, true)
  return true
}

/** True if parts sent now are lost: the transport is destroyed, even if its 'close' has not come yet. */
function isLost (message) {
  const connection = message[kConnection]
  if (connection === null) return message[kSocket]?.destroyed === true
  return connection.givenUp || (connection.id === -1 && !connection.socket?.connecting) || connection.socket?.destroyed === true
}

/** HEAD for the call that sends the head, 0 for all others, and for messages whose `_implicitHeader` makes no head. */
function takeHeadFlag (message) {
  if (message._headerSent || message._header === null) return 0
  message._headerSent = true
  return HEAD
}

/** Notes that write() returned false: 'drain' is to come, in the async context of this write. */
function awaitDrain (message) {
  message[kNeedDrain] = true
  message[kDrainScope] ??= new Scope('HTTPDRAIN')
}

/** True if less waits than makes a write() return false, without what earlier ticks have said: core's kernel has that. */
function isBelow (message, connection) {
  return connection?.stream === null && message.outputData.length === 0 && connection.shownPending() < message[kHighWaterMark]
}

/** Gives write()'s result; if that is false, makes sure that 'drain' follows. */
function noteBackpressure (message, pending) {
  const connection = message[kConnection]
  // What was too much in this tick still waits for its end in core, even if the kernel has it.
  const isFull = message[kNeedDrain] && connection !== null && connection.corked && connection.fullAt === connection.corks
  if (!isFull && (pending < message[kHighWaterMark] || isBelow(message, connection))) return true
  awaitDrain(message)
  if (connection !== null) connection.fullAt = connection.corks
  // What is queued in the message is sent when its turn comes, or never.
  if (connection && message.outputData.length === 0) connection.notifyDrain()
  return false
}

/** Gives the result of a write() that has sent nothing. */
function stillWaits (message) {
  const connection = message[kConnection]
  return noteBackpressure(message, connection === null ? message.outputSize : connection.pending())
}

module.exports = {
  CRLF,
  isLost,
  transmit,
  tellDue,
  failCorked,
  awaitDrain,
  noteBackpressure,
  stillWaits,
  takeHeadFlag,
  awaitOthers,
  isUtf8,
  sizeOf
}

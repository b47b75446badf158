'use strict'

/**
 * Where Node's releases behave differently, decided once. Every flag names a behaviour, not a release. Core's own members and slots
 * tell where they can; elsewhere the thresholds are the builds on which the behaviour was measured.
 */

const { process } = require('../host')
const { IncomingMessage, OutgoingMessage, ServerResponse, storeHTTPOptions } = require('./classes')
const { ofCore } = require('./symbols')

const [major, minor] = process.versions.node.split('.', 2).map(Number)

/**
 * True if this Node has a change, given the minor with which it reached each older line.
 * @param {number} first the first major that always had it
 * @param {Object<number, number>} [backports] major -> minor
 */
function has (first, backports = {}) {
  const from = backports[major]
  return from === undefined ? major >= first : minor >= from
}

function isBefore (version, major, minor) {
  const [itsMajor, itsMinor] = version.split('.', 2).map(Number)
  return itsMajor < major || (itsMajor === major && itsMinor < minor)
}

/** Core's methods as they are before an application replaces them: some flags are found when they are read first. */
const { _dump, _destroy } = IncomingMessage.prototype
const { write, _storeHeader } = OutgoingMessage.prototype

/** True if core's _dump reads a complete message instead of making it flow. */
function endsAtOnce () {
  let flows = false
  const message = { complete: true, destroyed: false, readableLength: 0, removeAllListeners () {}, read () {}, resume () { flows = true } }
  _dump.call(message)
  return !flows
}

/** True if core's writeEarlyHints refuses a line break. */
function refusesBreaks () {
  try {
    ServerResponse.prototype.writeEarlyHints.call({ _writeRaw () {} }, { link: '<a>; rel=b', c: 'd\r\ne' })
  } catch {
    return true
  }
  return false
}

/** True if core's write() corks the message until the end of the tick, and not its socket. */
function corksMessage () {
  let corked
  const cork = function () {
    corked = this
    // It has told what it does: it is not to write.
    throw new Error()
  }
  const message = { _header: 'x', _hasBody: true, cork, socket: { writableCorked: 0, cork } }
  try {
    write.call(message, 'x')
  } catch {
    return corked === message
  }
  return false
}

/** True if core's writableCorked counts what corks the socket. */
function countsSocketCorks () {
  const { get } = Object.getOwnPropertyDescriptor(OutgoingMessage.prototype, 'writableCorked')
  return get.call({ socket: { writableCorked: 1 } }) !== undefined
}

/** True if core's IncomingMessage _destroy calls back at once for a complete message. */
function completesAtOnce () {
  let completes = false
  const message = { complete: true, readableEnded: true, aborted: false, socket: null, listenerCount: () => 0 }
  _destroy.call(message, null, () => { completes = true })
  return completes
}

/** True if core's Keep-Alive field names a whole number of requests. */
function namesWholeRequests () {
  const message = new OutgoingMessage()
  message._keepAliveTimeout = 1000
  message._maxRequestsPerSocket = 1.5
  _storeHeader.call(message, '', null)
  return !message._header.includes('max=1.5')
}

/** What core's servers take for options, with their presets. */
const serverOptions = {}
storeHTTPOptions.call(serverOptions, {})

/** What was found so far of the flags that are not looked for at once. */
const found = { tickMergesChunks: undefined, writeShowsCork: undefined, wholeRequestsPerSocket: undefined, dumpEndsAtOnce: undefined, destroyCompletesAtOnce: undefined }

module.exports = Object.freeze({
  /** The permission model guards the network too. */
  permissionGuardsNet: has(25),
  /** maxConnections = 0 refuses all connections; before, it meant no limit. */
  zeroConnectionsRefuses: has(22),
  /** Closing a socket fails the write that its handle has; before, it succeeded. */
  closedHandleTellsWrites: has(22),
  /** Too many fields end the connection with 431; before, the surplus was dropped. */
  headerOverflowRejects: has(26, { 22: 23, 24: 21, 25: Infinity }),
  /** Of too many fields whole groups of the parser's are dropped; later, what is beyond the limit. */
  headersDropInGroups: !has(22),
  /** Core's parser is llhttp 9.3, whose grammar differs in details from that of 9.4. */
  llhttp93: isBefore(process.versions.llhttp, 9, 4),
  /** `socket` is an own data property of outgoing messages; later an accessor of their prototype. */
  socketIsData: !('socket' in OutgoingMessage.prototype),
  /** end(callback) is called before 'finish' with null, and with an error when the message cannot be flushed. */
  endCallbackGetsError: ofCore('kEndCallbacks') !== undefined,
  /** cork() gathers body parts in the message and sends them as one chunk. */
  corkMergesChunks: ofCore('kChunkedBuffer') !== undefined,
  /** 'drain' of a response comes when nothing waits anywhere; before, whenever the connection looked. */
  drainedMeansEmpty: has(26, { 24: 21, 25: Infinity }),
  /** A lost connection closes every response in the queue, not only the current one. */
  closesQueuedResponses: has(26, { 24: 21, 25: Infinity }),
  /** closeIdleConnections() also closes connections that never sent a byte. */
  closesVirginConnections: has(26),
  /** The body of an upgrade request is parsed; the listener gets the stream behind it. */
  upgradeParsesBody: has(26),
  /** server.shouldUpgradeCallback; before, only listenerCount('upgrade') decided. */
  shouldUpgradeCallback: 'shouldUpgradeCallback' in serverOptions,
  /** Unasked bytes destroy a free socket of the agent. */
  unsolicitedDataDestroys: has(26, { 22: 0, 24: 0, 25: Infinity }),
  /** headersDistinct is a plain object. */
  distinctHasPrototype: Object.getPrototypeOf(new IncomingMessage().headersDistinct) !== null,
  /** A server's keepAliveTimeout and its buffer that are no times count as none and as the preset. */
  checksKeepAlive: 'keepAliveTimeoutBuffer' in serverOptions,
  /** setDefaultHeaders and the "created" diagnostics channels. */
  createdChannels: has(22),
  /** A socket names its request as soon as it is promised to it, not only when the exchange begins. */
  promiseNamesRequest: has(25, { 24: 21 }),
  /** The httpValidation option. */
  httpValidation: '_isLenientHeaderValidation' in OutgoingMessage.prototype,
  /** IncomingMessage.signal. */
  messageSignal: 'signal' in IncomingMessage.prototype,
  /** The optimizeEmptyRequests option. */
  optimizeEmptyRequests: '_dumpAndCloseReadable' in IncomingMessage.prototype,
  /** writeEarlyHints checks names and values. */
  validatesHints: refusesBreaks(),

  // Found when they are read first: the methods that tell are compiled then.

  /** All that is written in one tick becomes one chunk. */
  get tickMergesChunks () { return (found.tickMergesChunks ??= corksMessage()) },
  /** writableCorked shows that writes are held until the end of the tick. */
  get writeShowsCork () { return (found.writeShowsCork ??= this.tickMergesChunks || countsSocketCorks()) },
  /** Keep-Alive names a whole number of requests, whatever maxRequestsPerSocket is. */
  get wholeRequestsPerSocket () { return (found.wholeRequestsPerSocket ??= namesWholeRequests()) },
  /** Discarding a complete message ends it at once, without making it flow. */
  get dumpEndsAtOnce () { return (found.dumpEndsAtOnce ??= endsAtOnce()) },
  /** Destroying a complete message needs no extra tick. */
  get destroyCompletesAtOnce () { return (found.destroyCompletesAtOnce ??= completesAtOnce()) }
})

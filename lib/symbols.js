'use strict'

/**
 * Private slots shared between files. Symbols, not `#private`: consumers run our prototypes on objects that
 * our constructors never saw (express, light-my-request), and a brand check would throw there.
 *
 * Where core has a slot of the same meaning we use core's own symbol: packages find some of them by description,
 * and `require('_http_outgoing')` and `require('_http_server')` export a few.
 */

const http = require('node:http')

const listening = new http.Server()
listening.emit('listening')
const borrowed = [...Object.getOwnPropertySymbols(new http.OutgoingMessage()), ...Object.getOwnPropertySymbols(listening)]

/** Core's symbol of this description if this Node has one, else a new one. */
function slot (description) {
  return borrowed.find((symbol) => symbol.description === description) ?? Symbol(description)
}

const kSweep = slot('http.server.connectionsCheckingInterval')
clearInterval(listening[kSweep])

module.exports = {
  /** Socket or message -> the Connection that carries it. */
  kConnection: Symbol('kConnection'),
  /** Message -> called once when the turn that finished it ends; see docs/BOUNDARY.md. */
  kSettle: Symbol('kSettle'),

  // OutgoingMessage, as in core.
  /** { [lower-case name]: [name, value] }, null while no header was set. */
  kOutHeaders: slot('kOutHeaders'),
  kNeedDrain: slot('kNeedDrain'),
  kCorked: slot('corked'),
  kErrored: slot('errored'),
  kBytesWritten: slot('kBytesWritten'),
  kHighWaterMark: slot('kHighWaterMark'),
  kRejectNonStandardBodyWrites: slot('kRejectNonStandardBodyWrites'),
  /** Body parts held back by cork(): { data, encoding, callback }. */
  kChunkedBuffer: slot('kChunkedBuffer'),
  kChunkedLength: slot('kChunkedLength'),
  /** The socket; undefined while the connection has one that nobody has asked for. */
  kSocket: slot('kSocket'),
  kWritableFinished: slot('kWritableFinished'),
  kEndCallbacks: slot('kEndCallbacks'),
  /** Why the end was not flushed; null while nothing is wrong. */
  kFlushError: slot('kFlushError'),
  /** Set of lower-case names whose array values go in one line; null for none. */
  kUniqueHeaders: Symbol('kUniqueHeaders'),

  // OutgoingMessage, ours.
  /** The head as rendered, to notice when somebody replaced `_header`. */
  kHead: Symbol('kHead'),
  /** CRLFs in kHead. */
  kLines: Symbol('kLines'),
  /** How the rendered head says the body ends: sendFlags.NO_BODY, LENGTH, CHUNKED or UNTIL_CLOSE. */
  kFraming: Symbol('kFraming'),
  /** A field value or the reason holds something beyond printable ASCII. */
  kUnusual: Symbol('kUnusual'),
  /** Flags that a subclass adds to every HEAD it sends (REQUEST_HEAD…); 0 on the prototype. */
  kHeadFlags: Symbol('kHeadFlags'),
  /** Flags that a subclass adds to END when `_last` is set (LAST); 0 on the prototype. */
  kLastFlags: Symbol('kLastFlags'),
  /** The message frames itself: its `_send` is somebody else's. */
  kPlain: Symbol('kPlain'),
  /** Message -> called by the connection when all output was taken. */
  kDrained: Symbol('kDrained'),
  /** Message -> called when the last byte was handed over, just before 'finish'. */
  kFinished: Symbol('kFinished'),
  /** Callbacks of writes that the transport has not taken yet (lib/outgoing-callbacks.js); null until there was one. */
  kCallbacks: Symbol('kCallbacks'),
  /** Message -> the async context that 'drain' is for. */
  kDrainScope: Symbol('kDrainScope'),
  /** Message of whose end nobody is told: it is over when there is room for more on its connection. */
  kAwaitsRoom: Symbol('kAwaitsRoom'),
  /** Message -> the httpValidation that it is under. */
  kValidation: Symbol('kValidation'),

  // Server.
  /** Class of requests and of responses. */
  kIncomingMessage: Symbol('IncomingMessage'),
  kServerResponse: Symbol('ServerResponse'),
  kOptimizeEmptyRequests: Symbol('OptimizeEmptyRequestsOption'),
  /** A server's handle: what accepts for it (lib/listener.js). */
  kListener: Symbol('kListener'),
  /** Server -> the limits and leniencies of its parsers. */
  kParserConfig: Symbol('kParserConfig'),
  /** The connections that speak HTTP. */
  kConnections: Symbol('http.server.connections'),
  /** The timer that looks for requests that take too long. */
  kSweep,

  /** Message -> the listeners that core would have, given those that are there. */
  kListenersShown: Symbol('kListenersShown'),

  // NativeSocket.
  /** Callbacks that wait until the kernel took all output. */
  kWaiting: Symbol('kWaiting'),

  // IncomingMessage, ours.
  /** The head as it crossed the boundary; see docs/BOUNDARY.md. '' once rawHeaders exist. */
  kText: Symbol('kText'),
  /** Where the fields begin in kText. */
  kFieldsAt: Symbol('kFieldsAt'),
  kRawHeaders: Symbol('kRawHeaders'),
  kHeaders: Symbol('kHeaders'),
  kHeadersDistinct: Symbol('kHeadersDistinct'),
  kRawTrailers: Symbol('kRawTrailers'),
  kTrailers: Symbol('kTrailers'),
  kTrailersDistinct: Symbol('kTrailersDistinct'),
  /** The Readable's state; undefined until somebody looks into the message. */
  kState: Symbol('kState'),
  /** How far a message went that nobody has looked into: 0 reading, 1 complete, 2 over. */
  kProgress: Symbol('kProgress'),
  /** Reading of the connection is stopped until the message is read. */
  kPaused: Symbol('kPaused'),
  kAbortController: Symbol('kAbortController'),
  /** Message -> takes a part of the body. */
  kReceive: Symbol('kReceive'),
  /** Message -> the body is complete. */
  kComplete: Symbol('kComplete'),
  /** Message -> the exchange is over: the signal will not fire any more. */
  kDetachSignal: Symbol('kDetachSignal')
}

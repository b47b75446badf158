'use strict'

/**
 * Private slots shared between files. Symbols, not `#private`: consumers run our prototypes on objects that
 * our constructors never saw (express, light-my-request), and a brand check would throw there.
 *
 * Where core has a slot of the same meaning we use core's own symbol: packages find some of them by description,
 * and `require('_http_outgoing')` and `require('_http_server')` export a few.
 */

const { kUniqueHeaders } = require('node:_http_outgoing')
const { common, kSettle } = require('../binding')
const { Agent, ClientRequest, IncomingMessage, OutgoingMessage, Server, storeHTTPOptions } = require('./classes')

/** Core's symbols, as they were found first; and by their descriptions. */
const borrowed = (common.borrowed ??= borrow())
const byDescription = new Map(borrowed.toReversed().map((symbol) => [symbol.description, symbol]))

/**
 * Finds the symbols of core's messages, servers and agents. Of a server and a request there is as much as has them: to make a whole one,
 * core compiles its largest functions.
 */
function borrow () {
  const server = {}
  storeHTTPOptions.call(server, {})
  const asked = []
  Server.prototype.closeAllConnections.call(new Proxy({}, { get (object, key) { asked.push(key) } }))
  const request = {}
  ClientRequest.prototype.destroy.call(request)
  const target = Object.getOwnPropertyDescriptor(ClientRequest.prototype, 'path')
  target?.set?.call(request, '/')
  const found = [new OutgoingMessage(), new IncomingMessage(), request, server, new Agent({ proxyEnv: {} })].flatMap(Object.getOwnPropertySymbols)
  return [...found, ...asked.filter((key) => typeof key === 'symbol'), kUniqueHeaders]
}

/** Gives core's symbol of this description; undefined if this Node has none. */
function ofCore (description) {
  return byDescription.get(description)
}

/** Gives a symbol of ours, the same in all copies of lib/: messages, sockets and connections are known by it. */
function own (description) {
  return (common[description] ??= Symbol(description))
}

/** Gives core's symbol of this description if this Node has one, else ours. */
function slot (description) {
  return ofCore(description) ?? own(description)
}

module.exports = {
  own,
  ofCore,

  /** Socket or message -> the Connection that carries it. */
  kConnection: own('kConnection'),
  /** Message -> called once when the turn that finished it ends; see docs/BOUNDARY.md. */
  kSettle,

  // OutgoingMessage, as in core.
  /** { [lower-case name]: [name, value] }, null while no header was set. */
  kOutHeaders: slot('kOutHeaders'),
  kNeedDrain: slot('kNeedDrain'),
  kCorked: slot('corked'),
  kErrored: slot('errored'),
  kBytesWritten: slot('kBytesWritten'),
  kHighWaterMark: slot('kHighWaterMark'),
  kRejectNonStandardBodyWrites: slot('kRejectNonStandardBodyWrites'),
  /** Body parts that wait for the end of the tick, of a message that core sends. */
  kChunkedBuffer: slot('kChunkedBuffer'),
  kChunkedLength: slot('kChunkedLength'),
  /** The socket; undefined while the connection has one that was not read yet. */
  kSocket: slot('kSocket'),
  kWritableFinished: slot('kWritableFinished'),
  kEndCallbacks: slot('kEndCallbacks'),
  /** Why the end was not flushed; null while nothing is wrong. */
  kFlushError: slot('kFlushError'),
  /** Set of lower-case names whose array values go in one line; null for none. */
  kUniqueHeaders: slot('kUniqueHeaders'),

  // OutgoingMessage, ours.
  /** Body parts that wait for the end of the tick, of a message of ours: { data, encoding, callback, size }; null for none. */
  kHeld: own('kHeld'),
  /** The head as rendered, to notice a replaced `_header`. */
  kHead: own('kHead'),
  /** Method: makes the message core's (lib/message/delegate.js). */
  kLeaveToCore: own('kLeaveToCore'),
  /** Method: renders a message's head. */
  kRenderHead: own('kRenderHead'),
  /** CRLFs in kHead. */
  kLines: own('kLines'),
  /** How the rendered head says the body ends: sendFlags.NO_BODY, LENGTH, CHUNKED or UNTIL_CLOSE. */
  kFraming: own('kFraming'),
  /** True if a field value or the reason holds something beyond printable ASCII. */
  kBeyondAscii: own('kBeyondAscii'),
  /** Flags that a subclass adds to every HEAD it sends (REQUEST_HEAD…); 0 on the prototype. */
  kHeadFlags: own('kHeadFlags'),
  /** Flags that a subclass adds to END when `_last` is set (LAST); 0 on the prototype. */
  kLastFlags: own('kLastFlags'),
  /** Message -> true while each part is a call of its Connection; else core's methods send it (lib/message/delegate.js). */
  kNative: own('kNative'),
  /** Message -> called by the connection when all output was taken. */
  kDrained: own('kDrained'),
  /** Message -> called when the last byte was handed over, just before 'finish'. */
  kFinished: own('kFinished'),
  /** Callbacks of writes that the transport has not taken yet (lib/message/write-callbacks.js); null until there was one. */
  kCallbacks: own('kCallbacks'),
  /** Message -> the async context that 'drain' is for. */
  kDrainScope: own('kDrainScope'),
  /** A response that waits for its turn -> the async context of its first part, null before that. */
  kTurn: own('kTurn'),
  /** True for an ended message that nothing waits for: it finishes when there is room for more on its connection. */
  kAwaitsRoom: own('kAwaitsRoom'),

  // Server.
  /** Class of requests and of responses. */
  kIncomingMessage: slot('IncomingMessage'),
  kServerResponse: slot('ServerResponse'),
  kOptimizeEmptyRequests: slot('OptimizeEmptyRequestsOption'),
  /** A server's handle -> the Listener that accepts for it (lib/server/listener.js). */
  kListener: own('kListener'),
  /** Server -> the limits and leniencies of its parsers. */
  kParserConfig: own('kParserConfig'),
  /** The connections that speak HTTP. */
  kConnections: slot('http.server.connections'),

  /** Message -> gives the listeners that core would have, from those that are there. */
  kListenersShown: own('kListenersShown'),

  // NativeSocket.
  /** Callbacks that wait until the kernel took all output (lib/connection/socket-writes.js). */
  kWaiting: own('kWaiting'),

  // IncomingMessage, as in core.
  kHeaders: slot('kHeaders'),
  /** Names and values of rawHeaders that headers takes. */
  kHeadersCount: slot('kHeadersCount'),
  kTrailers: slot('kTrailers'),
  kTrailersCount: slot('kTrailersCount'),

  // IncomingMessage, ours.
  /** The head as it crossed the boundary; see docs/BOUNDARY.md. '' once rawHeaders exist. */
  kText: own('kText'),
  /** Where the fields begin in kText. */
  kFieldsAt: own('kFieldsAt'),
  kRawHeaders: own('kRawHeaders'),
  kRawTrailers: own('kRawTrailers'),
  /** The Readable's state; undefined until it is read first. */
  kState: own('kState'),
  /** How far an untouched message went: 0 reading, 1 complete, 2 over. */
  kProgress: own('kProgress'),
  /** True while reading of the connection is stopped until the message is read. */
  kPaused: own('kPaused'),
  kAbortController: own('kAbortController'),
  /** Message -> takes a part of the body. */
  kReceive: own('kReceive'),
  /** Message -> the body is complete. */
  kComplete: own('kComplete'),
  /** Message -> detaches its signal from the socket: the exchange is over. */
  kDetachSignal: own('kDetachSignal'),

  /** Request or response -> its measurement, if there is one. */
  kMeasure: own('kMeasure'),

  // ClientRequest, and its agent.
  /** Request -> what destroy() was called with. Not `errored`: core leaves that alone here. */
  kError: ofCore('kError'),
  /** Request -> called when its response was read to the end. */
  /** Response, of either side -> the request that it answers: `req` is the application's to replace. */
  kRequest: own('kRequest'),
  kResponseEnded: own('kResponseEnded'),
  /** Request -> called at 'finish' when its response came before that. */
  kAnsweredEarly: own('kAnsweredEarly'),
  /** Request -> the async context that its events are emitted in. */
  kResource: own('kResource'),
  /** Mark of requests that a native connection can carry, and of the options of a connection made for one. */
  kDialable: own('kDialable'),
  /** Request -> its mode of hardening, a value of `native.HARDENING`; undefined for one that core has made. */
  kMode: own('kHardening'),
  /** Request -> the options that its agent was asked with, if it is one that retries. */
  kRetryOptions: own('kRetryOptions'),
  /** Agent -> asks for another connection for a request. */
  kAskAgain: own('kAskAgain'),
  /** Request -> its Attempt (lib/client/retry.js); undefined if it is not sent again. */
  kAttempt: own('kAttempt'),

  /** Message -> makes another of its class, as our constructor leaves it. */
  kFresh: own('kFresh')
}

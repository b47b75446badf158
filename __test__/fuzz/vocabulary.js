'use strict'

/** What the steps of a program are, and what may be watched. */

const OUT_EVENTS = ['close', 'finish', 'prefinish', 'drain', 'error', 'pipe', 'unpipe']
const IN_EVENTS = ['close', 'end', 'error', 'aborted', 'pause', 'resume']
const SOCKET_EVENTS = ['close', 'end', 'error', 'finish', 'drain', 'timeout']
const CLIENT_EVENTS = ['abort', 'connect', 'upgrade', 'continue', 'information', 'timeout']
const CLIENT_SOCKET_EVENTS = ['connect', 'ready', 'free', 'agentRemove', 'lookup']

/** Ops by weight: with a request and its response on a server, or on a client. */
const BOTH = { write: 30, end: 14, cork: 4, flushHeaders: 3, data: 6, pause: 3, resume: 4, destroy: 2 }
const SERVER_OPS = {
  ...BOTH,
  destroyIn: 1,
  setHeader: 4,
  removeHeader: 1,
  writeHead: 2,
  addTrailers: 1,
  writeContinue: 1,
  writeProcessing: 1,
  writeEarlyHints: 1,
  socketDestroy: 1,
  socketDestroySoon: 1,
  socketReset: 0.5,
  socketEnd: 1,
  socketPause: 0.5,
  socketResume: 0.5,
  socketCork: 0.5,
  socketUnref: 0.5,
  pipe: 1,
  detachSocket: 0.2
}
const CLIENT_OPS = {
  ...BOTH,
  abort: 1,
  destroyIn: 1.5,
  setHeader: 2,
  removeHeader: 1,
  addTrailers: 1,
  setNoDelay: 1,
  socketDestroy: 1,
  socketDestroySoon: 0.7,
  socketReset: 0.5,
  socketEnd: 0.7,
  socketPause: 0.5,
  socketResume: 0.5,
  socketCork: 0.5,
  socketUnref: 0.5,
  setKeepAlive: 0.3,
  setTimeout: 0.7,
  abortSignal: 0.7,
  feed: 1,
  finishedOut: 1,
  finishedIn: 1,
  fields: 1,
  setEncoding: 0.3,
  iterate: 1,
  readable: 1
}

module.exports = { CLIENT_EVENTS, CLIENT_OPS, CLIENT_SOCKET_EVENTS, IN_EVENTS, OUT_EVENTS, SERVER_OPS, SOCKET_EVENTS }

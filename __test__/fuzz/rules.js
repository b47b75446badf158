'use strict'

/** What cases keep to. */

const versions = require('../../lib/core/versions')

/** What a chain must still uncork. */
function unanswered (chain) {
  const open = []
  for (const { op } of chain) {
    if (op === 'cork') open.push('uncork')
    else if (op === 'socketCork') open.push('socketUncork')
    else if (open.includes(op)) open.splice(open.indexOf(op), 1)
  }
  return open
}

/** Moments that come whatever happens. */
const CERTAIN = ['sync', 'tick', 'micro', 'immediate']

/** Between cork() and uncork() nothing is waited for; see RULES. */
function isCorkedBriefly (chain) {
  return chain.every(({ op, when }, index) => {
    const before = unanswered(chain.slice(0, index))
    if (before.length > 0 && !CERTAIN.includes(when)) return false
    return !/uncork$/i.test(op) || before.includes(op)
  }) && unanswered(chain).length === 0
}

const [major] = process.versions.node.split('.').map(Number)

/** Bytes of a body from which on its reader is behind, or its writer is to wait. */
const FULL = major < 22 ? 16384 : 65536

/**
 * What cases keep to, since it is a deliberate deviation that core and we differ beyond it (docs/COMPATIBILITY.md): each
 * takes an exchange's steps and the number of requests on its connection.
 */
const RULES = [
  // What a cork() without an uncork() holds back, and an uncork() without a cork().
  (chains) => chains.every(isCorkedBriefly),
  // end() while cork() holds chunks.
  (chains) => !versions.corkMergesChunks || versions.tickMergesChunks || !chains.flat().some(({ op }) => op === 'cork'),
  // 1xx before a head that waits for its socket, or for one that has ended.
  (chains, requests) => (requests === 1 && !chains.flat().some(({ op }) => /^socket(End|DestroySoon)$/.test(op))) || !chains.flat().some(({ op }) => /^write[CPE]/.test(op)),
  // detachSocket() with another request behind it, or of a response that ends, where core fails an assertion.
  (chains, requests) => !chains.flat().some(({ op }) => op === 'detachSocket') || (requests === 1 && !chains.flat().some(({ op }) => op === 'end' || op === 'pipe')),
  // A 'finish' listener that is added behind end(), as pipe() does.
  (chains) => !chains.flat().some(({ op }) => op === 'pipe' || op === 'feed') || !chains.flat().some(({ op }) => op === 'end'),
  // resetAndDestroy() of a socket right behind its end().
  (chains) => !chains.flat().some(({ op }) => op === 'socketReset') || !chains.flat().some(({ op }) => op === 'socketEnd' || op === 'socketDestroySoon'),
  // The same behind a response's 'end', at which core's client ends the socket.
  (chains) => !chains.some((chain) => chain.some(({ op }, at) => op === 'socketReset' && momentOf(chain, at) === 'in:end')),
  // Two pipes into one message that fill it: which writes first hangs on 'drain', which core's has before the tick's parts are sent.
  (chains) => major < 24 || pipes(chains) < 2 || written(chains) < FULL
]

const pipes = (chains) => chains.flat().filter(({ op }) => op === 'feed' || op === 'pipe').length

const written = (chains) => chains.flat().reduce((sum, { size = 0 }) => sum + size, 0)

const READING = ['data', 'pipe', 'resume']

/**
 * True if several requests of a connection have bodies that fill their buffers, or one behind others that its handler does
 * not read: core reads on whoever is behind then.
 */
function fillsUnread (script, options, handlers) {
  const full = Math.min(options?.highWaterMark ?? FULL, FULL)
  const fills = ({ body }) => body !== undefined && body.size >= full
  const isRead = (index) => handlers[index % handlers.length].chains.flat().some(({ op }) => READING.includes(op))
  return script.requests.filter(fills).length > 1 || script.requests.some((request, index) => index > 0 && fills(request) && !isRead(index))
}

/**
 * True if a listener of 'response' or 'information' throws: core loses the rest of the packet. Likewise one of 'connect', or a
 * callback, or a listener of the request's progress, that may come then: core never reads from the connection.
 */
function throwsUnderCore (requests) {
  return requests.some(({ chains }, index) => {
    const within = index > 0 && requests[index - 1].then === 'response'
    return chains.some((chain) => chain.some(({ op }, at) => op === 'throw' && beganWith(chain, at, within)))
  })
}

/** Whether a step is done in such a listener. @param {boolean} within whether the chain begins in one */
function beganWith (chain, at, within) {
  const moment = momentOf(chain, at)
  return moment === undefined ? within : /^(out:(response|information|finish|prefinish|drain)|socket:connect|callback)$/.test(moment)
}

/** The moment in which a step is done; undefined for that in which the chain begins. */
function momentOf (chain, at) {
  while (at >= 0 && chain[at].when === 'sync') at--
  return chain[at]?.when
}

/**
 * True if something is written in 'error': the peer may have gone, and a write fails at once in core, and counts as taken
 * with us (docs/COMPATIBILITY.md).
 */
function writesAtError (requests) {
  return requests.some(({ chains }) => chains.some((chain) => {
    const at = chain.findIndex(({ when }) => when === 'out:error')
    return at !== -1 && chain.slice(at).some(({ op }) => /^(write|end|flushHeaders)$/.test(op))
  }))
}

/** Beyond so many bytes a run's drains are not compared. */
const HEAVY = 65536

const WAITS_FOR_ROOM = ({ op, when }) => op === 'feed' || op === 'pipe' || when === 'out:drain'

/**
 * True if a request may be answered before it is over, and waits for room, or shows that it does: core's hears of none behind its
 * answer (docs/COMPATIBILITY.md).
 */
function waitsBehindAnswer ({ requests, peer }) {
  return peer.answers.some(({ when }) => when !== 'complete') && requests.some(({ chains }) => {
    const size = written(chains)
    return size >= FULL && (size <= HEAVY || chains.flat().some(WAITS_FOR_ROOM))
  })
}

/** Whether the peer does not wait for each answer before it sends the next request. */
const isPipelined = ({ window, requests }) => window !== 1 && requests.length > 1

const CLOSES = ({ version, headers }) => version === '1.0' || headers?.some(([name, value]) => name === 'Connection' && value === 'close')

const WRITES = /^(write|flushHeaders|end)$/

/**
 * True if a response that nothing listens to has its turn before core's, in the packet of the one before it (docs/COMPATIBILITY.md),
 * and that can be seen: more comes behind a last request, by whose error core loses the response, or its parts are merged in the
 * tick, as they are not while it waits (Node 24.22 and 26).
 */
function hasEarlyTurn ({ handlers, peer }) {
  return handlers.some(({ plain }) => plain) && peer.connections.some((script) => isPipelined(script) && (
    script.requests.slice(0, -1).some(CLOSES) ||
    (versions.tickMergesChunks && handlers.some(({ chains }) => chains.flat().filter(({ op }) => WRITES.test(op)).length > 1))))
}

/** Whether a case keeps to the rules: one that is made smaller must, too. */
function isSound ({ handlers, requests, peer, options, careless, transport, closing }) {
  // A server that closes, with a connection that is nobody's: core destroys it, we end it with its peer.
  if (closing === 'server' && JSON.stringify(handlers).includes('"detachSocket"')) return false
  if (handlers !== undefined && hasEarlyTurn({ handlers, peer })) return false
  const most = handlers === undefined ? 1 : Math.max(...peer.connections.map(({ requests, window = Infinity }) => Math.min(window, requests.length)))
  if (handlers !== undefined && peer.connections.some((script) => script.window !== 1 && fillsUnread(script, options, handlers))) return false
  // A 1xx of the server's own before such a head, and what is behind an answer of its own, which has no listeners.
  if (most > 1 && (careless || /100-continue|"Expect","other"/.test(JSON.stringify(peer)))) return false
  if (requests !== undefined) {
    const isNative = transport === 'tcp' || transport === 'unix'
    if (throwsUnderCore(requests) || (isNative && (writesAtError(requests) || waitsBehindAnswer({ requests, peer })))) return false
  }
  return (handlers ?? requests).every(({ chains }) => RULES.every((rule) => rule(chains, most)))
}

module.exports = { CERTAIN, isSound, unanswered }

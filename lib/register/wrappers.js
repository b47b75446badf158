'use strict'

/**
 * Carries over what an application, or an agent that traces it, has put on core's http before register came. Additions, and
 * wrappers of what is inherited (`Server.prototype.emit`), work on ours as well. Wrapped exports stay: what core's own functions
 * construct below them becomes ours (./earlier.js). A wrapped Agent.prototype.createConnection() stays, and makes core's sockets,
 * which carry our requests. A wrapper of a method of core's own, and a subclass in the place of a class,
 * hold on to what core has, and cannot be given ours: a warning names them.
 */

const net = require('node:net')
const { process } = require('../host')
const { noteEarlierPatch } = require('../client/net-patches')

/** Core's files with the functions that its http exports. */
const FILES = ['http', '_http_agent', '_http_client', '_http_incoming', '_http_outgoing', '_http_server', 'internal/errors', 'internal/util', 'net']

/** Exports that construct core's classes. */
const CONSTRUCTING = new Set(['createServer', 'get', 'request'])

/** @returns {Function} true for functions that are Node's own, as far as the text of its sources shows */
function sourcesOfCore () {
  let text
  try {
    const natives = process.binding('natives')
    text = FILES.map((file) => natives[file]).join('\n')
  } catch {
    // The permission model does not give the sources: every function counts as Node's own.
    return () => true
  }
  return (method) => text.includes(Function.prototype.toString.call(method))
}

/** Gives the functions of a property descriptor. */
const functionsOf = ({ value, get, set }) => [value, get, set].filter((member) => typeof member === 'function')

/**
 * @param {object} core the http of the running Node
 * @param {object} ours the same of ours
 * @param {object} originals core's classes, whatever its exports are by now
 * @returns {Set<string>} the exports that must stay as they are
 */
function carryOver (core, ours, originals, classes) {
  const isCores = sourcesOfCore()
  const kept = new Set(Object.keys(core).filter((name) => {
    return !functionsOf(Object.getOwnPropertyDescriptor(core, name)).every(isCores)
  }))
  const lost = []
  for (const name of classes) {
    const theirs = originals[name].prototype
    const own = ours[name].prototype
    for (const key of Reflect.ownKeys(theirs)) {
      const member = Object.getOwnPropertyDescriptor(theirs, key)
      if (typeof key === 'symbol' && functionsOf(member).length === 0) continue
      if (functionsOf(member).every(isCores)) continue
      const ourMember = Object.getOwnPropertyDescriptor(own, key)
      // What ours have of core's is wrapped already.
      if (ourMember !== undefined && functionsOf(ourMember).every((method) => functionsOf(member).includes(method))) continue
      if (ourMember !== undefined && !(name === 'Agent' && key === 'createConnection')) lost.push(`http.${name}.prototype.${String(key)}`)
      else Object.defineProperty(own, key, member)
    }
  }
  // What constructs core's classes constructs ours from now on.
  const unlike = [...kept].filter((name) => !CONSTRUCTING.has(name) && !(classes.includes(name) && core[name].prototype === originals[name].prototype))
  if (unlike.length + lost.length > 0) warn(unlike.map((name) => `http.${name}`), lost)
  return kept
}

/** Connections of a net that was patched before are made by it, as those of one that is patched later. */
function heedNet () {
  const isCores = sourcesOfCore()
  if (![net.connect, net.createConnection, net.Socket.prototype.connect].every(isCores)) noteEarlierPatch()
}

function warn (kept, lost) {
  const parts = []
  if (kept.length > 0) parts.push(`${kept.join(', ')} stay as they are`)
  if (lost.length > 0) parts.push(`${lost.join(', ')} are not wrapped any more`)
  process.emitWarning(`node:http was wrapped before http-native/register was loaded: ${parts.join('; ')}.`, {
    type: 'HttpNativeWarning',
    code: 'HTTP_NATIVE_WRAPPED',
    detail: 'Load http-native/register first: before the agent in --require, and in NODE_OPTIONS if the agent is there. More: docs/ERRORS.md of http-native.'
  })
}

module.exports = { carryOver, heedNet }

'use strict'

/**
 * Messages of core's that came to have our prototypes. Express gives every request and response prototypes that it has
 * made of `http`'s, and under register https and http2 still make core's own: what our constructors never saw is left
 * to core's methods of the same names.
 */

const { IncomingMessage, OutgoingMessage, ServerResponse } = require('./core')
const { kConnection } = require('./symbols')

/** Core's prototypes. */
const cores = {
  IncomingMessage: IncomingMessage.prototype,
  OutgoingMessage: OutgoingMessage.prototype,
  ServerResponse: ServerResponse.prototype
}

/** All of ours have a connection, or null. */
function isCores (message) {
  return message[kConnection] === undefined
}

function deferMethod (ours, theirs) {
  const method = function () {
    return (this[kConnection] === undefined ? theirs : ours).apply(this, arguments)
  }
  Object.defineProperty(method, 'name', { value: ours.name, configurable: true })
  Object.defineProperty(method, 'length', { value: ours.length, configurable: true })
  return method
}

/** @returns {PropertyDescriptor|undefined} a member that is ours for our messages and core's for core's */
function defer (ours, theirs) {
  if (typeof ours.value === 'function' && typeof theirs.value === 'function') {
    return { ...ours, value: deferMethod(ours.value, theirs.value) }
  }
  if (ours.get !== undefined && theirs.get !== undefined) {
    return { ...ours, get: deferMethod(ours.get, theirs.get), set: ours.set && theirs.set && deferMethod(ours.set, theirs.set) }
  }
  return undefined
}

/**
 * Makes the members of a prototype of ours leave core's messages alone.
 * @param {object} prototype
 * @param {'IncomingMessage'|'OutgoingMessage'|'ServerResponse'} name
 * @param {string[]} guarded members that see to it by themselves, since every message passes through them
 */
function leaveCores (prototype, name, guarded) {
  for (const key of Reflect.ownKeys(prototype)) {
    const theirs = Object.getOwnPropertyDescriptor(cores[name], key)
    if (theirs === undefined || key === 'constructor' || guarded.includes(key)) continue
    const member = defer(Object.getOwnPropertyDescriptor(prototype, key), theirs)
    if (member !== undefined) Object.defineProperty(prototype, key, member)
  }
  // What core's servers and clients call by names that nobody else knows.
  for (const key of Object.getOwnPropertySymbols(cores[name])) {
    if (!Object.hasOwn(prototype, key)) Object.defineProperty(prototype, key, Object.getOwnPropertyDescriptor(cores[name], key))
  }
}

module.exports = { cores, isCores, leaveCores }

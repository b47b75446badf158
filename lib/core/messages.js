'use strict'

/**
 * Messages that core's own methods handle. There are two kinds.
 *  - Core's messages with prototypes of ours: express gives every request and response prototypes that it has made of
 *    `http`'s, and under register https and http2 make core's own messages. Our constructors never saw them: every method
 *    of ours passes them on to core's of the same name.
 *  - Messages of ours that core sends (`leaveToCore` in lib/message/delegate.js): only what writes is core's.
 */

const { IncomingMessage, OutgoingMessage, ServerResponse } = require('./classes')
const { kConnection, kNative } = require('./symbols')

/** Core's prototypes. */
const cores = {
  IncomingMessage: IncomingMessage.prototype,
  OutgoingMessage: OutgoingMessage.prototype,
  ServerResponse: ServerResponse.prototype
}

/** True if our constructor never saw the message: all of ours have a connection, or null. */
function isCores (message) {
  return message[kConnection] === undefined
}

/** True if core's methods write and end the message. */
function isSentByCore (message) {
  return message[kNative] !== true
}

/** Makes a method that is ours or, if `isTheirs(this)`, core's. Its name and length are still to be made core's (lib/core/reflection.js). */
function defer (ours, theirs, isTheirs) {
  return function () {
    return (isTheirs(this) ? theirs : ours).apply(this, arguments)
  }
}

/** The same for accessors, which have their names by themselves. */
function deferAccessor (ours, theirs, isTheirs) {
  const method = defer(ours, theirs, isTheirs)
  Object.defineProperty(method, 'name', { value: ours.name, configurable: true })
  Object.defineProperty(method, 'length', { value: ours.length, configurable: true })
  return method
}

/** @returns {PropertyDescriptor|undefined} a member that is ours for our messages and core's for core's */
function deferMember (ours, theirs, isTheirs) {
  if (typeof ours.value === 'function' && typeof theirs.value === 'function') {
    return { ...ours, value: defer(ours.value, theirs.value, isTheirs) }
  }
  if (ours.get !== undefined && theirs.get !== undefined) {
    return { ...ours, get: deferAccessor(ours.get, theirs.get, isTheirs), set: ours.set && theirs.set && deferAccessor(ours.set, theirs.set, isTheirs) }
  }
  return undefined
}

/**
 * Makes the members of a prototype of ours pass core's messages on to core's members, and gives it those of core's that it lacks.
 * @param {object} prototype
 * @param {'IncomingMessage'|'OutgoingMessage'|'ServerResponse'} name
 * @param {string[]} guarded members that do so themselves, since every message passes through them
 * @param {string[]} [sending] members that are core's also for messages of ours that core sends
 */
function deferToCore (prototype, name, guarded, sending = []) {
  for (const key of Reflect.ownKeys(prototype)) {
    const theirs = Object.getOwnPropertyDescriptor(cores[name], key)
    if (theirs === undefined || key === 'constructor' || guarded.includes(key)) continue
    const isTheirs = sending.includes(key) ? isSentByCore : isCores
    const member = deferMember(Object.getOwnPropertyDescriptor(prototype, key), theirs, isTheirs)
    if (member !== undefined) Object.defineProperty(prototype, key, member)
  }
  for (const key of Reflect.ownKeys(cores[name])) {
    if (!Object.hasOwn(prototype, key)) Object.defineProperty(prototype, key, Object.getOwnPropertyDescriptor(cores[name], key))
  }
}

/**
 * Frameworks give messages prototypes of their own, which they have made of core's classes when they were loaded (express's
 * `app.request`). Those stand on our class from now on: its methods work for the messages of both.
 * @param {object} object a message, or what becomes its prototype
 * @param {'IncomingMessage'|'ServerResponse'} name
 * @param {Function} ours our class
 */
function rebase (object, name, ours) {
  for (let next = object; next !== null && typeof next === 'object'; next = Object.getPrototypeOf(next)) {
    if (Object.getPrototypeOf(next) !== cores[name]) continue
    Object.setPrototypeOf(next, ours.prototype)
    return
  }
}

module.exports = { cores, isCores, deferToCore, rebase }

'use strict'

/** Makes our classes look like core's to reflection, and gives them members of core's. */

/** Gives a function the name and the length of core's. */
function likeFunction (ours, theirs) {
  for (const key of ['name', 'length']) {
    if (ours[key] !== theirs[key]) Object.defineProperty(ours, key, { __proto__: null, value: theirs[key], configurable: true })
  }
}

/**
 * Gives a class and its members the names, lengths and flags of core's, whose releases differ in them; ours may have lost
 * their names to a minifier. Members that are of another kind here (accessor for data) keep their own.
 * @param {Function} Class
 * @param {Function} Host core's class of the same name
 */
function likeHost (Class, Host) {
  likeFunction(Class, Host)
  const { prototype } = Class
  const { prototype: host } = Host
  for (const key of Object.getOwnPropertyNames(host)) {
    const ours = Object.getOwnPropertyDescriptor(prototype, key)
    const theirs = Object.getOwnPropertyDescriptor(host, key)
    if (ours === undefined || key === 'constructor' || ('value' in ours) !== ('value' in theirs)) continue
    if (typeof ours.value === 'function' && typeof theirs.value === 'function' && ours.value !== theirs.value) likeFunction(ours.value, theirs.value)
    const { enumerable, configurable } = theirs
    if (ours.enumerable !== enumerable || ours.configurable !== configurable) {
      Object.defineProperty(prototype, key, { enumerable, configurable })
    }
  }
}

/** Gives a prototype the members of another that it lacks. */
function takeMembers (prototype, other) {
  for (const key of Object.getOwnPropertyNames(other)) {
    if (!Object.hasOwn(prototype, key)) Object.defineProperty(prototype, key, Object.getOwnPropertyDescriptor(other, key))
  }
}

/** Gives the descriptors of members that enumerating does not show. @param {object} members by name */
function hidden (members) {
  const descriptors = { __proto__: null }
  for (const key of Reflect.ownKeys(members)) {
    descriptors[key] = { __proto__: null, value: members[key], writable: true, enumerable: false, configurable: true }
  }
  return descriptors
}

/** Gives an object members of ours, which enumerating does not show. @param {object} object @param {object} members by name */
function addHidden (object, members) {
  Object.defineProperties(object, hidden(members))
}

module.exports = { likeHost, takeMembers, hidden, addHidden }

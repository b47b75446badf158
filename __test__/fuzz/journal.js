'use strict'

/** What was seen in a run, by object, and in which async context. */

const { AsyncLocalStorage } = require('node:async_hooks')

const contexts = new AsyncLocalStorage()

class Journal {
  constructor () {
    this.entries = []
    this.last = Date.now()
    /** Steps that were done, and requests and responses that were made or came. */
    this.operations = 0
    /** Objects that have not closed: the run is not over before they have, or nothing more happens. */
    this.open = new Map()
  }

  /** Something happened that is not to be seen by itself. */
  touch () {
    this.last = Date.now()
  }

  log (label, text) {
    this.touch()
    this.entries.push([label, `${text} @${contexts.getStore() ?? ''}`])
  }

  /** Notes what an emitter emits. `state` describes it, at its end and when the run is torn down. */
  watch (label, emitter, names, state) {
    this.open.set(label, () => state(emitter))
    for (const name of names) {
      emitter.on(name, (...args) => this.log(label, `'${name}'${args.map((arg) => ' ' + describe(arg)).join('')}${name === 'close' ? ' ' + state(emitter) : ''}`))
    }
  }

  closed (label) {
    this.touch()
    this.open.delete(label)
  }

  /** The states of what is still open. */
  snapshot (title) {
    for (const [label, state] of this.open) this.entries.push([label, `${title}: ${state()}`])
  }
}

function describe (value) {
  if (value instanceof Error) return value.code ?? (value instanceof TypeError ? 'TypeError' : value.message)
  if (typeof value === 'object' && value !== null) return value.constructor?.name ?? 'object'
  return String(value)
}

const flags = (object, names) => names.filter((name) => object[name]).join(' ')

const failure = (object) => object.errored ? ` errored:${describe(object.errored)}` : ''

const OUT = ['headersSent', 'writableEnded', 'writableFinished', 'finished', 'destroyed', 'closed', 'writableNeedDrain', 'aborted']
const IN = ['complete', 'aborted', 'readableEnded', 'destroyed', 'closed', 'readableAborted']
const SOCKET = ['readableEnded', 'writableEnded', 'writableFinished', 'destroyed', 'closed']

const stateOf = {
  out: (message) => `[${flags(message, OUT)}${failure(message)} length:${message.writableLength}]`,
  in: (message) => `[${flags(message, IN)}${failure(message)}]`,
  socket: (socket) => `[${flags(socket, SOCKET)}${failure(socket)}]`
}

module.exports = { Journal, contexts, describe, stateOf }

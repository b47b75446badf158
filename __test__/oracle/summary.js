'use strict'

/** Describes a value in one stable line, so that two runs can be compared as text. */

const net = require('node:net')
const { Duplex } = require('node:stream')
const { createHash } = require('node:crypto')
const { inspect } = require('node:util')

/** Longer texts are compared by their head, their length and their hash. */
const LONG = 2000

/** Own properties of errors that say something; `stack` and `message` are treated apart. */
const HIDDEN = new Set(['stack', 'message', 'code', 'name', 'port', 'address'])

function shorten (text) {
  if (text.length <= LONG) return text
  const hash = createHash('sha1').update(text, 'latin1').digest('hex')
  return `${text.slice(0, 200)}…(${text.length} bytes, sha1 ${hash})`
}

function isPlain (value) {
  const prototype = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === null || prototype === Object.prototype || value instanceof Map || value instanceof Set
}

function describeError (error) {
  const kind = error.constructor?.name ?? 'Error'
  const more = Object.keys(error).filter((key) => !HIDDEN.has(key)).sort()
    .map((key) => `${key}=${summary(error[key])}`)
  return `<${[kind, error.name, error.code ?? 'no code', JSON.stringify(error.message), ...more].join(' | ')}>`
}

function describeObject (value) {
  if (value instanceof Error) return describeError(value)
  if (value instanceof Uint8Array) return `<${value.constructor.name} ${JSON.stringify(shorten(Buffer.from(value).toString('latin1')))}>`
  if (value instanceof net.Socket) return '<net.Socket>'
  if (value instanceof net.Server) return '<net.Server>'
  if ('httpVersionMajor' in value) return `<IncomingMessage ${value.statusCode ?? `${value.method} ${value.url}`}>`
  if ('outputData' in value) return 'agent' in value ? `<ClientRequest ${value.method} ${value.path}>` : `<ServerResponse ${value.statusCode}>`
  if (value instanceof Duplex) return '<Duplex>'
  if (!isPlain(value)) return `<${value.constructor?.name ?? 'object'}>`
  return inspect(value, { depth: 6, breakLength: Infinity, compact: true, sorted: false })
}

function summary (value) {
  if (typeof value === 'string') return JSON.stringify(shorten(value))
  if (typeof value === 'function') return `<function ${value.name}(${value.length})>`
  if (typeof value === 'object' && value !== null) return describeObject(value)
  return typeof value === 'symbol' ? String(value) : `${value}`
}

/** Bytes as lines of text, with their line ends; `mask` comes before hashing. */
function lines (chunks, mask) {
  const text = mask(Buffer.concat(chunks).toString('latin1'))
  return shorten(text).split(/(?<=\n)/)
}

module.exports = { summary, lines }

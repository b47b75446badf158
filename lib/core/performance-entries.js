'use strict'

/**
 * The 'http' entries of perf_hooks. Only core's own classes can make them, and know whether they are observed: the method
 * of core's ServerResponse that ends a measurement does both, on whatever it is called.
 */

const { Agent, ClientRequest } = require('./classes')
const { finishResponse: finish } = require('./originals')
const { kMeasure } = require('./symbols')

/** Core's symbols that the method reads; the first is the measurement. */
const asked = ask()
const [kMeasurement] = asked

/** Gives milliseconds since the process began, whatever an application has put in the place of the object's method. */
function now () {
  const { performance } = require('node:perf_hooks')
  return Object.getPrototypeOf(performance).now.call(performance)
}

function ask () {
  const symbols = []
  const curious = new Proxy(stub(), {
    get (target, key) {
      if (typeof key !== 'symbol') return target[key]
      symbols.push(key)
      // Of no type, so that nothing is recorded.
      return symbols.length === 1 ? undefined : {}
    }
  })
  try {
    finish.call(curious)
  } catch {
    // A core that works in another way: nothing is measured.
    return []
  }
  return symbols[0]?.description === 'ServerResponseStatistics' ? symbols : []
}

/** Makes as much of a response as the method reads. */
function stub () {
  return { socket: {}, emit () {}, statusCode: 0, statusMessage: '', getHeaders: undefined }
}

/** True once the method has read the status of `probe`: then 'http' entries are observed. */
let isAsked = false
const probe = stub()
for (const symbol of asked) probe[symbol] = {}
Object.defineProperty(probe, 'statusCode', { __proto__: null, get () { isAsked = true; return 0 } })
if (kMeasurement !== undefined) {
  // Gone once the status was read: nothing is recorded of the probe itself.
  Object.defineProperty(probe, kMeasurement, { __proto__: null, get: () => !isAsked })
}

/** True if 'http' entries are observed. Costs nothing worth mentioning. */
function isObserved () {
  if (kMeasurement === undefined) return false
  isAsked = false
  finish.call(probe)
  return isAsked
}

/**
 * Begins to measure.
 * @param {object} message that the measurement is stored with
 * @param {'HttpRequest'|'HttpClient'} name
 * @param {{method: string, url: string, headers: object}} req
 */
function begin (message, name, req) {
  message[kMeasure] = { type: 'http', name, detail: { req }, startTime: now() }
}

/** Ends the measurement that was begun with the message. */
function end (message, statusCode, statusMessage, headers) {
  const subject = stub()
  for (const symbol of asked) subject[symbol] = {}
  subject[kMeasurement] = message[kMeasure]
  subject.statusCode = statusCode
  subject.statusMessage = statusMessage
  subject.getHeaders = () => headers
  message[kMeasure] = undefined
  finish.call(subject)
}

/** Core's slots of a request for what a measurement shows of it: host and port, and the mark of a proxy's; once they were looked for. */
let slots

/** Finds them in a request of core's. Its constructor is left before it announces the request on a diagnostics channel. */
function findSlots () {
  let request
  const agent = new Agent({ maxSockets: 1, proxyEnv: {} })
  agent.addRequest = (made) => {
    request = made
    throw agent
  }
  try {
    Reflect.construct(ClientRequest, [{ agent }])
  } catch (reason) {
    if (reason !== agent) throw reason
  }
  const symbols = Object.getOwnPropertySymbols(request)
  return ['kAuthority', 'kProxyRewrittenToAbsolute'].map((name) => symbols.find(({ description }) => description === name))
}

/** Notes what a measurement of the request will show as the origin. @param {string} authority host and port */
function noteAuthority (request, authority) {
  slots ??= findSlots()
  if (slots[0] !== undefined) request[slots[0]] = authority
}

/** Gives the url that a measurement of a request shows. */
function urlOf (request) {
  slots ??= findSlots()
  const [kAuthority, kProxied] = slots
  return request[kProxied] ? request.path : `${request.protocol}//${request[kAuthority] ?? request.host}${request.path}`
}

module.exports = { isObserved, begin, end, noteAuthority, urlOf }

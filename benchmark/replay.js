'use strict'

/**
 * Replays exchanges through lib/ alone, in a process of its own: node --single-threaded replay.js <scene> [exchanges]
 *
 * The records that dispatch gets are those that the addon makes of recorded bytes; what JavaScript says goes to a stand-in
 * for the addon, which counts it and does nothing else. So there are no sockets, no other thread and no kernel: what is left
 * is JavaScript's part of an exchange. Its time is measured in turns with that of a yardstick, whose work is fixed, and the
 * ratio of the two is compared (check.js): it is nearly the same on a faster, a slower, or a busy machine.
 */

const { EventEmitter, once } = require('node:events')
const net = require('node:net')
const { find } = require('./scenarios')

const CONNECTIONS = 32

/** Exchanges in a sample, if nothing else is asked for, and samples. The least is what counts: others were disturbed. */
const EXCHANGES = 16_000
const SAMPLES = 12

/** What the kernel is to be asked of, and what needs an answer that is not 0. */
const answers = { hasRoom: () => 1, isIdle: () => 1, address: () => ({ address: '127.0.0.1', family: 'IPv4', port: 1 }) }

/** Puts a stand-in in the addon's place. @returns {object} what was given to it, and the addon */
function standIn () {
  const file = require.resolve('../lib/addon')
  const addon = require(file)
  const stage = { addon, dispatch: null, records: null, values: null, sent: 0, nextId: 0 }
  const fake = { ...addon }
  for (const name of Object.keys(addon)) {
    if (typeof addon[name] === 'function') fake[name] = answers[name] ?? (() => 0)
  }
  fake.start = (dispatch, records, values) => { Object.assign(stage, { dispatch, records, values }) }
  // A message in one part; or one of core's, of which the addon is told before its bytes.
  for (const name of ['send', 'expect']) {
    fake[name] = () => {
      stage.sent++
      return 0
    }
  }
  fake.carry = () => stage.nextId++
  fake.dial = () => {
    const id = stage.nextId++
    setImmediate(deliver, stage, { records: [addon.EVENTS.DIALLED, id, 0, 0, 0, 0, 0, 0], values: [] }, [id])
    return id
  }
  fake.report = (error) => { throw error }
  require.cache[file].exports = fake
  return stage
}

/** The records and values that the addon makes of bytes, of a connection that has asked before if it is the client's. */
function recorded ({ addon }, role, bytes) {
  const id = addon.open(role, { maxHeaderSize: 16_384, maxHeaders: 2000, surplus: 0, llhttp93: true, leniency: 0, hardening: 0 }, role === 0 ? addon.BLOCKS.SERVERS : addon.BLOCKS.AGENTS)
  if (role === 1) addon.expect(id, 0, 'GET')
  const records = new Int32Array(addon.RECORDS.STRIDE * addon.RECORDS.MAX_FED)
  const values = []
  addon.start(() => {}, new Int32Array(addon.RECORDS.STRIDE), [], records, values)
  const count = addon.receive(id, bytes) >> 1
  return { records: records.subarray(0, count * addon.RECORDS.STRIDE), values }
}

/** Has dispatch deliver what was recorded, as that of each of these connections. */
function deliver (stage, { records, values }, ids) {
  let at = 0
  stage.values.length = 0
  for (const id of ids) {
    for (let i = 0; i < records.length; i += 8) {
      for (let word = 0; word < 8; word++) stage.records[at + word] = records[i + word]
      stage.records[at + 1] = id
      at += 8
    }
    for (const value of values) stage.values.push(value)
  }
  stage.dispatch(at / 8)
}

/** The bytes of a request as the load generator sends it. */
function requestBytes ({ body, headers = {}, method = 'GET' }) {
  const fields = { Host: '127.0.0.1:8080', ...headers, ...(body && { 'Content-Length': body.length }) }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`${method} / HTTP/1.1\r\n${lines.join('')}\r\n`), body ?? Buffer.alloc(0)])
}

/** A server of one of the scenarios: each call is a batch of one exchange on each connection. */
async function server (stage, name) {
  const { handler, load } = find(name)
  const server = require('..').createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const ids = Array.from({ length: CONNECTIONS }, () => stage.nextId++)
  const { ACCEPT } = stage.addon.EVENTS
  // The listener's id is what the stand-in said.
  for (const id of ids) deliver(stage, { records: [ACCEPT, id, 0, 0, 0, 0, 0, 1], values: [] }, [id])
  const record = recorded(stage, 0, requestBytes(load))
  return async () => { deliver(stage, record, ids) }
}

const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nConnection: keep-alive\r\n' +
  'Keep-Alive: timeout=5\r\nContent-Length: 11\r\n\r\nhello world')

/** A client: its connections are made, to a listener that never hears of them again. */
async function client (stage, name) {
  const { body } = find(name)
  const origin = net.createServer(() => {}).listen(0, '127.0.0.1')
  await once(origin, 'listening')
  const implementations = require('./implementations')
  const ask = implementations.native.client({
    port: origin.address().port,
    method: body ? 'POST' : 'GET',
    headers: body ? { 'Content-Length': body.length } : undefined,
    body,
    inFlight: CONNECTIONS
  })
  const record = recorded(stage, 1, ANSWER)
  return async () => {
    const { sent } = stage
    let left = CONNECTIONS
    await new Promise((resolve, reject) => {
      for (let i = 0; i < CONNECTIONS; i++) {
        ask((error) => {
          if (error) reject(error)
          else if (--left === 0) resolve()
        })
      }
      // Behind the ticks in which they are said; the first have to connect.
      const answer = () => {
        if (stage.sent - sent < CONNECTIONS) setImmediate(answer)
        else deliver(stage, record, Array.from({ length: CONNECTIONS }, (_, id) => id))
      }
      setImmediate(answer)
    })
  }
}

/** Work of the same kind that is in no file of lib/: texts cut and joined, objects, events, ticks. */
function yardstick () {
  const text = 'Host\n127.0.0.1:8080\nAccept\ntext/html\nCookie\nsession=0123456789abcdef; theme=dark'
  const emitter = new EventEmitter()
  let total = 0
  emitter.on('request', (fields, done) => {
    total += fields.host.length
    process.nextTick(done, `HTTP/1.1 200 OK\r\nDate: ${total}\r\nContent-Length: ${fields.cookie.length}\r\n\r\n`)
  })
  const done = (head) => { total += head.length & 1 }
  return async () => {
    for (let i = 0; i < CONNECTIONS; i++) {
      const fields = {}
      const parts = text.split('\n')
      for (let at = 0; at < parts.length; at += 2) fields[parts[at].toLowerCase()] = parts[at + 1]
      emitter.emit('request', fields, done)
    }
  }
}

/** Nanoseconds of this process's processor time that an exchange took. */
async function time (batch, exchanges) {
  const { user, system } = process.cpuUsage()
  for (let done = 0; done < exchanges; done += CONNECTIONS) await batch()
  const spent = process.cpuUsage({ user, system })
  return (spent.user + spent.system) * 1000 / exchanges
}

/** Scenarios of scenarios.js, and what plays them. */
const SCENES = { 'hello-64': server, json: server, headers: server, post: server, 'client-get': client, 'client-post': client }

async function main (name, exchanges = EXCHANGES) {
  const stage = standIn()
  require('../lib/binding')
  const batch = await SCENES[name](stage, name)
  const measure = yardstick()
  let least = Infinity
  let yard = Infinity
  // The first are there to be compiled.
  await time(batch, exchanges)
  await time(measure, exchanges)
  for (let i = 0; i < SAMPLES; i++) {
    yard = Math.min(yard, await time(measure, exchanges))
    least = Math.min(least, await time(batch, exchanges))
  }
  console.log(JSON.stringify({ nanoseconds: Math.round(least), yardstick: Math.round(yard), ratio: least / yard }))
  process.exit(0)
}

if (require.main === module) main(process.argv[2], Number(process.argv[3] ?? EXCHANGES))

module.exports = { SCENES }

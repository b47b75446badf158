'use strict'

/** Makes a case that differs smaller, as long as it still does. */

const { examine } = require('./examine')
const { isSound } = require('./rules')

const copy = (value) => structuredClone(value)

/** All programs that are a little smaller than this one, the boldest first. */
function * smaller (program) {
  const variant = (change) => {
    const next = copy(program)
    return change(next) === false ? undefined : next
  }
  const programs = (of) => of.side === 'server' ? of.handlers : of.requests
  const own = programs(program)
  if (program.session) yield * fewerExchanges(program, variant)
  for (let index = 0; index < own.length && own.length > 1; index++) yield variant((next) => { programs(next).splice(index, 1) })
  for (const [index, { chains }] of own.entries()) {
    for (let chain = 0; chain < chains.length; chain++) {
      yield variant((next) => { programs(next)[index].chains.splice(chain, 1) })
    }
    for (let chain = 0; chain < chains.length; chain++) {
      for (let step = 0; step < chains[chain].length; step++) yield variant((next) => { programs(next)[index].chains[chain].splice(step, 1) })
      yield variant((next) => {
        const kept = chains[chain].filter(({ op }) => !/ork$/.test(op))
        if (kept.length === chains[chain].length) return false
        programs(next)[index].chains[chain] = kept
      })
    }
  }
  yield * smallerPeer(program, variant)
  for (const [index, { chains }] of own.entries()) {
    for (const [chain, steps] of chains.entries()) {
      for (const [step, { when, size, kind, callback, reuse, error }] of steps.entries()) {
        const at = (next) => programs(next)[index].chains[chain][step]
        if (when !== 'sync') yield variant((next) => { at(next).when = 'sync' })
        if (when.includes(':') || when === 'callback') yield variant((next) => { at(next).when = 'immediate' })
        if (reuse !== undefined) yield variant((next) => { delete at(next).reuse })
        if (callback) yield variant((next) => { at(next).callback = false })
        if (error) yield variant((next) => { at(next).error = false })
        if (size !== undefined) {
          if (steps[step].op === 'end') yield variant((next) => { delete at(next).size; delete at(next).kind })
          for (const less of [1, 100, 1000, 16384, 65536]) if (less < size) yield variant((next) => { at(next).size = less })
          if (kind !== 'default') yield variant((next) => { at(next).kind = 'default' })
        }
      }
    }
    if (own[index].headers !== undefined) yield variant((next) => { delete programs(next)[index].headers })
    if (own[index].then !== undefined) yield variant((next) => { programs(next)[index].then = 'close' })
  }
  for (const role of ['server', 'socket', 'in', 'out']) {
    const names = program.watch[role] ?? []
    if (names.length > 0) yield variant((next) => { next.watch[role] = [] })
    for (let index = 0; index < names.length && names.length > 1; index++) yield variant((next) => { next.watch[role].splice(index, 1) })
  }
  for (const key of ['options', 'keepAliveTimeout', 'clientError', 'careless', 'closing']) if (program[key] !== undefined) yield variant((next) => { delete next[key] })
  if (program.transport !== 'tcp') yield variant((next) => { next.transport = 'tcp' })
  if (program.agent !== undefined && program.agent !== 'none') yield variant((next) => { next.agent = 'none' })
}

/** A session without half of its exchanges, a quarter, and so on, on both sides; and with ordinary ones in their place. */
function * fewerExchanges ({ side, handlers, requests, peer }, variant) {
  const { length } = side === 'server' ? handlers : requests
  for (let count = length >> 1; count > 0; count >>= 1) {
    for (let from = length - count; from > -count; from -= count) {
      const cut = (list) => list?.length > 1 && list.splice(Math.max(0, from), Math.min(count, from + count))
      yield variant((next) => {
        for (const list of [next.handlers, next.requests, next.peer.answers]) cut(list)
        for (const { requests: sent } of next.peer.connections) cut(sent)
        delete next.requests?.at(-1).then
      })
    }
  }
  for (const [index, { chains }] of (handlers ?? requests).entries()) {
    if (chains.flat().length <= 2) continue
    const ordinary = side === 'server' ? [[{ id: 0, when: 'sync', op: 'end' }]] : [[{ id: 0, when: 'sync', op: 'end' }], [{ id: 1, when: 'out:response', op: 'resume' }]]
    yield variant((next) => { (next.handlers ?? next.requests)[index].chains = ordinary })
  }
  for (const index of peer.answers?.keys() ?? []) {
    if (Object.keys(peer.answers[index]).length > 3) yield variant((next) => { next.peer.answers[index] = { when: 'complete', status: 200, headers: [] } })
  }
}

function * smallerPeer ({ peer }, variant) {
  if (peer.connections.length > 1) yield variant((next) => { next.peer.connections.pop() })
  const lists = [['connections', peer.connections], ['answers', peer.answers ?? []]]
  for (const [list, scripts] of lists) {
    for (const [index, script] of scripts.entries()) {
      const at = (next) => next.peer[list][index]
      if (list === 'answers' && scripts.length > 1) yield variant((next) => { next.peer.answers.splice(index, 1) })
      for (const key of ['gap', 'cuts', 'extra', 'trailing', 'informational', 'end', 'resetAfterReceived', 'destroyAfterReceived', 'finAtAnswer', 'endAtFin', 'spoilt', 'version']) {
        if (script[key] !== undefined && script[key].length !== 0) yield variant((next) => { delete at(next)[key] })
      }
      if (typeof script.end === 'object') yield variant((next) => { at(next).end = script.end.then })
      if (script.cuts?.length > 1) for (let cut = 0; cut < script.cuts.length; cut++) yield variant((next) => { at(next).cuts.splice(cut, 1) })
      if (script.reading !== undefined && script.reading !== 'prompt') yield variant((next) => { at(next).reading = 'prompt' })
      if (script.when !== undefined && script.when !== 'complete') yield variant((next) => { at(next).when = 'complete' })
      if (script.status !== undefined && script.status !== 200) yield variant((next) => { at(next).status = 200 })
      yield * smallerMessage(script, variant, at)
      for (const [number, request] of (script.requests ?? []).entries()) {
        if (script.requests.length > 1) yield variant((next) => { at(next).requests.splice(number, 1) })
        yield * smallerMessage(request, variant, (next) => at(next).requests[number])
        if (request.cuts?.length > 0) yield variant((next) => { delete at(next).requests[number].cuts })
        if (request.version !== undefined) yield variant((next) => { delete at(next).requests[number].version })
        if (request.method !== 'GET') yield variant((next) => { at(next).requests[number].method = 'GET' })
      }
    }
  }
}

function * smallerMessage ({ headers, body }, variant, at) {
  for (let index = 0; index < (headers?.length ?? 0); index++) yield variant((next) => { at(next).headers.splice(index, 1) })
  if (body === undefined) return
  yield variant((next) => { delete at(next).body })
  for (const key of ['missing', 'trailers', 'chunk']) if (body[key] !== undefined) yield variant((next) => { delete at(next).body[key] })
  if (body.mode !== 'length') yield variant((next) => { at(next).body.mode = 'length' })
  for (const less of [1, 100, 1000, 16384, 65536]) if (less < body.size) yield variant((next) => { at(next).body.size = less })
}

const size = (program) => JSON.stringify(program).length

/**
 * @param {(found: object[]) => boolean} isSame whether a difference is the one that is being made smaller
 * @param {number} budgetMs
 */
async function shrink (pair, program, found, isSame, budgetMs) {
  const until = Date.now() + budgetMs
  let best = { program, found }
  let progress = true
  while (progress && Date.now() < until) {
    progress = false
    for (const next of smaller(best.program)) {
      if (Date.now() > until) break
      if (next === undefined || !isSound(next) || size(next) > size(best.program) + 12) continue
      const still = await examine(pair, next, 1)
      if (still.length === 0 || !isSame(still)) continue
      best = { program: next, found: still }
      progress = true
      break
    }
  }
  const confirmed = await examine(pair, best.program)
  return confirmed.length > 0 ? { program: best.program, found: confirmed } : { program, found }
}

module.exports = { shrink }

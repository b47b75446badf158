'use strict'

/**
 * The peer: raw sockets in a process of their own, so that they do the same whichever implementation is at the other
 * end. A message says what to do (`dial`: be the client; `listen`: the server); the peer reports all bytes it received.
 */

const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { AnswerScanner, RequestScanner } = require('./message-scanners')
const { requestBytes, answerBytes } = require('./peer-bytes')
const { show } = require('./bytes')

/** Nothing of a connection for so long: it counts as quiet. */
const QUIET_MS = 15

/** A slow reader's pauses: so many, each so long, and so many bytes between them. */
const SLOW = { pauses: 10, ms: 3, bytes: 16384 }

const pause = (ms) => ms === 0 ? new Promise(setImmediate) : new Promise((resolve) => setTimeout(resolve, ms))

/** The run under way. */
let run

class Run {
  constructor (id) {
    this.id = id
    this.connections = []
    this.busy = 0
    this.quiet = false
    this.expected = Infinity
    this.closing = false
    this.activity = Date.now()
    this.settle()
  }

  say (type, message) {
    if (run === this) process.send({ run: this.id, type, ...message })
  }

  touch () {
    this.activity = Date.now()
    if (this.quiet) {
      this.quiet = false
      this.say('quiet', { quiet: false })
      this.settle()
    }
  }

  /** Something begins that the run is not over without. */
  begin () {
    this.busy++
  }

  done () {
    this.busy--
    this.touch()
    this.check()
  }

  /** Says when nothing has happened for a while. */
  settle () {
    const left = this.busy > 0 ? QUIET_MS : this.activity + QUIET_MS - Date.now()
    if (left > 0) {
      this.timer = setTimeout(() => this.settle(), left)
      return
    }
    this.quiet = true
    this.say('quiet', { quiet: true })
  }

  check () {
    const closed = this.connections.every((connection) => connection.closed)
    if (!this.over && this.busy === 0 && closed && this.connections.length >= this.expected) {
      this.over = true
      this.say('over')
    }
    if (this.closing && closed) this.report()
  }

  report () {
    clearTimeout(this.timer)
    this.server?.close()
    this.say('report', { connections: this.connections.filter(({ isLate }) => !isLate).map(({ parts, events }) => ({ text: show(Buffer.concat(parts)), events })) })
    run = undefined
  }

  hangUp () {
    this.closing = true
    this.over = false
    this.expected = 0
    for (const connection of this.connections) connection.hangUp()
    this.check()
  }
}

class Connection {
  constructor (owner, socket, script) {
    this.owner = owner
    this.socket = socket
    this.script = script
    this.parts = []
    this.length = 0
    this.events = []
    this.closed = false
    owner.connections.push(this)
    owner.touch()
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.take(chunk))
    socket.on('end', () => this.note('end'))
    socket.on('error', (error) => this.note(`error ${error.code}`))
    socket.on('close', () => {
      this.closed = true
      this.note('close')
      owner.check()
    })
    this.read(script.reading ?? 'prompt')
    // An agent that is destroyed connects for a request that has waited, and may keep what nothing asks for any more.
    this.isLate = owner.closing
    if (this.isLate) this.hangUp()
  }

  note (event) {
    this.owner.touch()
    if (!this.owner.closing) this.events.push(event)
  }

  take (chunk) {
    this.owner.touch()
    this.parts.push(chunk)
    this.length += chunk.length
    const { resetAfterReceived, destroyAfterReceived, finAtAnswer } = this.script
    if (resetAfterReceived !== undefined && this.length >= resetAfterReceived) this.reset()
    if (destroyAfterReceived !== undefined && this.length >= destroyAfterReceived) this.socket.destroy()
    if (finAtAnswer && !this.socket.writableEnded) this.socket.end()
    this.onbytes?.(chunk)
  }

  async read (manner) {
    if (manner === 'prompt') return
    this.owner.begin()
    this.socket.pause()
    if (manner === 'slow') {
      for (let turn = 0; turn < SLOW.pauses && !this.closed; turn++) {
        await pause(SLOW.ms)
        const chunk = this.socket.read(Math.min(SLOW.bytes, this.socket.readableLength))
        if (chunk !== null && this.socket.listenerCount('data') === 0) this.take(chunk)
      }
    } else {
      await pause(manner.stall)
    }
    this.socket.resume()
    this.owner.done()
  }

  /** Sends bytes, cut where the script says. */
  async send (bytes, cuts = [], withEnd = false) {
    this.owner.begin()
    const ends = [...cuts.filter(([at]) => at > 0 && at < bytes.length), [bytes.length, undefined]]
    let from = 0
    for (const [to, gap] of ends) {
      const part = bytes.subarray(from, to)
      from = to
      if (this.socket.destroyed || this.socket.writableEnded) break
      if (gap === undefined && withEnd) this.socket.end(part)
      else this.socket.write(part)
      this.owner.touch()
      if (gap !== undefined) await pause(gap)
    }
    this.owner.done()
  }

  /** Sends requests one by one: so many are unanswered at a time. */
  async converse (script, number) {
    const { requests, window, gap, end } = script
    const scanner = new AnswerScanner()
    let proceed
    this.onbytes = (chunk) => {
      scanner.push(chunk)
      proceed?.()
    }
    for (let index = 0; index < requests.length;) {
      while (index - scanner.complete >= window) await new Promise((resolve) => { proceed = resolve })
      if (scanner.isLast) break
      if (gap !== undefined) {
        this.owner.begin()
        await pause(gap)
        this.owner.done()
      }
      // What may go at one time goes at once: else it is left to chance which of it is read together.
      const some = requests.slice(index, scanner.complete + window)
      scanner.methods.push(...some.map(({ method }) => method))
      const isLast = index + some.length === requests.length
      await this.send(requestBytes({ requests: some }, number, index), some.at(-1).cuts, isLast && end === 'fin-with')
      index += some.length
    }
    await this.finish(end)
  }

  async finish (end) {
    this.owner.begin()
    if (end === 'fin') this.socket.end()
    if (end === 'reset') this.reset()
    if (end === 'destroy') this.socket.destroy()
    if (typeof end === 'object') {
      await pause(end.after)
      await this.finish(end.then)
    }
    this.owner.done()
  }

  /** A Unix socket knows no reset: it is destroyed. */
  reset () {
    if (this.socket.remoteAddress === undefined) this.socket.destroy()
    else this.socket.resetAndDestroy()
  }

  hangUp () {
    this.socket.resume()
    this.socket.destroy()
  }
}

async function dial (owner, { address, connections }) {
  owner.expected = connections.length
  await Promise.all(connections.map(async (script, index) => {
    const connection = new Connection(owner, net.connect({ ...address, allowHalfOpen: true }), script)
    if (script.window !== undefined) {
      await connection.converse(script, index)
      return
    }
    const bytes = requestBytes(script, index)
    await connection.send(bytes, script.cuts, script.end === 'fin-with')
    await connection.finish(script.end)
  }))
}

/** Answers requests as the script says: each answer at its moment. */
function serve (owner, { unix, connections, answers, expect }) {
  let given = 0
  owner.expected = expect ?? 0
  owner.server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const script = connections?.[owner.connections.length] ?? connections?.at(-1) ?? {}
    const connection = new Connection(owner, socket, script)
    const scanner = new RequestScanner()
    let speaking = Promise.resolve()
    const answer = (index) => {
      const text = answers[index % answers.length]
      given++
      if (text.end === undefined && text.never) return
      owner.begin()
      speaking = speaking.then(async () => {
        await connection.send(answerBytes(text, index), text.cuts, text.end === 'fin-with')
        await connection.finish(text.end)
        owner.done()
      })
    }
    let answered = 0
    const consider = () => {
      while (true) {
        // Requests that come on several connections at once each have an answer of their own.
        const index = scanner.numbers[answered] ?? given
        const { when } = answers[index % answers.length]
        const reached = when === 'connect' ? answered === 0 : when === 'head' ? scanner.heads > answered : when === 'complete' ? scanner.complete > answered : scanner.heads > answered && scanner.bodyBytes >= when.bytes
        if (!reached) return
        answered++
        answer(index)
      }
    }
    connection.onbytes = (chunk) => {
      scanner.push(chunk)
      consider()
    }
    if (script.endAtFin !== false) socket.on('end', () => speaking.then(() => socket.end()))
    consider()
  })
  if (unix) owner.server.listen(path.join(os.tmpdir(), `http-native-fuzz-peer-${process.pid}-${owner.id}.sock`))
  else owner.server.listen(0, '127.0.0.1')
  owner.server.on('listening', () => {
    const address = owner.server.address()
    owner.say('listening', { address: typeof address === 'string' ? { path: address } : { host: '127.0.0.1', port: address.port } })
  })
}

process.on('message', ({ run: id, type, ...message }) => {
  if (type === 'hang up') {
    run.hangUp()
    return
  }
  run = new Run(id)
  if (type === 'dial') dial(run, message)
  else serve(run, message)
})
process.on('disconnect', () => process.exit())

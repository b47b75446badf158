'use strict'

/** What differs between runs, and what counts as a difference. */

const { OVERWRITTEN, expand } = require('./bytes')
const { isShared, regardless } = require('./distribution')

/** How much of a connection may count as taken (docs/COMPATIBILITY.md). */
const TAKEN = 256 * 1024

/** Beyond so much, or with a peer that does not read, when the kernel has room decides what comes when. */
const HEAVY = 64 * 1024

const total = (steps) => steps.reduce((sum, { size = 0 }) => sum + size, 0)

/** Whether a program's drains and return values hang on how fast the kernel takes bytes. */
function isHeavy (program) {
  const programs = program.side === 'server' ? program.handlers : program.requests
  const prompt = program.peer.connections.every(({ reading = 'prompt' }) => reading === 'prompt')
  const sizes = programs.map(({ chains }) => total(chains.flat()))
  // Where one answer follows the other, what is under way is that of one exchange.
  const isPaced = program.side === 'client' || program.peer.connections.every(({ window }) => window === 1)
  return !prompt || (program.session && isPaced ? Math.max(...sizes) : sizes.reduce((sum, size) => sum + size, 0)) > HEAVY
}

/** It is noticed by a read, or by a write, whose context it has then. */
const BREAKS = /^'clientError' (ECONNRESET|EPIPE)/

/** The text of a line, and the async context in which it was seen. */
const CONTEXT = / @[^@]*$/

/**
 * A peer that resets, or is gone, when it has so many bytes: what was written by then, and what of that fails, depends on
 * when the bytes are written.
 */
const resetsAtBytes = (program) => /"(reset|destroy)AfterReceived"/.test(JSON.stringify(program.peer))

/** Lines of which the time of a reset decides nothing: what began, what was refused, and that it came to its end. */
const LASTING = /^request|^'close'|^never closed|^at rest| threw /

/** True if the peer's bytes come in pieces: which of them one read brings depends on when it is made. */
const isCut = (program) => /"cuts":\[\[/.test(JSON.stringify(program.peer))

/**
 * True if a client sends its next request when an earlier answer comes, behind others that are under way: whether its response has
 * its turn when it writes, and its parts in a tick are one chunk (Node 26), hangs on when the request comes.
 */
const isInterleaved = (program) => program.side === 'server' && program.peer.connections.some(({ window, requests }) => window > 1 && requests.length > window)

/** What was received, as if each body were one chunk. */
const unchunked = (text) => expand(text).replace(/\\r\n[0-9a-f]+\\r\n/g, '')

/** A line without what hangs on the moment of a read, or on what an exception costs that the process survives. */
function undecided (program, label, text) {
  if (isCut(program)) text = text.replace(/ bytesParsed:-?\d+/, '')
  // A connection that breaks is noticed by reading or by writing.
  text = text.replace(/EPIPE|ECONNREFUSED/, 'ECONNRESET')
  return throws(program) ? text.replace(/\bcomplete ?/, '') : text
}

/** Core's 'close' of a request may come again, and with it 'free' of a socket that has closed (docs/COMPATIBILITY.md). */
function endsOnce (label, texts) {
  const closed = texts.findIndex((text) => text.startsWith("'close'"))
  if (closed === -1) return texts
  const again = label.startsWith('out ') ? /^'close'/ : label.startsWith('socket s') ? /^'free'/ : /^$/
  return texts.filter((text, index) => index <= closed || !again.test(text))
}

const isFree = (text) => text.startsWith("'free'")

/** True of such a repeat where it is not seen that the socket has closed: core has one 'free' more. */
function freesAgain (program, label, core, ours) {
  if (!/socket s\d/.test(label) || program.side === 'server' || program.watch.socket.includes('close')) return false
  const others = (texts) => texts.filter((text) => !isFree(text))
  return isOfStream(program) && core.length > ours.length && isSame(others(core), others(ours))
}

/** True if the connection is a stream of the application's. */
const isOfStream = ({ transport }) => transport !== 'tcp' && transport !== 'unix'

/**
 * What follows an exception of a server's listener is lost to core, whose parser has failed by it; with us the connection goes on
 * (docs/COMPATIBILITY.md). Then the uncaught exceptions and the bytes are compared, of which there may be more with us: what a
 * later step throws, too.
 */
const BAD_REQUEST = /HTTP\/1\.1 400 Bad Request\\r\n(Connection: close\\r\n)?\\r\n$/

const isLostToCore = (program) => program.side === 'server' && program.careless === true

/** Core closes the connection of such an exception; with us its request may go on, and `server.close()` wait for it. */
const CLOSES = 'server closes'
const WAITS = 'server does not close'

/** What a step throws. */
const THROWN = 'uncaught Error: thrown by a step'

const throws = (program) => JSON.stringify(program).includes('"op":"throw"')

/**
 * Core does the ticks behind an exception in an immediate, before which a connection may have been made (docs/COMPATIBILITY.md):
 * behind what a step throws, or an error that nothing listens to.
 */
const delaysTicks = (program, lines) => program.side === 'client' && (lines.process ?? []).some((text) => text.startsWith('uncaught'))

/** Nor is it known then in which order the steps of ticks and microtasks and those of immediates come, nor what is sent first. */
const disordersSteps = (program, lines) => delaysTicks(program, lines) && /"when":"(tick|micro)"/.test(JSON.stringify(program)) && JSON.stringify(program).includes('"when":"immediate"')

/** What a broken connection's socket had written by then depends on when it was written. */
const untimed = (text) => (/^'close' .*errored:(EPIPE|ECONNRESET)/.test(text) ? text.replace(/(writableEnded|writableFinished) /g, '') : text)

/** What a line of a heavy run says of the room that was left, and of what was taken by then. */
const untold = (text) => text.replace(/ -> (true|false)| errored:ECANCELED/, '').replace(/ writableNeedDrain| length:\d+/g, '').replace(/^('close' \[.*)writableFinished /, '$1')

const withoutContext = (text) => text.replace(CONTEXT, '')

/** What a write brings about, at a moment that the kernel decides; so does the end of what is piped. */
const isTimed = (text) => / callback|^'(finish|prefinish|unpipe)'/.test(text)

/** A refusal comes at its own time, not at that of the writes before it. */
const isRefusal = (text) => /ERR_STREAM_(WRITE_AFTER_END|ALREADY_FINISHED)/.test(text)

/** The lines of a heavy run in parts that are each in one order, by label. */
function apartByTime (label, texts) {
  const lasting = texts.filter((text) => !isTimed(text) && !text.startsWith("'drain'") && !isRefusal(text)).map(untold)
  const timed = texts.filter((text) => isTimed(text) && !isRefusal(text))
  return timed.length === 0 ? { [label]: lasting } : { [label]: lasting, [`${label} (callbacks)`]: timed }
}

/** The lines of a request that had to wait for its connection in some runs: what was taken by then comes at another time. */
function apartByKind (label, texts) {
  const { [label]: lasting, [`${label} (callbacks)`]: timed = [] } = apartByTime(label, texts)
  const isCallback = (text) => text.includes(' callback')
  return { [label]: lasting, [`${label} (callbacks)`]: timed.filter(isCallback), [`${label} (end)`]: timed.filter((text) => !isCallback(text)) }
}

/**
 * Lines of a run that are compared, by object; async contexts are lines of their own. Of a heavy run callbacks and
 * 'finish' are compared among themselves, and drains are not.
 */
function comparable (program, { lines, received, apart, moved }) {
  const isMoved = (label) => moved?.has(label) || (delaysTicks(program, lines) && label.startsWith('out '))
  const sort = (label, texts) => isMoved(label) ? apartByKind(label, texts) : isHeavy(program) ? apartByTime(label, texts) : { [label]: texts }
  const compared = { ...apart }
  const isDisordered = disordersSteps(program, lines)
  for (const [label, all] of Object.entries(lines)) {
    if (isDisordered && label.startsWith('out ')) continue
    if (isLostToCore(program) && !/^(process|run)/.test(label)) continue
    const texts = all.map((text) => undecided(program, label, untimed(text)))
    if (resetsAtBytes(program) && /^(in|out|socket) /.test(label)) {
      compared[label] = texts.map(withoutContext).filter((text) => LASTING.test(text)).map((text) => text.replace(/( true| false)?( \[.*)?$/, ''))
      continue
    }
    const hasContexts = !isCut(program) || !label.startsWith('in ')
    for (const [part, some] of Object.entries(sort(label, texts))) {
      if (hasContexts) compared[`contexts of ${part}`] = some
      compared[part] = some.map(withoutContext)
    }
  }
  received.forEach(({ bytes, events }, index) => {
    if (!isDisordered) compared[`peer ${index} received`] = [bytes]
    if (!isLostToCore(program)) compared[`peer ${index} saw`] = events
  })
  return compared
}

/** True if the kernel decides how many bytes arrive: the connection did not come to a regular end. */
function breaksOff (program) {
  const steps = (program.side === 'server' ? program.handlers : program.requests).flatMap(({ chains }) => chains.flat())
  return steps.some(({ op }) => /destroy|abort|reset/i.test(op)) || /"(reset|destroy)/.test(JSON.stringify(program.peer))
}

/** The length of what `show` has shown. */
const lengthOf = (text) => text.replace(/\\r/g, '.').replace(/.\*(\d+)/gs, (_, count) => ' '.repeat(Number(count))).length

/** What a connection that broke off delivered: the same, or more by what may count as taken. */
function isTaken (core, ours) {
  const excess = lengthOf(ours) - lengthOf(core)
  return excess >= 0 && excess <= TAKEN && beginsWith(expand(ours), expand(core))
}

/** Whether a text begins with another; where that has what a Buffer was overwritten with, the text may have what was written. */
function beginsWith (text, start) {
  if (text.startsWith(start)) return true
  return [...start].every((character, index) => character === OVERWRITTEN || character === text[index])
}

/**
 * An event may come in the async context of its own exchange where core's comes in that of another, in none, or in that of
 * a step of the same; an uncaught exception, and the error of a connection that breaks, may come in none
 * (docs/COMPATIBILITY.md).
 */
function inContext (program, label, core, ours) {
  if (core === ours) return true
  if (core.replace(CONTEXT, '') !== ours.replace(CONTEXT, '')) return false
  const context = CONTEXT.exec(ours)[0].slice(2)
  if (isShared(program) && label.startsWith('contexts of out') && isOfConnection(program, label, [core, ours])) return true
  if (label === 'contexts of process' || (label === 'contexts of server' && BREAKS.test(ours))) return context === ''
  // Emitted with 'upgrade' or 'connect' of the request, in its context.
  if (core.startsWith("'agentRemove'")) return context.startsWith('request ')
  // What is told behind an exception may have its context in core.
  if (/^contexts of (agent|run)$/.test(label)) return context === '' && throws(program)
  const words = context.split(' ')
  if (label === 'contexts of server') return core.startsWith("'clientError'") && words.some((word) => /^c\d+r/.test(word))
  const [, exchange] = /^contexts of (?:in|out|socket) (\S+)(?: \((?:callbacks|end)\))?$/.exec(label) ?? []
  if (exchange === undefined) return false
  // A socket's exchanges are those of its connection: which one it is that the event comes with is left open.
  if (label.startsWith('contexts of socket s')) return /^request r\d/.test(context)
  if (label.startsWith('contexts of socket c')) {
    return context === '' || words.some((word) => word === exchange || word.startsWith(`${exchange}r`)) || (context === 'listen' && isOfEarlier(program, core))
  }
  // Core's is that of another exchange: ours may be that of one before it, or of its 'request'.
  if (isOfAnother(exchange, core) && (context === 'listen' || isOfAnother(exchange, ours))) return true
  // 'drain' may come with the next response of the connection, or for it.
  return words.includes(exchange) || (core.startsWith("'drain'") && words.some((word) => word.startsWith(exchange.replace(/r\d+$/, 'r'))))
}

/**
 * True if a request's event comes with the making, or the end, of a connection: its context is that of the exchange that has
 * made room for it, which is left to chance where several are under way.
 */
function isOfConnection (program, label, lines) {
  return lines.every((line) => (/^'(error|finish|drain)'| callback /.test(line) || isWithin(program, label, line)) && / @request r\d+$/.test(line))
}

/** True of a step that is done in such an event: it has its context. */
function isWithin (program, label, line) {
  const [, index] = /^contexts of out r(\d+)/.exec(label)
  const id = Number(/^(\d+) /.exec(line)?.[1])
  const chain = program.requests[index].chains.find((steps) => steps.some((step) => step.id === id)) ?? []
  const begun = chain.slice(0, chain.findIndex((step) => step.id === id) + 1).findLast(({ when }) => when !== 'sync')
  return begun !== undefined && /^(callback|out:(error|finish|drain))$/.test(begun.when)
}

/** True if an event of a server's socket comes in the context of an exchange that is not its connection's last. */
function isOfEarlier (program, text) {
  const [, connection, request] = /\bc(\d+)r(\d+)\b/.exec(CONTEXT.exec(text)[0]) ?? []
  return connection !== undefined && Number(request) < program.peer.connections[connection].requests.length - 1
}

/** True if an event comes in the context of another exchange than its own. */
function isOfAnother (exchange, text) {
  const [, other] = /\b((?:c\d+)?r\d+)\b/.exec(CONTEXT.exec(text)[0]) ?? []
  return other !== undefined && other !== exchange
}

/**
 * Writes of a heavy run that core's handle canceled when it closed: with us they may have counted as taken, and an end that was
 * taken fails if the exchange has (docs/COMPATIBILITY.md).
 */
function tookMore (core, ours) {
  const canceled = core.filter((line) => CANCELED.test(line)).map((line) => line.split(' ', 1)[0])
  const isCanceled = (line) => canceled.includes(line.split(' ', 1)[0])
  const others = (lines) => lines.filter((line) => !isCanceled(line) && !line.startsWith("'finish'")).join('\n')
  return canceled.length > 0 && ours.filter(isCanceled).length === canceled.length && others(core) === others(ours) &&
    ours.filter(isCanceled).every((line) => / callback (null|ERR_STREAM_DESTROYED|ECANCELED|on purpose)$/.test(line))
}

const CANCELED = / callback (ECANCELED|on purpose)/

const isReset = (event) => /^error (ECONNRESET|EPIPE)$/.test(event)

/** True if it depends on how much was read by then whether the peer gets a reset or the end; it may have closed before that. */
const orderly = (events) => events.map((event) => isReset(event) ? 'end' : event)

/** True if a write failed at once, since the peer of a Unix socket was gone. With us it counted as taken (docs/COMPATIBILITY.md). */
const breaksPipe = (program, lines) => program.transport === 'unix' && lines.some((line) => /^'error' ECONNRESET|^'close' true .*errored:ECONNRESET/.test(line))

const withoutBreak = (lines) => lines.filter((line) => !/^'(finish|error)'/.test(line)).map((line) => line.replace(/^'close' .*/, "'close'")).join('\n')

/** True if core has used a connection again that its peer was about to end, and we have found it ended (docs/COMPATIBILITY.md). */
function avoidsEnded (program, core, ours) {
  if (program.side !== 'client' || !program.peer.answers.some(({ end }) => end !== undefined)) return false
  // Core's request failed, and a later one made the connection that ours has, and may have sent nothing on.
  const unused = ({ received }) => received.filter(({ bytes }) => bytes === '').length
  return ours.received.length > core.received.length || (ours.received.length === core.received.length && unused(ours) > unused(core))
}

/** True if core has given a connection back twice, behind a second 'close' of its request: two of the next may have got it (docs/COMPATIBILITY.md). */
function givesBackTwice (program, { lines }) {
  if (program.side === 'server' || program.requests.length === 1) return false
  return Object.entries(lines).some(([label, texts]) => label.startsWith('out ') && texts.filter((text) => text.startsWith("'close'")).length > 1)
}

/** A run without what may come again. @param {boolean} isCore */
function withoutRepeats (program, { lines, ...run }, isCore) {
  if (program.side === 'server') return { lines, ...run }
  return { ...run, lines: Object.fromEntries(Object.entries(lines).map(([label, texts]) => [label, isCore || label.startsWith('socket ') ? endsOnce(label, texts) : texts])) }
}

/** @param {boolean} hasReset true if core has reset the connection, and with it what the peer had not read */
function sameLines (label, program, core = [], ours = [], hasReset = false) {
  if (isLostToCore(program) && label.endsWith('process') && ours.slice(core.length).every((line) => withoutContext(line) === THROWN)) ours = ours.slice(0, core.length)
  if (isSame(core, ours)) return true
  if (label.includes('socket ') && breaksPipe(program, core)) return withoutBreak(core) === withoutBreak(ours)
  if (/^(contexts of )?run$/.test(label) && isLostToCore(program) && withoutContext(core.join()) === CLOSES && withoutContext(ours.join()) === WAITS) return true
  if (freesAgain(program, label, core, ours)) return true
  if (label.endsWith(' (callbacks)') && tookMore(core.map(withoutContext), ours.map(withoutContext))) return true
  if (label.startsWith('contexts of ')) return core.length === ours.length && core.every((line, index) => inContext(program, label, line, ours[index]))
  // Core resets and we end: never the other way round.
  if (label.endsWith(' saw')) return core.some(isReset) && (isPrefix(ours, [...new Set(orderly(core))]) || isSame(ours, core.filter((event) => !isReset(event))))
  if (!label.endsWith(' received')) return false
  const [theirs, own] = [core[0] ?? '', ours[0] ?? '']
  if (isLostToCore(program) && expand(own).startsWith(expand(theirs.replace(BAD_REQUEST, '')))) return true
  if (lengthOf(theirs) === lengthOf(own) && theirs.includes(OVERWRITTEN) && beginsWith(expand(own), expand(theirs))) return true
  if (isInterleaved(program) && unchunked(theirs) === unchunked(own)) return true
  // A reset takes with it what the peer had not read, however much that is.
  if (hasReset && beginsWith(expand(own), expand(theirs))) return true
  return breaksOff(program) && isTaken(theirs, own)
}

/** True if the peer ends its side when it has so many bytes of the answer, and only what core would not have sent yet makes them so many. */
function isEndedByMore (program, label, theirs, own) {
  const [, index] = /^peer (\d+) saw$/.exec(label) ?? []
  const { finAtAnswer } = program.side === 'server' && index !== undefined ? program.peer.connections[index] : {}
  if (finAtAnswer === undefined || !breaksOff(program)) return false
  const [[core = ''], [ours = '']] = [theirs, own].map((run) => run[`peer ${index} received`] ?? [])
  return lengthOf(core) < finAtAnswer && lengthOf(ours) >= finAtAnswer && isTaken(core, ours)
}

const isSame = (some, others) => some.length === others.length && isPrefix(some, others)

const isPrefix = (few, many) => few.length <= many.length && few.every((value, index) => value === many[index])

/** True of what belongs to a request that only one of them has read, of those that come in pieces behind another. */
function isUnseen (label, theirs, own) {
  const [, exchange] = /(c\d+r[1-9]\d*)/.exec(label) ?? []
  return exchange !== undefined && (theirs[`in ${exchange}`] === undefined) !== (own[`in ${exchange}`] === undefined)
}

/** The label of a run that did not come to its end: nothing of it can be compared, and it is a difference even if both did not. */
const UNPLAYED = 'run unplayed'

/** The labels that show most of a cause come first. */
const RANKS = [/^run/, /^process/, /^peer/, /^out/, /^in/, /^agent/, /^server/, /^socket/, /^contexts/]

const rank = ({ label }) => RANKS.findIndex((pattern) => pattern.test(label))

/**
 * Labels on which every run of ours differs from all runs of core, which agree among themselves.
 * @param {string[]} ignored parts of labels that are not looked at
 * @returns {{ label: string, core: string[], ours: string[] }[]}
 */
function differences (program, cores, ours, ignored = []) {
  if (ours.every((run) => avoidsEnded(program, cores[0], run))) return []
  if (cores.every((run) => givesBackTwice(program, run))) return []
  const runs = regardless(program, [...cores, ...ours])
    .map((run, index) => comparable(program, withoutRepeats(program, run, index < cores.length)))
  const theirs = runs.slice(0, cores.length)
  const own = runs.slice(cores.length)
  const labels = new Set([...theirs, ...own].flatMap(Object.keys))
  const found = []
  for (const label of labels) {
    if (ignored.some((part) => label.includes(part))) continue
    if (isCut(program) && isUnseen(label, theirs[0], own[0])) continue
    if (isEndedByMore(program, label, theirs[0], own[0])) continue
    const [first, ...others] = theirs.map((run) => run[label] ?? [])
    if (others.some((lines) => !isSame(lines, first))) continue
    const hasReset = label.endsWith(' received') && (theirs[0][label.replace(/received$/, 'saw')] ?? []).some((event) => event.startsWith('error '))
    if (label !== UNPLAYED && own.some((run) => sameLines(label, program, first, run[label], hasReset))) continue
    found.push({ label, core: first, ours: own[0][label] ?? [] })
  }
  // Contexts are compared where the lines are the same.
  const isNew = ({ label }) => !label.startsWith('contexts of ') || !found.some((other) => other !== label && other.label.replace(/ \((callbacks|end)\)/, '') === label.slice('contexts of '.length).replace(/ \((callbacks|end)\)/, ''))
  return found.filter(isNew).sort((a, b) => rank(a) - rank(b))
}

const plain = (line) => line?.replace(/\d+/g, 'N') ?? '(nothing)'

/** What a difference is, without its numbers: differences with one signature have likely one cause. */
function signature ([{ label, core, ours }]) {
  if (label.endsWith(' received')) return `${plain(label)}: ${apart(core[0], ours[0])}`
  const at = core.findIndex((line, index) => line !== ours[index])
  const index = at === -1 ? core.length : at
  return `${plain(label)}: ${plain(core[index]).slice(0, 120)} / ${plain(ours[index]).slice(0, 120)}`
}

/** Where two texts part. */
function apart (core = '(no connection)', ours = '(no connection)') {
  let at = 0
  while (at < core.length && core[at] === ours[at]) at++
  const from = core.lastIndexOf('\n', at - 1) + 1
  const part = (text) => JSON.stringify(plain(text.slice(from, at + 20)).replace(/[a-zA-Z]\*N/g, 'x*N'))
  return `${part(core)} / ${part(ours)}`
}

module.exports = { differences, signature, UNPLAYED }

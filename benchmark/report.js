'use strict'

/** Measurements as a table for a terminal and as one for README.md. */

const columns = [
  { key: 'rps', title: 'req/s', digits: 0 },
  { key: 'p50', title: 'p50 µs', digits: 0 },
  { key: 'p99', title: 'p99 µs', digits: 0 },
  { key: 'cpu', title: 'CPU µs/req', digits: 1 },
  { key: 'js', title: 'JS µs/req', digits: 1 },
  { key: 'peak', title: 'peak MB', digits: 0, unit: 1e6 },
  { key: 'idle', title: 'idle %', digits: 0, unit: 0.01, isShare: true }
]

/** What is measured of what serves no requests: a line each. */
const singles = [
  { key: 'memory', title: 'memory of each', unit: 1024, name: 'KiB' },
  { key: 'wall', title: 'until it listens', unit: 1, name: 'ms' },
  { key: 'processor', title: 'processor time until then', unit: 1, name: 'ms' },
  { key: 'resident', title: 'resident memory then', unit: 1e6, name: 'MB' }
]

function number (value, digits) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  return value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, ',')
}

function ratio (value) {
  return Number.isFinite(value) ? `${value.toFixed(2)}×` : '–'
}

/** Columns as wide as their widest cell; the first to the left, numbers to the right. */
function layOut (rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)))
  return rows
    .map((row) => row.map((cell, i) => i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join('  ').trimEnd())
    .join('\n')
}

/** True if fewer requests were served than by the baseline. */
function isBelow ({ rps }) {
  return Number.isFinite(rps) && rps.toFixed(2) < 1
}

/** A line for each implementation, and one for each ratio. */
function terminal (report) {
  const rows = [['', '', ...columns.map(({ title }) => title)]]
  const notes = []
  for (const { name, title, medians, ratios, errors } of report.results) {
    let label = title
    for (const { key, title: what, unit, name: unitName } of singles) {
      for (const [implementation, values] of Object.entries(medians)) {
        if (values[key] === undefined) continue
        const against = ratios[implementation]?.[key]
        notes.push(`${title}, ${what}, ${implementation}: ${number(values[key] === null ? null : values[key] / unit, 1)} ${unitName}` +
          (against === undefined ? '' : ` (${ratio(against)} ${report.baseline})`))
      }
    }
    for (const [implementation, values] of Object.entries(medians)) {
      if (values.rps === undefined) continue
      rows.push([label, implementation, ...columns.map(({ key, digits, unit = 1 }) =>
        number(Number.isFinite(values[key]) ? values[key] / unit : null, digits))])
      label = ''
    }
    for (const [implementation, values] of Object.entries(ratios)) {
      if (values.rps === undefined) continue
      // How much of the machine idled is no more and no less of anything.
      rows.push(['', `${implementation}/${report.baseline}`, ...columns.map(({ key, isShare }) => isShare ? '' : ratio(values[key]))])
      if (isBelow(values)) notes.push(`${title}: ${implementation} is BELOW ${report.baseline}, ${ratio(values.rps)} of its requests per second`)
    }
    if (errors > 0) notes.push(`${name}: ${errors} errors, its numbers mean nothing`)
  }
  return [...(rows.length > 1 ? [layOut(rows)] : []), ...notes].join('\n')
}

/** Where and how it was measured, in one sentence. */
function method ({ machine, node, generator, rounds, seconds, date, peers }) {
  return `Node ${node}, ${peers === undefined ? '' : `${peers}, `}${machine}, ${generator} on the same machine; medians of ${rounds} interleaved rounds of ` +
    `${seconds} s, ${date}.`
}

/** A line of README.md's table: what the baseline took, what another took, and the ratio. */
function row (title, theirs, others, ratios) {
  const cell = (key, digits) => !Number.isFinite(others[key])
    ? '–'
    : `${number(theirs[key], digits)} → ${number(others[key], digits)} (${ratio(ratios[key])})`
  const idle = Number.isFinite(others.idle) ? `${number(theirs.idle * 100, 0)} → ${number(others.idle * 100, 0)}` : '–'
  return `| ${title} | ${['rps', 'p50', 'p99'].map((key) => cell(key, 0)).join(' | ')} | ` +
    `${['cpu', 'js'].map((key) => cell(key, 1)).join(' | ')} | ${idle} |`
}

/** What else is measured, by its name in implementations.js. */
const OTHERS = { undici: 'undici.request', bun: "Bun's node:http", deno: "Deno's node:http", bare: 'a Rust program that does no HTTP' }

/** For README.md: core's number, ours, and the ratio, for what matters most. */
function markdown (report, implementation = 'native') {
  const lines = [
    method(report),
    'Each cell: core → http-native (median of the ratios). CPU and JS: processor time per request, of the whole process ' +
      'and of the JS thread. Idle: how much of the machine\'s time nothing ran. Rows below core are printed as such.',
    '',
    '| | req/s | p50 µs | p99 µs | CPU µs | JS µs | idle % |',
    '|---|---|---|---|---|---|---|'
  ]
  const { baseline } = report
  const memory = []
  for (const { title, medians, ratios } of report.results) {
    const [theirs, ours] = [medians[baseline], medians[implementation]]
    if (theirs === undefined || ours === undefined) continue
    if (ours.resident !== undefined) {
      memory.push('', `Start of a process with a server: ${number(theirs.wall, 0)} ms in core, ${number(ours.wall, 0)} here; ` +
        `${number(theirs.resident / 1e6, 0)} MB resident, ${number(ours.resident / 1e6, 0)} here.`)
      continue
    }
    if (ours.memory !== undefined) {
      memory.push('', `Memory of an idle keep-alive connection: ${number(theirs.memory / 1024, 1)} KiB in core, ` +
        `${number(ours.memory / 1024, 1)} KiB here.`)
      continue
    }
    lines.push(row(isBelow(ratios[implementation]) ? `${title}: **below core**` : title, theirs, ours, ratios[implementation]))
    // Beside us where they were measured; we are compared with core.
    for (const [name, other] of Object.entries(OTHERS)) {
      if (medians[name] !== undefined) lines.push(row(`the same, ${other} in our place`, theirs, medians[name], ratios[name]))
    }
  }
  return [...lines, ...memory].join('\n')
}

/** Puts the table between the marks of a document. */
function insert (document, table) {
  const marks = /(<!-- bench:start -->\n)[^]*?(<!-- bench:end -->)/
  if (!marks.test(document)) throw new Error('the document has no <!-- bench:start --> … <!-- bench:end -->')
  return document.replace(marks, (_, start, end) => `${start}${table}\n${end}`)
}

module.exports = { insert, markdown, method, ratio, terminal }

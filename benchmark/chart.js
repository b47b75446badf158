'use strict'

/**
 * docs/benchmark.svg: a pair of bars for each scenario, both of them "how many times core": requests per second,
 * and requests per second of processor time. Colours do on light and on dark paper.
 */

const { method } = require('./report')

const width = 760
const left = 210

/** Characters of a label that fit before the bars, in the widest of the fonts that browsers may take. */
const LABEL = 28
const right = 60
const top = 74
const rowHeight = 40
const barHeight = 13

function escape (text) {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
}

/** A step that gives the axis four to eight lines. */
function stepFor (most) {
  return [0.25, 0.5, 1, 2, 5, 10].find((step) => most / step <= 8) ?? 20
}

function bar (y, x, value, kind) {
  const end = x(value)
  return `<rect class="${kind}" x="${left}" y="${y}" width="${(end - left).toFixed(1)}" height="${barHeight}" rx="2"/>` +
    `<text class="value" x="${(end + 5).toFixed(1)}" y="${y + barHeight - 3}">${value.toFixed(2)}×</text>`
}

/** The name of a scenario, on as many lines as it needs. */
function label (title, middle) {
  const lines = wrap(title, LABEL)
  return lines.map((line, i) => {
    return `<text class="label" x="${left - 10}" y="${middle + (i - (lines.length - 1) / 2) * 14}">${escape(line)}</text>`
  }).join('')
}

/** A sentence over several lines. */
function wrap (text, length) {
  return text.split(' ').reduce((lines, word) => {
    const last = lines.at(-1)
    if (last.length + word.length < length) lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
    else lines.push(word)
    return lines
  }, [''])
}

function draw (report, implementation = 'native') {
  const rows = report.results
    .map(({ title, ratios }) => ({ title, ...ratios[implementation] }))
    .filter(({ rps }) => Number.isFinite(rps))
    .map(({ title, rps, cpu }) => ({ title, rps, perCpu: Number.isFinite(cpu) && cpu > 0 ? 1 / cpu : null }))
  const most = Math.max(1, ...rows.flatMap(({ rps, perCpu }) => [rps, perCpu ?? 0])) * 1.02
  const x = (value) => left + value / most * (width - left - right)
  const bottom = top + rows.length * rowHeight
  const notes = wrap(method(report), 105)
  const height = bottom + 26 + notes.length * 16

  const grid = []
  const step = stepFor(most)
  const marks = Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step)
  for (const value of new Set([...marks, 1])) {
    const at = x(value).toFixed(1)
    grid.push(`<line class="${value === 1 ? 'one' : 'grid'}" x1="${at}" x2="${at}" y1="${top - 6}" y2="${bottom}"/>`,
      `<text class="axis" x="${at}" y="${top - 11}">${value}×</text>`)
  }
  const bars = rows.map(({ title, rps, perCpu }, i) => {
    const y = top + i * rowHeight + 4
    return label(title, y + barHeight + 5) +
      bar(y, x, rps, 'rps') + (perCpu === null ? '' : bar(y + barHeight + 2, x, perCpu, 'cpu'))
  })
  const legend = [['rps', 'requests per second', left], ['cpu', 'requests per second of processor time', left + 170]]
    .map(([kind, text, at]) => `<rect class="${kind}" x="${at}" y="34" width="12" height="12" rx="2"/>` +
      `<text x="${at + 18}" y="44">${text}</text>`)

  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="http-native against Node's http">
<style>
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #3d444d }
.title { font-size: 15px; font-weight: 600 }
.label { text-anchor: end }
.axis { text-anchor: middle; fill: #768390 }
.note { font-size: 11px; fill: #768390 }
.grid { stroke: #8c959f; stroke-opacity: .25 }
.one { stroke: #8c959f; stroke-width: 1.5 }
.rps { fill: #d9691e }
.cpu { fill: #3b82c4 }
@media (prefers-color-scheme: dark) { text { fill: #d1d7e0 } .axis, .note { fill: #9198a1 } }
</style>
<text class="title" x="10" y="20">http-native against Node's own http (1× is core; longer is better)</text>
${legend.join('\n')}
${grid.join('\n')}
${bars.join('\n')}
${notes.map((line, i) => `<text class="note" x="10" y="${bottom + 26 + i * 16}">${escape(line)}</text>`).join('\n')}
</svg>
`
}

module.exports = { draw }

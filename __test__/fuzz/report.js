'use strict'

/** Differences for the reader: lines of core with `-`, ours with `+`, common ones without either. */
function report (found) {
  return found.map(({ label, core, ours }) => [`${label}:`, ...diff(core, ours)].join('\n')).join('\n')
}

const MOST = 400

const short = (line) => line.length > MOST ? `${line.slice(0, MOST)}...` : line

/** The shortest edit between two lists of lines. */
function diff (core, ours) {
  const table = Array.from({ length: core.length + 1 }, () => new Array(ours.length + 1).fill(0))
  for (let a = core.length - 1; a >= 0; a--) {
    for (let b = ours.length - 1; b >= 0; b--) {
      table[a][b] = core[a] === ours[b] ? table[a + 1][b + 1] + 1 : Math.max(table[a + 1][b], table[a][b + 1])
    }
  }
  const lines = []
  for (let a = 0, b = 0; a < core.length || b < ours.length;) {
    if (a < core.length && b < ours.length && core[a] === ours[b]) {
      lines.push(`    ${short(core[a++])}`)
      b++
    } else if (b === ours.length || (a < core.length && table[a + 1][b] >= table[a][b + 1])) lines.push(`  - ${short(core[a++])}`)
    else lines.push(`  + ${short(ours[b++])}`)
  }
  return lines
}

module.exports = { report }

'use strict'

/** Shows in a few lines where two reports of a scenario differ. */

/** Equal lines shown around each difference. */
const CONTEXT = 2

/** A report as one list of lines, with headings. */
function flatten ({ tracks, wire }) {
  const lines = []
  for (const track of Object.keys(tracks).sort()) {
    lines.push(`[${track}]`, ...tracks[track])
  }
  wire.forEach((connection, index) => {
    for (const [direction, bytes] of Object.entries(connection)) {
      lines.push(`[connection ${index + 1}, ${direction}]`, ...bytes.map((line) => JSON.stringify(line)))
    }
  })
  return lines
}

/** Lengths of the longest common subsequences of all tails. */
function commonTails (a, b) {
  const table = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1))
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i][j] = a[i] === b[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1])
    }
  }
  return table
}

function compare (a, b) {
  const table = commonTails(a, b)
  const marked = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      marked.push(`  ${a[i++]}`)
      j++
    } else if (j === b.length || (i < a.length && table[i + 1][j] >= table[i][j + 1])) {
      marked.push(`- ${a[i++]}`)
    } else {
      marked.push(`+ ${b[j++]}`)
    }
  }
  return marked
}

/**
 * @param {object} expected what core and core saw
 * @param {object} actual what this pairing saw
 * @returns {string} '' if nothing differs; `-` is core, `+` is ours
 */
function difference (expected, actual) {
  const marked = compare(flatten(expected), flatten(actual))
  const shown = marked.filter((line, index) => line.startsWith('  [') ||
    marked.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1).some((near) => !near.startsWith(' ')))
  return marked.some((line) => !line.startsWith(' ')) ? shown.join('\n') : ''
}

module.exports = { difference }

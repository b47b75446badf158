'use strict'

/** What `npm run bench:check` has recorded, and how what is measured now compares with it. */

const fs = require('node:fs')
const path = require('node:path')

const file = path.join(__dirname, 'records.json')

/** The share by which a number may grow until it is a loss. */
const TOLERANCE = 0.1

/**
 * Compares numbers by name, of which less is better.
 * @param {Record<string, number>|undefined} recorded
 * @param {Record<string, number>} measured
 * @returns {{ name: string, recorded?: number, measured?: number, ratio?: number, verdict: 'kept'|'lost'|'won'|'new'|'gone' }[]}
 */
function compare (recorded = {}, measured) {
  const names = new Set([...Object.keys(recorded), ...Object.keys(measured)])
  return Array.from(names, (name) => {
    const [before, now] = [recorded[name], measured[name]]
    if (before === undefined) return { name, measured: now, verdict: 'new' }
    if (now === undefined) return { name, recorded: before, verdict: 'gone' }
    const ratio = now / before
    const verdict = ratio > 1 + TOLERANCE ? 'lost' : ratio < 1 - TOLERANCE ? 'won' : 'kept'
    return { name, recorded: before, measured: now, ratio, verdict }
  })
}

/** True if the check fails: something is worse than recorded, or is not measured any more. */
function isLoss ({ verdict }) {
  return verdict === 'lost' || verdict === 'gone'
}

/** @returns {object} all records; none if there is no file */
function read () {
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {}
}

function write (records) {
  fs.writeFileSync(file, `${JSON.stringify(records, null, 2)}\n`)
}

module.exports = { TOLERANCE, compare, isLoss, read, write }

'use strict'

/**
 * The soak: mixed traffic for as long as is asked for, through core and through us side by side, and what the processes hold
 * meanwhile. What grows here and not in core is a leak.
 *
 *     npm run soak -- --minutes 30
 *     npm run soak -- --json FILE      with all samples in a file
 *
 * Exit code 1: an exchange of ours went wrong, something grew more than in core, or something was left when all had ended.
 */

const fs = require('node:fs')
const { setTimeout: sleep } = require('node:timers/promises')
const { parseArgs } = require('node:util')
const { Soaked } = require('./soaked')

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    every: { type: 'string', default: '5' },
    visitors: { type: 'string', default: '24' },
    json: { type: 'string' }
  }
})

/** The first part of a run, in which caches fill and code is compiled. */
const WARM_UP = 0.25

/** How much more than core's a number may grow in a minute; sizes in KiB. */
const MORE_A_MINUTE = { rss: 256, malloc: 128, heap: 64, external: 64, descriptors: 0.5, threads: 0.5, resources: 1 }

/** Prints what a process has done. @returns {object} rows of the table */
function report ({ name, samples, last, grown }) {
  for (const failure of last.failures) console.log(`${name}: ${failure}`)
  const visits = Object.entries(last.visits)
  console.log(`${name}: ${visits.reduce((sum, [, count]) => sum + count, 0)} visits:`, visits.map(([what, count]) => `${what} ${count}`).join(', '))
  return Object.fromEntries(Object.entries(grown).map(([key, aMinute]) => {
    const all = samples.map((sample) => Math.round(sample[key]))
    const row = { first: all[0], most: Math.max(...all), last: all.at(-1), ended: Math.round(last[key]), 'a minute': Number(aMinute.toFixed(2)) }
    return [`${name}, ${key}`, row]
  }))
}

async function main () {
  const visitors = Number(values.visitors)
  const core = new Soaked('core', visitors)
  const ours = new Soaked('ours', visitors)
  const until = Date.now() + Number(values.minutes) * 60_000
  while (Date.now() < until) {
    await sleep(Number(values.every) * 1000)
    await core.sample()
    await ours.sample()
  }
  for (const one of [core, ours]) one.grown = one.growth(Object.keys(MORE_A_MINUTE), WARM_UP)
  await core.end()
  const faults = await ours.end()
  console.table({ ...report(core), ...report(ours) })
  for (const failure of ours.last.failures) faults.push(failure.split('\n')[0])
  for (const [key, more] of Object.entries(MORE_A_MINUTE)) {
    const [own, its] = [ours.grown[key], core.grown[key]]
    if (own > Math.max(0, its) + more) faults.push(`${key} grows by ${own.toFixed(1)} a minute, core's by ${its.toFixed(1)}`)
  }
  if (values.json) fs.writeFileSync(values.json, JSON.stringify([core, ours].map(({ name, samples, last }) => ({ name, samples, last }))))
  for (const fault of faults) console.log(`fault: ${fault}`)
  console.log(faults.length === 0 ? 'nothing grew, and nothing is left' : `${faults.length} faults`)
  process.exitCode = faults.length === 0 ? 0 : 1
}

main()

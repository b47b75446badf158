'use strict'

/**
 * The differential fuzzer: random programs against random peers, with node:http and with us.
 *
 *     node __test__/fuzz/run.js --side server --seed 1 --count 1000
 *     node __test__/fuzz/run.js --minutes 60 --jobs 2
 *     node __test__/fuzz/run.js --replay case.json    what both show, where they differ; of a folder, which cases do
 *
 *     --ignore contexts                              what is not compared: a part of a label
 *
 * Case N of a seed is always the same. A difference that is seen in all reruns is made small and printed; with
 * `--keep FOLDER` the small cases are written there. The exit code is 1 if there was one that known.json does not list.
 */

const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { Pair } = require('./pair')
const { Fuzzer } = require('./fuzzer')
const { examine } = require('./examine')
const { report } = require('./report')
const { signature } = require('./compare')

const { values } = parseArgs({
  options: {
    side: { type: 'string' },
    seed: { type: 'string', default: '1' },
    count: { type: 'string' },
    minutes: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    replay: { type: 'string' },
    keep: { type: 'string' },
    shrink: { type: 'string', default: '20' },
    each: { type: 'string', default: '2' },
    ignore: { type: 'string', multiple: true, default: [] },
    quiet: { type: 'boolean', default: false }
  }
})

/** A case, or all of a folder. */
async function replay (target) {
  const isFolder = fs.statSync(target).isDirectory()
  const files = isFolder ? fs.readdirSync(target).filter((name) => name.endsWith('.json')).sort().map((name) => path.join(target, name)) : [target]
  const pair = new Pair(values.ignore)
  let differing = 0
  for (const file of files) {
    const content = JSON.parse(fs.readFileSync(file, 'utf8'))
    const found = await examine(pair, content.program ?? content)
    if (found.length > 0) differing++
    if (isFolder) console.log(`${found.length > 0 ? 'differs' : 'same   '} ${path.basename(file)}${found.length > 0 ? ' ' + signature(found) : ''}`)
    else console.log(found.length > 0 ? report(found) : 'no difference')
  }
  pair.stop()
  process.exitCode = differing > 0 ? 1 : 0
}

async function fuzz () {
  const fuzzer = new Fuzzer({
    sides: values.side === undefined ? ['server', 'client'] : [values.side],
    seed: Number(values.seed),
    count: values.count === undefined ? (values.minutes === undefined ? 500 : Infinity) : Number(values.count),
    until: values.minutes === undefined ? Infinity : Date.now() + Number(values.minutes) * 60000,
    jobs: Number(values.jobs),
    shrinkMs: Number(values.shrink) * 1000,
    each: Number(values.each),
    ignored: values.ignore
  })
  fuzzer.on('found', ({ side, index, signature, program, found, known }) => {
    if (values.keep !== undefined) {
      fs.mkdirSync(values.keep, { recursive: true })
      fs.writeFileSync(path.join(values.keep, `${side}-${values.seed}-${index}.json`), JSON.stringify({ signature, known, node: process.version, program, found }, null, 1))
    }
    if (values.quiet) return
    console.log(`\n=== ${side} ${index}${known ? ' (known)' : ''}: ${signature}\n${report(found)}\n${JSON.stringify(program)}`)
  })
  const { played, operations, classes } = await fuzzer.run()
  console.log(`\n${process.version}: ${played} cases, ${operations} operations`)
  for (const [signature, { count, example, known }] of [...classes].sort(([, a], [, b]) => b.count - a.count)) {
    console.log(`${String(count).padStart(5)} ${example}${known ? ' known' : ''} ${signature}`)
  }
  process.exitCode = [...classes.values()].some(({ known }) => !known) ? 1 : 0
}

if (values.replay !== undefined) replay(values.replay)
else fuzz()

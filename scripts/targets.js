'use strict'

/**
 * `npm run targets`: builds the native part for every platform that is named, and packs what is published into npm/.
 *
 *     npm run targets                        all of them
 *     npm run targets -- linux-x64-musl ...  these alone
 *
 * What cannot be built here is said, and ends it with 1, after the others. `npm test -- package/targets` installs and runs
 * what lies in npm/ then.
 */

const fs = require('node:fs')
const path = require('node:path')
const { giveUp, root } = require('./prepare')
const { build } = require('./targets/build')
const { layOut, layOutMain, pack } = require('./targets/packages')
const { targets } = require('./targets/list')

const out = path.join(root, 'npm')
const wanted = process.argv.slice(2)
const unknown = wanted.find((name) => !targets.some((target) => target.name === name))
if (unknown !== undefined) giveUp(`There is no target ${unknown}; there are ${targets.map(({ name }) => name).join(', ')}.`)

fs.mkdirSync(out, { recursive: true })
for (const target of targets) {
  if (wanted.length !== 0 && !wanted.includes(target.name)) continue
  console.error(`${target.name} ...`)
  try {
    const tarball = pack(layOut(out, target, build(target)), out)
    console.log(path.relative(root, tarball))
  } catch (error) {
    console.error(`${target.name} was not built: ${error.message}`)
    process.exitCode = 1
  }
}
layOutMain(out).then((folder) => console.log(path.relative(root, pack(folder, out))))

'use strict'

/**
 * What of a process's resident size is whose, from the kernel's own list (proc(5), smaps). The size as a whole moves by several MiB
 * with how full V8's young generation is at the moment; what natively allocated memory takes stands still, unless something leaks.
 */

const fs = require('node:fs')

/** Bytes. glibc's malloc puts the arenas of other threads than the first at multiples of this. */
const ARENA = 64n * 1024n * 1024n

const MAPPING = /^([0-9a-f]+)-[0-9a-f]+ (\S+) \S+ \S+ \S+ *(.*)$/

/** Gives whose a mapping is. @returns {'malloc'|'file'|'rest'} rest: V8's pages, stacks, and large blocks of malloc's */
function ownerOf (start, rights, name) {
  if (name === '[heap]') return 'malloc'
  if (name.startsWith('/')) return 'file'
  return name === '' && rights.startsWith('rw') && BigInt(`0x${start}`) % ARENA === 0n ? 'malloc' : 'rest'
}

/** @returns {{ malloc: number, file: number, rest: number }} KiB that this process has in memory now */
function resident () {
  const sizes = { malloc: 0, file: 0, rest: 0 }
  let owner
  for (const line of fs.readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    const mapping = MAPPING.exec(line)
    if (mapping !== null) owner = ownerOf(mapping[1], mapping[2], mapping[3])
    else if (line.startsWith('Rss:')) sizes[owner] += Number.parseInt(line.slice(4), 10)
  }
  return sizes
}

module.exports = { resident }

'use strict'

/** Reads from an addon's first bytes what it was built for, and whether all of it is there. */

const fs = require('node:fs')
const { Buffer } = require('./host')

const HEADER = 64

/** e_machine of ELF. */
const ELF = { 62: 'linux-x64', 183: 'linux-arm64' }

/** cputype of Mach-O. */
const MACH_O = { 0x01000007: 'darwin-x64', 0x0100000c: 'darwin-arm64' }

/** Reads so many bytes of a file; what is beyond its end stays 0. @returns {number} how many there are */
function readAt (file, into, position) {
  const fd = fs.openSync(file, 'r')
  try {
    return fs.readSync(fd, into, 0, into.length, position)
  } finally {
    fs.closeSync(fd)
  }
}

const isElf = (header) => header.toString('latin1', 0, 4) === '\x7fELF'

/** @returns {Buffer|null} the file's first bytes; null if there are fewer */
function readHeader (file) {
  const header = Buffer.alloc(HEADER)
  return readAt(file, header, 0) < HEADER ? null : header
}

/** @returns {string|null} platform and architecture; null for what is no library */
function targetOf (header) {
  if (isElf(header)) return ELF[header.readUInt16LE(18)] ?? `of another processor (ELF machine ${header.readUInt16LE(18)})`
  if (header.readUInt32LE(0) === 0xfeedfacf) return MACH_O[header.readUInt32LE(4)] ?? 'of another processor'
  return null
}

/** True if the file was cut short: the table of sections is the last thing in an ELF file. Other systems check it themselves. */
function isCut (file, header) {
  if (!isElf(header)) return false
  const end = Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60)
  // The last byte is looked for: less is loaded for that than for its size.
  return readAt(file, Buffer.alloc(1), end - 1) === 0
}

module.exports = { readHeader, targetOf, isCut }

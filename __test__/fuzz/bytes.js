'use strict'

/**
 * What the programs write: each part is one letter again and again, so that what arrives can be shown, and read, as
 * `a*16384`, and bytes of another part, or of a Buffer that was overwritten, stand out.
 */

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

/** What a Buffer holds once its owner may use it again. */
const OVERWRITTEN = '#'

/** Runs shorter than this are shown as they are. */
const RUN = 8

const letter = (index) => LETTERS[index % LETTERS.length]

/** A part of a message: `kind` is an encoding or `buffer`. */
function part (index, size, kind) {
  if (kind === 'buffer') return Buffer.alloc(size, letter(index))
  if (kind === 'array') return new Uint8Array(size).fill(letter(index).charCodeAt(0))
  const text = letter(index).repeat(size)
  if (kind === 'hex' || kind === 'base64') return Buffer.from(text).toString(kind)
  if (kind === 'wide') return letter(index).repeat(Math.max(0, size - 2)) + (size >= 2 ? 'é' : '')
  if (kind === 'utf16le') return letter(index).repeat(size >> 1)
  return text
}

/** The encoding to give with it, if any. */
const encodings = { latin1: 'latin1', utf8: 'utf8', hex: 'hex', base64: 'base64', utf16le: 'utf16le', wide: 'utf8' }

const encodingOf = (kind) => encodings[kind]

/** Bytes as text in which runs are counted, one line for each of theirs. */
function show (bytes) {
  let text = ''
  for (let at = 0; at < bytes.length;) {
    let end = at + 1
    while (end < bytes.length && bytes[end] === bytes[at]) end++
    const character = String.fromCharCode(bytes[at])
    text += end - at < RUN ? character.repeat(end - at) : `${character}*${end - at}`
    at = end
  }
  return text.replace(/Date: [^\r]*/g, 'Date: <date>').replace(/\r/g, '\\r')
}

/** What `show` has shown, with its runs as they were. */
const expand = (text) => text.replace(/(.)\*(\d+)/gs, (_, character, count) => character.repeat(Number(count)))

module.exports = { OVERWRITTEN, encodingOf, expand, letter, part, show }

'use strict'

/** What the peer sends, from its description. */

const { letter } = require('./bytes')

const head = (first, fields) => [first, ...fields.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')

/** A body in chunks of `chunk` bytes, or under its length. `missing` bytes are declared, and not sent. */
function framed (index, { size, mode, chunk = size, missing = 0, trailers = false }) {
  const text = letter(index + 26)
  if (mode !== 'chunked') return { fields: mode === 'length' ? [['Content-Length', size + missing]] : [], body: text.repeat(size) }
  let body = ''
  for (let left = size; left > 0; left -= chunk) {
    const part = Math.min(left, chunk)
    body += `${part.toString(16)}\r\n${text.repeat(part)}\r\n`
  }
  if (missing === 0) body += trailers ? '0\r\nX-Trailer: yes\r\n\r\n' : '0\r\n\r\n'
  return { fields: [['Transfer-Encoding', 'chunked']], body }
}

const NONE = { fields: [], body: '' }

function requestBytes ({ requests, extra = '' }, connection) {
  return Buffer.from(requests.map(({ method, version = '1.1', headers = [], body }, index) => {
    const { fields, body: bytes } = body === undefined ? NONE : framed(index, body)
    return head(`${method} /c${connection}r${index} HTTP/${version}`, [['Host', 'x'], ...headers, ...fields]) + bytes
  }).join('') + extra, 'latin1')
}

function answerBytes ({ informational = [], status = 200, headers = [], body, trailing = '' }, index) {
  const { fields, body: bytes } = body === undefined ? NONE : framed(index, body)
  return Buffer.from(informational.map((code) => head(`HTTP/1.1 ${code} Information`, code === 103 ? [['Link', '</a.css>']] : [])).join('') +
    head(`HTTP/1.1 ${status} Answer`, [['X-Answer', index], ...headers, ...fields]) + bytes + trailing, 'latin1')
}

module.exports = { answerBytes, requestBytes }

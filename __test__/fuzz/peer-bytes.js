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

/** @param {number} first the number of the first of them on its connection */
function requestBytes ({ requests, extra = '' }, connection, first = 0) {
  return Buffer.from(requests.map(({ method, version = '1.1', headers = [], body }, index) => {
    const { fields, body: bytes } = body === undefined ? NONE : framed(first + index, body)
    return head(`${method} /c${connection}r${first + index} HTTP/${version}`, [['Host', 'x'], ...headers, ...fields]) + bytes
  }).join('') + extra, 'latin1')
}

/** What is wrong with an answer: a line of its head, or the first of its chunks. */
const SPOILT = {
  status: (text) => text.replace(/HTTP\/1\.\d (?=[2-5])/, 'HTTP/1.1 x'),
  field: (text) => text.replace('X-Answer:', 'X Answer:'),
  long: (text) => text.replace('X-Answer:', `X-Long: ${'x'.repeat(20000)}\r\nX-Answer:`),
  feed: (text) => text.replace('X-Answer:', 'X-Feed: a\nb\r\nX-Answer:'),
  chunk: (text) => text.replace(/\r\n\r\n(?=[0-9a-f]+\r\n)/, '\r\n\r\nz')
}

function answerBytes ({ informational = [], status = 200, version = '1.1', headers = [], body, trailing = '', spoilt }, index) {
  const { fields, body: bytes } = body === undefined ? NONE : framed(index, body)
  const text = informational.map((code) => head(`HTTP/1.1 ${code} Information`, code === 103 ? [['Link', '</a.css>']] : [])).join('') +
    head(`HTTP/${version} ${status} Answer`, [['X-Answer', index], ...headers, ...fields]) + bytes + trailing
  return Buffer.from(spoilt === undefined ? text : SPOILT[spoilt](text), 'latin1')
}

module.exports = { answerBytes, requestBytes }

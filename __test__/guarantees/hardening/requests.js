'use strict'

/** Requests that core lets through although the RFCs forbid them: the row that each is in, and its bytes. */

const versions = require('../../../lib/core/versions')

const HEAD = 'POST /case HTTP/1.1\r\nHost: a\r\n'
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`

/** `hangs`: what is behind the head never ends, in core. */
const requests = [
  { row: 'bare-line-end', name: 'a bare LF before', bytes: '\nGET /case HTTP/1.1\r\nHost: a\r\n\r\n' },
  { row: 'bare-line-end', name: 'a bare CR before', bytes: '\rGET /case HTTP/1.1\r\nHost: a\r\n\r\n' },
  { row: 'empty-lines', name: 'a thousand empty lines before', bytes: `${'\r\n'.repeat(1000)}GET /case HTTP/1.1\r\nHost: a\r\n\r\n` },
  { row: 'request-line-spaces', name: 'two spaces behind the method', bytes: 'GET  /case HTTP/1.1\r\nHost: a\r\n\r\n' },
  { row: 'request-line-spaces', name: 'many spaces behind the target', bytes: 'GET /case      HTTP/1.1\r\nHost: a\r\n\r\n' },
  { row: 'method-unknown', name: 'a method in lower case', bytes: 'get /case HTTP/1.1\r\nHost: a\r\n\r\n' },
  { row: 'method-unknown', name: 'a method that nobody knows', bytes: 'FOO /case HTTP/1.1\r\nHost: a\r\n\r\n' },
  { row: 'method-unknown', name: 'the beginning of a method', bytes: 'GE /case HTTP/1.1\r\nHost: a\r\n\r\n' },
  { row: 'method-unknown', name: 'more than a method', bytes: 'GETS /case HTTP/1.1\r\nHost: a\r\n\r\n' },
  { row: 'target-too-long', name: 'a target over the limit', bytes: `GET /${'a'.repeat(600)} HTTP/1.1\r\nHost: a\r\n\r\n` },
  { row: 'target-fragment', name: 'a fragment', bytes: 'GET /case#here HTTP/1.1\r\nHost: a\r\n\r\n' },
  { row: 'target-byte', name: 'odd characters in the path', bytes: 'GET /case"<>\\^`{|} HTTP/1.1\r\nHost: a\r\n\r\n' },
  { row: 'target-asterisk', name: 'GET of an asterisk', bytes: 'GET * HTTP/1.1\r\nHost: a\r\n\r\n' },
  { row: 'version-missing', name: 'no version', bytes: 'GET /case\r\n\r\n' },
  { row: 'version-missing', name: 'no version, with fields and a body', bytes: 'POST /case\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc' },
  { row: 'version-missing', name: 'no version, and LF', bytes: 'POST /case\nHost: a\r\nContent-Length: 3\r\n\r\nabc' },
  { row: 'version-other', name: 'HTTP/0.9', bytes: 'GET /case HTTP/0.9\r\nHost: a\r\n\r\n' },
  { row: 'version-other', name: 'HTTP/1.2', bytes: 'GET /case HTTP/1.2\r\nHost: a\r\n\r\n' },
  { row: 'version-other', name: 'HTTP/2.0', bytes: 'GET /case HTTP/2.0\r\nHost: a\r\n\r\n' },
  { row: 'protocol-other', name: 'ICE', bytes: 'SOURCE /case ICE/1.0\r\nHost: a\r\n\r\n' },
  { row: 'protocol-other', name: 'RTSP', bytes: 'OPTIONS /case RTSP/1.0\r\nHost: a\r\n\r\n' },
  { row: 'host-repeated', name: 'two Hosts', bytes: 'GET /case HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n' },
  { row: 'host-repeated', name: 'the same Host twice', bytes: 'GET /case HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n' },
  { row: 'host-invalid', name: 'a Host with a space', bytes: 'GET /case HTTP/1.1\r\nHost: a b\r\n\r\n' },
  { row: 'host-invalid', name: 'a Host with a comma', bytes: 'GET /case HTTP/1.1\r\nHost: a, b\r\n\r\n' },
  { row: 'host-invalid', name: 'a Host beyond ASCII', bytes: 'GET /case HTTP/1.1\r\nHost: \xe9\r\n\r\n' },
  { row: 'field-spaces', name: 'a flood of white space before a value', bytes: `GET /case HTTP/1.1\r\nHost: a\r\nA:${' '.repeat(2000)}b\r\n\r\n` },
  // Where core does not refuse them itself.
  ...(versions.headerOverflowRejects ? [] : [{ row: 'field-count', name: 'more fields than are folded', bytes: `GET /case HTTP/1.1\r\nHost: a\r\n${'a:\r\n'.repeat(80)}\r\n` }]),
  { row: 'expect-inexact', name: '100-continue behind other letters', bytes: `${HEAD}Expect: x-100-continue\r\nContent-Length: 1\r\n\r\na` },
  { row: 'expect-inexact', name: '100-continue in a list', bytes: `${HEAD}Expect: 100-continue, other\r\nContent-Length: 1\r\n\r\na` },
  { row: 'coding-unknown', name: 'gzip before chunked', bytes: `${HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n` },
  { row: 'coding-unknown', name: 'gzip and chunked in two fields', bytes: `${HEAD}Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n` },
  { row: 'coding-unknown', name: 'identity before chunked', bytes: `${HEAD}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n` },
  { row: 'coding-not-chunked', name: 'a coding that nobody knows', bytes: `${HEAD}Transfer-Encoding: cow\r\n\r\n` },
  { row: 'coding-in-1.0', name: 'chunked in HTTP/1.0', bytes: 'POST /case HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' },
  { row: 'coding-in-1.0', name: 'chunked in HTTP/1.0 that keeps alive', bytes: 'POST /case HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' },
  { row: 'length-huge', name: 'a length of 2^63', bytes: `${HEAD}Content-Length: 9223372036854775808\r\n\r\n`, hangs: true },
  { row: 'length-huge', name: 'a length of 2^64 - 1', bytes: `${HEAD}Content-Length: 18446744073709551615\r\n\r\n`, hangs: true },
  { row: 'trace-body', name: 'TRACE with a body', bytes: 'TRACE /case HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na' },
  { row: 'chunk-huge', name: 'a chunk of 16 digits', bytes: `${CHUNKED}FFFFFFFFFFFFFFFF\r\n`, hangs: true },
  { row: 'chunk-size-digits', name: 'a flood of zeros', bytes: `${CHUNKED}${'0'.repeat(1000)}1\r\na\r\n0\r\n\r\n` },
  { row: 'chunk-extension-empty', name: 'an extension without name', bytes: `${CHUNKED}1;=b\r\na\r\n0\r\n\r\n` },
  { row: 'chunk-extension-empty', name: 'an extension without value', bytes: `${CHUNKED}1;a=\r\na\r\n0\r\n\r\n` },
  { row: 'chunk-extension-empty', name: 'two semicolons', bytes: `${CHUNKED}1;;a\r\na\r\n0\r\n\r\n` },
  { row: 'chunk-extensions', name: 'a flood of extensions', bytes: `${CHUNKED}${`1;${'a'.repeat(1000)}\r\na\r\n`.repeat(20)}0\r\n\r\n` },
  { row: 'trailer-field', name: 'Connection in the trailers', bytes: `${CHUNKED}0\r\nConnection: close\r\n\r\n` }
]

module.exports = { requests }

'use strict'

/**
 * Reads of a stream with a handle (TLS, a pipe of core's) go to its connection without passing through the stream, as core's parser
 * consumes such a handle: no memory is made for each read, and no 'data' is emitted. It is the means of net's `onread` option. As
 * soon as anything besides the connection can want the bytes, they pass through the stream again.
 */

const net = require('node:net')
const { Buffer } = require('../host')
const { kConnection } = require('../core/symbols')

/** Core's slots for `onread`; a release without them reads through the stream. Found with the first stream. */
let slots = null

/** What is read lies here until the callback returns: the native side copies what it keeps. As much as libuv reads at once. */
let shared = null

function prepare () {
  const symbols = Object.getOwnPropertySymbols(new net.Socket())
  slots = ['kBuffer', 'kBufferCb'].map((name) => symbols.find(({ description }) => description === name))
  shared = Buffer.allocUnsafeSlow(64 * 1024)
}

/**
 * Begins it, if the stream can.
 * @param {import('node:stream').Duplex} stream that is served already
 */
function readDirectly (stream) {
  const { _handle: handle } = stream
  if (handle?.isStreamBase !== true || typeof handle.useUserBuffer !== 'function') return
  if (slots === null) prepare()
  const [kBuffer, kBufferCb] = slots
  if (kBuffer === undefined || kBufferCb === undefined || stream[kBuffer] !== null || stream.connecting) return
  stream[kBuffer] = shared
  stream[kBufferCb] = onBytes
  handle.useUserBuffer(shared)
}

/** `this` is the stream. @returns {boolean} false if no more should be read for now */
function onBytes (length, buffer) {
  const connection = this[kConnection]
  const bytes = buffer.subarray(0, length)
  if (connection?.takesDirectly?.() !== true) return this.push(Buffer.from(bytes))
  connection.take(bytes)
  return true
}

module.exports = { readDirectly }

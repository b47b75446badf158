'use strict'

/**
 * Renders heads: start line and fields in, one string out, with the fields that HTTP/1.1 needs added (Date,
 * Connection, Keep-Alive, framing), in core's order. Decides how the body will be framed; frames nothing itself.
 * RFC 9112 §2–§6; where core differs from the RFC, core wins.
 */

const { Buffer } = require('../host')
const { sendFlags } = require('../binding')
const { cores } = require('../core/messages')
const { validateHeaderName, validateHeaderValue } = require('../core/originals')
const { lowerToken, isBeyondVchar, utcDate } = require('./syntax')
const versions = require('../core/versions')
const { kOutHeaders, kUniqueHeaders, kHead, kLines, kFraming, kBeyondAscii } = require('../core/symbols')

const { NO_BODY, LENGTH, CHUNKED, UNTIL_CLOSE } = sendFlags

const CLOSE = /(?:^|\W)close(?:$|\W)/i
const CHUNKED_CODING = /(?:^|\W)chunked(?:$|\W)/i

// Fields that the application gave: bits of `seen`.
const CONNECTION = 1
const CONTENT_LENGTH = 2
const TRANSFER_ENCODING = 4
const DATE = 8
const EXPECT = 16
const TRAILER = 32

/** The lines that end most heads, rendered once a second. */
const tail = { date: '', timeout: -1, text: '' }

function keepAliveTail (timeout) {
  const date = utcDate()
  if (date !== tail.date || timeout !== tail.timeout) {
    tail.date = date
    tail.timeout = timeout
    tail.text = `Date: ${date}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(timeout / 1000)}\r\n`
  }
  return tail.text
}

/** Gives the number of CRLFs in a rendered block. */
function countLines (text) {
  let lines = 0
  for (let at = text.indexOf('\r\n'); at !== -1; at = text.indexOf('\r\n', at + 2)) lines++
  return lines
}

/** One head being rendered, `framing` lines of which frame its body. A single instance is reused: rendering never re-enters. */
const state = { text: '', lines: 0, seen: 0, framing: 0 }

/** Notes a field that changes how the message is sent. */
function note (message, lower, value) {
  switch (lower.length) {
    case 4:
      if (lower === 'date') state.seen |= DATE
      return
    case 6:
      if (lower === 'expect') state.seen |= EXPECT
      return
    case 7:
      if (lower === 'trailer') state.seen |= TRAILER
      return
    case 10:
      if (lower === 'connection') {
        state.seen |= CONNECTION
        message._removedConnection = false
        if (CLOSE.test(value)) message._last = true
        else message.shouldKeepAlive = true
      } else if (lower === 'keep-alive') {
        message._defaultKeepAlive = false
      }
      return
    case 14:
      if (lower === 'content-length') {
        state.seen |= CONTENT_LENGTH
        state.framing++
        message._contentLength = +value
        message._removedContLen = false
      }
      return
    case 17:
      if (lower === 'transfer-encoding') {
        state.seen |= TRANSFER_ENCODING
        state.framing++
        message._removedTE = false
        if (CHUNKED_CODING.test(value)) message.chunkedEncoding = true
      }
  }
}

/** Has core throw for a value that must not be sent; notes one that is not plain ASCII. */
function checkValue (message, name, value) {
  if (value !== undefined && !isBeyondVchar(value)) return
  message[kBeyondAscii] = true
  validateHeaderValue(name, value, message._isLenientHeaderValidation?.())
}

function line (message, name, lower, value, check) {
  if (check) checkValue(message, name, value)
  state.text += name + ': ' + value + '\r\n'
  state.lines++
  note(message, lower, value)
}

/** Decodes a binary string as UTF-8. As core's processHeader does with Content-Disposition once the length is known. */
function fromLatin1 (value) {
  return Buffer.from(String(value), 'latin1').toString()
}

function field (message, name, lower, value, check) {
  if (lower === 'content-disposition' && message._contentLength) {
    value = Array.isArray(value) ? value.map(fromLatin1) : fromLatin1(value)
    message[kBeyondAscii] = true
  }
  if (Array.isArray(value)) {
    if ((value.length < 2 || lower !== 'cookie') && !message[kUniqueHeaders]?.has(lower)) {
      for (let i = 0; i < value.length; i++) line(message, name, lower, value[i], check)
      return
    }
    value = value.join('; ')
  }
  line(message, name, lower, value, check)
}

/** Renders a field that did not pass setHeader: its name is checked here. */
function uncheckedField (message, name, value) {
  const lower = lowerToken(name)
  // Throws.
  if (lower === undefined) validateHeaderName(name)
  field(message, name, lower, value, true)
}

/** Renders fields in any of the shapes that writeHead() and request() take. */
function uncheckedFields (message, headers) {
  if (!Array.isArray(headers)) {
    for (const name in headers) {
      if (Object.hasOwn(headers, name)) uncheckedField(message, name, headers[name])
    }
    return
  }
  if (headers.length !== 0 && Array.isArray(headers[0])) {
    for (const [name, value] of headers) uncheckedField(message, name, value)
    return
  }
  // Core's throws for a name without a value.
  if (headers.length % 2 !== 0) cores.OutgoingMessage._storeHeader.call(message, '', headers)
  for (let i = 0; i < headers.length; i += 2) uncheckedField(message, headers[i], headers[i + 1])
}

/**
 * Renders the head of a message into `message._header`. Called through the prototype as `_storeHeader`, because
 * packages wrap that.
 * @param {OutgoingMessage} message
 * @param {string} firstLine with its CRLF
 * @param {object|Array|null|undefined} headers the message's own (kOutHeaders), or unchecked ones
 * @returns {boolean} true if the head has to be sent at once (Expect)
 */
function storeHead (message, firstLine, headers) {
  state.text = firstLine
  state.lines = 2
  state.seen = 0
  state.framing = 0
  if (headers) {
    if (headers === message[kOutHeaders]) {
      for (const lower in headers) {
        const entry = headers[lower]
        field(message, entry[0], lower, entry[1], false)
      }
    } else {
      uncheckedFields(message, headers)
    }
  }
  const { seen } = state

  // A body that must not exist cannot be chunked either: the peer would wait for its end (RFC 9110 §15.3.5, §15.4.5).
  if (message.chunkedEncoding && (message.statusCode === 204 || message.statusCode === 304)) {
    message.chunkedEncoding = false
    message.shouldKeepAlive = false
  }

  addConnection(message, seen)
  message[kFraming] = addFraming(message, seen)
  // Core's throws for trailers that there cannot be.
  if ((seen & TRAILER) !== 0 && message.chunkedEncoding !== true) cores.OutgoingMessage._storeHeader.call(message, firstLine, headers)

  const head = state.text + '\r\n'
  state.text = ''
  message._header = head
  message._headerSent = false
  message[kHead] = head
  message[kLines] = state.lines
  return (seen & EXPECT) !== 0
}

/** Adds Date, Connection and Keep-Alive. */
function addConnection (message, seen) {
  const sendDate = message.sendDate && (seen & DATE) === 0
  if (!message._removedConnection && (seen & CONNECTION) === 0) {
    if (message.shouldKeepAlive &&
        ((seen & CONTENT_LENGTH) !== 0 || message.useChunkedEncodingByDefault || message.agent)) {
      if (!message.maxRequestsOnConnectionReached) {
        const timeout = message._keepAliveTimeout
        const advertise = timeout && message._defaultKeepAlive
        if (sendDate && advertise && ~~message._maxRequestsPerSocket <= 0) {
          state.text += keepAliveTail(timeout)
          state.lines += 3
          return
        }
        addDate(sendDate)
        state.text += 'Connection: keep-alive\r\n'
        state.lines++
        if (advertise) {
          const most = message._maxRequestsPerSocket
          const max = ~~most > 0 ? `, max=${versions.wholeRequestsPerSocket ? ~~most : most}` : ''
          state.text += `Keep-Alive: timeout=${Math.floor(timeout / 1000)}${max}\r\n`
          state.lines++
        }
        return
      }
    } else {
      message._last = true
    }
    addDate(sendDate)
    state.text += 'Connection: close\r\n'
    state.lines++
    return
  }
  addDate(sendDate)
  if (message._removedConnection) message._last = !message.shouldKeepAlive
}

function addDate (wanted) {
  if (!wanted) return
  state.text += 'Date: ' + utcDate() + '\r\n'
  state.lines++
}

/** Adds Content-Length or Transfer-Encoding, unless one of them was given. @returns {number} the framing */
function addFraming (message, seen) {
  if ((seen & (CONTENT_LENGTH | TRANSFER_ENCODING)) !== 0) {
    if (!message._hasBody) return NO_BODY
    if (message.chunkedEncoding) return CHUNKED
    return message._contentLength >= 0 && (seen & TRANSFER_ENCODING) === 0 ? LENGTH : UNTIL_CLOSE
  }
  if (!message._hasBody) {
    message.chunkedEncoding = false
    return NO_BODY
  }
  if (!message.useChunkedEncodingByDefault) {
    message._last = true
  } else if ((seen & TRAILER) === 0 && !message._removedContLen && typeof message._contentLength === 'number') {
    state.text += 'Content-Length: ' + message._contentLength + '\r\n'
    state.lines++
    state.framing++
    return LENGTH
  } else if (!message._removedTE) {
    state.text += 'Transfer-Encoding: chunked\r\n'
    state.lines++
    state.framing++
    message.chunkedEncoding = true
    return CHUNKED
  } else {
    // Only the end of the connection ends the body.
    message._last = true
  }
  return UNTIL_CLOSE
}

/** Gives the number of lines that frame a body (Content-Length, Transfer-Encoding) in the head that was rendered last. */
function framingLines () {
  return state.framing
}

module.exports = { storeHead, framingLines, countLines }

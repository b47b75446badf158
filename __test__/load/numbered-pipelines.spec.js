'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const net = require('node:net')
const { Child } = require('../child')

/** So many clients at a depth, one after the other: what fails at the seam of two reads does not do so every time. */
const CLIENTS = { 1: 5, 2: 5, 100: 5, 1000: 5, 1025: 10, 5000: 8, 20000: 2 }

const DEADLINE = 30_000

/** A request of 32 bytes exactly, so that a read of 64 KiB ends where one does. */
const request = (number) => `GET /${String(number).padStart(6, '0')} HTTP/1.1\r\nHost:h\r\n\r\n`

/** Pipelines `depth` requests at once: the numbers of the answers, in the order in which they came. */
function pipeline (port, depth) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    const numbers = []
    let text = ''
    socket.setEncoding('latin1').on('data', (more) => {
      text += more
      const end = text.lastIndexOf('>') + 1
      for (const [, number] of text.slice(0, end).matchAll(/<(\d+)>/g)) numbers.push(Number(number))
      text = text.slice(end)
      if (numbers.length >= depth) socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(numbers))
    socket.write(Array.from({ length: depth }, (_, number) => request(number)).join(''))
  })
}

/** Checks that a server with these arguments answers pipelines of this depth in their order, of so many clients. */
async function holdsOrder (args, depth, clients) {
  const child = new Child('pipelines/server.js', { args, deadline: DEADLINE })
  try {
    const port = await child.port()
    for (let client = 0; client < clients; client++) {
      const numbers = await pipeline(port, depth)
      const wrong = numbers.findIndex((number, index) => number !== index)
      assert.equal(wrong, -1, `answer ${wrong} of client ${client} was to request ${numbers[wrong]}`)
      assert.equal(numbers.length, depth)
    }
    assert.doesNotMatch(child.stdout, /error/)
  } finally {
    child.kill()
  }
}

for (const [depth, clients] of Object.entries(CLIENTS)) {
  for (const manner of ['in the handler', 'in nextTick', 'in setImmediate', 'in timers', 'at random moments']) {
    // Beyond 1024 unanswered requests what is read later overtakes what waits (issue 10).
    test(`${depth} pipelined requests that are answered ${manner} are answered in their order`, () => holdsOrder([manner], Number(depth), clients))
  }
}

for (const manner of ['in the handler', 'in timers']) {
  test(`pipelined requests of a socket that is listened to from the first on are answered ${manner} in their order`, () => holdsOrder([manner, 'listening'], 5000, 4))
}

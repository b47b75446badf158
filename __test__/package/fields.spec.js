'use strict'

/** A field of a connection has no name that one of its methods has: where the method is called, the field would be. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('../..')
const { kConnection } = require('../../lib/core/symbols')

/** The own properties of an object that hide a method of its prototypes. */
function hidingIn (object) {
  const isMethod = (key) => typeof Object.getPrototypeOf(object)[key] === 'function'
  return Object.keys(object).filter((key) => isMethod(key) && typeof object[key] !== 'function')
}

test('no field of a connection hides a method, on either side', async (t) => {
  const seen = []
  const look = (socket) => {
    const connection = socket[kConnection]
    assert.notEqual(connection, undefined)
    seen.push([connection.constructor.name, ...hidingIn(connection)], [socket._handle.constructor.name, ...hidingIn(socket._handle)])
  }
  const server = http.createServer((request, response) => {
    look(request.socket)
    response.end('x')
  }).listen(0, '127.0.0.1')
  t.after(() => { server.close() })
  await once(server, 'listening')
  const request = http.get({ port: server.address().port, host: '127.0.0.1', agent: false })
  const [response] = await once(request, 'response')
  look(request.socket)
  response.resume()
  await once(response, 'close')
  assert.deepEqual(seen.map(([, ...fields]) => fields), [[], [], [], []])
})

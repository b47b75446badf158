'use strict'

/** The same conversation with an app under register and without: they must not differ. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const http = require('node:http')
const { Child, root } = require('../child')

const register = path.join(root, 'register.js')

/** Where `npm run consumers` installs and builds a consumer that is too heavy for every test. */
const folderOf = (name) => path.join(root, '.cache', 'consumers', name)

/** For a test of one: skips it, unless it was installed; else its packages are found by `require`. */
function heavy (name) {
  const packages = path.join(folderOf(name), 'node_modules')
  return fs.existsSync(packages) ? { env: { NODE_PATH: packages } } : { skip: 'npm run consumers installs it' }
}

const REQUESTS = [['GET', '/'], ['HEAD', '/'], ['GET', '/json?a=b&c=d'], ['POST', '/echo', '{"some":"json"}'], ['POST', '/echo', '{broken'], ['GET', '/cookie'],
  ['GET', '/file'], ['GET', '/throw'], ['GET', '/nowhere'], ['OPTIONS', '/'], ['GET', '/']]

function send (port, agent, [method, path, body]) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }
    const request = http.request({ host: '127.0.0.1', port, agent, method, path, headers }, async (response) => {
      const text = (await response.toArray()).join('')
      const fields = response.rawHeaders.map((value, index, all) => /^(date|last-modified|etag)$/i.test(all[index - 1]) ? '<varies>' : value)
      resolve({ asked: `${method} ${path}`, status: response.statusCode, fields, text: text.replaceAll(/\(node:\d+\)|127\.0\.0\.1:\d+/g, '') })
    })
    request.on('error', reject)
    request.end(body)
  })
}

async function converse (script, options, requests) {
  const child = new Child(script, options)
  const port = await child.port()
  const agent = new http.Agent({ keepAlive: true })
  const answers = []
  if (options.isWarmedUp) await send(port, false, requests[0]).catch(() => {})
  for (const request of requests) answers.push(await send(port, agent, request))
  agent.destroy()
  child.kill()
  return answers
}

/** Declares the test of one app of fixtures/ecosystem/. */
function sameUnderRegister (name, script, requests = REQUESTS) {
  test(`${name} answers under register as it does without`, async (t) => {
    const expected = await converse(script, {}, requests).catch((error) => error)
    // Some are older than the Node.
    if (expected instanceof Error) return t.skip(`does not run on core: ${expected.message.split('\n')[0]}`)
    assert.equal(expected[0].status, 200)
    assert.deepEqual(await converse(script, { execArgv: ['--require', register] }, requests), expected)
  })
}

module.exports = { REQUESTS, converse, sameUnderRegister, register, folderOf, heavy }

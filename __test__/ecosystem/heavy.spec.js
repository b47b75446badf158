'use strict'

/** Consumers that are too heavy to install for every test: `npm run consumers` does, into .cache/consumers. */

const { test } = require('node:test')
const fs = require('node:fs')
const path = require('node:path')
const { root } = require('../child')
const { folderOf, sameUnderRegister } = require('./frameworks')

const REQUESTS = [['GET', '/own'], ['GET', '/'], ['HEAD', '/'], ['GET', '/?name=you'], ['GET', '/still'], ['GET', '/api/echo?a=b'], ['POST', '/api/echo', '{"some":"json"}'],
  ['POST', '/api/echo', '{broken'], ['GET', '/_next/none.js'], ['GET', '/nowhere']]

const folder = folderOf('next')

if (fs.existsSync(path.join(folder, '.next', 'BUILD_ID'))) {
  sameUnderRegister('next', path.relative(path.join(root, '__test__', 'fixtures'), path.join(folder, 'server.js')), REQUESTS)
} else {
  test('next answers under register as it does without', { skip: 'npm run consumers installs it' }, () => {})
}

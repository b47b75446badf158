'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { sameUnderRegister } = require('./frameworks')

const REQUESTS = [['GET', '/'], ['HEAD', '/'], ['GET', '/json?name=value&c=d'], ['POST', '/echo', '{"some":"json"}'], ['POST', '/echo', '{broken'],
  ['GET', '/nowhere'], ['OPTIONS', '/'], ['GET', '/json'], ['GET', '/']]

for (const file of fs.readdirSync(path.join(__dirname, '..', 'fixtures', 'ecosystem', 'servers'))) {
  sameUnderRegister(path.parse(file).name.replace(/^@(\w+)-/, '@$1/'), `ecosystem/servers/${file}`, REQUESTS)
}

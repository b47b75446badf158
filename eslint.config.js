'use strict'

const neostandard = require('neostandard')

/** `native/` is generated, and one file loads it, for one other. */
const native = {
  name: ['**/native/*', '**/native'],
  message: 'Only lib/addon.js loads native/.'
}

/** The rooms of lib/, from the lowest up: each may require those before it, but the client not the server. */
const ROOMS = ['binding', 'core', 'stats', 'connection', 'message', 'server', 'client', 'register']

/** A room of lib/ that must not be known to the files the rule is given to (ARCHITECTURE.md: arrows go down). */
function above (room) {
  return {
    name: [`../${room}`, `../${room}/**`],
    message: 'Requires go down, never up or across: see ARCHITECTURE.md.'
  }
}

function restrict (files, ...restrictions) {
  return { files, rules: { 'n/no-restricted-require': ['error', [native, ...restrictions]] } }
}

/** What applications put others in the place of. */
const replaceable = ['Buffer', 'Date', 'performance', 'process', 'queueMicrotask', 'setImmediate', 'setInterval', 'setTimeout',
  'clearImmediate', 'clearInterval', 'clearTimeout'].map((name) => ({ name, message: 'lib/host.js has what Node uses itself.' }))

module.exports = [
  { ignores: ['native/**', 'target/**', 'benchmark/results/**', '**/fixtures/**'] },
  ...neostandard(),
  // Tables of cases keep their keys alike: many are sentences.
  { files: ['__test__/**'], rules: { '@stylistic/quote-props': 'off' } },
  restrict(['**/*.js']),
  { files: ['lib/**'], ignores: ['lib/host.js'], rules: { 'no-restricted-globals': ['error', ...replaceable] } },
  ...ROOMS.map((room, index) => restrict([`lib/${room}/**`], ...ROOMS.slice(index + 1).map(above))),
  restrict(['lib/client/**'], above('server'), above('register')),
  { files: ['lib/addon.js'], rules: { 'n/no-restricted-require': 'off' } }
]

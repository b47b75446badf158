'use strict'

/**
 * `npm start`: builds what is missing and serves examples/app.js, in this very process. package.json says `exec` for
 * the same reason: with a shell in between, npm's signals end the shell, and its status is the one that counts.
 */

// Before the build: it takes a minute.
require('../examples/port').portOr(3000)
require('./prepare').prepare()
require('../examples/app.js')

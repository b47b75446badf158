'use strict'

/** `npm start`: builds what is missing and serves examples/app.js in this very process, so that Ctrl-C reaches it. */

require('./prepare').prepare()
require('../examples/app.js')

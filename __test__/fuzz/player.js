'use strict'

/** A process that plays cases with one implementation: its parent sends them, and gets what was seen. */

const { seen, whereabouts } = require('./play')

const http = require(process.env.HTTP_MODULE)

process.on('message', ({ id, program, quietMs }) => {
  if (program === undefined) {
    process.send({ id, where: whereabouts() })
    return
  }
  seen(http, program, quietMs).then((result) => process.send({ id, result }), (error) => process.send({ id, fault: error.stack }))
})
process.on('disconnect', () => process.exit())

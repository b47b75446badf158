'use strict'

/** A process that plays cases with one implementation: its parent sends them, and gets what was seen. */

const { seen } = require('./play')

const http = require(process.env.HTTP_MODULE)

process.on('message', async ({ id, program, quietMs }) => {
  process.send({ id, result: await seen(http, program, quietMs) })
})
process.on('disconnect', () => process.exit())

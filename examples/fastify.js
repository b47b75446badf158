'use strict'

/** Fastify on http-native, by its `serverFactory`. Under `--require http-native/register` it needs none. */

const http = require('http-native')
const { portOr } = require('./port')

const app = require('fastify')({ serverFactory: (handler, options) => http.createServer(options, handler) })

app.get('/', async () => 'hello from fastify\n')
app.post('/sum', async (request) => ({ sum: request.body.numbers.reduce((sum, number) => sum + number, 0) }))

app.listen({ port: portOr(3000), host: '127.0.0.1' }).then(() => {
  console.log(`http://127.0.0.1:${app.server.address().port}/`)
})

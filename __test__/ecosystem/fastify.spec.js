'use strict'

const { sameUnderRegister } = require('./frameworks')

sameUnderRegister('fastify', 'ecosystem/fastify.js')

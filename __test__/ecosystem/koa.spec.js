'use strict'

const { sameUnderRegister } = require('./frameworks')

sameUnderRegister('koa', 'ecosystem/koa.js')

'use strict'

const { sameUnderRegister } = require('./frameworks')

sameUnderRegister('express', 'ecosystem/express.js')

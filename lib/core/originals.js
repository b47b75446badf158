'use strict'

/**
 * What applications, mocks and tracers replace in Node's other modules, as it was when lib/ was loaded. What is loaded with the first
 * listener or connection takes it from here.
 */

const { EventEmitter } = require('node:events')
const { closeSync } = require('node:fs')
const { validateHeaderName, validateHeaderValue } = require('node:http')
const { Server, Socket } = require('node:net')
const { ServerResponse } = require('./classes')

const { setTimeout, resetAndDestroy, write } = Socket.prototype

module.exports = {
  closeSync,
  Server,
  Socket,
  /** Methods of sockets. */
  socketMethods: { setTimeout, resetAndDestroy, write },
  baseEmit: EventEmitter.prototype.emit,
  /** The method of core's responses that ends a measurement. */
  finishResponse: ServerResponse.prototype._finish,
  validateHeaderName,
  validateHeaderValue
}

'use strict'

/**
 * The handle of a socket while a replaced `emit` of its server has 'connection': the application may hand the socket, in that call, to
 * what wants a handle of core's: a TLS socket, a child process. The handle is one of core's, which is not open yet and has our methods,
 * and gets the connection's descriptor when core asks for what only its own handles have.
 */

const { closeSync } = require('../core/originals')
const { Handle } = require('./handle')

/** The type of a handle that is no server's: core's constants of TCP and Pipe. */
const SOCKET = 0

/**
 * Gives the socket such a handle.
 * @param {import('./connection').Connection} connection
 * @param {Function} Class of core's handles: TCP or Pipe
 * @param {() => void} handOut makes the socket core's own, by way of `becomeCores`, if it can
 * @returns {() => void} ends that: the handle is one of ours for good, if it has not become core's
 */
function offerHandle (connection, Class, handOut) {
  const { socket } = connection
  const handle = new Class(SOCKET)
  let { onread } = socket._handle
  let isCores = false
  Object.setPrototypeOf(handle, Handle.prototype)
  Object.assign(handle, socket._handle)
  Object.defineProperties(handle, {
    isStreamBase: {
      get () {
        handOut()
        return isCores
      },
      configurable: true
    },
    onread: {
      get: () => onread,
      // Core takes the reader away before it sends the handle.
      set (reader) {
        handOut()
        if (isCores) handle.onread = reader
        else onread = reader
      },
      configurable: true
    },
    becomeCores: {
      value (fd) {
        isCores = true
        for (const key of Reflect.ownKeys(handle)) delete handle[key]
        Object.setPrototypeOf(handle, Class.prototype)
        if (handle.open(fd) === 0) return handle
        closeSync(fd)
        handle.close()
        return null
      },
      configurable: true
    }
  })
  socket._handle = handle
  return () => {
    if (isCores) return
    delete handle.isStreamBase
    delete handle.becomeCores
    Object.defineProperty(handle, 'onread', { value: onread, writable: true, enumerable: true })
    // Only core's side of it, which was never open.
    Class.prototype.close.call(handle)
  }
}

module.exports = { offerHandle }

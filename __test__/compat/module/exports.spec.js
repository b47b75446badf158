'use strict'

/** The module as an object: its keys, classes, their members, flags and prototypes, and how constructors may be called. */

const net = require('node:net')
const stream = require('node:stream')
const { EventEmitter } = require('node:events')
const { scenario, core } = require('../../oracle')

const CLASSES = ['Agent', 'ClientRequest', 'IncomingMessage', 'OutgoingMessage', 'Server', 'ServerResponse']
const KNOWN = new Map([[net.Server, 'net.Server'], [stream.Readable, 'Readable'], [stream.Stream, 'Stream'], [EventEmitter, 'EventEmitter'], [Function.prototype, 'Function.prototype'],
  [net.Server.prototype, 'net.Server.prototype'], [stream.Readable.prototype, 'Readable.prototype'], [stream.Stream.prototype, 'Stream.prototype'],
  [EventEmitter.prototype, 'EventEmitter.prototype'], [Object.prototype, 'Object.prototype']])

const describe = ({ value, get, set, writable, enumerable, configurable }) => {
  const kind = get || set ? `accessor ${get ? 'get' : ''} ${set ? 'set' : ''}` : typeof value === 'function' ? `function ${value.name}(${value.length})` : `value ${JSON.stringify(value)?.slice(0, 60)}`
  return `${kind}, ${writable ? 'writable' : ''} ${enumerable ? 'enumerable' : ''} ${configurable ? 'configurable' : ''}`
}

/** The chain above an object, by the names it is known by in node. */
function chain (value, names) {
  const steps = []
  for (let above = Object.getPrototypeOf(value); above !== null; above = Object.getPrototypeOf(above)) steps.push(KNOWN.get(above) ?? names.get(above) ?? 'unknown')
  return steps
}

scenario.module('the keys of the module and their kinds', (run) => {
  const { http } = run
  // What we add.
  for (const key of Object.getOwnPropertyNames(http).filter((key) => key !== 'native' && key !== 'stats').sort()) {
    const descriptor = Object.getOwnPropertyDescriptor(http, key)
    run.log('module', key, descriptor.get ? describe({ ...descriptor }) : describe({ ...descriptor, value: typeof descriptor.value === 'object' ? typeof descriptor.value : descriptor.value }))
  }
  run.log('module', 'enumerated', Object.keys(http).sort())
})

scenario.module('constants are those of the host', (run) => {
  const { http } = run
  run.log('module', 'METHODS', http.METHODS === core.METHODS, http.METHODS)
  run.log('module', 'STATUS_CODES', http.STATUS_CODES === core.STATUS_CODES, Object.keys(http.STATUS_CODES).length)
  run.log('module', 'maxHeaderSize', http.maxHeaderSize)
  run.attempt('module', 'assign', () => { http.maxHeaderSize = 5 })
  run.log('module', 'websocket', http.WebSocket === core.WebSocket, http.MessageEvent === core.MessageEvent)
  for (const value of [0, 1, -1, 1.5, 'x', null, undefined, 500]) run.attempt('module', `setMaxIdleHTTPParsers(${value})`, () => http.setMaxIdleHTTPParsers(value))
  http.setMaxIdleHTTPParsers(1000)
  for (const value of [undefined, null, 5, 'x']) run.attempt('module', `globalAgent ${value}`, () => http.globalAgent.constructor.name)
})

/** Whether it is a function, something to get or set, or a value, and how it is called; not its flags. */
function kindOf (object, key) {
  const { value, get, set } = Object.getOwnPropertyDescriptor(object, key) ?? {}
  if (get !== undefined || set !== undefined) return `accessor${get ? ' get' : ''}${set ? ' set' : ''}`
  return typeof value === 'function' ? `function of ${value.length}` : `value ${JSON.stringify(value)}`
}

for (const name of CLASSES) {
  const keys = Object.getOwnPropertyNames(core[name].prototype).sort()

  scenario.module(`the members of ${name}`, (run) => {
    const Class = run.http[name]
    const names = new Map(CLASSES.flatMap((each) => [[run.http[each], each], [run.http[each].prototype, `${each}.prototype`]]))
    // Our classes may stand on core's, so that instances are instances of both.
    const above = (value) => chain(value, names).filter((step) => step !== 'unknown')
    run.log('class', 'name', Class.name, Class.length, typeof Class, describe(Object.getOwnPropertyDescriptor(Class, 'prototype') ?? {}))
    run.log('class', 'chain', above(Class), above(Class.prototype))
    run.log('class', 'statics', Object.getOwnPropertyNames(Class).filter((key) => !['arguments', 'caller'].includes(key)).sort())
    for (const key of keys) run.log('prototype', key, kindOf(Class.prototype, key))
  })

  scenario.module(`the names and flags of the members of ${name}`, (run) => {
    for (const key of keys) run.log('prototype', key, describe(Object.getOwnPropertyDescriptor(run.http[name].prototype, key) ?? {}))
  })

  scenario.module(`${name} has no other public members`, (run) => {
    run.log('prototype', 'keys', Object.getOwnPropertyNames(run.http[name].prototype).sort())
  })

  scenario.module(`for-in over the prototype of ${name}`, (run) => {
    const seen = []
    for (const key in run.http[name].prototype) seen.push(key)
    run.log('prototype', 'enumerated', seen.sort())
  })
}

scenario.module('accessors of bare prototypes do not throw', (run) => {
  for (const name of ['IncomingMessage', 'OutgoingMessage', 'ServerResponse', 'ClientRequest']) {
    const bare = Object.create(run.http[name].prototype)
    for (const key in bare) {
      if (typeof Object.getOwnPropertyDescriptor(run.http[name].prototype, key)?.get === 'function') run.attempt(name, key, () => bare[key])
    }
  }
})

const MAKERS = {
  IncomingMessage: (http) => new http.IncomingMessage(new net.Socket()),
  'IncomingMessage without a socket': (http) => new http.IncomingMessage(),
  OutgoingMessage: (http) => new http.OutgoingMessage(),
  ServerResponse: (http) => new http.ServerResponse({ method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 }),
  'ServerResponse to HEAD of HTTP/1.0': (http) => new http.ServerResponse({ method: 'HEAD', httpVersionMajor: 1, httpVersionMinor: 0, headers: { te: 'chunked' } }),
  Server: (http) => new http.Server(),
  Agent: (http) => new http.Agent()
}

for (const [what, make] of Object.entries(MAKERS)) {
  const publicKeys = (instance) => Object.keys(instance).filter((key) => !key.startsWith('_event') && key !== '_maxListeners').sort()
  const keys = publicKeys(make(core))

  scenario.module(`the properties of a new ${what}`, (run) => {
    const instance = make(run.http)
    for (const key of keys) run.log('instance', key, key in instance, typeof instance[key] === 'object' && instance[key] !== null ? instance[key].constructor?.name : instance[key])
    run.log('instance', 'events', instance.eventNames().map(String).sort())
    run.log('instance', 'is', instance instanceof stream.Stream, instance instanceof stream.Readable, instance instanceof stream.Writable, instance instanceof net.Server, instance instanceof EventEmitter)
    run.log('instance', 'streams', stream.isReadable?.(instance), stream.isErrored?.(instance), stream.isDisturbed?.(instance))
  })

  scenario.module(`every property of a new ${what} can be assigned`, (run) => {
    const instance = make(run.http)
    for (const key of keys) {
      run.attempt('instance', key, () => {
        instance[key] = null
        return instance[key]
      })
    }
  })

  scenario.module(`the own keys of a new ${what}`, (run) => run.log('instance', 'own keys', publicKeys(make(run.http))))
}

scenario.module('constructors work without new and through call', (run) => {
  const { http } = run
  run.attempt('module', 'Server()', () => http.Server() instanceof http.Server)
  run.attempt('module', 'Server(listener)', () => http.Server(() => {}).listenerCount('request'))
  run.attempt('module', 'Agent()', () => http.Agent() instanceof http.Agent)
  for (const [name, ...values] of [['IncomingMessage', new net.Socket()], ['OutgoingMessage'], ['ServerResponse', { method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 }], ['Server'], ['Agent']]) {
    run.attempt('module', `${name}()`, () => typeof http[name](...values))
    run.attempt('module', `inherits ${name}`, () => {
      function Sub () { http[name].call(this, ...values) }
      require('node:util').inherits(Sub, http[name])
      const sub = new Sub()
      return [sub instanceof http[name], sub instanceof EventEmitter, Object.keys(sub).length > 5]
    })
    run.attempt('module', `class extends ${name}`, () => {
      class Sub extends http[name] {}
      const sub = new Sub(...values)
      return [sub instanceof http[name], sub.constructor.name]
    })
  }
})

scenario.module('options of createServer are checked', (run) => {
  const { http } = run
  const bad = ['x', -1, NaN, 1.5, null, {}, true]
  for (const name of ['insecureHTTPParser', 'httpValidation', 'maxHeaderSize', 'requireHostHeader', 'joinDuplicateHeaders', 'highWaterMark', 'rejectNonStandardBodyWrites', 'requestTimeout',
    'headersTimeout', 'keepAliveTimeout', 'keepAliveTimeoutBuffer', 'connectionsCheckingInterval', 'keepAlive', 'keepAliveInitialDelay', 'noDelay', 'uniqueHeaders', 'shouldUpgradeCallback',
    'optimizeEmptyRequests', 'IncomingMessage', 'ServerResponse']) {
    for (const value of bad) {
      run.attempt('module', `${name}: ${value}`, () => {
        const server = http.createServer({ [name]: value })
        return typeof server[name] === 'function' ? 'function' : server[name]
      })
    }
  }
  for (const options of [undefined, null, {}, 'x', 5, true, [], () => {}]) run.attempt('module', run.summary(options), () => http.createServer(options).eventNames().map(String).sort())
  for (const listener of [undefined, null, 'x', 5, {}, () => {}]) run.attempt('module', `listener ${run.summary(listener)}`, () => http.createServer({}, listener).listenerCount('request'))
  for (const options of [{ requestTimeout: 10 }, { requestTimeout: 0 }, { headersTimeout: 20, requestTimeout: 10 }, { headersTimeout: 20, requestTimeout: 0 },
    { insecureHTTPParser: true, httpValidation: 'strict' }, { keepAliveTimeout: 7 }]) {
    run.attempt('module', run.summary(options), () => {
      const server = http.createServer(options)
      return [server.headersTimeout, server.requestTimeout, server.keepAliveTimeout, server.timeout]
    })
  }
})

scenario.module('an IncomingMessage of its own', async (run) => {
  const message = new run.http.IncomingMessage(new net.Socket())
  const attempt = (what, action) => run.attempt('module', what, action)
  attempt('headers', () => message.headers)
  attempt('_addHeaderLines', () => {
    message._addHeaderLines(['A', '1', 'a', '2', 'Set-Cookie', 'x'], 6)
    return [message.headers, message.rawHeaders]
  })
  attempt('_addHeaderLine', () => {
    const into = {}
    for (const [name, value] of [['host', 'a'], ['host', 'b'], ['x', '1'], ['x', '2'], ['cookie', 'c'], ['cookie', 'd'], ['set-cookie', 'e']]) message._addHeaderLine(name, value, into)
    return into
  })
  attempt('setTimeout', () => message.setTimeout(0) === message)
  message.push('body')
  message.push(null)
  const chunks = []
  for await (const chunk of message) chunks.push(chunk)
  run.log('module', 'body', Buffer.concat(chunks), message.destroyed)
  const dumped = new run.http.IncomingMessage()
  attempt('_dump', () => [dumped._dump(), dumped._dumped, dumped.readableFlowing])
  attempt('destroy', () => dumped.destroy() === dumped)
  run.log('module', 'aborted', dumped.aborted, dumped.destroyed)
})

'use strict'

/** The header API of OutgoingMessage: names, values, their order and case, and what is refused. */

const { scenario } = require('../../oracle')

const NAMES = ['Valid', '', ' ', 'a b', 'a:b', 'ä', 'a\n', 'x-ok', 5, null, undefined, {}, Symbol.iterator, 'a(b)', "!#$%&'*+-.^_`|~0"]
const VALUES = ['text', '', 5, 0, null, undefined, true, {}, [], ['a', 'b'], ['a', 5], 'a\nb', 'a\rb', 'a\0b', 'tab\tok', 'é', '€', '\x7f', ['ok', 'b\n'], 10n]

/** A response without a connection: the header API needs none. */
function response (run) {
  return new run.server.ServerResponse({ method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1, headers: {} })
}

scenario.module('setHeader takes and refuses names', (run) => {
  for (const name of NAMES) {
    const res = response(run)
    run.attempt('module', `setHeader(${run.summary(name)})`, () => res.setHeader(name, 'x') === res)
  }
})

scenario.module('setHeader takes and refuses values', (run) => {
  for (const value of VALUES) {
    const res = response(run)
    run.attempt('module', `setHeader(x, ${run.summary(value)})`, () => res.setHeader('x', value).getHeader('X'))
  }
})

scenario.module('getters of headers', (run) => {
  const res = response(run)
  const log = (...values) => run.log('module', ...values)
  log('nothing', res.getHeaders(), res.getHeaderNames(), res.getRawHeaderNames?.(), res.hasHeader('a'), res.getHeader('a'))
  res.setHeader('Foo-Bar', 'one')
  res.setHeader('Set-Cookie', ['a=1', 'b=2'])
  res.setHeader('X-Number', 5)
  log('headers', res.getHeaders(), Object.getPrototypeOf(res.getHeaders()))
  log('names', res.getHeaderNames(), res.getRawHeaderNames())
  log('has', res.hasHeader('foo-bar'), res.hasHeader('FOO-BAR'), res.hasHeader('other'))
  log('get', res.getHeader('foo-BAR'), res.getHeader('set-cookie'), res.getHeader('x-number'))
  res.setHeader('FOO-bar', 'two')
  log('again', res.getHeaders(), res.getRawHeaderNames())
  res.removeHeader('foo-Bar')
  log('removed', res.getHeaderNames(), res.removeHeader('never'))
  const copy = res.getHeaders()
  copy['x-number'] = 6
  log('copy', res.getHeader('x-number'))
  for (const name of [5, null, undefined, {}, Symbol.iterator]) {
    for (const method of ['getHeader', 'hasHeader', 'removeHeader']) run.attempt('module', `${method}(${run.summary(name)})`, () => res[method](name))
  }
})

scenario.module('appendHeader and setHeaders', (run) => {
  const res = response(run)
  run.attempt('module', 'append', () => res.appendHeader('A', '1').getHeaders())
  run.attempt('module', 'append again', () => res.appendHeader('a', '2').getHeaders())
  run.attempt('module', 'append array', () => res.appendHeader('A', ['3', '4']).getHeaders())
  run.attempt('module', 'append to set', () => res.setHeader('b', 5).appendHeader('b', '6').getHeaders())
  for (const value of VALUES) run.attempt('module', `append ${run.summary(value)}`, () => response(run).appendHeader('x', value).getHeader('x'))
  for (const headers of [new Map([['C', '1'], ['d', ['2', '3']]]), new Headers([['e', '1'], ['set-cookie', 'a'], ['set-cookie', 'b']]), {}, [], null, undefined, 'x',
    [['a', 'b']], new Map([['bad name', 'x']])]) {
    run.attempt('module', `setHeaders(${headers?.constructor.name} ${run.summary(headers)})`, () => response(run).setHeader('kept', '1').setHeaders(headers).getHeaders())
  }
  run.log('module', 'raw names', res.getRawHeaderNames())
})

scenario.module('the header API after the head was rendered', (run) => {
  const res = response(run)
  res.setHeader('a', '1')
  res.writeHead(200, { b: '2' })
  const attempt = (what, action) => run.attempt('module', what, action)
  attempt('setHeader', () => res.setHeader('c', '3'))
  attempt('setHeaders', () => res.setHeaders(new Map([['c', '3']])))
  attempt('appendHeader', () => res.appendHeader('c', '3'))
  attempt('removeHeader', () => res.removeHeader('a'))
  attempt('writeHead', () => res.writeHead(200))
  attempt('getHeader', () => res.getHeader('a'))
  attempt('getHeader b', () => res.getHeader('b'))
  attempt('getHeaders', () => res.getHeaders())
  attempt('hasHeader', () => res.hasHeader('a'))
  attempt('flushHeaders', () => res.flushHeaders())
  attempt('addTrailers', () => res.addTrailers({ t: 'x' }))
  attempt('_header', () => res._header.replace(/Date: .*\r\n/, ''))
})

scenario.module('validateHeaderName and validateHeaderValue', (run) => {
  for (const name of NAMES) {
    run.attempt('name', run.summary(name), () => run.http.validateHeaderName(name))
    run.attempt('labelled', run.summary(name), () => run.http.validateHeaderName(name, 'My label'))
  }
  for (const value of VALUES) run.attempt('value', run.summary(value), () => run.http.validateHeaderValue('x-name', value))
})

scenario.server('headers are sent in the order and case in which they were set', async (run) => {
  await run.serve({}, (req, res) => {
    res.setHeader('X-Zebra', 'z')
    res.setHeader('a-Apple', ['1', '2'])
    res.setHeader('CONTENT-TYPE', 'text/plain')
    res.setHeader('x-number', 7)
    res.setHeader('X-Empty', '')
    res.setHeader('X-Null', null)
    res.setHeader('X-Bool', false)
    res.setHeader('X-Array', [])
    res.setHeader('Set-Cookie', ['a', 'b'])
    res.setHeader('Cookie', ['a', 'b'])
    res.setHeader('x-zebra', 'again')
    res.end('x')
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await peer.until('\r\n\r\nx')
})

scenario.server('uniqueHeaders are joined', async (run) => {
  await run.serve({ uniqueHeaders: ['X-One', 'x-trailer'] }, (req, res) => {
    res.setHeader('X-One', ['a', 'b'])
    res.setHeader('X-Two', ['a', 'b'])
    res.setHeader('Trailer', 'x-trailer')
    res.write('x')
    res.addTrailers({ 'X-Trailer': ['c', 'd'], 'X-Other': ['e', 'f'] })
    res.end()
  })
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await peer.ended()
})

scenario.server('Date may be set, removed or switched off', async (run) => {
  const ways = [(res) => res.setHeader('Date', 'today'), (res) => res.removeHeader('Date'), (res) => { res.sendDate = false }, (res) => res.setHeader('date', '')]
  await run.serve({}, (req, res) => {
    ways[Number(req.url.slice(1))](res)
    res.end(`${req.url}\n`)
  })
  const peer = run.dial()
  for (const index of ways.keys()) {
    peer.send(`GET /${index} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await peer.until(`/${index}\n`)
  }
})

scenario('the header API of a request', async (run) => {
  await run.serve({}, (req, res) => res.end())
  const request = run.request({ headers: { 'X-First': '1' } })
  const attempt = (what, action) => run.attempt('client', what, action)
  request.setHeader('X-Second', ['2', 'two'])
  attempt('append', () => request.appendHeader('x-first', 'one').getHeader('X-First'))
  attempt('names', () => [request.getHeaderNames(), request.getRawHeaderNames()])
  attempt('get', () => request.getHeader('x-second'))
  attempt('remove', () => request.removeHeader('x-second'))
  for (const value of [undefined, 'a\nb', '€']) attempt(`set ${run.summary(value)}`, () => request.setHeader('x', value))
  attempt('set host', () => request.setHeader('Host', 'other.example') === request)
  request.end()
  attempt('late', () => request.setHeader('x', 'y'))
  const [response] = await run.once(request, 'response')
  await run.read('client', response)
})

scenario.module('an OutgoingMessage of its own', (run) => {
  const message = new run.http.OutgoingMessage()
  const attempt = (what, action) => run.attempt('module', what, action)
  run.log('module', 'own keys', Object.keys(message).filter((key) => key !== '_eventsCount').sort())
  for (const name of ['writable', 'destroyed', 'headersSent', 'writableEnded', 'writableFinished', 'writableLength', 'writableHighWaterMark', 'writableCorked',
    'writableObjectMode', 'writableNeedDrain', 'errored', 'closed', 'connection', 'socket', 'finished', 'chunkedEncoding', 'shouldKeepAlive']) {
    run.log('module', name, message[name])
  }
  attempt('_implicitHeader', () => message._implicitHeader())
  attempt('flushHeaders', () => message.flushHeaders())
  attempt('write', () => message.write('x'))
  attempt('end', () => message.end('x'))
  attempt('pipe', () => message.pipe(process.stdout))
  attempt('setTimeout', () => message.setTimeout(100) === message)
  attempt('cork', () => [message.cork(), message.writableCorked, message.uncork(), message.writableCorked])
  attempt('_renderHeaders', () => message.setHeader('A-b', 'c')._renderHeaders?.())
  attempt('own hwm', () => new run.http.OutgoingMessage({ highWaterMark: 5 }).writableHighWaterMark)
  attempt('destroy', () => message.destroy() === message)
  attempt('destroyed', () => message.destroyed)
})

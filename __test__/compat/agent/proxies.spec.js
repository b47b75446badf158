'use strict'

/** The `proxyEnv` option of agents: requests through a proxy, tunnels, and hosts that are reached directly. */

const http = require('node:http')
const { scenario } = require('../../oracle')

/** Agents have `proxyEnv` from Node 22.21 and 24.5 on; before, both ignore it alike. */
const proxyEnv = (port, more) => ({ http_proxy: `http://user:p%40ss@127.0.0.1:${port}`, ...more })

/** An origin that is never reached: its name cannot be looked up. */
const ELSEWHERE = { host: 'origin.invalid', port: 80, lookup: (name, options, callback) => callback(new Error('looked up')) }

scenario('requests through a proxy', async (run) => {
  await run.serve({}, (req, res) => {
    run.log('proxy', req.method, req.url, req.rawHeaders)
    req.resume().on('end', () => res.end('by proxy'))
  })
  for (const keepAlive of [false, true]) {
    const agent = run.agent({ keepAlive, proxyEnv: proxyEnv(run.port) })
    for (const options of [{}, { path: '/a?b#c' }, { port: 8080 }, { method: 'POST' }, { host: '::1' }, { setHost: false },
      { headers: { host: 'origin.invalid' } }, { headers: { host: 'ORIGIN.invalid:80' } }, { headers: { Expect: 'nothing' } }, { auth: 'a:b' },
      { headers: ['Host', 'origin.invalid', 'X-A', 'b'] }, { path: 'http://origin.invalid/absolute' }, { method: 'OPTIONS', path: '/' }]) {
      await run.exchange({ ...ELSEWHERE, ...options, agent })
    }
    await run.sleep(30)
    run.log('agent', 'pools', Object.keys(agent.sockets), Object.keys(agent.freeSockets))
  }
})

scenario('a connection to a proxy is used again', async (run) => {
  await run.serve({}, (req, res) => res.end(req.url))
  const agent = run.agent({ keepAlive: true, maxSockets: 1, proxyEnv: proxyEnv(run.port) })
  const requests = ['/1', '/2', '/3'].map((path) => run.request({ ...ELSEWHERE, path, agent }, (response) => run.read('client', response)).end())
  await run.closed(...requests)
  run.log('client', 'again', requests.map(({ reusedSocket, path, host, protocol }) => [reusedSocket, path, host, protocol]))
  run.log('agent', 'pools', Object.entries(agent.freeSockets).map(([name, list]) => [name, list.length]))
})

scenario('requests to hosts in no_proxy do not go through the proxy', async (run) => {
  const port = await run.listen(run.server.createServer((req, res) => res.end(req.url)))
  for (const exceptions of ['*', 'localhost', ' A.test , LOCALHOST ', `localhost:${port}`, 'localhost:1', '.localhost', '.host', '*.host', '*host', '127.0.0.0-127.0.0.9', '', 'a.test']) {
    for (const host of ['localhost', '127.0.0.1']) {
      const agent = run.agent({ proxyEnv: proxyEnv(port, { NO_PROXY: exceptions }) })
      const lookup = (name, options, callback) => callback(null, options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4)
      await run.exchange({ host, port, lookup, agent, track: `${exceptions} ${host}`.replace(String(port), '<port>') })
    }
  }
})

scenario('a request to a Unix socket does not go through the proxy', async (run) => {
  await run.listenAt(run.server.createServer((req, res) => res.end(req.url)), { path: run.unixPath() })
  await run.exchange({ agent: run.agent({ proxyEnv: proxyEnv(1) }) })
})

scenario('a request with contradicting targets is not sent', async (run) => {
  await run.serve({}, (req, res) => res.end(`${req.method} ${req.url} ${req.headers.host}`))
  const agent = run.agent({ proxyEnv: proxyEnv(run.port) })
  for (const options of [{ headers: { host: 'other.invalid' } }, { headers: { host: 'origin.invalid:81' } }, { headers: { host: 'origin.invalid/x' } }, { path: 'relative' }, { path: '*' },
    { path: 'http://other.invalid/' }, { path: 'https://origin.invalid/' }, { path: 'http://a:b@origin.invalid/' }, { headers: ['Host', 'other.invalid'] },
    { headers: ['Host', 'origin.invalid', 'host', 'origin.invalid'] }, { headers: [['Host', 'origin.invalid'], 'x'] }, { port: 99999 }, { port: 'x' }, { protocol: 'https:' }, { path: '//x' }]) {
    const request = run.attempt('client', run.summary(options), () => run.request({ ...ELSEWHERE, ...options, agent }))
    if (request === undefined) continue
    request.on('error', (error) => run.log('client', 'error', error))
    request.on('response', (response) => run.read('client', response))
    await run.closed(request.end())
  }
}, { skip: Number(process.versions.node.split('.')[0]) < 22 })

scenario('OPTIONS * and CONNECT through a proxy', async (run) => {
  const server = await run.serve({}, (req, res) => res.end(`${req.method} ${req.url}`))
  server.on('connect', (req, socket) => {
    run.log('proxy', req.url, req.rawHeaders)
    socket.end('HTTP/1.1 200 OK\r\n\r\n')
  })
  const agent = run.agent({ proxyEnv: proxyEnv(run.port) })
  await run.exchange({ ...ELSEWHERE, method: 'OPTIONS', path: '*', agent })
  const request = run.request({ ...ELSEWHERE, method: 'CONNECT', path: 'origin.invalid:443', agent })
  run.watch('client', request, ['error', 'close'])
  request.on('connect', (response, socket) => {
    run.log('client', 'connect', response.statusCode)
    socket.on('error', () => {}).resume()
  })
  await run.closed(request.end())
})

scenario.module('proxies that are none', (run) => {
  for (const env of [{}, { http_proxy: '' }, { HTTP_PROXY: 'http://a' }, { http_proxy: 'http://a b' }, { http_proxy: 'http://256.256.256.256' }, { http_proxy: 'http://a\r\nb' },
    { http_proxy: 'socks5://a' }, { https_proxy: 'http://a b' }, { http_proxy: 'http://a:99999' }, { http_proxy: 'nothing' }]) {
    run.attempt('agent', run.summary(env), () => Object.keys(new run.http.Agent({ proxyEnv: env })).length)
    run.attempt('agent', `https ${run.summary(env)}`, () => Object.keys(new run.http.Agent({ proxyEnv: env, protocol: 'https:' })).length)
  }
  for (const env of [null, 5, 'http://a']) run.attempt('agent', run.summary(env), () => new run.http.Agent({ proxyEnv: env }).protocol)
})

scenario('setGlobalProxyFromEnv gives the global agent a proxy, and takes it away again', async (run) => {
  await run.serve({}, (req, res) => res.end(req.url))
  const { client } = run
  const before = client.globalAgent
  const restore = client.setGlobalProxyFromEnv({ http_proxy: `http://127.0.0.1:${run.port}` })
  run.log('client', 'global agent', client.globalAgent === before, client.globalAgent instanceof client.Agent, Object.keys(client.globalAgent.options))
  await run.exchange({ ...ELSEWHERE, agent: undefined })
  client.globalAgent.destroy()
  run.log('client', 'restored', restore(), client.globalAgent === before)
  for (const env of [null, 5, {}, { http_proxy: 'http://a b' }, { http_proxy: 'nothing' }, { https_proxy: 'nothing' }, { no_proxy: '*' }]) {
    run.attempt('client', run.summary(env), () => client.setGlobalProxyFromEnv(env)())
    run.log('client', 'as before', client.globalAgent === before)
  }
}, { skip: http.setGlobalProxyFromEnv === undefined })

scenario('a tunnel that the proxy refuses', async (run) => {
  await run.serve({}, (req, res) => res.end())
  for (const proxyTunnelTimeout of [undefined, 5]) {
    const agent = run.agent()
    agent.createConnection = (options, callback) => {
      process.nextTick(callback, Object.assign(new Error('no tunnel'), { code: 'ERR_PROXY_TUNNEL', proxyTunnelTimeout }))
    }
    const request = run.request({ agent })
    run.watch('client', request, ['timeout', 'error', 'close'])
    await run.closed(request.end())
  }
})

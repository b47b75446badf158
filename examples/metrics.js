'use strict'

/**
 * `/metrics` for Prometheus, on a port of its own, which Prometheus reaches and others do not. Nothing has to be counted in the
 * handler. See docs/STATS.md; grafana-dashboard.json shows the numbers.
 */

const http = require('http-native')
const { portOr } = require('./port')

const host = '127.0.0.1'

const server = http.createServer((req, res) => {
  if (req.url !== '/') res.statusCode = 404
  res.end('counted\n')
})

const metrics = http.createServer((req, res) => {
  if (req.url !== '/metrics') return res.writeHead(404).end()
  res.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  // Not there where node:http serves.
  res.end(server.stats?.().toPrometheus({ labels: { server: 'example' } }) ?? '')
})

server.listen(portOr(3000), host, () => {
  metrics.listen(0, host, () => {
    console.log(`http://${host}:${server.address().port}/, counted at http://${host}:${metrics.address().port}/metrics`)
  })
})

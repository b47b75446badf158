'use strict'

/**
 * https, made of http-native's classes: register comes first. KEY and CERT name the files; for a try:
 *
 *     openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout key.pem -out cert.pem
 *     KEY=key.pem CERT=cert.pem node https.js
 *     curl --insecure https://127.0.0.1:3000/
 */

require('http-native/register')
const http = require('node:http')
const https = require('node:https')
const fs = require('node:fs')
const { portOr } = require('./port')

const { KEY = 'key.pem', CERT = 'cert.pem' } = process.env

const server = https.createServer({ key: fs.readFileSync(KEY), cert: fs.readFileSync(CERT) }, (req, res) => {
  res.end(`${req.socket.getProtocol()}, one family: ${req instanceof http.IncomingMessage}\n`)
})

server.listen(portOr(3000), '127.0.0.1', () => {
  console.log(`https://127.0.0.1:${server.address().port}/`)
})

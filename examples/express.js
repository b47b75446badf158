'use strict'

/** Express on http-native. Under `--require http-native/register`, `app.listen()` does the same. */

const http = require('http-native')
const express = require('express')
const { portOr } = require('./port')

const app = express()
app.use(express.json())
app.get('/', (req, res) => res.send('hello from express\n'))
app.post('/sum', (req, res) => res.json({ sum: req.body.numbers.reduce((sum, number) => sum + number, 0) }))

const server = http.createServer(app).listen(portOr(3000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`)
})

'use strict'

/**
 * Sockets whose bytes the application has listened to from the beginning, and which leave HTTP when more has come than the head: whoever
 * gets the socket gets all that is behind it, in order, and its end.
 */

const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { scenario } = require('../../oracle')

const pem = (name) => fs.readFileSync(path.join(__dirname, '../../fixtures/https', `${name}.pem`))

const LEAVES = {
  CONNECT: 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
  upgrade: 'GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'
}

/** Keeps JavaScript, and so the event loop, busy: others read meanwhile. */
function compute (ms) {
  const end = performance.now() + ms
  while (performance.now() < end);
}

const READERS = {
  'listens at once' (socket, take, end) {
    socket.on('data', take).on('end', end)
  },
  'listens later' (socket, take, end, peer) {
    setTimeout(() => {
      socket.on('data', take).on('end', end)
      peer.end()
    }, 20)
  },
  iterates (socket, take, end) {
    const read = async () => {
      for await (const chunk of socket) take(chunk)
      end()
    }
    read()
  }
}

/** A server whose sockets the application listens to, and a peer that is connected to it. */
async function begin (run, onLeave) {
  const server = run.server.createServer((req, res) => res.end(`${req.url}\n`))
  server.on('connection', (socket) => socket.on('data', () => {}))
  server.on('connect', onLeave).on('upgrade', onLeave)
  await run.listen(server)
  const peer = run.dial()
  await once(server, 'connection')
  return [server, peer]
}

for (const [way, head] of Object.entries(LEAVES)) {
  for (const [reader, read] of Object.entries(READERS)) {
    for (const size of [1, 1000, 50000]) {
      scenario.server(`${way}: what has come behind the head in packets of ${size} goes to code that ${reader}`, async (run) => {
        let text = ''
        let given
        const over = new Promise((resolve) => begin(run, (req, socket, rest) => {
          given = socket.on('error', () => {})
          text += rest
          read(socket, (chunk) => { text += chunk }, resolve, run.peers[0])
        }).then(([, peer]) => {
          peer.send(head)
          compute(2)
          for (const digit of '12345') {
            peer.send(digit.repeat(size))
            compute(2)
          }
          // Core does not tell of an end that comes while nothing listens.
          if (reader !== 'listens later') peer.end()
        }))
        await over
        run.log('server', 'heard', text === [...'12345'].map((digit) => digit.repeat(size)).join(''), text.length)
        given.destroy()
      })
    }
  }

  for (const which of ['the same server', 'another server']) {
    scenario.server(`${way}: requests that have come behind the head are served by ${which}`, async (run) => {
      const other = run.server.createServer((req, res) => res.end(`other ${req.url}\n`))
      const [, peer] = await begin(run, function (req, socket, rest) {
        socket.unshift(rest)
        const next = which === 'another server' ? other : this
        next.emit('connection', socket)
      })
      peer.send(head)
      compute(2)
      for (const target of ['/1', '/2', '/3']) {
        peer.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)
        compute(2)
      }
      await peer.until('/3\n')
    })
  }

  scenario.server(`${way}: a TLS handshake that has begun behind the head goes on`, async (run) => {
    const tls = require('node:tls')
    let given
    const [, peer] = await begin(run, (req, socket, rest) => {
      given = socket
      socket.unshift(rest)
      const secure = new tls.TLSSocket(socket, { isServer: true, key: pem('key'), cert: pem('cert') })
      secure.on('error', (error) => run.log('server', 'error', error.code))
      secure.on('data', (chunk) => secure.write(`heard ${chunk}`))
    })
    peer.send(head)
    compute(2)
    const client = tls.connect({ socket: peer.socket, rejectUnauthorized: false })
    compute(2)
    await once(client, 'secureConnect')
    client.write('ping')
    run.log('client', String((await once(client, 'data'))[0]))
    client.destroy()
    given.destroy()
  })
}

scenario.client('a client\'s socket, whose bytes the application has listened to, is TLS\'s behind CONNECT', async (run) => {
  const tls = require('node:tls')
  let tell
  const came = new Promise((resolve) => { tell = resolve })
  await run.origin((peer) => tell(peer))
  const request = run.request({ method: 'CONNECT', path: 'a:1', agent: false })
  request.on('socket', (socket) => socket.on('data', () => {}))
  request.end()
  const peer = await came
  await peer.until('\r\n\r\n')
  const connected = once(request, 'connect')
  peer.send('HTTP/1.1 200 OK\r\n\r\n')
  const [, socket] = await connected
  const secure = new tls.TLSSocket(peer.socket, { isServer: true, key: pem('key'), cert: pem('cert') })
  secure.on('data', (chunk) => secure.write(`heard ${chunk}`)).on('error', () => {})
  const client = tls.connect({ socket, rejectUnauthorized: false })
  await once(client, 'secureConnect')
  client.write('ping')
  run.log('client', String((await once(client, 'data'))[0]))
  client.destroy()
  peer.destroy()
})

'use strict'

/** Encodings of bodies and of heads, in both directions. */

const { scenario } = require('../../oracle')

async function answer (run, handler) {
  await run.serve({}, handler)
  const peer = run.dial()
  peer.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await peer.ended()
}

const TEXTS = [['utf8', 'äöü€😀'], ['latin1', 'äöüÿ'], ['binary', 'äöü'], ['ascii', 'abcä'], ['utf16le', 'aä€'], ['ucs2', 'ab'],
  ['hex', '616263'], ['base64', 'YWJj'], ['base64url', 'YWJj'], ['UTF-8', 'ä'], ['utf-16le', 'ä']]

for (const [encoding, text] of TEXTS) {
  scenario.server(`end with ${encoding}`, (run) => answer(run, (req, res) => res.end(text, encoding)))
}

scenario.server('writes with every encoding', (run) => answer(run, async (req, res) => {
  for (const [encoding, text] of TEXTS) {
    res.write(text, encoding)
    await new Promise(setImmediate)
  }
  res.end()
}))

scenario.server('an unknown encoding in a chunked write', (run) => answer(run, (req, res) => {
  res.write('first')
  run.attempt('server', 'write', () => res.write('second', 'no-such-encoding'))
  run.attempt('server', 'end', () => res.end('third', 'no-such-encoding') === res)
  if (!res.writableEnded) res.end()
}))

scenario.server('headers with latin1 characters before a Buffer body', (run) => answer(run, (req, res) => {
  res.setHeader('X-Name', 'café')
  res.end(Buffer.from('body'))
}))

scenario.server('headers with latin1 characters before a string body', (run) => answer(run, (req, res) => {
  res.setHeader('X-Name', 'café')
  res.end('bödy')
}))

scenario.server('headers with latin1 characters before a latin1 string body', (run) => answer(run, (req, res) => {
  res.setHeader('X-Name', 'café')
  res.end('bödy', 'latin1')
}))

scenario.server('headers with latin1 characters before a chunked string body', (run) => answer(run, (req, res) => {
  res.writeHead(200, { 'X-Name': 'café' })
  res.write('bödy')
  res.end()
}))

scenario.server('headers with latin1 characters and no body', (run) => answer(run, (req, res) => {
  res.setHeader('X-Name', 'café')
  res.end()
}))

scenario.server('flushed headers with latin1 characters', (run) => answer(run, (req, res) => {
  res.setHeader('X-Name', 'café')
  res.flushHeaders()
  res.end('bödy')
}))

scenario.server('Content-Disposition with UTF-8 bytes as a binary string and with a real umlaut', async (run) => {
  for (const name of ['filename="' + Buffer.from('ä€').toString('latin1') + '"', 'filename="é"']) {
    await answer(run, (req, res) => {
      res.setHeader('Content-Disposition', name)
      res.setHeader('Content-Length', 4)
      res.end('body')
    })
    await answer(run, (req, res) => {
      res.setHeader('Content-Disposition', name)
      res.end(Buffer.from('body'))
    })
    await answer(run, (req, res) => {
      res.writeHead(200, { 'content-disposition': name })
      res.end('body')
    })
  }
})

scenario.server('a status message with latin1 characters', (run) => answer(run, (req, res) => {
  res.statusMessage = 'Schön'
  res.end()
}))

scenario('request bodies with every encoding', async (run) => {
  await run.serve({}, (req, res) => {
    const chunks = []
    req.on('data', (chunk) => chunks.push(chunk))
    req.on('end', () => {
      run.log('server', 'body', req.headers['content-length'], Buffer.concat(chunks))
      res.end()
    })
  })
  for (const [encoding, text] of TEXTS) {
    const request = run.request({ method: 'POST' })
    request.end(text, encoding)
    const [response] = await run.once(request, 'response')
    await run.read('client', response)
  }
})

scenario('responses are decoded with setEncoding', async (run) => {
  await run.serve({}, (req, res) => res.end('äöü€😀'))
  for (const encoding of ['utf8', 'latin1', 'hex', 'base64']) {
    const request = run.request()
    request.end()
    const [response] = await run.once(request, 'response')
    response.setEncoding(encoding)
    let text = ''
    response.on('data', (chunk) => { text += chunk })
    await run.once(response, 'end')
    run.log('client', encoding, Buffer.from(text).toString('hex'))
  }
})

scenario('request headers and paths with latin1 characters', async (run) => {
  await run.serve({}, (req, res) => {
    run.log('server', 'request', Buffer.from(req.headers['x-name'], 'latin1').toString('hex'), req.url)
    res.end()
  })
  const headers = { 'X-Name': 'café' }
  await run.exchange({ headers })
  await run.exchange({ headers, method: 'POST' }, 'bödy')
  await run.exchange({ headers, method: 'POST' }, Buffer.from('body'))
  await run.exchange({ headers, path: '/%C3%A4' })
})

const LONG = [['utf8', 'é'.repeat(9000)], ['utf8', 'é'.repeat(40000)], ['utf16le', 'a'.repeat(9000)], ['utf16le', 'a'.repeat(40000)],
  ['hex', 'ab'.repeat(9000)], ['hex', 'ab'.repeat(34000)], ['base64', 'YWJj'.repeat(5000)], ['latin1', 'é'.repeat(15000)]]

for (const [encoding, text] of LONG) {
  const what = `${text.length} characters of ${encoding}`
  const write = (run, side, message) => {
    for (let count = 0; count < 2; count++) run.log(side, 'write', message.write(text, encoding), message.writableLength, message.writableNeedDrain)
  }

  scenario.server(`what a response says of ${what} that wait`, (run) => answer(run, (req, res) => {
    write(run, 'server', res)
    setImmediate(() => res.end())
  }))

  scenario.client(`what a request says of ${what} that wait`, async (run) => {
    await run.origin(async (peer) => {
      await peer.until('0\r\n\r\n')
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    })
    const request = run.request({ method: 'POST' })
    await new Promise((resolve) => {
      request.on('socket', (socket) => socket.on('connect', () => {
        write(run, 'client', request)
        setImmediate(() => request.end())
      }))
      request.on('response', (response) => response.resume().on('end', resolve))
      request.flushHeaders()
    })
  })
}

'use strict'

/** `socket.parser`: there while the socket speaks HTTP, and freed with it. */

const { scenario } = require('../../oracle')

scenario('socket.parser is there while the socket speaks HTTP', async (run) => {
  const shape = (parser) => parser && [typeof parser.onIncoming, typeof parser[6], parser.joinDuplicateHeaders, parser.maxHeaderPairs]
  let parser
  const server = await run.serve({}, (req, res) => {
    parser = req.socket.parser
    run.log('server', 'in the handler', shape(parser), parser.socket === req.socket, parser.incoming === req)
    req.socket.on('close', () => run.log('server', 'at the end', shape(parser), req.socket.parser))
    res.end()
  })
  server.maxHeadersCount = 50
  const request = run.request({ agent: false, joinDuplicateHeaders: true })
  const closed = run.closed(request)
  let own
  request.on('socket', (socket) => {
    own = request.parser
    run.log('client', 'with its socket', shape(own), own === socket.parser, own.outgoing === request, own.socket === socket)
  })
  request.on('response', (response) => {
    run.log('client', 'with its response', own.incoming === response, request.parser === own)
    response.resume().on('end', () => run.log('client', 'at the end', shape(own), request.parser))
  })
  request.end()
  await closed
})

scenario.server('the parser shows the request until it was read and answered, and is freed with its socket', async (run) => {
  const server = await run.serve({}, (req, res) => {
    const { parser } = req.socket
    parser.free = () => run.log('server', 'free', req.socket.parser === null, parser.incoming, parser.socket)
    run.log('server', 'request', parser.incoming === req, parser.socket === req.socket)
    req.on('end', () => {
      run.log('server', 'end', parser.incoming === req)
      process.nextTick(() => run.log('server', 'tick', parser.incoming))
    })
    res.end('hello')
  })
  const accepted = run.once(server, 'connection')
  const peer = run.dial()
  const closed = accepted.then(([socket]) => run.once(socket, 'close'))
  peer.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody')
  await peer.until('hello')
  peer.end()
  await closed
})

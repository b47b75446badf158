'use strict'

/** The live figures of the page that `npm start` serves: what the server's stats() have counted, as server-sent events. */

const INTERVAL = 1000

/** Title, unit and digits of each figure; `figuresOf` gives them in this order. */
const FIGURES = [
  ['Requests a second', '', 0],
  ['Time to the last byte, 99 %', 'ms', 2],
  ['JavaScript: longest turn', 'ms', 1],
  ['Sent', 'MB/s', 1],
  ['Open connections', '', 0],
  ['Requests under way', '', 0]
]

/** Gives what has happened between two stats of a server that are so many milliseconds apart. */
function figuresOf (before, now, ms) {
  const times = now.timeToLastByte.since(before.timeToLastByte)
  const turns = now.eventLoop.turn.since(before.eventLoop.turn)
  return [
    (now.requests.total - before.requests.total) * 1000 / ms,
    times.percentile(99) * 1000,
    turns.max * 1000,
    (now.bytes.sent - before.bytes.sent) / ms / 1000,
    now.connections.open,
    now.requests.active
  ]
}

/** Streams the figures of a server until the client, or the server, has had enough. */
function live (server, response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
  let before = server.stats()
  let then = performance.now()
  const timer = setInterval(() => {
    const [now, at] = [server.stats(), performance.now()]
    response.write(`data: ${JSON.stringify(figuresOf(before, now, at - then))}\n\n`)
    ;[before, then] = [now, at]
  }, INTERVAL)
  response.write('retry: 2000\n\n')
  const end = () => response.end()
  server.once('stopping', end)
  response.on('close', () => {
    clearInterval(timer)
    server.off('stopping', end)
  })
}

/** The part of the page; nothing where node:http serves. */
const section = ({ stats }) => stats === undefined
  ? ''
  : `
<section>
  <h2>What this server counts</h2>
  <p><code>server.stats()</code>, always there: try the buttons below, or <code>wrk</code>, and watch. <a href="/metrics">/metrics</a> has all of it.</p>
  <div class="figures">${FIGURES.map(([title]) => `
    <figure><figcaption>${title}</figcaption><strong>–</strong><svg viewBox="0 0 60 20" preserveAspectRatio="none" aria-hidden="true"><polyline /></svg></figure>`).join('')}
  </div>
</section>
<style>
  .figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .75rem; margin-top: .75rem }
  figure { margin: 0; padding: .6rem .75rem; border: 1px solid var(--line); border-radius: .4rem; background: var(--soft) }
  figcaption { font-size: .8rem; opacity: .75 }
  figure strong { font: 600 1.2rem/1.6 ui-monospace, monospace }
  figure svg { display: block; width: 100%; height: 2rem }
  polyline { fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke }
</style>
<script>
  {
    const figures = [...document.querySelectorAll('figure')].map((figure) => ({ text: figure.querySelector('strong'), line: figure.querySelector('polyline'), values: [] }))
    const units = ${JSON.stringify(FIGURES.map(([, unit, digits]) => ({ unit, digits })))}
    new EventSource('/live').onmessage = ({ data }) => {
      for (const [index, value] of JSON.parse(data).entries()) {
        const { text, line, values } = figures[index]
        const { unit, digits } = units[index]
        values.push(value ?? 0)
        if (values.length > 60) values.shift()
        const top = Math.max(...values) || 1
        line.setAttribute('points', values.map((one, at) => (60 - values.length + at) + ',' + (19 - 18 * one / top).toFixed(2)).join(' '))
        text.textContent = (value === null ? 'over 100 000' : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })) + ' ' + unit
      }
    }
  }
</script>
`

/** All of the server's stats, for Prometheus. */
function metrics (server, response) {
  response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
  response.end(server.stats().toPrometheus())
}

module.exports = { live, metrics, section }

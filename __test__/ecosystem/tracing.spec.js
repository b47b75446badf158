'use strict'

/** What traces http sees under register what it sees of core, whichever is loaded first. */

const { test } = require('node:test')
const assert = require('node:assert/strict')
const path = require('node:path')
const { pathToFileURL } = require('node:url')
const { Child } = require('../child')
const { heavy, register } = require('./frameworks')

const FIVE = 'spans: 5 of the server, 5 of the client\n'

const fixture = (name) => path.join(__dirname, '..', 'fixtures', 'apm', name)

const require_ = (file) => ['--require', file]
const import_ = (file) => ['--import', pathToFileURL(file).href]

/** @param {string[]} options of Node, those of NODE_OPTIONS before */
async function run (app, options, before = []) {
  const { code, stdout, stderr } = await new Child(`apm/${app}`, { execArgv: options, env: { NODE_OPTIONS: before.join(' ') } }).ended()
  return { code, stdout, stderr: stderr.replaceAll(/\(node:\d+\)/g, '(node)') }
}

/** Both are loaded in the same way, or the tracer by NODE_OPTIONS, which come first. */
function orders (tracer, load) {
  return {
    'register first': [[...load(register), ...load(tracer)]],
    'the tracer first': [[...load(tracer), ...load(register)]],
    'the tracer in NODE_OPTIONS': [load(register), load(tracer)],
    'register in NODE_OPTIONS': [load(tracer), load(register)]
  }
}

const seen = { code: 0, stdout: FIVE, stderr: '' }

for (const [name, tracer] of [['@opentelemetry/instrumentation-http', 'otel.js'], ['require-in-the-middle', 'hook.js']]) {
  for (const [way, load] of [['--require', require_], ['--import', import_]]) {
    for (const [order, options] of Object.entries(orders(fixture(tracer), load))) {
      test(`${name} sees all requests with ${way}, ${order}`, async () => {
        assert.deepEqual(await run('app.js', ...options), seen)
      })
    }
  }
}

for (const [order, options] of Object.entries({
  'register first': [[...import_(register), ...import_(fixture('import.mjs'))]],
  'the tracer first': [[...import_(fixture('import.mjs')), ...import_(register)]],
  'register by --require': [[...require_(register), ...import_(fixture('import.mjs'))]]
})) {
  test(`import-in-the-middle sees all requests of an ES module, ${order}`, async () => {
    const alone = await run('app.mjs', import_(fixture('import.mjs')))
    assert.equal(alone.stdout, FIVE)
    assert.deepEqual(await run('app.mjs', ...options), alone)
  })
}

/** @returns {Promise<object>} how a program ended whose tracer is one of the heavy */
async function runHeavy (script, { env }, execArgv, more = {}) {
  const { code, stdout, stderr } = await new Child(script, { execArgv, env: { ...env, ...more }, deadline: 60000 }).ended()
  return { code, stdout, stderr: stderr.replaceAll(/\(node:\d+\)/g, '(node)') }
}

const datadog = heavy('dd-trace')
const datadogTracer = fixture('datadog.js')

for (const [order, options] of Object.entries({
  'register first': [...require_(register), ...require_(datadogTracer)],
  'the tracer first': [...require_(datadogTracer), ...require_(register)],
  'by --import, register first': [...import_(register), ...import_(datadogTracer)],
  'by --import, the tracer first': [...import_(datadogTracer), ...import_(register)]
})) {
  test(`dd-trace sees all requests, ${order}`, { skip: datadog.skip }, async () => {
    const alone = await runHeavy('apm/app.js', datadog, require_(datadogTracer))
    assert.match(alone.stdout, /\nspans: 5 of the server, 5 of the client\n$/)
    assert.deepEqual(await runHeavy('apm/app.js', datadog, options), alone)
  })
}

const newrelic = heavy('newrelic')

for (const [order, options, settings] of [
  ['loaded by the application', [require_(register)], {}],
  ['loaded before register', [[...require_('newrelic'), ...require_(register)], require_('newrelic')], {
    NEW_RELIC_NO_CONFIG_FILE: 'true', NEW_RELIC_APP_NAME: 'app', NEW_RELIC_LICENSE_KEY: '0'.repeat(40), NEW_RELIC_HOST: '127.0.0.1', NEW_RELIC_LOG_ENABLED: 'false'
  }]
]) {
  test(`newrelic sees what it sees of core, ${order}`, { skip: newrelic.skip }, async () => {
    const [under, alone = []] = options
    const expected = await runHeavy('apm/newrelic.js', newrelic, alone, settings)
    assert.match(expected.stdout, /\ndone\n$/, expected.stderr)
    assert.deepEqual(await runHeavy('apm/newrelic.js', newrelic, under, settings), expected)
  })
}

test('wrappers that stand are kept, and wrap ours', async () => {
  assert.deepEqual(await run('app.js', [...require_(fixture('eager.js')), ...require_(register)]), seen)
})

test('a warning names the wrappers that cannot wrap ours', async () => {
  const { code, stdout, stderr } = await run('methods.js', [...require_(fixture('methods.js')), ...require_(register)])
  assert.deepEqual({ code, stdout }, { code: 0, stdout: '' })
  assert.match(stderr, /HTTP_NATIVE_WRAPPED.*: http\.validateHeaderName stay as they are; http\.ServerResponse\.prototype\.writeHead are not wrapped any more\./)
})

test('wrappers of what is replaced anyway see everything where register comes first', async () => {
  assert.deepEqual(await run('app.js', [...require_(register), ...require_(fixture('eager.js'))]), seen)
})

for (const [order, options] of Object.entries(orders(fixture('net.js'), require_))) {
  test(`wrappers of net see the connections of http, ${order}`, async () => {
    const alone = await run('app.js', require_(fixture('net.js')))
    assert.match(alone.stdout, /^[1-5] connections\n$/)
    assert.deepEqual(await run('app.js', ...options), alone)
  })
}

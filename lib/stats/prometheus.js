'use strict'

/**
 * Prometheus' text format (version 0.0.4), with the names of OpenTelemetry's HTTP conventions where these have one, as its
 * exporter for Prometheus writes them: `http.server.request.duration` is `http_server_request_duration_seconds`.
 */

const { codes, checkObject } = require('../core/errors')

/** Upper bounds of the buckets shown, in seconds: those that OpenTelemetry advises, and some below. All are bounds of ours. */
const REQUESTS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60]
const TURNS = [0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** The labels of samples; a second one of the same name would make the text unreadable. */
const OWN_LABELS = new Set(['le', 'http_request_method', 'http_response_status_class', 'http_connection_state', 'reason', 'error_type', 'limit', 'kind'])

const LABEL = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/

function escape (value) {
  return String(value).replace(/[\\"\n]/g, (character) => character === '\n' ? '\\n' : `\\${character}`)
}

/** Writes families of metrics, each once. */
class Text {
  #labels
  #lines = []

  /** @param {object} labels that each sample gets */
  constructor (labels) {
    this.#labels = Object.entries(labels)
  }

  #sample (name, labels, value) {
    const all = [...this.#labels, ...Object.entries(labels)]
    const shown = all.length === 0 ? '' : `{${all.map(([label, text]) => `${label}="${escape(text)}"`).join(',')}}`
    this.#lines.push(`${name}${shown} ${value}`)
  }

  #begin (name, type, help) {
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
  }

  /** @param {[object, number][]} samples labels and number */
  #family (name, type, help, samples) {
    this.#begin(name, type, help)
    for (const [labels, value] of samples) this.#sample(name, labels, value)
  }

  counter (name, help, samples) {
    this.#family(name, 'counter', help, samples)
  }

  gauge (name, help, samples) {
    this.#family(name, 'gauge', help, samples)
  }

  histogram (name, help, histogram, bounds) {
    this.#begin(name, 'histogram', help)
    for (const le of bounds) this.#sample(`${name}_bucket`, { le }, histogram.upTo(le))
    this.#sample(`${name}_bucket`, { le: '+Inf' }, histogram.count)
    this.#sample(`${name}_sum`, {}, histogram.sum)
    this.#sample(`${name}_count`, {}, histogram.count)
  }

  toString () {
    return `${this.#lines.join('\n')}\n`
  }
}

/** Gives samples of numbers by name. */
function by (label, numbers) {
  return Object.entries(numbers).map(([name, number]) => [{ [label]: name }, number])
}

/** `closed` in the names of Prometheus' labels: `keepAliveTimeout` is `keep_alive_timeout`. */
function snake (numbers) {
  return Object.fromEntries(Object.entries(numbers).map(([name, number]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), number]))
}

function alone (number) {
  return [[{}, number]]
}

/** @param {'server'|'client'} side */
function writeSide (text, side, stats, outcomes) {
  const { connections, requests, bytes } = stats
  const name = `http_${side}_`
  text.histogram(`${name}request_duration_seconds`, `Time from a request to the end of its answer, as the ${side} sees it.`, stats.timeToLastByte, REQUESTS)
  text.histogram(`${name}time_to_first_byte_seconds`, `Time from a request to the beginning of its answer, as the ${side} sees it.`, stats.timeToFirstByte, REQUESTS)
  text.counter(`${name}requests_total`, 'Requests that are over; the class of one without an answer is "none".', Array.from(outcomes(stats), ({ method, status, count }) => {
    return [{ http_request_method: method, http_response_status_class: status }, count]
  }))
  text.gauge(`${name}active_requests`, 'Requests under way.', by('http_request_method', requests.activeByMethod))
  const idle = stats.pool?.idle
  text.gauge(`${name}open_connections`, 'Open connections.', idle === undefined
    ? alone(connections.open)
    : by('http_connection_state', { active: Math.max(0, connections.open - idle), idle }))
  text.counter(`${name}connections_opened_total`, 'Connections that were opened.', alone(connections.opened))
  text.counter(`${name}connections_closed_total`, 'Connections that were closed, by what has ended them.', by('reason', snake(connections.closed)))
  text.counter(`${name}connection_errors_total`, 'Connections that were ended by an error of the transport.', by('error_type', connections.errors))
  text.counter(`${name}upgrades_total`, 'Connections that have left HTTP.', alone(connections.upgrades))
  text.counter(`${name}received_bytes_total`, 'Bytes that were received, heads and framing included.', alone(bytes.received))
  text.counter(`${name}sent_bytes_total`, 'Bytes that were sent, heads and framing included.', alone(bytes.sent))
  text.counter(`${name}parse_errors_total`, 'Packets that were no HTTP.', by('error_type', stats.parseErrors))
  if (stats.limits !== undefined) text.counter(`${name}limited_total`, 'What was beyond a limit.', by('limit', snake(stats.limits)))
  text.counter(`${name}timeouts_total`, 'Timeouts that were reported.', by('kind', snake(stats.timeouts)))
}

function writePool (text, pool) {
  text.counter('http_client_connections_reused_total', 'Requests that got a connection from the pool.', alone(pool.reused))
  text.counter('http_client_connections_stale_total', 'Connections of the pool that their server had ended when they were to be used.', alone(pool.stale))
  text.counter('http_client_connections_failed_total', 'Connections that could not be made.', by('error_type', pool.failed))
  text.counter('http_client_requests_queued_total', 'Requests that had to wait for a connection.', alone(pool.queued))
  text.counter('http_client_request_retries_total', 'Requests that were sent once more (retryStale).', alone(pool.retried))
}

/**
 * Gives the text.
 * @param {{ server?: object, client?: object, eventLoop: object }} stats
 * @param {(stats: object) => Iterable<{ method: string, status: string, count: number }>} outcomes
 * @param {{ labels?: Record<string, string> }} [options] labels that each sample gets
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 */
function render ({ server, client, eventLoop }, outcomes, options = {}) {
  checkObject(options, 'options')
  const { labels = {} } = options
  checkObject(labels, 'options.labels')
  for (const label of Object.keys(labels)) {
    if (OWN_LABELS.has(label)) throw new codes.ERR_INVALID_ARG_VALUE('options.labels', 'must not have names of labels that samples have', label)
    if (!LABEL.test(label)) throw new codes.ERR_INVALID_ARG_VALUE('options.labels', 'must have names that Prometheus takes', label)
  }
  const text = new Text(labels)
  if (server !== undefined) writeSide(text, 'server', server, outcomes)
  if (client !== undefined) {
    writeSide(text, 'client', client, outcomes)
    writePool(text, client.pool)
  }
  text.histogram('http_native_queue_seconds', 'Time for which heads have waited for JavaScript.', eventLoop.queue, TURNS)
  text.histogram('http_native_eventloop_turn_seconds', 'Time that JavaScript took for a turn of the event loop.', eventLoop.turn, TURNS)
  return text.toString()
}

module.exports = { render }

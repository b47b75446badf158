'use strict'

/**
 * Checks a text for Prometheus by the rules of its format (0.0.4) and of promtool's `check metrics`, as far as they concern
 * counters, gauges and histograms.
 */

const assert = require('node:assert')

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|\+Inf|NaN)$/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y

/** @returns {Record<string, string>} */
function labelsOf (text = '') {
  const labels = {}
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < text.length) {
    const found = LABEL.exec(text)
    assert.ok(found, `labels: ${text}`)
    assert.ok(!(found[1] in labels), `a label comes twice: ${text}`)
    labels[found[1]] = found[2]
  }
  return labels
}

/** @returns {Map<string, { type: string, help: string, samples: object[] }>} the families by name */
function parse (text) {
  assert.ok(text.endsWith('\n') && !text.includes('\n\n') && !text.includes('\r'))
  const families = new Map()
  let current
  for (const line of text.slice(0, -1).split('\n')) {
    const [, keyword, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (keyword === 'HELP') {
      assert.ok(!families.has(name), `${name} has one HELP, and its samples are together`)
      families.set(name, current = { name, help: rest, samples: [] })
    } else if (keyword === 'TYPE') {
      assert.ok(current.name === name && current.type === undefined && current.samples.length === 0, `${name} has one TYPE, behind its HELP`)
      assert.match(rest, /^(counter|gauge|histogram)$/)
      current.type = rest
    } else {
      const [, sample, labels, value] = SAMPLE.exec(line) ?? []
      assert.ok(sample, `a sample: ${line}`)
      const suffix = sample.slice(current.name.length)
      assert.ok(sample.startsWith(current.name) && (current.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']).includes(suffix), `${sample} is one of ${current.name}`)
      current.samples.push({ suffix, labels: labelsOf(labels), value: value === '+Inf' ? Infinity : Number(value) })
    }
  }
  return families
}

function checkHistogram ({ name, samples }) {
  const groups = new Map()
  for (const sample of samples) {
    const { le, ...labels } = sample.labels
    assert.strictEqual(le !== undefined, sample.suffix === '_bucket')
    const key = JSON.stringify(labels)
    groups.set(key, [...groups.get(key) ?? [], sample])
  }
  for (const group of groups.values()) {
    const buckets = group.filter(({ suffix }) => suffix === '_bucket').map(({ labels, value }) => ({ le: labels.le === '+Inf' ? Infinity : Number(labels.le), value }))
    for (let index = 1; index < buckets.length; index++) {
      assert.ok(buckets[index].le > buckets[index - 1].le && buckets[index].value >= buckets[index - 1].value, `${name}: buckets are cumulative`)
    }
    assert.strictEqual(buckets.at(-1).le, Infinity)
    const one = (wanted) => {
      const found = group.filter(({ suffix }) => suffix === wanted)
      assert.strictEqual(found.length, 1, `${name} has one ${wanted}`)
      return found[0].value
    }
    assert.strictEqual(one('_count'), buckets.at(-1).value)
    assert.ok(one('_sum') >= 0)
  }
}

/** @returns {Map} the families, which are right */
function check (text) {
  const families = parse(text)
  for (const family of families.values()) {
    const { name, type, help, samples } = family
    assert.ok(type !== undefined && help.length > 0)
    assert.match(name, /^[a-z][a-z0-9_]*$/)
    assert.strictEqual(name.endsWith('_total'), type === 'counter', `${name}: counters, and no others, end in _total`)
    assert.doesNotMatch(name, /_(count|sum|bucket|info|counter|gauge|histogram)$/)
    assert.doesNotMatch(name, /_(ms|milliseconds|us|microseconds|ns|kb|kilobytes|minutes|percent)(_|$)/, 'base units')
    for (const unit of ['seconds', 'bytes']) assert.ok(!name.includes(unit) || name.replace(/_total$/, '').endsWith(`_${unit}`), `${name}: the unit is last`)
    const keys = samples.map(({ suffix, labels }) => JSON.stringify([suffix, Object.entries(labels).sort()]))
    assert.strictEqual(new Set(keys).size, keys.length, `${name}: each sample is there once`)
    if (type === 'histogram') checkHistogram(family)
    else for (const { labels, value } of samples) assert.ok(!('le' in labels) && value >= 0)
  }
  return families
}

module.exports = { check }

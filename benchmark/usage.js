'use strict'

/** What a process has cost so far, from /proc; elsewhere than on Linux it is unknown, and null. */

const fs = require('node:fs')
const os = require('node:os')

function readText (path) {
  try {
    return fs.readFileSync(path, 'latin1')
  } catch {
    return null
  }
}

/** Nanoseconds of processor time of one thread. */
function threadTime (pid, thread) {
  const text = readText(`/proc/${pid}/task/${thread}/schedstat`)
  return text === null ? 0 : Number(text.split(' ', 1)[0])
}

/** Nanoseconds by thread id; the JS thread is the one whose id is the pid. */
function read (pid) {
  let threads
  try {
    threads = fs.readdirSync(`/proc/${pid}/task`)
  } catch {
    return null
  }
  return { pid, threads: new Map(threads.map((thread) => [thread, threadTime(pid, thread)])) }
}

/** Nanoseconds spent between two readings: by all threads, and by the JS thread. */
function between (before, after) {
  if (before === null || after === null) return null
  const { pid } = after
  const spent = (thread) => after.threads.get(thread) - (before.threads.get(thread) ?? 0)
  const all = Array.from(after.threads.keys(), spent).reduce((sum, time) => sum + time, 0)
  return { all, js: spent(String(pid)) }
}

/** Most bytes of memory that the process ever had resident. */
function peak (pid) {
  const match = /^VmHWM:\s+(\d+) kB/m.exec(readText(`/proc/${pid}/status`) ?? '')
  return match === null ? null : Number(match[1]) * 1024
}

/** Milliseconds that the machine's processors have had, and that they idled. */
function processors () {
  const all = os.cpus().map(({ times }) => times)
  const sum = (value) => all.reduce((total, times) => total + value(times), 0)
  return { idle: sum(({ idle }) => idle), all: sum((times) => Object.values(times).reduce((total, time) => total + time, 0)) }
}

/** Begins to watch the machine. @returns {() => number} the share of its time, from 0 to 1, that it idled since */
function idle () {
  const before = processors()
  return () => {
    const after = processors()
    return (after.idle - before.idle) / (after.all - before.all)
  }
}

module.exports = { between, idle, peak, read }

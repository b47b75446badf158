'use strict'

const { test } = require('node:test')
const assert = require('node:assert/strict')
const { countSamples, table } = require('../../benchmark/profile')

const addon = '/a/native/http-native.linux-x64-gnu.node'

test('samples are counted by thread, and by the part that their file and symbol tell', () => {
  const threads = countSamples([
    `node  7f00 http_native_proto::head::fast::fields (${addon})`,
    `http-native-0  7f01 http_native::net::driver::Driver::read (${addon})`,
    `http-native-0  7f01 tokio::runtime::io::driver::Driver::turn (${addon})`,
    `node  7f02 http_native::binding::commands::send (${addon})`,
    'node  7f03 LazyCompile:*end /a/lib/message/outgoing.js:1:1 (/tmp/perf-12.map)',
    'node  7f04 Builtins_CallFunction_ReceiverIsAny (/usr/bin/node)',
    'MainThread  7f05 napi_call_function (/usr/bin/node)',
    'node  ffffffff81 [unknown] ([kernel.kallsyms])',
    'V8 Worker  7f06 v8::internal::Scavenger::Process (/usr/bin/node)',
    'node  7f07 __memmove_avx (/usr/lib/x86_64-linux-gnu/libc.so.6)',
    ''
  ].join('\n'))
  assert.deepEqual(Object.fromEntries([...threads].map(([name, parts]) => [name, Object.fromEntries(parts)])), {
    JS: { proto: 1, binding: 1, JavaScript: 2, 'Node-API': 1, kernel: 1, libc: 1 },
    'I/O': { net: 2 },
    others: { 'garbage collection': 1 }
  })
})

test('the parts of a request are shares of the time that the system has counted', () => {
  const lines = table(new Map([['JS', new Map([['kernel', 1], ['proto', 3]])]]), 8).split('\n').map((line) => line.replace(/ +/g, ' '))
  assert.deepEqual(lines, ['all 8.00 µs', 'JS: proto 6.00 µs 75.0 %', 'JS: kernel 2.00 µs 25.0 %'])
})

'use strict'

/** The platforms that are named: what npm and Rust call them. lib/addon.js looks for a package of each by its name. */

/** The oldest glibc that a binary may need. */
const GLIBC = '2.17'

/** `macos` is the oldest system that a binary may say it needs: that of Node 20, and for arm64 the first there is. */
const targets = [
  { name: 'linux-x64-gnu', triple: 'x86_64-unknown-linux-gnu', os: 'linux', cpu: 'x64', libc: 'glibc' },
  { name: 'linux-x64-musl', triple: 'x86_64-unknown-linux-musl', os: 'linux', cpu: 'x64', libc: 'musl' },
  { name: 'linux-arm64-gnu', triple: 'aarch64-unknown-linux-gnu', os: 'linux', cpu: 'arm64', libc: 'glibc' },
  { name: 'linux-arm64-musl', triple: 'aarch64-unknown-linux-musl', os: 'linux', cpu: 'arm64', libc: 'musl' },
  { name: 'darwin-x64', triple: 'x86_64-apple-darwin', os: 'darwin', cpu: 'x64', macos: '10.15' },
  { name: 'darwin-arm64', triple: 'aarch64-apple-darwin', os: 'darwin', cpu: 'arm64', macos: '11.0' }
]

const packageOf = (target) => `http-native-${target.name}`

const binaryOf = (target) => `http-native.${target.name}.node`

module.exports = { GLIBC, targets, packageOf, binaryOf }

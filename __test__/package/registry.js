'use strict'

/** An npm registry that has the tarballs of a folder and nothing else. */

const { spawnSync } = require('node:child_process')
const { createHash } = require('node:crypto')
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')

function manifestOf (tarball) {
  const { stdout } = spawnSync('tar', ['-xzOf', tarball, 'package/package.json'], { encoding: 'utf8' })
  return JSON.parse(stdout)
}

function versionOf (tarball, origin) {
  const integrity = `sha512-${createHash('sha512').update(fs.readFileSync(tarball)).digest('base64')}`
  return { ...manifestOf(tarball), dist: { tarball: `${origin}/-/${path.basename(tarball)}`, integrity } }
}

/** @returns {Promise<string>} where it serves, until the test ends */
async function serveTarballs (t, folder) {
  const server = http.createServer((request, response) => {
    const origin = `http://${request.headers.host}`
    const name = decodeURIComponent(request.url.slice(1))
    if (name.startsWith('-/')) {
      response.end(fs.readFileSync(path.join(folder, path.basename(name))))
      return
    }
    const versions = fs.readdirSync(folder)
      .filter((file) => file.endsWith('.tgz'))
      .map((file) => versionOf(path.join(folder, file), origin))
      .filter((version) => version.name === name)
    response.statusCode = versions.length === 0 ? 404 : 200
    response.setHeader('content-type', 'application/json')
    response.end(versions.length === 0
      ? '{}'
      : JSON.stringify({
        name,
        'dist-tags': { latest: versions[0].version },
        versions: Object.fromEntries(versions.map((version) => [version.version, version]))
      }))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${server.address().port}/`
}

module.exports = { serveTarballs }

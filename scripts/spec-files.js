'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { root } = require('./prepare')

function below (folder) {
  return fs.readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const where = path.join(folder, entry.name)
      if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : below(where)
      return entry.name.endsWith('.spec.js') ? [where] : []
    })
    .sort()
}

/** All spec files, relative to the project. Node 20 takes files, not patterns. */
function specFiles () {
  return below(path.join(root, '__test__')).map((file) => path.relative(root, file))
}

module.exports = { specFiles }

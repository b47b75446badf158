'use strict'

/**
 * lib/ as it is published: one file, since to find and read sixty takes most of the time that register needs to start. Each
 * of its modules is a function, and not in parentheses: V8 compiles such a one when it is called, for which it needs a fifth of the
 * memory of compiling all at once, and no more time. What is needed with the first listener or connection only is a string until
 * then, which it does not compile at all.
 */

const fs = require('node:fs')
const path = require('node:path')
const { transform } = require('esbuild')
const { root } = require('../prepare')

/**
 * The modules that are loaded by the first call of what they export, with all that only they require. All they export is
 * functions, and none of them may take, when it is loaded, what others may have patched by then.
 */
const LATE = ['server/listener', 'server/stream', 'server/shutdown', 'server/hardening', 'stats/snapshot', 'register/shutdown-signal', 'register/earlier', 'register/wrappers', 'fallback']
  .map((name) => path.join(root, 'lib', `${name}.js`))

const FACES = {
  'index.js': "module.exports = require('./lib/http-native.js').index()\n",
  'register.js': "const { unregister } = require('./lib/http-native.js').register()\nmodule.exports = { unregister }\n"
}

/** Ours, but for the native part. */
const REQUIRED = /\brequire\("(\.[^"]*)(?<!\.node)"\)/g

const OF_NODE = /\brequire\("node:(\w+)"\)/g

/**
 * Characters behind which a line ends where it can. Of an exception that nobody catches Node shows the line, and as much of a second
 * one as leads to its place.
 */
const LINE = 120

/**
 * What the modules of the file stand on. Bundlers do not look into the text of the late ones: they see what it requires of Node as
 * functions.
 * @param {string[]} names of Node's modules
 */
const prelude = (names) => `
const $done = [], $node = {}, $ofNode = {${names.map((name) => `${name}: () => $node.${name} ??= require("node:${name}")`)}};
function $load(id) {
  let module = $done[id];
  if (module === undefined) {
    module = $done[id] = { exports: {} };
    if ($modules[id] === undefined) $compile();
    $modules[id](module.exports, module);
  }
  return module.exports;
}
function $compile() {
  const filename = typeof __filename === "undefined" ? "http-native.late.js" : __filename.replace(/js$/, "late.js");
  Object.assign($modules, $ofNode.vm().compileFunction($late, ["$load", "$ofNode"], { filename })($load, $ofNode));
}
function $later(id, name) {
  return function () {
    const method = $load(id)[name];
    return new.target === undefined ? method.apply(this, arguments) : Reflect.construct(method, arguments);
  };
}`

/** Gives the file that a module requires by this name. */
function find (from, name) {
  const file = path.join(path.dirname(from), name)
  if (fs.statSync(file, { throwIfNoEntry: false })?.isDirectory()) return path.join(file, 'index.js')
  return file.endsWith('.js') ? file : `${file}.js`
}

/** @returns {Promise<string>} without comments and spaces. Names stay: they are seen in stacks. */
async function minify (text) {
  const { code } = await transform(text, { minifyWhitespace: true, minifySyntax: true, target: 'node20', legalComments: 'none', platform: 'node' })
  return code.replace(/^"use strict";/, '').trim()
}

/** In a string: the backslash by which it goes on in the next line. */
const CONTINUED = /(?<!\\)((?:\\\\)*)\\\n/g

/** Gives a text of short lines. Strings stay whole: what reads the names of required modules may not know of such a backslash. */
async function breakLines (text) {
  const { code } = await transform(text, { minifyWhitespace: true, lineLimit: LINE, target: 'node20', platform: 'node' })
  return code.replace(CONTINUED, '$1').trim()
}

/** Reads a module and what it requires. @param {Map<string, string>} texts by file */
async function gather (file, texts) {
  if (texts.has(file)) return
  const text = await minify(fs.readFileSync(file, 'utf8'))
  texts.set(file, text)
  for (const [, name] of text.matchAll(REQUIRED)) await gather(find(file, name), texts)
}

/** Gives the files that these require, and themselves, but not what only the late ones do. */
function reach (files, texts, found = new Set()) {
  for (const file of files) {
    if (found.has(file) || LATE.includes(file)) continue
    found.add(file)
    reach([...texts.get(file).matchAll(REQUIRED)].map(([, name]) => find(file, name)), texts, found)
  }
  return found
}

/** What a late module exports, for those that require it. */
function stand (file, id, texts) {
  const [, names] = /module\.exports=\{([\w,]+)\}/.exec(texts.get(file))
  return `{${names.split(',').map((name) => `${name}:$later(${id},"${name}")`)}}`
}

/** @returns {Promise<string>} the text of the one file */
async function joinModules () {
  const faces = ['index.js', 'register.js'].map((name) => path.join(root, name))
  const texts = new Map()
  for (const file of faces) await gather(file, texts)
  const early = reach(faces, texts)
  const ids = new Map([...early, ...[...texts.keys()].filter((file) => !early.has(file))].map((file, id) => [file, id]))
  const names = new Set(['vm'])
  /** Gives a module as a function that takes the others, and Node's, from what the file stands on. */
  const wrap = async (file) => {
    const isEarly = early.has(file)
    const text = texts.get(file).replace(REQUIRED, (all, name) => {
      const target = find(file, name)
      const id = ids.get(target)
      return LATE.includes(target) && isEarly ? `(${stand(target, id, texts)})` : `$load(${id})`
    }).replace(OF_NODE, (all, name) => {
      if (isEarly) return `($node.${name}??=${all})`
      names.add(name)
      return `$ofNode.${name}()`
    })
    const left = !isEarly && /\brequire\(.{1,40}/.exec(text)
    if (left) throw new Error(`A late module requires what is no module of Node's: ${left}`)
    return `function(exports,module){${await breakLines(text)}}`
  }
  const wrapped = await Promise.all([...ids.keys()].map(wrap))
  const late = wrapped.map((text, id) => `${id}:${text}`).slice(early.size)
  return `"use strict";${await minify(`const $late=${JSON.stringify(`"use strict";return {${late.join(',\n')}}`)}`)}
${await breakLines(await minify(prelude([...names])))}
const $modules=[
${wrapped.slice(0, early.size).join(',\n')}
];
exports.index=()=>$load(${ids.get(faces[0])});exports.register=()=>$load(${ids.get(faces[1])});
`
}

/**
 * Puts what index.js and register.js load into one file of a package.
 * @param {string} where the package's folder
 */
async function bundle (where) {
  fs.mkdirSync(path.join(where, 'lib'), { recursive: true })
  fs.writeFileSync(path.join(where, 'lib', 'http-native.js'), await joinModules())
  for (const [name, text] of Object.entries(FACES)) fs.writeFileSync(path.join(where, name), text)
}

module.exports = { bundle }

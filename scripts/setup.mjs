// Gets what the project needs onto this machine: names it first, then installs it. Needs nothing but Node itself.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Command to the package that has it, where the package is not called like the command. */
const packageOf = {
  ip: {
    'apt-get': 'iproute2',
    dnf: 'iproute',
    zypper: 'iproute2',
    pacman: 'iproute2',
    apk: 'iproute2',
  },
  unshare: 'util-linux',
  setpriv: 'util-linux',
}

/** Package managers that are known, and how they install without asking. */
const managers = {
  'apt-get': [['update'], ['install', '-y', '--no-install-recommends']],
  dnf: [['install', '-y']],
  zypper: [['--non-interactive', 'install']],
  pacman: [['-Sy', '--noconfirm', '--needed']],
  apk: [['add']],
}

/** What each purpose needs beside the node packages. */
const commandsFor = {
  demo: ['bpftrace', 'unshare', 'setpriv'],
  test: ['bpftrace', 'unshare', 'setpriv', 'ip'],
}

/**
 * Says what is missing for a purpose and installs it. Returns what could not be had, as sentences; throws when the node
 * packages cannot be installed, because nothing works without them.
 */
export function setUp(purpose, say) {
  checkNode()
  const needsPackages = !hasNodePackages()
  const missing = commandsFor[purpose].filter((command) => find(command) === null)
  const manager = Object.keys(managers).find((name) => find(name) !== null)
  const isRoot = process.geteuid?.() === 0
  const packages = [...new Set(missing.map((command) => packageName(command, manager)))]
  const canInstall = isRoot && manager !== undefined

  const steps = [
    ...(needsPackages ? [['npm', 'ci', '--no-audit', '--no-fund']] : []),
    ...(missing.length > 0 && canInstall
      ? managers[manager].map((args, index, all) =>
          index === all.length - 1 ? [manager, ...args, ...packages] : [manager, ...args],
        )
      : []),
  ]
  if (steps.length > 0) {
    say('This will be installed:')
    if (needsPackages) say('  the node packages of package-lock.json, into ./node_modules')
    if (missing.length > 0 && canInstall) say(`  ${packages.join(', ')}, onto this system`)
    say(`By: ${steps.map((step) => step.join(' ')).join('; ')}`)
  }
  const failures =
    missing.length > 0 && !canInstall
      ? [
          `${missing.join(', ')} missing, and ${isRoot ? 'no package manager is known here' : 'only root can install'}`,
        ]
      : []
  for (const [command, ...args] of steps) {
    const started = Date.now()
    const { status, error } = spawnSync(command, args, {
      cwd: root,
      // stdout belongs to the caller's data.
      stdio: ['ignore', 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
    const how = status === 0 ? 'done' : `failed: ${error?.message ?? `exit status ${status}`}`
    say(`${command} ${args[0]}: ${how} (${seconds(started)})`)
    if (status === 0) continue
    if (command === 'npm') throw new Error('the node packages could not be installed (npm ci)')
    failures.push(`${command} ${args.join(' ')} ${how}`)
  }
  return failures
}

/** Builds dist/. Throws when that fails. */
export function build(say) {
  const started = Date.now()
  const { status } = spawnSync(process.execPath, ['scripts/build.mjs'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) throw new Error('the build failed (npm run build)')
  say(`built dist/ (${seconds(started)})`)
}

/** Milliseconds since `started`, as seconds for people. */
export function seconds(started) {
  return `${((Date.now() - started) / 1000).toFixed(1)} s`
}

function checkNode() {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const [major, minor] = engines.node.match(/\d+/g).map(Number)
  const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number)
  if (ownMajor < major || (ownMajor === major && ownMinor < minor))
    throw new Error(`Node ${engines.node} is needed, this is ${process.versions.node}`)
}

/** True when every direct dependency is there in the version of the lock file. */
function hasNodePackages() {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const names = Object.keys({ ...packages[''].dependencies, ...packages[''].devDependencies })
  return names.every((name) => {
    try {
      const text = readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')
      return JSON.parse(text).version === packages[`node_modules/${name}`].version
    } catch {
      return false
    }
  })
}

/** Where a command is; the folders of root's PATH count as well. */
function find(command) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return (
    folders
      .map((folder) => join(folder, command))
      .find((path) => {
        try {
          accessSync(path, constants.X_OK)
          return true
        } catch {
          return false
        }
      }) ?? null
  )
}

function packageName(command, manager) {
  const known = packageOf[command] ?? command
  return typeof known === 'string' ? known : (known[manager] ?? command)
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [purpose = 'test'] = process.argv.slice(2)
  try {
    for (const failure of setUp(purpose, (text) => console.error(text)))
      console.error(`${failure}: tests on this machine's kernel will be skipped`)
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import { resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findGuest } from './guests.mjs'
import { requireBuilt } from './image.mjs'
import { guestPaths } from './paths.mjs'

const mainScript = fileURLToPath(new URL('native-main.sh', import.meta.url))
const projectDir = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
const guestPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** What the command sees of the environment: nothing of the host's, so that a run is the same everywhere. */
function guestEnv(env) {
  return {
    PATH: guestPath,
    HOME: '/root',
    LANG: 'C.UTF-8',
    TERM: process.env.TERM ?? 'dumb',
    ...env,
  }
}

/** One bind mount as native-main.sh takes it. */
function bindArg({ from, to = from, readOnly = true }) {
  if (/:/.test(from + to)) throw new Error(`cannot bind "${from}": a colon separates the two paths`)
  return `${readOnly ? 'ro' : 'rw'}:${resolve(from)}:${to}`
}

function nativeArgs(guest, argv, { binds = [], cwd = '/' }) {
  const { rootfs, mountPoint } = guestPaths(guest)
  const all = [{ from: process.execPath, to: '/usr/local/bin/node' }, ...binds]
  return [
    '--mount',
    '--uts',
    'sh',
    mainScript,
    rootfs,
    mountPoint,
    cwd,
    ...all.map(bindArg),
    '--',
    ...argv,
  ]
}

function collect(stream) {
  const chunks = []
  stream?.on('data', (chunk) => chunks.push(chunk))
  return () => Buffer.concat(chunks)
}

/**
 * Starts a command from a guest's root file system on this host's kernel: `argv`, or a string for its `sh -c`.
 * Options: `binds` [{from, to, readOnly}], `env`, `cwd` (in the guest), `stdio` (three values as for spawn).
 *
 * `child` is the command itself, so its pid and signals are those of, say, bpftrace. `done` becomes {status, signal}
 * when the command has ended and everything it had started is gone; it rejects when the view could not be made.
 */
export function spawnNative(guest, argv, options = {}) {
  requireBuilt(guest)
  const command = typeof argv === 'string' ? ['sh', '-c', argv] : argv
  const stdio = [...(options.stdio ?? ['ignore', 'pipe', 'pipe']), 'pipe']
  const child = spawn('unshare', nativeArgs(guest, command, options), {
    stdio,
    env: guestEnv(options.env),
  })
  const lifeline = child.stdio[3]
  const ready = collect(lifeline)
  lifeline.on('error', () => {})
  child.on('exit', () => lifeline.end())
  const done = once(child, 'close').then(([status, signal]) => {
    if (ready().length === 0)
      throw new Error(`could not set up ${guest.name} on this host (unshare or mount failed)`)
    return { status, signal }
  })
  return { child, done }
}

/**
 * Runs a command as spawnNative does and collects its output. Further options: `input` (text or bytes for its
 * stdin), `timeoutMs` (then SIGKILL), `encoding` (null for bytes). Result: {status, signal, seconds, stdout, stderr}.
 */
export async function runNative(guest, argv, options = {}) {
  const { input, timeoutMs, encoding = 'utf8' } = options
  const started = Date.now()
  const stdio = [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe']
  const { child, done } = spawnNative(guest, argv, { stdio, ...options })
  const output = [collect(child.stdout), collect(child.stderr)]
  // A command that ends without reading all of its input is not an error.
  child.stdin?.on('error', () => {}).end(input)
  const timer = timeoutMs && setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  const ended = await done
    .catch((error) => {
      throw new Error(`${error.message}: ${output[1]().toString().trim()}`)
    })
    .finally(() => clearTimeout(timer))
  const [stdout, stderr] = output.map((bytes) => (encoding ? bytes().toString(encoding) : bytes()))
  return { ...ended, seconds: (Date.now() - started) / 1000, stdout, stderr }
}

/** The caller's folder when the guest has it too, which is when it is in the project. */
function guestCwd() {
  const cwd = process.cwd()
  return `${cwd}${sep}`.startsWith(`${projectDir}${sep}`) ? cwd : '/'
}

/** `node scripts/lab/native.mjs GUEST -- COMMAND [ARGUMENT ...]`, on the caller's terminal, with the project in place. */
async function main([name, separator, ...argv]) {
  if (separator !== '--' || argv.length === 0)
    throw new Error('usage: native.mjs GUEST -- COMMAND [ARGUMENT ...]')
  const binds = [{ from: projectDir, readOnly: false }]
  const options = { stdio: ['inherit', 'inherit', 'inherit'], binds, cwd: guestCwd() }
  const { child, done } = spawnNative(findGuest(name), argv, options)
  // Ctrl-C reaches the command from the terminal; a SIGTERM meant for it is handed on. It decides when it is done.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  const { status, signal } = await done
  process.exitCode = signal ? 1 : status
}

if (process.argv[1] && realpathSync(process.argv[1]) === realpathSync(import.meta.filename)) {
  await main(process.argv.slice(2)).catch((error) => {
    console.error(error.message)
    process.exitCode = 125
  })
}

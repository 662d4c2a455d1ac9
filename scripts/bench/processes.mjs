// Processes that a benchmark starts: what they use, what they write, and that none of them stays behind.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Ticks of /proc/PID/stat in a second: USER_HZ, 100 on every machine that Node runs on. */
const ticks = 100

const running = new Set()

function read(path) {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

/** Name and parent of a process, and its CPU seconds with those of its dead threads; null when it is gone. */
export function statOf(pid) {
  const [, comm, rest] = /^\d+ \(([^]*)\) ([^]*)$/.exec(read(`/proc/${pid}/stat`)) ?? []
  if (rest === undefined) return null
  const words = rest.split(' ')
  return {
    pid,
    comm,
    parent: Number(words[1]),
    cpu: (Number(words[11]) + Number(words[12])) / ticks,
  }
}

/** What a process that does not end is doing. */
export function describe(pid) {
  const line = (name) =>
    new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(read(`/proc/${pid}/status`))?.[1]
  const waits = read(`/proc/${pid}/wchan`) || 'nothing'
  return `${line('Name')}, ${line('State')}, pending ${line('ShdPnd')}, waits in ${waits}`
}

/** The most memory that a process had resident so far, in MiB. */
export function mostResident(pid) {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024
}

/** A process and all that come from it. */
export function treeOf(root) {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(Number(name)))
    .filter((each) => each !== null)
  const tree = all.filter((each) => each.pid === root)
  for (const each of tree) tree.push(...all.filter(({ parent }) => parent === each.pid))
  return tree
}

/** Calls of write() and bytes in them so far, whatever they went to. */
export function writtenBy(pid) {
  const io = read(`/proc/${pid}/io`)
  const figure = (name) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(io)?.[1] ?? 0)
  return { calls: figure('syscw'), bytes: figure('wchar') }
}

/** Starts a command in a process group of its own; `stderr` collects what it says. */
export function start(command, args, { env = {} } = {}) {
  const child = spawn(command, args, {
    detached: true,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const started = { pid: child.pid, stderr: '', hasExited: false, kill: () => killTree(started) }
  child.stderr.setEncoding('latin1').on('data', (text) => (started.stderr += text))
  child.once('error', (error) => {
    started.stderr += error.message
    started.hasExited = true
  })
  child.once('exit', () => {
    started.hasExited = true
    running.delete(started)
  })
  running.add(started)
  return started
}

function killTree({ pid }) {
  for (const each of treeOf(pid)) signal(each.pid, 'SIGKILL')
}

export function signal(pid, name) {
  try {
    process.kill(pid, name)
  } catch {
    // It is gone.
  }
}

/** Waits until `check` gives something, or throws: every wait of a benchmark ends. */
export async function until(what, seconds, check) {
  const end = Date.now() + seconds * 1_000
  for (;;) {
    const found = check()
    if (found) return found
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`)
    await sleep(20)
  }
}

/** Whatever ends the benchmark takes its processes with it. */
process.on('exit', () => running.forEach(killTree))
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => process.exit(1))

// Starts what a cell is made of: ebpf-run, and the workload of a probe.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const inside = import.meta.dirname
/** The command name of workloads that are told by it alone: several labs run at once on one kernel. */
const ownName = `er-${process.pid}`

/** Far more than any workload takes once it goes on, in seconds: one that waits for what never comes ends then, with all it started. */
export const limit = Number(process.env.EBPF_RUN_CELL_SECONDS ?? 420)
/** What is prepared stands until all that watches it is attached: a dozen programs take ten minutes in an emulator. */
const lifetime = limit + 1800

/**
 * Starts a workload; its lines are the expectations. One that prepares something first (connections that are older than the run,
 * interfaces) says so, `ready` or with the words that tell ebpf-run where (`place`), and waits until it is told to go on.
 */
export function startWorkload(
  probes,
  { probe, variant, owners, switches = [], workload },
  { args = [], isShared = false } = {},
) {
  const script = owners
    ? join(inside, 'owners.py')
    : workload
      ? join(inside, workload.script)
      : join(probes, probe, 'workload.py')
  // In a mount namespace of its own: named network namespaces are mounts.
  const words = [
    '--kill-after=5',
    `${lifetime}`,
    'unshare',
    '--mount',
    '--propagation',
    'private',
    '/usr/bin/python3',
    script,
    inside,
    ...(owners ? [probe] : []),
    ...(workload?.words ?? []),
    ...args,
  ]
  const child = spawn('timeout', words, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      EBPF_RUN_VARIANT: variant ?? '',
      EBPF_RUN_SWITCHES: switches.join(' '),
      EBPF_RUN_NAME: ownName,
      // Others trace the kernel too.
      ...(isShared ? { EBPF_RUN_ALONE: undefined } : {}),
    },
  })
  const lines = []
  let errors = ''
  const ended = once(child, 'close')
  const place = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text)
      if (line.place === undefined) lines.push(line)
      if (line.place !== undefined || line.ready) resolve(line.place ?? [])
    })
    void ended.then(() => resolve([]))
  })
  child.stderr.on('data', (data) => (errors += data))
  // One that fails does not read it.
  child.stdin.on('error', () => {})
  return {
    place,
    end: () => child.kill(),
    async run() {
      child.stdin.end('\n')
      let isLate = false
      const timer = setTimeout(() => {
        isLate = true
        child.kill()
      }, limit * 1000)
      const [status] = await ended
      clearTimeout(timer)
      if (isLate) throw new Error(`the workload did not end in ${limit} s`)
      if (status !== 0)
        throw new Error(`the workload ended with ${status}: ${errors.trim().split('\n').at(-1)}`)
      // Its network namespace ends with it, at the latest.
      return lines.some(({ since }) => since) && !lines.some(({ until }) => until)
        ? [...lines, { until: new Date().toISOString() }]
        : lines
    },
  }
}

/** Words with the workload's own name in them. */
export const named = (words) =>
  words.map((word) => word.replace('OWN_NAME', ownName).replace('INSIDE', inside))

/** Makes a trace a probe of the user's, where root's are. */
function makeProbe(cli, name, words) {
  const { status, stderr } = spawnSync(process.execPath, [cli, 'new', name, '--from', ...words], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`new ended with ${status}: ${stderr.trim()}`)
}

/** Runs a workload that prepares nothing. */
export const runWorkload = (probes, cell, args) => startWorkload(probes, cell, { args }).run()

/** Figures of each group, or a linear histogram. */
function countedAs(linear) {
  if (linear === null) return ['--summary']
  const { field, min, max, step } = linear
  return ['--hist', field, '--linear', `${min}..${max}/${step}`]
}

/** The same command where these are not mounted, for it alone. */
function without(mounted, command) {
  const script = 'while test "$1" != --; do umount "$1" || exit 1; shift; done; shift; exec "$@"'
  return mounted.length === 0
    ? command
    : ['unshare', '--mount', 'sh', '-c', script, 'sh', ...mounted, '--', ...command]
}

/** A group's time is that of its dump, which may come after the workload has ended. */
const withoutTime = (group) => ({ ...group, time: undefined })

/** Starts ebpf-run and waits until it is attached, or has ended. `place`: words that say where to attach. */
export async function startRun({ cli, out }, cell, place = []) {
  const { probe, variant, backend, name, events, by, switches = [], asked = [] } = cell
  const { command = [probe], linear = null } = cell
  const files = {
    summary: join(out, `${name}.summary.json`),
    recording: join(out, `${name}.ebpfrun`),
  }
  const words = [
    ...[cli, ...named(command), ...place, '-o', 'ndjson', '--lifecycle'],
    ...['--summary-json', files.summary, '--attach-timeout', '600s', '--drain', '20s'],
    ...named(asked),
    ...(variant ? ['--variant', variant] : []),
    ...(backend ? ['--backend', backend] : []),
    // Probes that show a summary unless asked are held to their events too. Dumps in between must add up to the whole.
    ...(events ? ['--events'] : []),
    ...switches.map((each) => `--${each}`),
    ...(by
      ? [...countedAs(linear), '--by', by.join(','), '--interval', '1s']
      : ['--record', files.recording]),
  ]
  if (cell.makes) makeProbe(cli, command[0], named(cell.makes))
  const [program, ...args] = without(cell.unmounted ?? [], [process.execPath, ...words])
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const seen = []
  let errors = ''
  child.stderr.on('data', (data) => (errors += data))
  const ended = once(child, 'close').then(([status]) => status)
  const attached = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const record = JSON.parse(line)
      if (record.lifecycle === 'attached') resolve(true)
      if (record.event !== undefined) seen.push(by ? withoutTime(record) : record)
    })
    void ended.then(() => resolve(false))
  })
  return { child, events: seen, files, ended, isAttached: await attached, errors: () => errors }
}

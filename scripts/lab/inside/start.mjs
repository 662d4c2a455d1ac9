// Starts what a cell is made of: ebpf-run, and the workload of a probe.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const inside = import.meta.dirname

/** Runs a workload; its lines are the expectations. */
export async function runWorkload(probes, { probe, variant }, args = []) {
  // In a mount namespace of its own: named network namespaces are mounts.
  const words = [
    '--mount',
    '--propagation',
    'private',
    '/usr/bin/python3',
    join(probes, probe, 'workload.py'),
    inside,
    ...args,
  ]
  const child = spawn('unshare', words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, EBPF_RUN_VARIANT: variant ?? '' },
  })
  const lines = []
  let errors = ''
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line)))
  child.stderr.on('data', (data) => (errors += data))
  const [status] = await once(child, 'close')
  if (status !== 0)
    throw new Error(`the workload ended with ${status}: ${errors.trim().split('\n').at(-1)}`)
  return lines
}

/** Starts ebpf-run and waits until it is attached, or has ended. */
export async function startRun({ cli, out }, { probe, variant, backend, name, events, by }) {
  const files = {
    summary: join(out, `${name}.summary.json`),
    recording: join(out, `${name}.ebpfrun`),
  }
  const args = [
    cli,
    probe,
    '-o',
    'ndjson',
    '--lifecycle',
    '--summary-json',
    files.summary,
    '--attach-timeout',
    '600s',
    '--drain',
    '20s',
  ]
  // Probes that show a summary unless asked are held to their events too. Dumps in between must add up to the whole.
  const asked = [
    ...(variant ? ['--variant', variant] : []),
    ...(backend ? ['--backend', backend] : []),
    ...(events ? ['--events'] : []),
    ...(by
      ? ['--summary', '--by', by.join(','), '--interval', '1s']
      : ['--record', files.recording]),
  ]
  const child = spawn(process.execPath, [...args, ...asked], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const seen = []
  let errors = ''
  child.stderr.on('data', (data) => (errors += data))
  const ended = once(child, 'close').then(([status]) => status)
  const attached = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const record = JSON.parse(line)
      if (record.lifecycle === 'attached') resolve(true)
      if (record.event !== undefined) seen.push(record)
    })
    void ended.then(() => resolve(false))
  })
  return { child, events: seen, files, ended, isAttached: await attached, errors: () => errors }
}

// Runs cells (one probe in one variant against its workload) where it stands: on a host, or inside a guest. Plain Node, because
// nothing but the packed ebpf-run is there. Usage: node cells.mjs REQUEST.json, which holds {cli, out, probes, cells}.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { compareWithBcc } from './bcc.mjs'
import { judge, spread } from './judge.mjs'

const inside = import.meta.dirname

/**
 * Starts a workload; its lines are the expectations. One that makes interfaces says first where on them the run must be attached
 * (`place`, words for ebpf-run), and waits until it is.
 */
function startWorkload(probes, { probe, variant }) {
  // In a mount namespace of its own: named network namespaces are mounts.
  const words = [
    '--mount',
    '--propagation',
    'private',
    '/usr/bin/python3',
    join(probes, probe, 'workload.py'),
    inside,
  ]
  const child = spawn('unshare', words, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, EBPF_RUN_VARIANT: variant ?? '' },
  })
  const lines = []
  let errors = ''
  child.stderr.on('data', (data) => (errors += data))
  const ended = once(child, 'close').then(([status]) => status)
  const place = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text)
      if (line.place === undefined) lines.push(line)
      else resolve(line.place)
    })
    void ended.then(() => resolve([]))
  })
  return {
    place,
    stop: () => child.kill(),
    async lines() {
      child.stdin.on('error', () => {}).end('\n')
      const status = await ended
      if (status !== 0)
        throw new Error(`the workload ended with ${status}: ${errors.trim().split('\n').at(-1)}`)
      return lines
    },
  }
}

const runWorkload = (probes, cell) => startWorkload(probes, cell).lines()

/** Starts ebpf-run and waits until it is attached, or has ended. */
async function startRun({ cli, out }, { probe, variant, backend, name, events, by }, place) {
  const files = {
    summary: join(out, `${name}.summary.json`),
    recording: join(out, `${name}.ebpfrun`),
  }
  const args = [
    cli,
    probe,
    ...place,
    '-o',
    'ndjson',
    '--lifecycle',
    '--summary-json',
    files.summary,
    '--attach-timeout',
    '180s',
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

async function runCell(request, cell) {
  const started = Date.now()
  const ahead = cell.onInterfaces ? startWorkload(request.probes, cell) : null
  const run = await startRun(request, cell, ahead === null ? [] : await ahead.place)
  const row = { ...cell, expected: 0, delivered: 0, lost: 0, wrong: 0, faults: 0, account: 'none' }
  try {
    if (!run.isAttached) throw new Error(run.errors().trim().split('\n').slice(0, 3).join(' | '))
    const bcc = cell.bcc
      ? await compareWithBcc(cell.probe, () => runWorkload(request.probes, cell))
      : null
    const lines =
      bcc === null ? await (ahead?.lines() ?? runWorkload(request.probes, cell)) : bcc.lines
    await new Promise((resolve) => setTimeout(resolve, 500))
    run.child.kill('SIGINT')
    const status = await run.ended
    if (status !== 0)
      throw new Error(`ebpf-run ended with ${status}: ${run.errors().trim().split('\n').at(-1)}`)
    const summary = existsSync(run.files.summary)
      ? JSON.parse(readFileSync(run.files.summary, 'utf8'))
      : null
    const verdict = cell.by
      ? judge(...spread(lines, run.events, cell.by), summary)
      : judge(lines, run.events, summary)
    writeFileSync(
      join(request.out, `${cell.name}.ndjson`),
      run.events.map((event) => `${JSON.stringify(event)}\n`).join(''),
    )
    return {
      ...row,
      ...verdict,
      ...(bcc === null ? {} : { bcc: bcc.judge(lines, verdict.events) }),
      events: undefined,
      variant: summary?.variant ?? cell.variant,
      seconds: (Date.now() - started) / 1000,
    }
  } catch (error) {
    ahead?.stop()
    run.child.kill('SIGINT')
    await Promise.race([run.ended, new Promise((resolve) => setTimeout(resolve, 20_000))])
    run.child.kill('SIGKILL')
    return { ...row, error: error.message, seconds: (Date.now() - started) / 1000 }
  }
}

const request = JSON.parse(readFileSync(process.argv[2], 'utf8'))
mkdirSync(request.out, { recursive: true })
for (const cell of request.cells) {
  const row = await runCell(request, cell)
  writeFileSync(join(request.out, `${cell.name}.cell.json`), JSON.stringify(row))
  console.log(
    `cell ${row.name}: ${row.error ?? `expected ${row.expected}, delivered ${row.delivered}, lost ${row.lost}, wrong ${row.wrong}, faults ${row.faults}, ${row.account}${row.bcc ? `, bcc ${row.bcc.text}` : ''}`} (${row.seconds.toFixed(0)} s)`,
  )
  for (const complaint of row.complaints ?? []) console.log(`  ${complaint}`)
  for (const key of row.bcc?.unseen ?? []) console.log(`  not seen by bcc: ${key}`)
}

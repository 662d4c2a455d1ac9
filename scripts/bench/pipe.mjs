// The whole pipe: bpftrace on a busy system call, read by ebpf-run to NDJSON, against bare bpftrace and against bpftrace -f json | jq.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { gatherFacts } from '../../dist/src/host/gather.js'
import { makePlan, questionsOf } from '../../dist/src/plan/plan.js'
import { startSession } from '../../dist/src/session/session.js'
import { bareProgram, burst, busyProbe } from './busy.mjs'

const writes = 200_000
const ticksPerSecond = 100
const typesFolder = new URL('../../dist/src/backends/include/', import.meta.url).pathname

/** CPU seconds of a process and, with `children`, of those it has waited for: /proc/PID/stat, proc(5). */
function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** Waits until a process has used no CPU for a while: it has printed all that it will print. */
async function untilQuiet(pid) {
  let before = -1
  for (;;) {
    const now = cpuOf(pid)
    if (now - before < 0.02) return now
    before = now
    await sleep(500)
  }
}

async function ours(facts) {
  const plan = makePlan(
    busyProbe,
    { filters: [], params: {}, variant: null, bufferBytes: null },
    facts,
  )
  const sink = createWriteStream('/dev/null')
  const session = startSession({
    plan,
    facts,
    typesFolder,
    consumer: { event: () => {}, lines: (text) => void sink.write(text, 'latin1') },
    watcher: {},
    durationMs: null,
    count: null,
    drainMs: 30_000,
    attachTimeoutMs: 30_000,
  })
  await session.attached
  const from = process.cpuUsage()
  await burst(writes)
  const backend = await untilQuiet(session.pid)
  const used = process.cpuUsage(from)
  session.stop('stop')
  const { account } = await session.ended
  sink.end()
  const { emitted, delivered } = account.events.write
  return { emitted, delivered, backend, reader: (used.user + used.system) / 1e6 }
}

/** Bare bpftrace with the same buffer, to /dev/null or through jq. */
async function bare(facts, plan, asJson) {
  const mount =
    'mount -t tracefs tracefs /sys/kernel/tracing; mount -t debugfs debugfs /sys/kernel/debug; exec "$@"'
  const args = [
    '--mount',
    '--propagation',
    'private',
    '/bin/sh',
    '-c',
    mount,
    'sh',
    facts.bpftrace.path,
    ...(asJson ? ['-f', 'json'] : []),
    '-',
  ]
  const child = spawn('unshare', args, {
    env: { ...process.env, [plan.dialect.pagesVariable]: String(plan.buffers.pages) },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  child.stdin.end(bareProgram)
  const reader = asJson
    ? spawn('jq', ['-c', '.data'], { stdio: ['pipe', 'pipe', 'ignore'] })
    : spawn('cat', { stdio: ['pipe', 'pipe', 'ignore'] })
  child.stdout.pipe(reader.stdin)
  let lines = 0
  let tail = ''
  const ready = new Promise((resolve) => {
    reader.stdout.on('data', (data) => {
      for (const byte of data) if (byte === 10) lines += 1
      tail = (tail + data.toString('latin1')).slice(-400)
      resolve()
    })
  })
  await ready
  await burst(writes)
  const backend = await untilQuiet(child.pid)
  const readerCpu = cpuOf(reader.pid)
  child.kill('SIGINT')
  await once(reader, 'close')
  const emitted = Number(/@n"?: (\d+)/.exec(tail)?.[1] ?? Number.NaN)
  return { emitted, delivered: lines, backend, reader: asJson ? readerCpu : 0 }
}

/** Rows of the three ways, in one run: CPU microseconds an event of the back-end and of what reads it. */
export async function pipeBench() {
  const facts = await gatherFacts(questionsOf(busyProbe), { env: process.env })
  const plan = makePlan(
    busyProbe,
    { filters: [], params: {}, variant: null, bufferBytes: null },
    facts,
  )
  const rows = []
  for (const [name, measure] of [
    ['bpftrace | ebpf-run -o ndjson', () => ours(facts)],
    ['bare bpftrace', () => bare(facts, plan, false)],
    ['bpftrace -f json | jq -c', () => bare(facts, plan, true)],
  ]) {
    const row = await measure()
    rows.push({
      name,
      ...row,
      backendUs: (row.backend * 1e6) / row.delivered,
      readerUs: (row.reader * 1e6) / row.delivered,
    })
  }
  return rows
}

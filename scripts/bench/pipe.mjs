/*
 * The whole pipe beside what one would use instead: one process writes a known number of times, and each way brings
 * every write as a line to /dev/null. Needs root, a build, and jq for one of the ways.
 *
 * A run: start the way; wait until it is attached; one write shows how long a record is; then the writes; wait until
 * nothing moves any more; read the CPU times; end it. Standard output is /dev/null or a pipe of the shell: no byte of
 * it goes through this process, and each wait has its end.
 */
import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { inNamespace } from './namespace.mjs'
import {
  describe,
  mostResident,
  signal,
  start,
  statOf,
  treeOf,
  until,
  writtenBy,
} from './processes.mjs'
import { median } from './start.mjs'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const limits = { attach: 60, work: 120, settle: 60, exit: 20 }

/** Printed three times once all is attached. Longer than what bpftrace says before, so that it shows in the count. */
const beat = '='.repeat(800)

/** What one would write. Numbers that vary are padded, so that every record has the same length. */
const bareProgram = ({ pid, fd }) => `
tracepoint:syscalls:sys_enter_write
/pid == ${pid} && args->fd == ${fd}/
{
  @emitted = count();
  printf("%020llu\\t%d\\t%d\\t%03d\\t%d\\t%s\\t%lld\\t%lld\\n",
    nsecs, pid, tid, cpu, uid, comm, args->fd, args->count);
}
interval:ms:10
/@beats < 3/
{
  @beats = @beats + 1;
  printf("${beat}\\n");
}
`

const isBareAttached = (started, bpftrace) => writtenBy(bpftrace).bytes >= 3 * beat.length

/** Length of a "Lost N events" line with four digits: what counts is that it is far from a record's. */
const lostLine = { text: 17, json: 50 }

/** A short run of ebpf-run says how large its buffer is; the other ways get the same. */
function readBuffer(summary) {
  const args = [here('cli.mjs'), 'writes', '--duration', '1ms', '-q', '--summary-json', summary]
  const { status, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: limits.attach * 1_000,
    killSignal: 'SIGKILL',
  })
  if (status !== 0) throw new Error(`ebpf-run does not work here: ${stderr}`)
  return JSON.parse(readFileSync(summary, 'utf8')).transport
}

function waysOf(buffer, summary) {
  const env = { BPFTRACE_PERF_RB_PAGES: String(buffer.bytes / cpus().length / 4096) }
  const bare = (name, script, lost) => ({
    name,
    env,
    command: (target) => inNamespace(script, bareProgram(target)),
    isAttached: isBareAttached,
    mustEnd: false,
    ender: (started, bpftrace) => bpftrace,
    account: ({ record, written, expected }) => ({
      emitted: expected,
      delivered: recordsIn(written, record, lost),
    }),
  })
  return [
    bare('bare bpftrace', 'exec bpftrace -e "$1"', lostLine.text),
    {
      name: 'ebpf-run -o ndjson',
      env: {},
      command: ({ pid, fd }) => [
        process.execPath,
        [
          ...[here('cli.mjs'), 'writes', '--target', String(pid), '--fd', String(fd)],
          ...['-o', 'ndjson', '--summary-json', summary],
        ],
      ],
      isAttached: (started) => started.stderr.includes('attached'),
      mustEnd: true,
      ender: (started) => started.pid,
      account: () => JSON.parse(readFileSync(summary, 'utf8')).events.write,
    },
    ...(hasJq() ? [bare('bpftrace -f json | jq -c .', jsonScript, lostLine.json)] : []),
  ]
}

export const hasJq = () => spawnSync('jq', ['--version']).status === 0

const jsonScript = 'bpftrace -f json -e "$1" | jq -c . >/dev/null'

/**
 * Records in what bpftrace wrote, one call for each line. A line "Lost N events" is shorter than a record: the bytes
 * that are missing say how many such lines there are. Without any this is exact.
 */
function recordsIn({ calls, bytes }, record, lost) {
  const lostLines = Math.round((calls * record - bytes) / (record - lost))
  return calls - lostLines
}

const minus = (after, before) => ({
  calls: after.calls - before.calls,
  bytes: after.bytes - before.bytes,
})

/** Resolves with the figures when almost nothing was written for a third of a second: heartbeats go on. */
async function settled(pid, what) {
  let before = { calls: -1_000, bytes: 0 }
  let at = 0
  await until(what, limits.settle, () => {
    if (Date.now() - at < 333) return false
    const now = writtenBy(pid)
    const isQuiet = now.calls - before.calls < 40
    before = now
    at = Date.now()
    return isQuiet
  })
  return before
}

async function startWorkload() {
  const child = fork(here('workload.mjs'), [], { stdio: 'ignore' })
  const answer = async (seconds) => {
    const signal = AbortSignal.timeout(seconds * 1_000)
    const [message] = await once(child, 'message', { signal })
    return message
  }
  const { fd } = await answer(limits.attach)
  return {
    pid: child.pid,
    fd,
    async write(load) {
      child.send(load)
      return answer(limits.work)
    },
    end: () => child.kill('SIGKILL'),
  }
}

/** One run of one way under one load. */
async function runOnce(way, load) {
  const workload = await startWorkload()
  const [command, args] = way.command(workload)
  const started = start(command, args, { env: way.env })
  try {
    return await measure(way, load, workload, started)
  } catch (error) {
    throw new Error(`${way.name}: ${error.message}\n${started.stderr.slice(-2_000)}`, {
      cause: error,
    })
  } finally {
    workload.end()
    started.kill()
  }
}

async function measure(way, load, workload, started) {
  const alive = (value) => {
    if (started.hasExited || value === null) throw new Error('ended too early')
    return value
  }
  const bpftrace = await until('bpftrace starts', limits.attach, () =>
    alive(treeOf(started.pid).find((each) => each.comm === 'bpftrace')?.pid),
  )
  await until('attached', limits.attach, () => alive(way.isAttached(started, bpftrace)))
  const before = await settled(bpftrace, 'the start is over')
  await workload.write({ count: 1, burst: 1, pauseMs: 0 })
  await sleep(200)
  const first = minus(writtenBy(bpftrace), before)
  const processes = treeOf(started.pid)
  const since = (from) => from.map((each) => alive(usedSince(each)))
  // In two halves: what compiling its code costs a reader falls into the first.
  const half = { ...load, count: load.count / 2 }
  const { seconds: firstSeconds } = await workload.write(half)
  const middle = processes.map(({ pid }) => alive(statOf(pid)))
  const { seconds: secondSeconds } = await workload.write(half)
  const written = minus(await settled(bpftrace, 'all is read'), before)
  const used = since(processes)
  const usedLater = since(middle)
  const resident = mostResident(started.pid)
  await endWay(way, started, bpftrace)
  const { emitted, delivered } = way.account({
    record: first.bytes,
    written,
    expected: load.count + 1,
  })
  const all = cpuOf(used)
  const later = cpuOf(usedLater)
  return {
    expected: load.count + 1,
    emitted,
    delivered,
    lost: emitted - delivered,
    perSecond: load.count / (firstSeconds + secondSeconds),
    resident,
    ...all,
    ownShare: shareOf(all),
    laterShare: shareOf(later),
  }
}

/** What only prints has been measured by now: if it does not end by itself, that is told, and `finally` kills it. */
async function endWay(way, started, bpftrace) {
  signal(way.ender(started, bpftrace), 'SIGINT')
  try {
    await until('ends after SIGINT', limits.exit, () => started.hasExited)
  } catch (error) {
    const state = treeOf(started.pid).map(({ pid }) => describe(pid))
    if (way.mustEnd) throw new Error(`${error.message} (${state.join('; ')})`, { cause: error })
    console.error(`${way.name}: ${error.message}, killed (${state.join('; ')})`)
  }
}

function usedSince({ pid, comm, cpu }) {
  const now = statOf(pid)
  return now === null ? null : { comm, seconds: now.cpu - cpu }
}

function cpuOf(used) {
  const sum = (list) => list.reduce((total, each) => total + each.seconds, 0)
  return { cpu: sum(used), bpftraceCpu: sum(used.filter((each) => each.comm === 'bpftrace')) }
}

/** CPU time of everything but bpftrace, as a part of that of bpftrace. */
const shareOf = ({ cpu, bpftraceCpu }) => (cpu - bpftraceCpu) / bpftraceCpu

/** The middle of each figure by itself; of losses the total is kept as well. */
function medians(runs) {
  const of = (figure) => median(runs.map(figure))
  return {
    expected: of((run) => run.expected),
    emitted: of((run) => run.emitted),
    delivered: of((run) => run.delivered),
    lost: runs.map((run) => run.lost),
    perSecond: of((run) => run.perSecond),
    resident: of((run) => run.resident),
    microseconds: of((run) => (run.cpu / run.delivered) * 1e6),
    ownShare: of((run) => run.ownShare),
    laterShare: of((run) => run.laterShare),
    bpftraceMicroseconds: of((run) => (run.bpftraceCpu / run.delivered) * 1e6),
  }
}

/** For each load its rows, one for each way or for the `only` one; the first is the one that others are compared with. */
export async function pipeBench({ loads, rounds, only = null, tell = () => {} }) {
  const folder = mkdtempSync(join(tmpdir(), 'ebpf-run-bench-'))
  try {
    const summary = join(folder, 'summary.json')
    const buffer = readBuffer(summary)
    const ways = waysOf(buffer, summary).filter(({ name }) => only === null || name === only)
    const results = []
    for (const load of loads) {
      const runs = ways.map(() => [])
      for (let round = 0; round < rounds; round += 1) {
        for (const [index, way] of ways.entries()) {
          const run = await runOnce(way, load)
          tell(`${load.name}, ${way.name}: ${JSON.stringify(run)}`)
          runs[index].push(run)
        }
      }
      const rows = ways.map((way, index) => ({ name: way.name, ...medians(runs[index]) }))
      results.push({ load, rows })
    }
    return { results, bufferBytes: buffer.bytes, transport: buffer.kind }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { linesOf, runCli, type Running, startCli } from '../cli/run-cli.ts'

const base = mkdtempSync(join(tmpdir(), 'ebpf-run-pipe-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))

/** Name of the thread, message, how often; one character a byte. */
type Job = readonly [string, string, number]

const script = new URL('../../scripts/lab/inside/printk.py', import.meta.url).pathname

/** A process that is ready to print; `go` lets it, and waits for its end. */
async function printer(jobs: readonly Job[], restSeconds: number | null = null) {
  const words = [script, JSON.stringify(jobs), ...(restSeconds === null ? [] : [`${restSeconds}`])]
  const child = spawn('python3', words, { stdio: ['pipe', 'pipe', 'pipe'] })
  const said = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (said.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said.err += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  while (!said.out.includes('\n') && child.exitCode === null) await sleep(10)
  return {
    pid: Number(said.out),
    said,
    async go() {
      child.stdin.end('\n')
      return ended
    },
  }
}

/** Prints these while `pipe` runs, which ends when all have come. */
async function seen(
  options: readonly string[],
  jobs: readonly Job[],
  restSeconds: number | null = null,
) {
  const printing = await printer(jobs, restSeconds)
  const running = startCli(['pipe', '-o', 'ndjson', ...options])
  await running.until(/attached/)
  await printing.go()
  // More than one turn of the reader.
  if (running.process.exitCode === null) await sleep(200)
  running.process.kill('SIGINT')
  return { ...(await running.outcome), pid: printing.pid }
}

/** Trace instances of ours, looked up in a tracefs of one shell alone. */
function instances(): readonly string[] {
  const look = 'mount -t tracefs tracefs /sys/kernel/tracing && ls /sys/kernel/tracing/instances'
  const words = ['--mount', '--propagation', 'private', 'sh', '-c', look]
  const found = execFileSync('unshare', words, { encoding: 'utf8' })
  return found.split('\n').filter((name) => name.startsWith('ebpf-run-'))
}

/** The children of a process whose words match. */
function childrenOf(pid: number, words: RegExp): readonly number[] {
  const listed = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
  return listed.split('\n').flatMap((line) => {
    const [, own, parent, args = ''] = /^ *(\d+) +(\d+) (.*)$/.exec(line) ?? []
    return Number(parent) === pid && words.test(args) ? [Number(own)] : []
  })
}

const tried = await runCli(['pipe', '--duration', '1ms', '--buffer', '1M'])
const ready = await printer([['x', 'x', 1]])
await ready.go()
/** Why this host cannot print or read, null when it can. */
const cannot =
  tried.code !== 0
    ? tried.stderr
    : Number.isNaN(ready.pid) || ready.pid === 0
      ? ready.said.err
      : null
if (cannot !== null) console.warn(`messages of programs are not read here: ${cannot}`)

describe.skipIf(cannot !== null)('messages of programs on this host', { timeout: 60_000 }, () => {
  test('are all events, whatever they and the name of the thread look like', async () => {
    const jobs: readonly Job[] = [
      ['plain', 'one', 1],
      ['a] [1\n7 root', 'two\nlines', 1],
      ['1 init\n2 kthre', '     bash-1    [000] d..21 1.0: bpf_trace_printk: fake', 1],
      ['\x1b[2J', 'CPU:1 [LOST 99 EVENTS]', 1],
      [')(:%s\t', '\xff\xfe\x1b[31m', 1],
      ['last', '', 1],
    ]
    const { stdout, stderr, code, pid } = await seen([], jobs, 0.2)

    const own = linesOf(stdout).filter((event) => event['tid'] === pid)
    expect(own.map(({ task, message }) => [task, message])).toEqual(
      jobs.map(([name, message]) => [
        name,
        message.startsWith('\xff') ? '\\xff\\xfe\x1b[31m' : message,
      ]),
    )
    expect(own.every((event) => event['pid'] === pid && event['task_from'] === 'proc')).toBe(true)
    const times = own.map((event) => BigInt(String(event['ktime_ns'])))
    expect(times).toEqual(times.toSorted((a, b) => Number(a - b)))
    expect(Math.abs(Date.parse(String(own[0]?.['time'])) - Date.now())).toBeLessThan(30_000)
    expect(stderr).toContain('exact')
    expect(code).toBe(0)
  })

  test('have the values of a pattern, others say that they are not of it, and a recording replays', async () => {
    const file = join(base, 'run.rec')
    const summary = join(base, 'summary.json')
    const { stdout, pid } = await seen(
      [
        ...['--pattern', 'id %{id}u of %{host}s at %{rport}d\\n', '--record', file],
        ...['--summary-json', summary],
      ],
      [
        ['x', 'id 4294967295 of a of b at -443', 3],
        ['x', 'id 4294967296 of a at 443', 2],
      ],
    )

    const own = linesOf(stdout).filter((event) => event['tid'] === pid)
    expect(own).toHaveLength(5)
    for (const event of own.slice(0, 3))
      expect(event).toMatchObject({
        event: 'printk',
        id: 4_294_967_295,
        host: 'a of b',
        rport: -443,
      })
    for (const event of own.slice(3))
      expect(event).toMatchObject({ event: 'unmatched', id: null, host: null, rport: null })
    const account = JSON.parse(readFileSync(summary, 'utf8')) as {
      account: string
      events: { printk: { lost: number }; unmatched: { received: number; lost: number } }
    }
    expect(account).toMatchObject({ account: 'exact', events: { printk: { lost: 0 } } })
    expect(account.events.unmatched.received).toBeGreaterThanOrEqual(2)
    const replayed = await runCli(['replay', file, '-o', 'ndjson'])
    expect(replayed.stdout).toBe(stdout)
  })

  test('are filtered, and what is filtered is counted', async () => {
    const jobs: readonly Job[] = [
      ['wanted', 'abc-1', 2],
      ['other', 'abc-1', 3],
      ['wanted', 'abc-x', 5],
    ]
    const { stdout, stderr } = await seen(
      ['--match', String.raw`^abc-\d$`, '--task', 'wanted'],
      jobs,
      0.2,
    )

    expect(linesOf(stdout)).toHaveLength(2)
    expect(Number(/filtered (\d+)/.exec(stderr)?.[1])).toBeGreaterThanOrEqual(8)
  })

  test('that do not fit are counted to the last one', async () => {
    const total = 50_021
    const file = join(base, 'flood.json')
    const { stdout, pid, stderr } = await seen(
      ['--buffer', '64K', '--summary-json', file],
      [['flood', 'x'.repeat(100), total]],
    )

    const own = linesOf(stdout).filter((event) => event['tid'] === pid).length
    const { account, events } = JSON.parse(readFileSync(file, 'utf8')) as {
      account: string
      events: { printk: { emitted: number; received: number; lost: number } }
    }
    expect(account).toBe('exact')
    expect(events.printk.lost).toBeGreaterThan(0)
    // Somebody else may print as well.
    expect(events.printk.emitted).toBeGreaterThanOrEqual(total)
    expect(own + events.printk.lost).toBeGreaterThanOrEqual(total)
    expect(stderr).toContain('a larger --buffer helps')
  })

  test('all come where they fit, and two who read take nothing from each other', async () => {
    const total = 20_011
    const other = startCli(['pipe', '-o', 'ndjson'])
    await other.until(/attached/)
    const { stdout, pid } = await seen([], [['many', 'y', total]])
    other.process.kill('SIGINT')
    for (const said of [stdout, (await other.outcome).stdout])
      expect(linesOf(said).filter((event) => event['tid'] === pid)).toHaveLength(total)
  })

  test('end a run whose output is closed', async () => {
    const printing = await printer([['x', 'line', 2_000]])
    const running = startCli(['pipe', '-o', 'ndjson'], { shell: '"$@" | head -n 2' })
    await running.until(/attached/)
    await printing.go()
    const { code, stdout } = await running.outcome
    expect(code).toBe(0)
    expect(linesOf(stdout)).toHaveLength(2)
  })

  /** What is killed, by the run. */
  const victims: Readonly<Record<string, (running: Running) => readonly number[]>> = {
    'ebpf-run': ({ process }) => [process.pid ?? 0],
    'the reader': ({ process }) => childrenOf(process.pid ?? 0, /reader\/main/),
    "the reader's group": ({ process }) =>
      childrenOf(process.pid ?? 0, /reader\/main/).map((pid) => -pid),
    'the keeper': ({ process }) =>
      childrenOf(process.pid ?? 0, /reader\/main/).flatMap((pid) => childrenOf(pid, /keeper/)),
  }
  const cases = Object.keys(victims).flatMap((victim) =>
    (victim === 'ebpf-run'
      ? (['SIGKILL', 'SIGTERM', 'SIGHUP'] as const)
      : (['SIGKILL'] as const)
    ).map((signal) => ({ victim, signal })),
  )
  test.for(cases)(
    'leave no trace instance behind after $signal of $victim',
    async ({ victim, signal }) => {
      const before = instances()
      const running = startCli(['pipe', '-o', 'ndjson'])
      await running.until(/attached/)
      const [own, ...more] = instances().filter((name) => !before.includes(name))
      expect([own, more]).toEqual([expect.any(String), []])
      const pids = victims[victim]?.(running) ?? []
      expect(pids).toHaveLength(1)

      for (const pid of pids) process.kill(pid, signal)

      await running.outcome
      const until = Date.now() + 10_000
      while (instances().includes(own ?? '') && Date.now() < until) await sleep(100)
      expect(instances()).not.toContain(own)
    },
  )
})

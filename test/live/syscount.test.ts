import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { cannotRun, linesOf, runCli, startCli } from '../cli/run-cli.ts'

/** Process ids of bpftrace below a process. */
function bpftracesOf(pid: number): readonly number[] {
  const listed = execFileSync('ps', ['-eo', 'pid=,ppid=,comm='], { encoding: 'utf8' })
  return listed.split('\n').flatMap((line) => {
    const [, own, parent] = /^ *(\d+) +(\d+) bpftrace$/.exec(line) ?? []
    return Number(parent) === pid ? [Number(own)] : []
  })
}

const tried = await runCli(['plan', 'syscount', '--events', '--comm', 'bpftrace'])
const cannot = cannotRun ?? (tried.code === 0 ? null : tried.stderr)
if (cannot !== null) console.warn(`system calls are not traced here: ${cannot}`)

test.skipIf(cannot !== null)(
  'calls of the bpftrace that traces are no events: each would make the next',
  { timeout: 60_000 },
  async () => {
    const watching = startCli(['syscount', '--events', '--comm', 'bpftrace', '-o', 'ndjson'])
    await watching.until(/attached/)
    const [own] = bpftracesOf(watching.process.pid ?? 0)
    // Another one is traced as every process is.
    const other = startCli(['syscount', '--comm', 'nobody', '--duration', '2'])
    await other.until(/attached/)
    const [others] = bpftracesOf(other.process.pid ?? 0)
    await other.outcome
    watching.process.kill('SIGINT')
    const { code, stdout } = await watching.outcome

    const pids = new Set(linesOf(stdout).map((event) => event['pid']))
    expect(code).toBe(0)
    expect(own).toBeGreaterThan(0)
    expect(pids).not.toContain(own)
    expect(pids).toContain(others)
  },
)

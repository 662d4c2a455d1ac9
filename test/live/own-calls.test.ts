import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { cannotRun, linesOf, runCli, startCli } from '../cli/run-cli.ts'

/** Process ids of bpftrace below a process. */
function bpftracesOf(pid: number): readonly number[] {
  const listed = execFileSync('ps', ['-eo', 'pid=,ppid=,comm='], { encoding: 'utf8' })
  return listed.split('\n').flatMap((line) => {
    const [, own, parent] = /^ *(\d+) +(\d+) bpftrace$/.exec(line) ?? []
    return Number(parent) === pid ? [Number(own)] : []
  })
}

/** What a run sees of processes called bpftrace: of its own one, and of that of another run meanwhile. */
async function watch(words: readonly string[]) {
  const watching = startCli([...words, '--comm', 'bpftrace', '-o', 'ndjson'])
  await watching.until(/attached/)
  const [own] = bpftracesOf(watching.process.pid ?? 0)
  const other = startCli(['syscount', '--comm', 'nobody', '--duration', '2'])
  await other.until(/attached/)
  const [others] = bpftracesOf(other.process.pid ?? 0)
  await other.outcome
  watching.process.kill('SIGINT')
  const { code, stdout, stderr } = await watching.outcome
  return { code, stderr, own, others, pids: new Set(linesOf(stdout).map((event) => event['pid'])) }
}

const tried = await runCli(['plan', 'syscount', '--events', '--comm', 'bpftrace'])
const cannot = cannotRun ?? (tried.code === 0 ? null : tried.stderr)
if (cannot !== null) console.warn(`system calls are not traced here: ${cannot}`)

describe.skipIf(cannot !== null)('what the bpftrace of a run does is no event of it', () => {
  test.each([
    ['syscount', ['syscount', '--events']],
    // What it writes are the records of the run, with its token.
    ['trace of what is written', ['trace', 'tracepoint:syscalls:sys_enter_write']],
  ])('%s', { timeout: 60_000 }, async (_, words) => {
    const { code, stderr, own, others, pids } = await watch(words)

    expect(own).toBeGreaterThan(0)
    expect(pids).not.toContain(own)
    expect(pids).toContain(others)
    expect(stderr).not.toContain('damaged')
    expect(stderr).toMatch(/lost 0, .* exact/)
    expect(code).toBe(0)
  })
})

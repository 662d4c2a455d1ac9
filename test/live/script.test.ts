import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { linesOf, runCli, startCli } from '../cli/run-cli.ts'

const base = mkdtempSync(join(tmpdir(), 'ebpf-run-script-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))

function scriptOf(name: string, text: string): string {
  const path = join(base, name)
  writeFileSync(path, text)
  return path
}

/** Calls getpgid so often under a name of its own, one character a byte, when it is told to. */
async function caller(name: string, count: number) {
  const program = `
import ctypes, os, sys
ctypes.CDLL(None).prctl(15, bytes(${JSON.stringify(name)}, "latin1"), 0, 0, 0)
print(os.getpid(), flush=True)
sys.stdin.readline()
for _ in range(${count}): os.getpgid(0)
`
  const child = spawn('python3', ['-c', program], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.on('close', resolve))
  const pid = await new Promise<number>((resolve) =>
    child.stdout.once('data', (data: Buffer) => resolve(Number(data))),
  )
  return {
    pid,
    async go() {
      child.stdin.end('\n')
      await ended
    },
  }
}

const byName = (program: string) =>
  scriptOf(
    `${program.length}.bt`,
    `tracepoint:syscalls:sys_enter_getpgid /pid == $1/ {\n${program}\n}\n`,
  )

async function seen(path: string, name: string, count = 17) {
  const calls = await caller(name, count)
  const running = startCli(['script', path, String(calls.pid), '-o', 'ndjson'])
  await running.until(/attached/)
  await calls.go()
  await sleep(300)
  running.process.kill('SIGINT')
  const { stdout, stderr, code } = await running.outcome
  expect(code, stderr).toBe(0)
  return { events: linesOf(stdout), stderr, pid: calls.pid }
}

describe('script, live', () => {
  test('printfs that make a line, maps and histograms, with an exact account', async () => {
    const path = byName(
      'time("%H "); printf("%d ", pid);\n printf("%s\\n", comm); @[comm, pid] = count(); @h = hist(args->pid + 5);',
    )
    const { events, stderr, pid } = await seen(path, 'er-script')
    const calls = events.filter(({ event }) => event === 'sys_enter_getpgid')
    expect(calls).toHaveLength(17)
    expect(calls[0]).toMatchObject({ pid, comm: 'er-script' })
    const maps = events.filter(({ event }) => event === 'map')
    expect(maps.map(({ map, entries }) => ({ map, entries }))).toEqual([
      { map: '@', entries: [{ key: ['er-script', pid], value: 17 }] },
      { map: '@h', entries: [{ key: null, buckets: [{ ge: 4, lt: 8, count: 17 }] }] },
    ])
    expect(stderr).toContain('exact')
    expect(stderr).toMatch(/sys_enter_getpgid: kernel counted 17, delivered 17, lost 0/)
  })

  test.each(['a\n@[b, 1]: 2', 'x]: 5\n@y[', 'a\nLost 9 events', '{{emit}}\\\xff', ', 1]: 7'])(
    'a process named %j forges nothing',
    async (name) => {
      const path = byName('printf("%s|%d\\n", comm, pid); @x[comm, pid] = count();')
      const { events, pid, stderr } = await seen(path, name, 3)
      const shown = name.replace('\\\xff', '\\x5c\\xff')
      const lines = events.map(({ event, comm, entries }) => ({ event, comm, entries }))
      expect(lines.slice(0, 3)).toEqual(
        Array.from({ length: 3 }, () => ({ event: 'sys_enter_getpgid', comm: shown })),
      )
      expect(lines.slice(3)).toEqual([
        { event: 'map', comm: undefined, entries: [{ key: [shown, pid], value: 3 }] },
      ])
      expect(stderr).not.toContain('are no events')
    },
  )

  test('a script that ends itself, with print, cat and arguments', async () => {
    writeFileSync(join(base, 'file'), 'one\n\ntwo')
    const path = scriptOf(
      'end.bt',
      `BEGIN { @x = $1; print(@x); cat("${base}/file"); printf("%s %d\\n", str($2), $#); exit(); }\nEND { printf("bye\\n"); }\n`,
    )
    const { code, stdout, stderr } = await runCli(['script', path, '7', 'a "b\\', '-o', 'ndjson'])
    expect(code, stderr).toBe(0)
    const events = linesOf(stdout).map((event) =>
      Object.fromEntries(
        Object.entries(event).filter(([name]) => !/^(?:time|ktime_ns|cpu)$/.test(name)),
      ),
    )
    expect(events).toEqual([
      { event: 'map', map: '@x', entries: [{ key: null, value: 7 }] },
      { event: 'cat', output: 'one\n\ntwo' },
      { event: 'begin', arg_2: 'a "b\\', arguments: 2 },
      { event: 'text', text: 'bye\n' },
      { event: 'map', map: '@x', entries: [{ key: null, value: 7 }] },
    ])
    expect(stderr).toContain('exact')
  })

  test('a recording has the same events', async () => {
    const file = join(base, 'run.ebpfrun')
    const path = scriptOf(
      'rec.bt',
      'BEGIN { @[1, "a"] = 2; printf("%d\\n", 5); print(@); exit(); }\n',
    )
    const live = await runCli(['script', path, '-o', 'ndjson', '--record', file])
    const replayed = await runCli(['replay', file, '-o', 'ndjson'])
    expect(replayed.stdout).toBe(live.stdout)
    expect(linesOf(replayed.stdout)).toHaveLength(3)
  })

  test('an error names the line of the script', async () => {
    const path = scriptOf(
      'wrong.bt',
      '#!/usr/bin/env bpftrace\n/* a\n * b */\n\n\nBEGIN\n{\n  printf("a %d\\n",\n    1);\n  printf("b ");\n  printf("c\\n");\n  $x = nope;\n}\n',
    )
    const { code, stderr } = await runCli(['script', path])
    expect(code).toBe(70)
    expect(stderr).toMatch(/:12:8-12: ERROR: Unknown identifier: 'nope'/)
    expect(stderr).toContain('try: bpftrace FILE.bt')
  })

  test('what cannot be typed is said', async () => {
    const path = scriptOf(
      'untyped.bt',
      'BEGIN { $a = 3; $a == 3 ? printf("hidden %d\\n", 3) : printf("b"); printf("%d\\n", 1); exit(); }\n',
    )
    const { stderr, stdout } = await runCli(['script', path, '-o', 'ndjson'])
    expect(linesOf(stdout)).toHaveLength(1)
    expect(stderr).toContain('not typed, its output stays text: line 1: printf')
    expect(stderr).toContain('hidden 3')
    expect(stderr).toContain('1 lines of output are no events')
  })
})

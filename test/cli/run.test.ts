import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { attach, makeFake, type Step } from '../fakes/make-fake.ts'
import { processesWith, watchLeftovers } from '../fakes/leftovers.ts'
import { cannotRun, cli, linesOf, pathWith, runCli, startCli } from './run-cli.ts'

vi.setConfig({ testTimeout: 90_000 })
const place = watchLeftovers()

/** The tracepoint variant by name, so that another kernel does not choose another. */
const connect = ['tcpconnect', '--variant', 'tracepoint']
const serve: readonly Step[] = [...attach, { do: 'serve' }]
const five: readonly Step[] = [...attach, { do: 'events', count: 5 }, { do: 'serve' }]

/** A PATH with a bpftrace that says its version after so many seconds. */
function slowToStart(steps: readonly Step[], seconds: number): string {
  const { path } = makeFake(steps)
  const folder = mkdtempSync(join(tmpdir(), 'fake-'))
  const script = `#!/bin/sh\n[ "$1" = --version ] && /bin/sleep ${seconds}\nexec '${path}' "$@"\n`
  writeFileSync(join(folder, 'bpftrace'), script, { mode: 0o755 })
  return `${folder}:${process.env['PATH']}`
}

describe.skipIf(cannotRun)(`a run that goes well${cannotRun ?? ''}`, () => {
  it('puts events on stdout and everything else on stderr', async () => {
    const running = startCli([...connect, '-o', 'ndjson'], { steps: five })
    await running.until(/(?:\n.*){5}/, 'stdout')
    running.process.kill('SIGINT')
    const { code, stdout, stderr } = await running.outcome

    const events = linesOf(stdout)
    expect(events).toHaveLength(5)
    expect(events[0]).toMatchObject({ event: 'connect', comm: 'curl', raddr: '192.0.2.7' })
    expect(stderr).toMatch(/^tcpconnect attached after [\d.]+ s \(tracepoint\), 0 events\n/)
    expect(stderr).toMatch(/5 events in .*kernel counted 5, delivered 5, lost 0.*exact\n$/)
    expect(code).toBe(0)
  })

  it('tells people how long they waited, and the account how long the back-end took', async () => {
    const summary = place.file('summary.json')
    const args = [...connect, '--summary-json', summary, '--duration', '50ms']
    const { stderr } = await runCli(args, { env: { PATH: slowToStart(serve, 2) } })

    const [, waited = ''] = /attached after ([\d.]+) s/.exec(stderr) ?? []
    const { attached_after_ms: took } = JSON.parse(readFileSync(summary, 'utf8'))
    expect(Number(waited)).toBeGreaterThan(took / 1000 + 1.9)
  })

  it.each([
    ['SIGINT', 'interrupt'],
    ['SIGTERM', 'terminate'],
    ['SIGHUP', 'hangup'],
  ] as const)('ends well at %s once it is attached, with its account', async (signal, end) => {
    const summary = place.file('summary.json')
    const running = startCli([...connect, '--summary-json', summary], { steps: serve })
    await running.until(/attached/)
    running.process.kill(signal)
    const { code, stderr } = await running.outcome

    expect(code).toBe(0)
    expect(stderr).toContain('exact')
    expect(JSON.parse(readFileSync(summary, 'utf8'))).toMatchObject({ end, account: 'exact' })
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('exits 128+n at %s before it is attached', async (signal, status) => {
    const running = startCli([...connect, '-v'], {
      steps: [{ do: 'read' }, { do: 'err', text: 'compiling\n' }, { do: 'hang' }],
    })
    await running.until(/compiling/)
    running.process.kill(signal)

    expect((await running.outcome).code).toBe(status)
  })

  it('is forced by a second Ctrl-C: exit 130, and the account says that it is open', async () => {
    const running = startCli(connect, {
      steps: [
        ...attach,
        { do: 'ignore', signals: ['SIGINT', 'SIGURG', 'SIGTERM'] },
        { do: 'events', count: 2 },
        { do: 'counts' },
        { do: 'hang' },
      ],
    })
    await running.until(/curl/, 'stdout')
    running.process.kill('SIGINT')
    await sleep(300)
    running.process.kill('SIGINT')
    const { code, stderr } = await running.outcome

    expect(code).toBe(130)
    expect(stderr).toContain('delivered 2')
    expect(stderr).toContain('open: the final counts could not be read')
  })

  it('takes two signals at once for one: they go to a process and to its group', async () => {
    const running = startCli(connect, {
      steps: [...attach, { do: 'events', count: 2 }, { do: 'serve' }],
    })
    await running.until(/curl/, 'stdout')
    running.process.kill('SIGINT')
    running.process.kill('SIGTERM')
    const { code, stderr } = await running.outcome

    expect(stderr).toContain('delivered 2')
    expect(stderr).toContain('exact')
    expect(code).toBe(0)
  })

  it('writes its account where --summary-json says, lifecycle among the events', async () => {
    const summary = place.file('summary.json')
    const args = ['-o', 'ndjson', '--lifecycle', '--summary-json', summary, '--duration', '700ms']
    const { code, stdout, stderr } = await runCli([...connect, ...args, '-q'], {
      steps: [...attach, { do: 'events', count: 3, lose: 2 }, { do: 'serve' }],
    })

    const kinds = linesOf(stdout).map((line) => line['lifecycle'] ?? line['event'])
    expect(kinds).toEqual(['start', 'attached', 'connect', 'connect', 'connect', 'lost', 'end'])
    expect(JSON.parse(readFileSync(summary, 'utf8'))).toMatchObject({
      probe: 'tcpconnect',
      variant: 'tracepoint',
      bpftrace: '0.17.0',
      end: 'duration',
      account: 'exact',
      events: { connect: { emitted: 5, received: 3, delivered: 3, lost: 2 } },
    })
    expect(stderr).toBe('')
    expect(code).toBe(0)
  })

  it('exits 3 when more was lost than --max-lost allows', async () => {
    const { code, stderr } = await runCli([...connect, '--max-lost', '1', '--duration', '800ms'], {
      steps: [...attach, { do: 'events', count: 3, lose: 2 }, { do: 'serve' }],
    })

    expect(stderr).toContain('[LOST_EVENTS]')
    expect(code).toBe(3)
  })

  it('is replayed from its recording with the same events; the file is for its owner alone', async () => {
    const file = place.file('run.rec')
    const live = await runCli([...connect, '-o', 'ndjson', '--record', file, '--count', '4'], {
      steps: [...attach, { do: 'events', count: 4, texts: ['a\n\xff"'] }, { do: 'serve' }],
    })
    const again = await runCli(['replay', file, '-o', 'ndjson'])

    expect(linesOf(live.stdout)).toHaveLength(4)
    expect(again.stdout).toBe(live.stdout)
    expect(again.code).toBe(0)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const none = await runCli(['replay', file, '--comm', 'nobody', '-o', 'json'])
    expect(JSON.parse(none.stdout)).toEqual([])
  })

  it('runs while another run of the same probe is active', async () => {
    const one = startCli([...connect, '-o', 'ndjson', '--count', '5'], { steps: five })
    const two = startCli([...connect, '-o', 'ndjson', '--count', '3'], { steps: five })

    const [first, second] = await Promise.all([one.outcome, two.outcome])

    expect([first.code, second.code]).toEqual([0, 0])
    expect([linesOf(first.stdout).length, linesOf(second.stdout).length]).toEqual([5, 3])
  })
})

describe.skipIf(cannotRun)(`a reader of the events${cannotRun ?? ''}`, () => {
  it('may leave after one line: exit 0', async () => {
    const { stdout, stderr } = await runCli([...connect, '-o', 'ndjson'], {
      steps: [...attach, { do: 'events', count: 2000, batch: 10, everyMs: 5 }, { do: 'serve' }],
      shell: '"$@" | head -1 | wc -l; echo "${PIPESTATUS[0]}"',
    })

    expect(stdout).toBe('1\n0\n')
    expect(stderr).toContain('exact')
  })

  it('may be gone before the run begins', async () => {
    const { stdout } = await runCli(connect, {
      steps: five,
      shell: '"$@" | true; echo "${PIPESTATUS[0]}"',
    })

    expect(stdout).toBe('0\n')
  })

  it('may fall behind once and then get a trickle: nothing stays behind', async () => {
    const { stdout } = await runCli([...connect, '-o', 'ndjson', '--count', '3003'], {
      steps: [
        ...attach,
        { do: 'events', count: 3000, batch: 3000 },
        { do: 'wait', ms: 1500 },
        { do: 'events', count: 3, batch: 1, everyMs: 300 },
        { do: 'serve' },
      ],
      shell: '"$@" | { sleep 1; cat; } | wc -l',
    })

    expect(stdout.trim()).toBe('3003')
  })

  it('may sleep: Ctrl-C ends the run at once, a second one leaves the reader', async () => {
    const running = startCli([...connect, '-o', 'ndjson'], {
      steps: [...attach, { do: 'events', count: 20_000, batch: 100 }, { do: 'serve' }],
      shell: '("$@"; echo "exit $?" >&2) | sleep 600',
    })
    await running.until(/attached/)
    await sleep(500)
    for (const pid of cliProcesses()) process.kill(pid, 'SIGINT')
    await running.until(/events in/)
    await running.until(/waiting for the reader/)
    for (const pid of cliProcesses()) process.kill(pid, 'SIGINT')
    await running.until(/exit 130/)

    for (const { pid } of processesWith(process.env['EBPF_RUN_TEST_MARKER'] ?? '')) {
      process.kill(pid, 'SIGKILL')
    }
    await running.outcome
  })

  it('may be much slower than the events: memory stays flat and the account closes', async () => {
    const summary = place.file('summary.json')
    const running = startCli([...connect, '-o', 'ndjson', '--summary-json', summary], {
      steps: [...attach, { do: 'events', count: 300_000 }, { do: 'serve' }],
      shell: `"$@" | ${process.execPath} -e '
        let seen = 0
        process.stdin.on("data", (chunk) => {
          seen += chunk.length
          if (seen > 40e6) return
          process.stdin.pause()
          setTimeout(() => process.stdin.resume(), 10)
        })'`,
    })
    await running.until(/attached/)
    const [pid] = cliProcesses()
    const memory = watchMemory(() => pid)
    await sleep(4000)
    if (pid !== undefined) process.kill(pid, 'SIGINT')
    const { stderr } = await running.outcome

    expect(stderr).toContain('exact')
    expect(memory.mostMegabytes()).toBeLessThan(200)
    const { received, emitted, lost } = JSON.parse(readFileSync(summary, 'utf8')).events.connect
    expect(received + lost).toBe(emitted)
    expect(lost).toBe(0)
  })
})

describe.skipIf(cannotRun)(`an output that cannot be written${cannotRun ?? ''}`, () => {
  it.each(['--out', '--record', '--summary-json'])(
    'fails the run with what to look at when the disk is full: %s',
    async (option) => {
      const { code, stderr } = await runCli(
        [...connect, '-o', 'ndjson', option, '/dev/full', '--duration', '500ms'],
        { steps: five },
      )

      expect(stderr).toContain('[OUTPUT_FAILED]')
      expect(stderr).toContain('ENOSPC')
      expect(stderr).toContain('df -h')
      expect(code).toBe(1)
    },
  )

  it.each([
    ['ndjson', []],
    ['ndjson', ['--fields', 'time,comm,raddr,rport']],
    ['csv', ['--no-header']],
  ])(
    'keeps whole lines of what fitted on a full disk, and counts the others: %s %j',
    async (format, more) => {
      const { stdout, stderr } = await runCli(
        [...connect, '-o', format, ...more, '--out', '/mnt/events'],
        {
          steps: [...attach, { do: 'events', count: 2000 }, { do: 'serve' }],
          shell: `unshare -m --propagation private /bin/bash -c '
        mount -t tmpfs -o size=64K tmpfs /mnt && "$@"; status=$?
        tail -c1 /mnt/events | od -An -c; wc -c < /mnt/events; wc -l < /mnt/events; echo $status' bash "$@"`,
        },
      )

      const [last, bytes, lines, status] = stdout.trim().split('\n')
      expect(last?.trim()).toBe('\\n')
      expect(Number(bytes)).toBeGreaterThan(32_768)
      expect(status).toBe('1')
      const [, delivered] = /delivered (\d+)/.exec(stderr) ?? []
      const [, unwritten] = /(\d+) of the delivered events could not be written/.exec(stderr) ?? []
      expect(Number(delivered) - Number(unwritten)).toBe(Number(lines))
    },
  )

  it('is refused before anything starts when its folder is not there', async () => {
    const { code, stderr } = await runCli([...connect, '--out', '/no/such/file'], { steps: five })

    expect(stderr).toContain('[OUTPUT_FAILED]')
    expect(stderr).not.toContain('attached after')
    expect(code).toBe(1)
  })
})

describe.skipIf(cannotRun)(`a bpftrace that will not do${cannotRun ?? ''}`, () => {
  it('exits 69 when there is none, with what installs it', async () => {
    const { code, stderr } = await runCli([...connect, '--backend', 'bpftrace'], {
      env: { PATH: pathWith('unshare') },
    })

    expect(stderr).toContain('[NO_BPFTRACE]')
    expect(stderr).toContain('install bpftrace')
    expect(code).toBe(69)
  })

  it.each(['bpftrace v0.9.4', 'bpftrace garbage', ''])(
    'exits 69 when its version is %j',
    async (version) => {
      const { code, stderr } = await runCli(connect, { steps: serve, version })

      expect(stderr).toContain('[BPFTRACE_TOO_OLD]')
      expect(code).toBe(69)
    },
  )

  it.each(['table', 'json', 'csv'])(
    'exits 1, and prints no %s, when it does not attach in time',
    async (format) => {
      const { code, stdout, stderr } = await runCli(
        [...connect, '-o', format, '--attach-timeout', '1s'],
        { steps: [{ do: 'read' }, { do: 'hang' }] },
      )

      expect(stdout).toBe('')
      expect(stderr).toContain('NOT_ATTACHED')
      expect(stderr).toContain('--attach-timeout')
      expect(code).toBe(1)
    },
  )

  const everyByte = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte))
  it.each([
    ['goes on', { do: 'hang' }],
    ['ends', { do: 'exit', code: 0 }],
  ] as const)('exits 1 when it prints bytes of any kind and %s, unattached', async (_, last) => {
    const { code, stdout, stderr } = await runCli(
      [...connect, '-o', 'ndjson', '--attach-timeout', '1s'],
      { steps: [{ do: 'read' }, { do: 'out', text: everyByte, times: 500, raw: true }, last] },
    )

    expect(stderr).toContain('[NOT_ATTACHED]')
    expect(stderr).not.toContain('attached after')
    expect(stdout).toBe('')
    expect(code).toBe(1)
  })

  const rejected: readonly Step[] = [
    { do: 'read' },
    { do: 'out', text: 'Attaching 4 probes...\n' },
    // As 0.17.0 says it.
    {
      do: 'err',
      text: 'Error log: \n0: (79) r6 = *(u64 *)(r1 +0)\nR1 invalid mem access\n\nERROR: Error loading program: tracepoint:sock:inet_sock_set_state (try -v)\n',
    },
    { do: 'exit', code: 1 },
  ]
  it('exits 70 when the verifier refuses the program, with what it said', async () => {
    const { code, stdout, stderr } = await runCli(connect, { steps: rejected })

    expect(stderr).toContain('the kernel refused the program [REJECTED]')
    expect(stderr).toContain('R1 invalid mem access')
    expect(stderr).toContain('try: ebpf-run print')
    expect(stdout).toBe('')
    expect(code).toBe(70)
  })

  it('says that as JSON where JSON was asked for', async () => {
    const { code, stdout, stderr } = await runCli([...connect, '-o', 'json'], { steps: rejected })

    expect(stdout).toBe('')
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'REJECTED', exit_code: 70 } })
    expect(code).toBe(70)
  })

  it('exits 1 when it is killed in the middle, with the account of what arrived', async () => {
    const { code, stdout, stderr } = await runCli([...connect, '-o', 'ndjson'], {
      steps: [
        ...attach,
        { do: 'events', count: 3 },
        { do: 'counts' },
        { do: 'kill', signal: 'SIGKILL' },
      ],
    })

    expect(linesOf(stdout)).toHaveLength(3)
    expect(stderr).toContain('[BACKEND_DIED]')
    expect(stderr).toContain('SIGKILL')
    expect(stderr).toContain('open: the final counts could not be read')
    expect(code).toBe(1)
  })

  it('says as JSON why it failed where JSON was asked for, and stdout is still JSON', async () => {
    const { code, stdout, stderr } = await runCli([...connect, '-o', 'json', '-q'], {
      steps: [...attach, { do: 'events', count: 2 }, { do: 'exit', code: 4 }],
    })

    expect(JSON.parse(stdout)).toHaveLength(2)
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'BACKEND_DIED', exit_code: 1 } })
    expect(code).toBe(1)
  })

  it('may print 100 MB fast: all of it is counted, and memory stays flat', async () => {
    const running = startCli([...connect, '-v', '-o', 'ndjson', '--out', '/dev/null'], {
      steps: [
        ...attach,
        { do: 'events', count: 800_000, batch: 5_000 },
        { do: 'err', text: 'all out\n' },
        { do: 'serve' },
      ],
    })
    const memory = watchMemory(() => running.process.pid)
    await running.until(/all out/)
    running.process.kill('SIGINT')
    const { code, stderr } = await running.outcome

    expect(stderr).toContain('kernel counted 800000, delivered 800000, lost 0')
    expect(memory.mostMegabytes()).toBeLessThan(200)
    expect(code).toBe(0)
  })
})

/** The command lines under test, without the shells around them. */
function cliProcesses(): readonly number[] {
  return processesWith(process.env['EBPF_RUN_TEST_MARKER'] ?? '').flatMap(({ pid, command }) =>
    command.startsWith(`${process.execPath} ${cli}`) ? [pid] : [],
  )
}

/** Looks at the resident memory of a process until it is gone. */
function watchMemory(pid: () => number | undefined) {
  let most = 0
  const look = () => {
    try {
      const status = readFileSync(`/proc/${pid()}/status`, 'utf8')
      most = Math.max(most, Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0))
    } catch {
      clearInterval(timer)
    }
  }
  const timer = setInterval(look, 50)
  return {
    mostMegabytes() {
      clearInterval(timer)
      return most / 1024
    },
  }
}

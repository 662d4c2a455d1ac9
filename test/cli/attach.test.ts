import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { findTool } from '../../src/host/tools.ts'
import { watchLeftovers } from '../fakes/leftovers.ts'
import { cannotRun, linesOf, runCli } from './run-cli.ts'

vi.setConfig({ testTimeout: 90_000 })
watchLeftovers()

const folder = mkdtempSync(join(tmpdir(), 'ebpf-run-attach-'))
afterAll(() => rmSync(folder, { recursive: true }))

const looked = await runCli(['list', '--attach-points', 'tracepoint:sock:inet_sock_set_state'])
/** Why this host cannot trace, null when it can. */
const cannotTrace = looked.code === 0 ? cannotRun : looked.stderr
if (cannotTrace !== null) console.warn(`traces of this host are not tested: ${cannotTrace}`)

/** One getpgid, two getsid. */
const calls = 'import os; os.getpgid(0); os.getsid(0); os.getsid(0)'

describe('list --attach-points', () => {
  it('says what may be wrong where nothing matches', async () => {
    const { code, stderr } = await runCli(['list', '--attach-points', 'kprobe:tcp_v4_conect'])

    expect(code).toBe(69)
    expect(stderr).toContain('[NO_MATCH]')
    expect(stderr).toContain('tcp_v4_connect')
  })

  it('is JSON with -o json', async () => {
    const { stdout } = await runCli([
      'list',
      '--attach-points',
      'fentry:tcp_v4_connect',
      '-o',
      'json',
    ])

    expect(JSON.parse(stdout)).toEqual([
      { type: 'fentry', name: 'tcp_v4_connect', attach_point: 'fentry:tcp_v4_connect' },
    ])
  })
})

describe('attach points of user space', () => {
  it('are listed with their file, functions by pattern and marks', async () => {
    const functions = await runCli(['list', '--attach-points', 'uprobe:libc:getaddrinf?'])
    const marks = await runCli(['list', '--attach-points', 'usdt:libstdc++:*', '-o', 'json'])

    expect(functions.stdout).toMatch(/^uprobe:\/.*libc.*:getaddrinfo\n$/)
    expect(JSON.parse(marks.stdout)).toContainEqual(
      expect.objectContaining({ type: 'usdt', name: expect.stringMatching(/:libstdcxx:throw$/) }),
    )
  })

  it.each([
    [['list', '--attach-points', 'uprobe:libc:getadrinfo'], 69, 'uprobe:libc:getaddrinfo'],
    [['list', '--attach-points', 'uprobe:libc'], 2, 'uprobe:FILE:PATTERN'],
    [['list', '--attach-points', 'usdt:bash:*'], 69, 'has no mark at all'],
    [['trace', 'usdt:libstdc++:getenv:x'], 69, 'has no mark getenv:x'],
    [['list', '--attach-points', 'uprobe:libnone:x'], 69, 'no library and no program libnone'],
    [['describe', 'uprobe:libc:getadrinfo'], 69, 'getaddrinfo?'],
    [['trace', 'uprobe:libc:getadrinfo'], 69, 'has no function getadrinfo'],
  ])('%j says what may be wrong', async (words, status, message) => {
    const { code, stderr } = await runCli(words)

    expect(code).toBe(status)
    expect(stderr).toContain(message)
  })

  it('are described: where, with which arguments, and by which way', async () => {
    const made = await runCli(['describe', 'uprobe:libc:getaddrinfo', '-o', 'json'])
    const chooser = await runCli(['describe', 'uprobe:libc:memcpy'])
    const mark = await runCli(['describe', 'usdt:libstdc++:libstdcxx:throw'])

    expect(JSON.parse(made.stdout)).toMatchObject({
      symbol: { address: expect.stringMatching(/^0x/) },
      ways: [{ way: 'uprobe' }, { way: 'bcc' }],
    })
    expect(chooser.stdout).toContain('can be hooked here: no')
    expect(mark.stdout).toMatch(/at 0x\w+; arguments: 8@%\w+ 8@%\w+\n/)
    expect(mark.stdout).toMatch(/^ {2}[+-] usdt: .*\n {2}[+-] bcc: /m)
  })

  it('say which of their arguments nobody can read', async () => {
    const file = fileURLToPath(new URL('../../scripts/lab/inside/marks', import.meta.url))
    const { stdout } = await runCli(['describe', `usdt:${file}:lab:unreadable`, '-o', 'json'])
    const asked = await runCli(['trace', `usdt:${file}:lab:unreadable`, 'x=arg1'])

    expect(JSON.parse(stdout).places).toMatchObject([
      {
        arguments: '8@%rdx 8f@%xmm1 4@$7 8@nobody(%rip)',
        unreadable: [{ argument: 'arg1' }, { argument: 'arg3' }],
      },
    ])
    expect(asked.code).toBe(2)
    expect(asked.stderr).toContain('arg1 cannot be read; 8f@%xmm1: ')
  })
})

describe('describe ATTACH-POINT', () => {
  it('shows how a function is declared, and which way is best here', async () => {
    const { stdout, code } = await runCli(['describe', 'function:tcp_v4_connect'])

    expect(code).toBe(0)
    expect(stdout).toContain('int tcp_v4_connect(struct sock *sk, ')
    expect(stdout).toMatch(/^ {2}[+-] fentry: .*\n {2}[+-] kprobe: /m)
  })

  it('says whether a function can be hooked here, and what was looked at', async () => {
    const table = await runCli(['describe', 'function:tcp_v4_connect'])
    const json = await runCli(['describe', 'function:tcp_v4_connect', '-o', 'json'])
    const { hooks, fields, other_kernels } = JSON.parse(json.stdout)

    expect(table.stdout).toContain(`can be hooked here: ${hooks.hookable.is}\n`)
    expect(hooks.findings[0]).toMatchObject({ about: 'symbol', fact: { is: 'yes' } })
    expect(table.stdout).toContain(`  + symbol: ${hooks.findings[0].fact.evidence}\n`)
    expect([fields, other_kernels]).toEqual([null, null])
  })

  it.skipIf(cannotTrace !== null)('says how a tracepoint differs in other kernels', async () => {
    const table = await runCli(['describe', 'tracepoint:tcp:tcp_retransmit_skb'])
    const json = await runCli(['describe', 'tracepoint:tcp:tcp_retransmit_skb', '-o', 'json'])
    const unknown = await runCli(['describe', 'syscall:openat', '-o', 'json'])

    expect(table.stdout).toMatch(/^other kernels: 4\.18 has no /m)
    expect(JSON.parse(json.stdout).other_kernels[0]).toMatchObject({ kernel: '4.18', changed: [] })
    expect(JSON.parse(unknown.stdout)).toMatchObject({ other_kernels: null, hooks: null })
  })

  it('without root says what it could not look at', async () => {
    const { code, stdout } = await runCli(['describe', 'function:tcp_v4_connect'], {
      shell: process.getuid?.() === 0 ? 'exec setpriv --reuid 65534 --clear-groups "$@"' : '"$@"',
      env: { XDG_CACHE_HOME: join(folder, 'cache') },
    })

    expect(code).toBe(0)
    expect(stdout).toMatch(/^can be hooked here: (?:unknown|no|yes)$/m)
  })

  it('expands a struct, and says what there is where there is none', async () => {
    const expanded = await runCli([
      'describe',
      'function:tcp_v4_connect',
      '--expand',
      'sk.__sk_common',
    ])
    const wrong = await runCli(['describe', 'function:tcp_v4_connect', '--expand', 'nope'])

    expect(expanded.stdout).toContain('struct sock_common: ')
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toContain('sk, uaddr')
  })
})

describe('trace', () => {
  it.each([
    [['trace'], 'trace needs an attach point'],
    [['trace', 'tcp_connect'], 'an attach point was expected'],
    [['trace', 'syscall:openat', 'x=nope'], "there is no 'nope' here"],
    [['trace', 'syscall:openat', 'nope'], "there is no 'nope' here"],
    [['trace', 'syscall:openat', '--where', 'flags ='], 'cannot be read'],
    [['trace', 'tracepoint:sock:nope'], 'nothing is known of it here'],
    [['trace', 'syscall:openat', 'syscall:openat'], 'is named twice'],
    [['trace', 'syscall:*'], 'too many attach points'],
    [['trace', 'syscall:open*', '--calls', '--where', 'pid == 1'], 'no use for --where'],
    [['trace', 'syscall:openat', 'path=filename', '--calls'], 'no use for path=filename'],
  ])('%j is refused before anything starts: %s', async (words, message) => {
    const { code, stderr } = await runCli(words)

    expect(code).toBe(2)
    expect(stderr).toContain(message)
  })
})

it.skipIf(process.getuid?.() !== 0)('trace without root says that it needs root', async () => {
  const { code, stderr } = await runCli(['trace', 'syscall:openat'], {
    shell: 'exec setpriv --reuid 65534 --clear-groups "$@"',
  })

  expect(code).toBe(77)
  expect(stderr).toContain('[NO_PERMISSION]')
})

describe.skipIf(cannotTrace !== null)('a trace on this kernel', () => {
  it('shows what a system call was given, and replays from its recording', async () => {
    const file = join(folder, 'openat.rec')
    const words = [
      'trace',
      'syscall:openat',
      'path=filename',
      'mode=flags & 3',
      '--where',
      'comm == "cat"',
    ]
    const traced = await runCli([
      ...words,
      '-o',
      'ndjson',
      '--record',
      file,
      '--',
      'cat',
      '/etc/hostname',
    ])

    expect(traced.code).toBe(0)
    expect(linesOf(traced.stdout).at(-1)).toMatchObject({
      event: 'sys_enter_openat',
      comm: 'cat',
      path: '/etc/hostname',
      mode: '0',
    })
    const replayed = await runCli(['replay', file, '-o', 'ndjson'])
    expect(replayed.stdout).toBe(traced.stdout)
  })

  it('of several attach points leaves out what this kernel does not have, says so, and runs the rest', async () => {
    const file = join(folder, 'several.json')
    const words = ['syscall:getpgid', 'asked=pid:i64', 'tracepoint:no:such', 'syscall:getsid']
    const traced = await runCli([
      ...['trace', ...words, '-o', 'ndjson', '--summary-json', file, '--'],
      ...['python3', '-c', calls],
    ])
    const events = linesOf(traced.stdout).filter(({ comm }) => comm === 'python3')

    expect(traced.code).toBe(0)
    expect(traced.stderr).toContain('not traced: tracepoint:no:such: this kernel has no such event')
    expect(events.map(({ event }) => event)).toEqual([
      'sys_enter_getpgid',
      'sys_enter_getsid',
      'sys_enter_getsid',
    ])
    expect(events[0]).toMatchObject({ asked: '0' })
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      account: 'exact',
      left_out: ['tracepoint:no:such: this kernel has no such event'],
    })
  })

  it('finds out which of several the kernel refuses, and runs the others', async () => {
    const refused = join(folder, 'refusing')
    mkdirSync(refused)
    const real = findTool('bpftrace', process.env)
    writeFileSync(
      join(refused, 'bpftrace'),
      `#!/bin/sh
if [ "$1" != --version ]; then
  cat > "$0.program"
  if grep -q sys_enter_getsid "$0.program"; then
    echo "ERROR: Error attaching probe: 'tracepoint:syscalls:sys_enter_getsid'" >&2
    exit 1
  fi
  exec ${real} "$@" < "$0.program"
fi
exec ${real} "$@"
`,
      { mode: 0o755 },
    )
    const env = { PATH: `${refused}:${process.env['PATH']}` }
    const words = ['trace', 'syscall:getpgid', 'syscall:getsid', 'syscall:getppid']
    const traced = await runCli([...words, '-o', 'ndjson', '--', 'python3', '-c', calls], { env })
    const only = await runCli(['trace', 'syscall:getsid', '--duration', '1s'], { env })

    expect(traced.code).toBe(0)
    expect(traced.stderr).toMatch(/not traced: tracepoint:syscalls:sys_enter_getsid: /)
    expect(
      linesOf(traced.stdout).filter(({ event }) => event === 'sys_enter_getpgid'),
    ).toHaveLength(1)
    expect(only.code).toBe(70)
  })

  it.each([
    [
      'gives up',
      'echo "ERROR: Error attaching probe: \'tracepoint:syscalls:sys_enter_getsid\'" >&2; exit 1',
    ],
    // As bpftrace to 0.23 does where a program has several attach points.
    [
      'leaves it out and goes on',
      'echo "WARNING: could not attach probe kprobe:getsid, skipping." >&2',
    ],
  ])(
    'finds out what cannot be counted where bpftrace %s, and counts the rest',
    async (how, does) => {
      const refusing = join(folder, how.replaceAll(' ', '-'))
      mkdirSync(refusing)
      const real = findTool('bpftrace', process.env)
      writeFileSync(
        join(refusing, 'bpftrace'),
        `#!/bin/sh
if [ "$1" != --version ]; then
  cat > "$0.program"
  if grep -q sys_enter_getsid "$0.program"; then ${does}; fi
  exec ${real} "$@" < "$0.program"
fi
exec ${real} "$@"
`,
        { mode: 0o755 },
      )
      const env = { PATH: `${refusing}:${process.env['PATH']}` }
      const file = join(folder, 'refused.json')
      const patterns = ['getpgid', 'getsid', 'getpriority'].map((name) => `syscall:${name}`)
      const command = ['-o', 'ndjson', '--summary-json', file, '--', 'python3', '-c', calls]
      const counted = await runCli(['funccount', ...patterns, ...command], { env })
      const none = await runCli(['funccount', 'syscall:getsid', '--duration', '1s'], { env })
      const left = /^syscalls:sys_enter_getsid: ./

      expect(counted.code).toBe(0)
      expect(counted.stderr).toMatch(/^not counted: syscalls:sys_enter_getsid: /m)
      expect(linesOf(counted.stdout)).toMatchObject([
        { function: 'syscalls:sys_enter_getpgid', count: 1 },
      ])
      expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
        account: 'exact',
        left_out: [expect.stringMatching(left)],
      })
      expect(none.code).toBe(70)
      expect(none.stderr).toContain('[ATTACH_FAILED]')
    },
  )

  it('takes a pattern, and with --calls only counts', async () => {
    const words = ['trace', 'syscall:gets?d', '-o', 'ndjson']
    const traced = await runCli([...words, '--', 'python3', '-c', calls])
    const counted = await runCli([...words, '--calls', '--', 'python3', '-c', calls])

    expect(linesOf(traced.stdout).filter(({ comm }) => comm === 'python3')).toHaveLength(2)
    expect(linesOf(counted.stdout)).toMatchObject([
      { function: 'syscalls:sys_enter_getsid', count: 2 },
    ])
  })

  it('shows the calls of a function of user space, with a text that it was given', async () => {
    const words = [
      'trace',
      'uprobe:libc:getaddrinfo',
      'host=arg0:user',
      'ret=retval:i32',
      '--latency',
    ]
    const code = 'import socket; socket.getaddrinfo("localhost", 80)'
    const traced = await runCli([
      ...[...words, '-o', 'ndjson', '--'],
      ...['/usr/bin/python3', '-c', code],
    ])

    expect(traced.code).toBe(0)
    expect(linesOf(traced.stdout)).toMatchObject([
      { event: 'getaddrinfo', host: 'localhost', ret: 0 },
    ])
  })

  it('draws a histogram of any expression', async () => {
    const words = ['trace', 'syscall:write', '--hist', 'count / 2', '--where', 'comm == "dd"']
    const copy = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=4096', 'count=20']
    const drawn = await runCli([...words, '-o', 'ndjson', '--', ...copy])
    const [row] = linesOf(drawn.stdout)

    expect(drawn.code).toBe(0)
    expect(row).toMatchObject({ event: 'sys_enter_write', count: expect.any(Number) })
    expect(JSON.stringify(row)).toContain('2048')
  })
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
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
    [['trace', 'syscall:openat', '--where', 'flags ='], 'cannot be read'],
    [['trace', 'tracepoint:sock:nope'], 'nothing is known of it here'],
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
})

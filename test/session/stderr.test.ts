import { describe, expect, it, vi } from 'vitest'
import { watchLeftovers } from '../fakes/leftovers.ts'
import { explainExit } from '../../src/session/stderr.ts'
import { failureOf, tick } from './ticker.ts'

vi.setConfig({ testTimeout: 60_000 })
watchLeftovers()

const memlock =
  'ERROR: Unknown error -1: couldn\'t set RLIMIT_MEMLOCK for bpftrace. If your program is not loading, you can try "ulimit -l 8192" to fix the problem'

/** What bpftrace 0.17.0, 0.23.2 and 0.27.1 said and their exit codes, run on a 6.18 kernel without kprobes. */
const seen = [
  [
    '0.17.0',
    'the verifier refuses',
    255,
    'REJECTED',
    [memlock, 'ERROR: Error loading program: interval:s:1 (try -v)'],
  ],
  [
    '0.23.2',
    'the verifier refuses',
    255,
    'REJECTED',
    [
      'ERROR: Error loading BPF program for interval_s_1_1. Use -v for full kernel error log.',
      'ERROR: Loading BPF object(s) failed.',
    ],
  ],
  [
    '0.27.1',
    'the verifier refuses',
    255,
    'REJECTED',
    [
      'ERROR: Error loading BPF program for interval_s_1_1. Error code: -13 (Permission denied). Use -v for full kernel error log.',
    ],
  ],
  [
    '0.17.0',
    'a function is missing',
    255,
    'ATTACH_FAILED',
    [
      memlock,
      'create_probe_event: open(/sys/kernel/debug/tracing/kprobe_events): No such file or directory',
      "ERROR: Error attaching probe: 'kprobe:nope_nope'",
    ],
  ],
  [
    '0.23.2',
    'a function is missing',
    255,
    'ATTACH_FAILED',
    [
      'create_probe_event: open(/sys/kernel/debug/tracing/kprobe_events): No such file or directory',
      'ERROR: Error attaching probe: kprobe:nope_nope',
    ],
  ],
  [
    '0.27.1',
    'a function is missing',
    1,
    'ATTACH_FAILED',
    [
      'stdin:1:1-17: ERROR: No matches for kprobe nope_nope.',
      'kprobe:nope_nope { printf("x"); }',
      '~~~~~~~~~~~~~~~~',
    ],
  ],
  [
    '0.17.0',
    'a tracepoint is missing',
    1,
    'ATTACH_FAILED',
    [memlock, 'stdin:1:1-21: ERROR: tracepoint not found: nope:nada'],
  ],
  [
    '0.27.1',
    'a tracepoint is missing',
    1,
    'ATTACH_FAILED',
    ['stdin:1:1-21: ERROR: No matches for tracepoint nope:nada.'],
  ],
  [
    '0.17.0',
    'a field is missing',
    1,
    'REJECTED',
    [
      memlock,
      "stdin:1:37-48: ERROR: Struct/union of type 'struct _tracepoint_sock_inet_sock_set_state' does not contain a field named 'nope'",
    ],
  ],
  [
    '0.17.0',
    'the stack is too small',
    1,
    'REJECTED',
    [
      memlock,
      "error: <unknown>:0:0: in function tracepoint:sock:inet_sock_set_state i64 (i8*): A call to built-in function 'memset' is not supported.",
    ],
  ],
  [
    '0.17.0',
    'the program does not parse',
    1,
    'REJECTED',
    [
      memlock,
      'stdin:1:18-28: ERROR: unterminated string',
      'stdin:2:1-1: ERROR: syntax error, unexpected end of file',
    ],
  ],
  [
    '0.17.0',
    'it aborts',
    134,
    'REJECTED',
    [memlock, 'FATAL: Invalid probe type made it to attachpoint parser'],
  ],
  [
    '0.17.0',
    'it is not root',
    1,
    'NO_PERMISSION',
    ['ERROR: bpftrace currently only supports running as the root user.'],
  ],
  ['0.17.0', 'it ends and complains of nothing that matters', 1, 'NOT_ATTACHED', [memlock]],
] as const

describe('an end before attached', () => {
  it.each(seen)('is explained by what bpftrace %s says when %s', (_, __, status, code, lines) => {
    const error = explainExit(lines, { code: status, signal: null }, false)

    expect(error.code).toBe(code)
    expect(error.found).toBe(`exit code ${status}`)
    expect(error.remedy).toMatch(/ebpf-run|sudo/)
    expect(error.detail ?? '').not.toContain('RLIMIT_MEMLOCK')
  })

  it.each([
    ['REJECTED', 70],
    ['ATTACH_FAILED', 70],
    ['NO_PERMISSION', 77],
    ['NOT_ATTACHED', 1],
  ] as const)('by %s leads to exit %i', (code, status) => {
    const [, , , , lines] = seen.find(([, , , each]) => each === code) ?? seen[0]

    expect(explainExit(lines, { code: 1, signal: null }, false).exitCode).toBe(status)
  })

  it('says that another program stands where bpftrace 0.17.0 cannot attach', () => {
    const lines = [
      'perf_event_open(/sys/kernel/debug/tracing/events/uprobes/r__usr_lib_x86_64_linux_gnu_libc_so_6_1186e0_1_bcc_15877/id): Invalid argument',
      'ERROR: Error attaching probe: uretprobe:/usr/lib/x86_64-linux-gnu/libc.so.6:gethostbyaddr_r',
    ]

    expect(explainExit(lines, { code: 255, signal: null }, false)).toMatchObject({
      code: 'ATTACH_FAILED',
      message: expect.stringContaining('a program of bcc has probes at the same functions'),
      remedy: expect.stringContaining('--backend bcc'),
    })
  })

  it('comes out of a session with the complaint itself', async () => {
    const { session } = tick([
      { do: 'read' },
      { do: 'out', text: 'Attaching 4 probes...\n' },
      { do: 'err', text: `${memlock}\nERROR: Error attaching probe: 'kprobe:nope_nope'\n` },
      { do: 'exit', code: 255 },
    ])

    const { error, result } = await failureOf(session)

    expect(error).toMatchObject({
      code: 'ATTACH_FAILED',
      exitCode: 70,
      detail: "ERROR: Error attaching probe: 'kprobe:nope_nope'",
    })
    expect(result.attachedAfterMs).toBeNull()
    await expect(session.attached).rejects.toBe(error)
  })

  it('comes out of a session also when the program was not even read', async () => {
    const { session } = tick([{ do: 'exit', code: 1 }])

    expect((await failureOf(session)).error.code).toBe('NOT_ATTACHED')
  })
})

describe('an end while running', () => {
  it('is never explained by what stderr said before', () => {
    const error = explainExit(
      ['ERROR: Error loading program: x'],
      { code: null, signal: 'SIGKILL' },
      true,
    )

    expect(error).toMatchObject({ code: 'BACKEND_DIED', found: 'SIGKILL' })
  })
})

// Probes made on the spot, each against scripts/lab/inside/trace.py, which takes what it expects by the same name.
const port = 'port=sk.__sk_common.skc_num'

/** Name, words of `trace`, and whether it runs where there are neither kprobes nor fentry nor raw tracepoints. */
const traces = [
  { what: 'tracepoint', words: ['tracepoint:syscalls:sys_enter_getpgid'], isNative: true },
  { what: 'syscall', words: ['syscall:getpgid', 'asked=pid:i64'], isNative: true },
  { what: 'rawtracepoint', words: ['rawtracepoint:sched_process_fork'], isNative: false },
  { what: 'wrapper', words: ['function:__x64_sys_getpgid', 'asked=pid:i64'], isNative: false },
  { what: 'kprobe', words: ['kprobe:tcp_connect'], isNative: false },
  { what: 'fentry', words: ['fentry:tcp_connect'], isNative: false },
  {
    what: 'kretprobe',
    words: ['kretprobe:tcp_v4_connect', port, 'returned=retval'],
    isNative: false,
  },
  { what: 'fexit', words: ['fexit:tcp_v4_connect', port, 'returned=retval'], isNative: false },
  { what: 'latency', words: ['kprobe:tcp_v4_connect', port, '--latency'], isNative: false },
  {
    what: 'where',
    words: [
      'function:tcp_connect',
      '--where',
      'sk.__sk_common.skc_num % 2 == 1 and comm == "OWN_NAME"',
    ],
    isNative: false,
  },
]

const counts = [
  {
    what: 'tracepoint',
    words: ['syscall:getpgid', 'tracepoint:sock:inet_sock_set_s*'],
    isNative: true,
  },
  { what: 'kprobe', words: ['tcp_conn*', 'tcp_v4_c*', 'syscall:getpgid'], isNative: false },
]

const scripts = [
  { what: 'lines', words: ['INSIDE/lines.bt', 'OWN_NAME'], isNative: true, asked: [] },
]

/** As `cell` makes those of probes. */
export function traceCells(place) {
  return [
    ...traces.map((each) => ({ ...each, probe: 'trace', by: null })),
    ...counts.map((each) => ({ ...each, probe: 'funccount', by: ['function'] })),
    ...scripts.map((each) => ({ ...each, probe: 'script', by: null })),
  ]
    .filter(({ isNative }) => place === 'boot' || isNative)
    .map(({ probe, by, what, words, asked = ['--comm', 'OWN_NAME'] }) => ({
      name: `${probe}-${what}`,
      probe,
      variant: null,
      backend: null,
      bcc: false,
      owners: false,
      events: false,
      onInterfaces: false,
      by,
      switches: [],
      asked,
      command: [probe, ...words],
      workload: { script: 'trace.py', words: [`${probe}-${what}`] },
    }))
}

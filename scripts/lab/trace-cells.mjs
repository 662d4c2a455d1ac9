// Probes made on the spot, each against scripts/lab/inside/trace.py, which takes what it expects by the same name.
const port = 'port=sk.__sk_common.skc_num'

/** Name, words of `trace`, and whether it runs where there are neither kprobes nor fentry nor raw tracepoints. */
const traces = [
  ['tracepoint', ['tracepoint:syscalls:sys_enter_getpgid'], true],
  ['syscall', ['syscall:getpgid', 'asked=pid:i64'], true],
  ['rawtracepoint', ['rawtracepoint:sched_process_fork'], false],
  ['kprobe', ['kprobe:tcp_connect'], false],
  ['fentry', ['fentry:tcp_connect'], false],
  ['kretprobe', ['kretprobe:tcp_v4_connect', port, 'returned=retval'], false],
  ['fexit', ['fexit:tcp_v4_connect', port, 'returned=retval'], false],
  ['latency', ['kprobe:tcp_v4_connect', port, '--latency'], false],
  [
    'where',
    ['function:tcp_connect', '--where', 'sk.__sk_common.skc_num % 2 == 1 and comm == "OWN_NAME"'],
    false,
  ],
]

const counts = [
  ['tracepoint', ['syscall:getpgid', 'tracepoint:sock:inet_sock_set_s*'], true],
  ['kprobe', ['tcp_conn*', 'tcp_v4_c*', 'syscall:getpgid'], false],
]

/** As `cell` makes those of probes. */
export function traceCells(place) {
  return [
    ...traces.map((each) => ['trace', null, ...each]),
    ...counts.map((each) => ['funccount', ['function'], ...each]),
  ]
    .filter(([, , , , isNative]) => place === 'boot' || isNative)
    .map(([probe, by, what, words]) => ({
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
      asked: ['--comm', 'OWN_NAME'],
      command: [probe, ...words],
      workload: { script: 'trace.py', words: [`${probe}-${what}`] },
    }))
}

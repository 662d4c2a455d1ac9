// Probes made on the spot, each against scripts/lab/inside/trace.py, which takes what it expects by the same name.
const port = 'port=sk.__sk_common.skc_num'

const collected = ['usdt:/usr/bin/python3:python:gc__start', 'generation=arg0:i32']

/** What scripts/lab/inside/marks.s has at its places. */
const placed = [
  ...['usdt:INSIDE/marks:lab:several', 'n=arg0', 'code=arg1'],
  ...['usdt:INSIDE/marks:lab:raised', 'n=arg0:i64'],
]
/** The same, and what bpftrace cannot read. */
const hidden = [
  ...placed,
  ...['usdt:INSIDE/marks:lab:reached', 'usdt:INSIDE/marks:lab:widths'],
  ...['usdt:INSIDE/marks:lab:unreadable', 'usdt:INSIDE/marks:lab:missing'],
]

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
  {
    what: 'several',
    words: [
      ...['syscall:getpgid', 'asked=pid:i64', 'tracepoint:no:such', 'kprobe:no_such_function'],
      ...[
        'function:tcp_connect',
        port,
        'tracepoint:sched:sched_process_fork',
        'comm_of=parent_comm',
      ],
    ],
    isNative: false,
  },
  {
    what: 'isolated',
    words: [
      'syscall:getpgid',
      'asked=pid:i64',
      'tracepoint:no:such',
      'syscall:getsid',
      'asked=pid:i64',
    ],
    isNative: true,
  },
  { what: 'uprobe', words: ['uprobe:libc:getpgid', 'asked=arg0:i32'], isNative: false },
  {
    what: 'uretprobe',
    words: ['uretprobe:libc:getpgid', 'asked=arg0:i32', 'returned=retval:i32', '--latency'],
    isNative: false,
  },
  { what: 'usdt', words: collected, isNative: true },
  { what: 'usdt', words: collected, backend: 'bcc', isNative: true },
  { what: 'marks', words: placed, isNative: true, asked: [] },
  { what: 'marks', words: placed, backend: 'bcc', isNative: true, asked: [] },
  { what: 'hidden', words: hidden, backend: 'bcc', isNative: true, asked: [] },
]

/** Made into a probe of the user's first, which then is run by its name. */
const made = [
  { what: 'syscall', words: ['syscall:getpgid', 'asked=pid:i64'], isNative: true },
  { what: 'wrapper', words: ['function:__x64_sys_getpgid', 'asked=pid:i64'], isNative: false },
  {
    what: 'latency',
    words: ['kprobe:tcp_v4_connect', port, '--latency'],
    isNative: false,
  },
  { what: 'usdt', words: collected, isNative: true },
]

const functions = ['tcp_conn*', 'tcp_v4_c*', 'syscall:getpgid']

/** More than the 512 that bpftrace attaches by itself to 0.22. */
const many = ['tcp_*', 'ip_*', 'syscall:getpgid']
/** NOKPROBE_SYMBOL on every kernel (kernel/notifier.c), and traceable. */
const refused = 'atomic_notifier_call_chain'

/** With `bcc` beside bcc's own tool; `leftOut` must be named in `left_out`, and the kernel's list of what it refuses is not there. */
const counts = [
  {
    what: 'tracepoint',
    words: ['syscall:getpgid', 'tracepoint:sock:inet_sock_set_s*'],
    isNative: true,
  },
  { what: 'tracepoint', words: ['syscall:getpgid'], backend: 'bcc', isNative: true },
  { what: 'kprobe', words: functions, isNative: false },
  { what: 'kprobe', words: functions, backend: 'bcc', isNative: false },
  { what: 'kprobe', words: functions, isNative: false, bcc: true },
  { what: 'many', words: many, isNative: false },
  { what: 'many', words: many, backend: 'bcc', isNative: false },
  { what: 'refused', words: [...functions, refused], leftOut: [refused], isNative: false },
  {
    what: 'refused',
    words: [...functions, refused],
    leftOut: [refused],
    backend: 'bcc',
    isNative: false,
  },
  // By bcc where bpftrace is too new for it.
  { what: 'uprobe', words: ['c:getpgi*', 'syscall:getpgid'], isNative: true },
  { what: 'uprobe', words: ['c:getpgi*', 'syscall:getpgid'], backend: 'bcc', isNative: true },
]

const scripts = [
  { what: 'lines', words: ['INSIDE/lines.bt', 'OWN_NAME'], isNative: true, asked: [] },
]

const pipes = [
  {
    what: 'pattern',
    words: ['--pattern', 'id %{id}u of %{host}s at %{rport}d'],
    isNative: true,
    asked: ['--task', 'OWN_NAME'],
  },
]

/** What is asked of the kernel, and held against its own lists. */
const answers = ['describe', 'list']

/** What runs on an interface and is killed: nothing of it may be left. */
const killed = [
  { probe: 'xdpcount', variant: 'xdp' },
  { probe: 'xdpcount', variant: 'generic' },
  { probe: 'tccount', variant: 'tcx' },
  { probe: 'tccount', variant: 'clsact' },
  { probe: 'sockfilter', variant: 'socket' },
]

/** As `cell` makes those of probes. */
export function traceCells(place) {
  return [
    ...runCells(place),
    ...(place === 'boot' ? [...answers.map(answersCell), ...killed.map(killedCell)] : []),
  ]
}

const killedCell = ({ probe, variant }) => ({
  ...emptyCell(`${probe}-killed-${variant}`, probe),
  variant,
  answers: 'killed',
})

const answersCell = (what) => ({
  ...emptyCell(`${what}-answers`, what),
  answers: what,
})

const emptyCell = (name, probe) => ({
  ...{ name, probe, variant: null, backend: null, bcc: false, owners: false, events: false },
  ...{ onInterfaces: false, by: null, switches: [], asked: [] },
})

function runCells(place) {
  return [
    ...traces.map((each) => ({ ...each, probe: 'trace', by: null })),
    ...counts.map((each) => ({ ...each, probe: 'funccount', by: ['function'] })),
    ...scripts.map((each) => ({ ...each, probe: 'script', by: null })),
    ...pipes.map((each) => ({ ...each, probe: 'pipe', by: null })),
    ...made.map((each) => ({ ...each, probe: 'new', by: null })),
  ]
    .filter(({ isNative }) => place === 'boot' || isNative)
    .map(
      ({
        probe,
        by,
        what,
        words,
        backend = null,
        bcc = false,
        asked = ['--comm', 'OWN_NAME'],
        leftOut = [],
      }) => ({
        ...emptyCell(
          [probe, bcc ? 'beside' : what, ...(backend === null ? [] : [backend])].join('-'),
          probe,
        ),
        bcc,
        by,
        asked,
        backend,
        ...(leftOut.length > 0 ? { leftOut, unmounted: ['/sys/kernel/debug'] } : {}),
        ...(probe === 'new'
          ? { makes: words, command: [`made-${what}`] }
          : { command: [probe, ...words] }),
        workload: {
          script: probe === 'funccount' ? 'counts.py' : 'trace.py',
          words: [`${probe}-${what}`],
        },
      }),
    )
}

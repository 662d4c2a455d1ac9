import type { RunOption } from './options.ts'

/** What to type here for an option of a bcc tool: behind `use`. Keys are its spellings, without dashes. */
type Hints = Readonly<Record<string, string>>

const timeField = 'the time field, which is always there'
const uidField = 'the uid field: -o ndjson, or --fields time,uid,comm'
const lportField = 'the lport field: -o ndjson, or --fields time,comm,lport,raddr,rport'
const linear = '--linear 0..100ms/1ms, or the times as they are: each has its unit'
const ports: Hints = { 'L localport': '--lport 22', 'D remoteport': '--rport 443' }
const tables: Hints = {
  'w wide': '--fields time,laddr,raddr, which gives addresses the room',
  's csv': '-o csv',
}
const command = '-- COMMAND [ARG...] at the end'

/**
 * What users of bcc's tools may type, by our probe, where their option is not an option of ours in another sense. Read from
 * argparse in bcc 0.18, 0.26, 0.31 and 0.37 as Debian has them; `L` of exitsnoop and `l` of dns are those of libbpf-tools.
 */
const byProbe: Readonly<Record<string, Hints>> = {
  biolatency: {
    'Q queued': '--queued 1',
    'm milliseconds': linear,
    'D disks': '--hist duration_ns --by dev',
    'F flags': '--hist duration_ns --by rwbs',
    'j json': '-o json',
    'e extension': '--summary, which has sums and averages',
    disk: '--dev sda',
  },
  dns: { 'l libc': '--libc /path/of/libc.so.6' },
  execsnoop: {
    'x fails': '--failed for those alone that failed; without it they are shown too',
    'q quote': '-o ndjson, where argv is a list',
    name: '--comm-regex REGEX, or --filename REGEX',
    'l line': '-o ndjson | jq \'select(.argv | join(" ") | test("REGEX"))\'',
    'max-args': '-o ndjson, where argv is a list',
    'P ppid': '--ppid 1234',
    'C print-cpu': 'the cpu field: -o ndjson, or --fields time,cpu,comm',
    'M print-pcomm': 'the ppid field: /proc/PPID/comm has the name',
  },
  exitsnoop: {
    label: '-o ndjson, where each line says what it is (`event`)',
    'per-thread L': '--threads 1',
    timespec: 'nothing: the layout of the kernel is looked up',
  },
  funccount: {
    'T timestamp': '--interval 1s: groups have the time of their interval',
    'r regexp': "a pattern in slashes: '/^tcp_(send|recv)/'",
    'D debug': "ebpf-run print funccount 'tcp_*', which shows the program",
    c: '--cpu 0, or --by cpu',
  },
  killsnoop: { 'T tpid': '--tpid 1234', 's signal': '--signal TERM' },
  opensnoop: {
    't tid': '--tid 1234',
    name: '--comm-regex NAME',
    'e extended_fields': 'the flags field, which is always there: -o ndjson, or --fields',
    'f flag_filter': '--flags O_CREAT',
    F: '--full-path',
    'b buffer-pages': '--buffer 16M',
    exec: command,
  },
  retrans: {
    'l lossprobe': '--kind loss-probe for those alone; without it they are shown too',
    c: '--summary --by laddr,lport,raddr,rport',
    's sequence': 'nothing: sequence numbers are not shown',
  },
  runqlat: {
    'm milliseconds': linear,
    'P pids': '--hist duration_ns --by pid,comm',
    'L tids': '--hist duration_ns --by tid',
  },
  syscount: {
    T: '--top 5',
    'x failures': '--failed',
    e: '--errno ENOENT',
    'L latency': '--summary, which has how long it took',
    'm milliseconds': '--summary, which has how long it took: each time has its unit',
    'P process': '--summary --by pid,comm',
    'l list': "ebpf-run list --attach-points 'syscall:*'",
    t: '--tid 1234',
    c: '--ppid 1234',
    exec: command,
  },
  tcpaccept: { 'P port': '--lport 80' },
  tcpcong: {
    'L localport': '--lport 22',
    'R remoteport': '--rport 443',
    dist: '--hist duration_ns --by old_state',
    'u microseconds': '--linear 0..10ms/100us, or the times as they are: each has its unit',
  },
  tcpconnect: {
    'P port': '--rport 443',
    c: '--summary --by laddr,raddr,rport',
    dns: '--resolve, or beside it ebpf-run dns',
    L: lportField,
  },
  tcpconnlat: { L: lportField },
  tcplife: { ...ports, ...tables },
  tcprtt: {
    'm milliseconds':
      '--hist srtt_ns --linear 0..100ms/1ms, or the times as they are: each has its unit',
    p: '--lport 80',
    P: '--rport 443',
    a: '--laddr 10.0.0.1',
    A: '--raddr 10.0.0.1',
    'b byladdr': '--by laddr',
    'B byraddr': '--by raddr',
    'D debug': 'ebpf-run print tcprtt, which shows the program',
    'e extension': '--summary, which has sums and averages',
  },
  tcpstates: { ...ports, ...tables, 'Y journal': '-o ndjson | systemd-cat -t tcpstates' },
  tcptop: {
    'C noclear':
      '--interval 1s | cat: only on a terminal a table takes the place of the one before',
    'S nosummary': 'nothing: no line of the load average is shown',
  },
  tcptracer: { N: '--netns INODE', mntnsmap: '--container ID, or --cgroup PATH' },
  trace: {
    'L tid': '--tid 1234',
    'M max-events': '--count 10',
    'u unix-timestamp': timeField,
    'C print_cpu': 'the cpu field: -o ndjson, or --fields',
    'c cgroup-path': '--cgroup PATH',
    name: '--comm-regex NAME',
    'f msg-filter': '--where EXPRESSION',
    'K kernel-stack': '--stack',
    'U user-stack': '--stack, which has the stack of the kernel; that of the program is not shown',
    'A aggregate': '--summary',
    'b buffer-pages': '--buffer 16M',
  },
}

/** What the same letter means wherever bcc has it, or most likely does where bcc has no such tool. `has`: for commands with this option. */
const general: readonly { readonly names: string; readonly has: string; readonly say: string }[] = [
  { names: 'p', has: 'pid', say: '--pid 1234' },
  { names: 'u', has: 'uid', say: '--uid 1000' },
  { names: 'U print-uid', has: 'uid', say: uidField },
  { names: 't T time timestamp', has: 'duration', say: timeField },
  { names: 'i', has: 'interface', say: '--interval 1s; where to look is --interface eth0' },
  { names: 'i', has: 'interval', say: '--interval 1s' },
  { names: 'x', has: 'failed', say: '--failed' },
  { names: '4 ipv4', has: 'family', say: '--family 4' },
  { names: '6 ipv6', has: 'family', say: '--family 6' },
  { names: 'c', has: 'count', say: '--count 10, or --summary, which counts' },
  { names: 'P port', has: 'rport', say: '--rport 443, or --lport 443' },
  { names: 'L localport', has: 'lport', say: '--lport 22' },
  { names: 'D remoteport', has: 'rport', say: '--rport 443' },
  { names: 's', has: 'signal', say: '--signal TERM' },
  { names: 'm milliseconds', has: 'linear', say: linear },
  { names: 'cgroupmap', has: 'cgroup', say: '--cgroup PATH' },
  { names: 'mntnsmap', has: 'mntns', say: '--mntns /proc/PID/ns/mnt' },
  { names: 'N netns-id', has: 'netns', say: '--netns INODE' },
  { names: 'pid-netns', has: 'netns', say: '--netns /proc/PID/ns/net' },
  { names: 'pidnss', has: 'pidns', say: '--pidns /proc/PID/ns/pid' },
  { names: 'ebpf', has: 'duration', say: 'ebpf-run print PROBE, which shows the program' },
]

/** What to type for an option of bcc's (`P`, `cgroupmap`), behind `use`; null where nothing is known of it. */
export function bccHint(
  typed: string,
  probe: string | null,
  options: readonly RunOption[],
): string | null {
  const isMeant = (names: string): boolean => names.split(' ').includes(typed)
  const own = probe !== null && Object.hasOwn(byProbe, probe) ? (byProbe[probe] ?? {}) : {}
  const found = Object.entries(own).find(([names]) => isMeant(names))
  if (found !== undefined) return found[1]
  const has = (name: string): boolean => options.some((option) => option.name === name)
  return general.find((hint) => isMeant(hint.names) && has(hint.has))?.say ?? null
}

import type { FieldSpec, Lack, VariantSpec } from './define.ts'

/** Fields that mean the same in every probe, with the fixed names of the project. Probes spread these. */
export const common = {
  time: { kind: 'time', of: 'ktime_ns', doc: 'wall-clock time of the event, UTC' },
  ktime_ns: { kind: 'ktime', doc: "the kernel's clock at the event", unit: 'ns' },
  pid: { kind: 'u32', doc: 'process id (thread group)' },
  tid: { kind: 'u32', doc: 'thread id' },
  cpu: { kind: 'u32', doc: 'CPU that ran the event', width: 3 },
  uid: { kind: 'u32', doc: 'user id' },
  comm: { kind: 'text', bytes: 15, doc: "the thread's command name" },
  cgroup: { kind: 'u64', doc: 'cgroup v2 id: inode of the directory under /sys/fs/cgroup' },
  container: {
    kind: 'container',
    of: 'cgroup',
    nullable: true,
    doc: "container of that cgroup: 64 hexadecimal digits, or its name with LXC and systemd-nspawn; null where it is none's or is gone",
  },
} as const satisfies Record<string, FieldSpec>

/** Fields of a TCP socket. */
export const socket = {
  netns: { kind: 'u32', doc: 'network namespace: inode of /proc/PID/ns/net', nullAs: 0, width: 10 },
  family: { kind: 'family', of: 'raddr', doc: '4 or 6; v4-mapped IPv6 counts as 4', heading: 'IP' },
  laddr: { kind: 'address', doc: 'local address' },
  lport: { kind: 'u16', doc: 'local port' },
  raddr: { kind: 'address', doc: 'remote address' },
  rport: { kind: 'u16', doc: 'remote port' },
} as const satisfies Record<string, FieldSpec>

/** Whose the events are that happen in the task that owns the socket. */
export const ownTask = {
  owner_from: {
    kind: 'constant',
    always: 'task',
    doc: 'where the owner is known from: `task` did it itself',
    heading: 'FROM',
  },
} as const satisfies Record<string, FieldSpec>

/** Owner of a socket, for events that happen in any context. Null where nobody saw who opened it. */
export const owner = {
  pid: { kind: 'u32', doc: "process id of the socket's owner", nullAs: 0 },
  uid: { kind: 'u32', doc: "user id of the socket's owner", nullAs: 4_294_967_295 },
  comm: {
    kind: 'text',
    bytes: 15,
    emptyIsNull: true,
    doc: 'command name of the owner when it opened the socket',
  },
  cgroup: {
    kind: 'u64',
    doc: 'cgroup v2 id of the owner when it opened the socket',
    nullAs: '0',
  },
  container: common.container,
  owner_from: {
    kind: 'enum',
    doc: 'where the owner is known from: `task` does it itself right now, `socket` was seen to open it before, `proc` alone holds it by /proc',
    names: { 1: 'task', 2: 'socket', 3: 'proc' },
    nullAs: 0,
    width: 6,
    heading: 'FROM',
  },
} as const satisfies Record<string, FieldSpec>

/** What a variant cannot tell that knows no owners. */
export const noOwners = (why: string) =>
  ({ pid: why, uid: why, comm: why, cgroup: why, owner_from: why }) as const

/** An owner, where who sends on a connection owns it from then on. */
export const sendingOwner = {
  ...owner,
  comm: {
    ...owner.comm,
    doc: 'command name of the owner when it opened the socket, or first sent on it',
  },
  cgroup: {
    ...owner.cgroup,
    doc: 'cgroup v2 id of the owner when it opened the socket, or first sent on it',
  },
  owner_from: {
    ...owner.owner_from,
    doc: 'where the owner is known from: `task` does it itself right now, `socket` was seen to open it or to send on it before, `proc` alone holds it by /proc',
  },
} as const satisfies Record<string, FieldSpec>

/** Options of variants that see who accepts anyway: where a program can see who sends. */
export const senderHooks = {
  sendentry: { function: 'tcp_sendmsg_locked', by: 'fentry' },
  sendkprobe: { function: 'tcp_sendmsg_locked', by: 'kprobe' },
} as const satisfies VariantSpec['options']
export const senderHooksByBcc = {
  sendkprobe: senderHooks.sendkprobe,
} as const satisfies VariantSpec['options']

/**
 * Options of variants that learn owners: where a program can see who accepts, and who sends. Nobody is learned from
 * sock:sock_send_length: it comes when the socket is no longer locked, and what two senders write could mix.
 */
export const ownerHooks = {
  accept: { function: 'inet_csk_accept', by: 'fentry' },
  graft: { function: 'security_sock_graft', by: 'kprobe' },
  acceptcall: { tracepoint: 'syscalls:sys_exit_accept4', fields: ['ret'] },
  ...senderHooks,
} as const satisfies VariantSpec['options']

/** The same for those of bcc. */
export const ownerHooksByBcc = {
  accept: { function: 'inet_csk_accept', by: 'kprobe' },
  ...senderHooksByBcc,
} as const satisfies VariantSpec['options']

const lackOfAccept = (options: readonly string[]): Lack => ({
  options,
  says: 'who accepts a connection is not learned',
})
const lackOfSenders = (options: readonly string[]): Lack => ({
  options,
  says: 'who sends is not learned: neither who owns a connection that is older than the run, nor whom it was handed on to',
})
export const withoutSenders = lackOfSenders(['sendentry', 'sendkprobe'])

/** What is missing where the kernel has none of these. */
export const withoutOwnerHooks = [
  lackOfAccept(['accept', 'graft', 'acceptcall']),
  {
    options: ['accept', 'graft'],
    says: 'accepts by io_uring and by 32-bit programs are not learned',
  },
  withoutSenders,
]
export const withoutSendersByBcc = lackOfSenders(['sendkprobe'])
export const withoutOwnerHooksByBcc = [lackOfAccept(['accept']), withoutSendersByBcc]

/** What `descriptor.bt` reads. */
export const descriptorMembers = [
  { btf: 'task_struct.files' },
  { btf: 'files_struct.fdt' },
  { btf: 'fdtable.fd' },
  { btf: 'file.private_data' },
  { btf: 'socket.file' },
  { btf: 'socket.sk' },
  { btf: 'sock.sk_socket' },
] as const satisfies VariantSpec['needs']

/** What `owners.bt` needs. */
export const ownerTracepoints = [
  {
    tracepoint: 'sock:inet_sock_set_state',
    fields: ['skaddr', 'oldstate', 'newstate', 'dport', 'protocol'],
  },
  { tracepoint: 'tcp:tcp_destroy_sock', fields: ['skaddr'] },
] as const
export const ownerRawTracepoints = [
  { tracepoint: 'sock:inet_sock_set_state', raw: true },
  { tracepoint: 'tcp:tcp_destroy_sock', raw: true },
  { btf: 'sock.sk_protocol' },
] as const

/** What tells later which process holds a socket: events that have it get owners of sockets older than the run (session/owners.ts). */
export const heldSocket = {
  inode: {
    kind: 'u32',
    nullAs: 0,
    later: true,
    doc: 'inode of the socket, as in /proc/PID/fd; null while no process holds it: before accept(), after close()',
    width: 10,
  },
} as const satisfies Record<string, FieldSpec>

/** What becomes of a connection that a program asks for; the numbers are the programs' own. */
export const connectOutcomes = {
  1: 'established',
  2: 'refused',
  3: 'timed-out',
  4: 'unreachable',
  5: 'aborted',
} as const

/** TCP states (include/net/tcp_states.h); 13 came with 6.8 and is never seen outside bind. */
export const tcpStates = {
  1: 'ESTABLISHED',
  2: 'SYN_SENT',
  3: 'SYN_RECV',
  4: 'FIN_WAIT1',
  5: 'FIN_WAIT2',
  6: 'TIME_WAIT',
  7: 'CLOSE',
  8: 'CLOSE_WAIT',
  9: 'LAST_ACK',
  10: 'LISTEN',
  11: 'CLOSING',
  12: 'NEW_SYN_RECV',
  13: 'BOUND_INACTIVE',
} as const

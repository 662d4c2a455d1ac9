import { common, heldSocket, owner, socket } from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

const { time, ktime_ns, cpu } = common

const sockState = {
  tracepoint: 'sock:inet_sock_set_state',
  fields: ['skaddr', 'oldstate', 'newstate', 'protocol'],
} as const
const members = [
  { btf: 'request_sock.__req_common.skc_v6_daddr' },
  { btf: 'sock.sk_ack_backlog' },
  { btf: 'sk_buff.protocol' },
  { btf: 'socket_alloc.vfs_inode.i_ino' },
] as const

export default defineProbe({
  name: 'tcpsynbl',
  summary: 'TCP accept queues: how long each is when a handshake completes, as a histogram',
  example: 'ebpf-run tcpsynbl --lport 443 --failed --events',
  owner: 'socket',
  failed: [{ field: 'queue', min: 2, max: 2 }],
  aggregate: { by: ['backlog_max'], histogram: 'backlog' },
  events: {
    handshake: {
      doc: 'one TCP handshake whose last segment reached a listening socket',
      fields: {
        time,
        ktime_ns,
        cpu,
        ...owner,
        ...heldSocket,
        ...socket,
        backlog: {
          kind: 'u32',
          measure: true,
          doc: 'connections that wait in the accept queue already, before this one',
          heading: 'QUEUED',
          width: 6,
        },
        backlog_max: {
          kind: 'u32',
          doc: 'the limit of the queue: the backlog of listen(), as the kernel limited it',
          heading: 'MAX',
          width: 5,
        },
        queue: {
          kind: 'enum',
          names: { 1: 'room', 2: 'full' },
          doc: '`full`: more wait than the limit, and the kernel drops the segment that would complete the handshake',
          heading: 'QUEUE',
          width: 5,
        },
      },
      table: ['time', 'pid', 'lport', 'raddr', 'rport', 'backlog', 'backlog_max', 'queue'],
    },
  },
  variants: [
    {
      name: 'fentry',
      backend: 'bpftrace',
      template: 'fentry.bt',
      needs: [
        { bpftrace: '>=0.16.0' },
        { function: 'tcp_v4_syn_recv_sock', by: 'fentry' },
        { function: 'tcp_v6_syn_recv_sock', by: 'fentry' },
        sockState,
        ...members,
      ],
      cannotTell: {},
      misses: 'SYNs that are dropped because a queue is full',
      cost: 'a trampoline a completed handshake, and a tracepoint program a TCP state change',
    },
    {
      name: 'kprobe',
      backend: 'bpftrace',
      template: 'kprobe.bt',
      needs: [
        { function: 'tcp_v4_syn_recv_sock', by: 'kprobe' },
        { function: 'tcp_v6_syn_recv_sock', by: 'kprobe' },
        sockState,
        ...members,
      ],
      cannotTell: {},
      misses:
        'SYNs that are dropped because a queue is full, and handshakes that complete while another tracing program runs on that CPU',
      cost: 'a kprobe a completed handshake, and a tracepoint program a TCP state change',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        { function: 'tcp_v4_syn_recv_sock', by: 'kprobe' },
        { function: 'tcp_v6_syn_recv_sock', by: 'kprobe' },
        sockState,
      ],
      cannotTell: {},
      misses:
        'SYNs that are dropped because a queue is full, and handshakes that complete while another tracing program runs on that CPU',
      cost: 'a kprobe a completed handshake, and a tracepoint program a TCP state change; a compiler run of seconds at the start',
    },
  ],
})

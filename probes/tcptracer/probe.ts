import {
  common,
  descriptorMembers,
  senderHooks,
  senderHooksByBcc,
  sendingOwner,
  socket,
  withoutSenders,
  withoutSendersByBcc,
  heldSocket,
} from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

const { time, ktime_ns, cpu } = common

const shared = {
  time,
  ktime_ns,
  cpu,
  ...sendingOwner,
  connection: {
    kind: 'u64',
    doc: 'the same in all events of a connection, and of no other in this run',
  },
  cookie: {
    kind: 'u64',
    later: true,
    nullAs: 0,
    doc: "the kernel's cookie of the socket, as `ss -e` shows it; null as long as nobody has asked the kernel for it",
  },
  ...socket,
  lport: { ...socket.lport, nullAs: 0 },
} as const
const transfer = {
  ...shared,
  bytes: { kind: 'u64', unit: 'bytes', measure: true, width: 6, doc: 'how many it moved' },
  result: { kind: 'result', doc: '0, or -n: the errno that the program got' },
} as const
const first = { kind: 'duration', nullAs: 0 } as const

const states = [
  {
    tracepoint: 'sock:inet_sock_set_state',
    fields: ['skaddr', 'oldstate', 'newstate', 'protocol'],
  },
  { tracepoint: 'tcp:tcp_destroy_sock', fields: ['skaddr'] },
] as const
const members = [
  { btf: 'sock.__sk_common.skc_v6_daddr' },
  { btf: 'sock.__sk_common.skc_cookie.counter' },
  { btf: 'sock.sk_protocol' },
  { btf: 'sock.sk_err' },
  { btf: 'inet_sock.inet_sport' },
] as const
const options = {
  ...senderHooks,
  raw: { tracepoint: 'sock:inet_sock_set_state', raw: true },
} as const
const without = [withoutSenders]
/** bpftrace 0.11 limits a format to 64 bytes. */
const roomy = { bpftrace: '>=0.16.0' } as const
const noRoom = 'a record of bpftrace before 0.16 has no room for it'
const lengths = [
  { tracepoint: 'sock:sock_send_length', fields: ['sk', 'protocol', 'ret'] },
  { tracepoint: 'sock:sock_recv_length', fields: ['sk', 'protocol', 'ret', 'flags'] },
] as const

const noRoomForData = 'a record of bpftrace before 0.16 has no room for bytes and result'

const byKprobe = {
  backend: 'bpftrace',
  template: 'kprobe.bt',
  needs: [{ function: 'security_sock_graft', by: 'kprobe' }, ...states, ...members],
  options,
  without,
  misses:
    'connections that fail before the socket changes state (no route, not permitted); splice and sendfile that go past sendmsg; what happens while another tracing program runs on that CPU',
  cost: 'a tracepoint program a TCP state change and a kprobe an accept(); with --data a tracepoint program a send and a receive of any socket',
} as const
const byTracepoint = {
  backend: 'bpftrace',
  template: 'tracepoint.bt',
  needs: [
    { tracepoint: 'syscalls:sys_exit_accept', fields: ['ret'] },
    { tracepoint: 'syscalls:sys_exit_accept4', fields: ['ret'] },
    ...descriptorMembers,
    ...states,
    ...members,
  ],
  options,
  without,
  misses:
    'connections that fail before the socket changes state (no route, not permitted); accepts by io_uring, by 32-bit programs and by the kernel itself; splice and sendfile that go past sendmsg; what happens while another tracing program runs on that CPU',
  cost: 'a tracepoint program a TCP state change and an accept(); with --data one a send and a receive of any socket',
} as const

export default defineProbe({
  name: 'tcptracer',
  summary: 'TCP connections from connect or accept to close, with each send and receive on request',
  example: 'ebpf-run tcptracer --data --rport 443',
  owner: 'socket',
  failed: [{ field: 'result', min: -4095, max: -1 }],
  switches: {
    data: {
      doc: 'also each send and receive, and the time to the first byte each way',
      events: ['send', 'receive'],
      fields: ['first_sent_ns', 'first_received_ns'],
    },
  },
  events: {
    connect: {
      doc: 'an active connection is established, or is not',
      fields: {
        ...shared,
        ...heldSocket,
        result: {
          kind: 'result',
          nullAs: 1,
          doc: '0: established; -n: the errno that the network or a time-out gave; null where the program gave up, or no SYN was sent',
        },
        duration_ns: { kind: 'duration', doc: 'from the SYN to the outcome' },
      },
      table: ['time', 'pid', 'comm', 'lport', 'raddr', 'rport'],
    },
    accept: {
      doc: 'a program accepts a connection',
      fields: {
        ...shared,
        duration_ns: {
          kind: 'duration',
          nullAs: 0,
          doc: 'how long it had waited since the handshake; null where that was not seen',
        },
      },
      table: ['time', 'pid', 'comm', 'lport', 'raddr', 'rport'],
    },
    close: {
      doc: 'a connection has ended in both directions',
      fields: {
        ...shared,
        ...heldSocket,
        result: {
          kind: 'result',
          doc: '0: it ended in good order, or by this side; -n: the error that ended it, such as ECONNRESET',
        },
        duration_ns: {
          kind: 'duration',
          nullAs: 0,
          doc: 'since the handshake; null where that was not seen',
        },
        first_sent_ns: {
          ...first,
          doc: 'from the handshake to the first bytes that the program sent; only with --data',
        },
        first_received_ns: {
          ...first,
          doc: 'from the handshake to the first bytes that the program received; only with --data',
        },
      },
      table: ['time', 'pid', 'comm', 'lport', 'raddr', 'rport'],
    },
    send: {
      doc: 'a program sends; only with --data',
      fields: {
        ...transfer,
        first_ns: {
          ...first,
          doc: 'of the first bytes that were sent: time since the handshake; null for all others',
        },
      },
      table: ['time', 'pid', 'comm', 'lport', 'raddr', 'rport', 'bytes'],
    },
    receive: {
      doc: 'a program receives; 0 bytes without an error are the end of the stream; only with --data',
      fields: {
        ...transfer,
        first_ns: {
          ...first,
          doc: 'of the first bytes that were received: time since the handshake; null for all others',
        },
      },
      table: ['time', 'pid', 'comm', 'lport', 'raddr', 'rport', 'bytes'],
    },
  },
  variants: [
    {
      name: 'fexit',
      backend: 'bpftrace',
      template: 'fexit.bt',
      needs: [
        { bpftrace: '>=0.16.0' },
        { function: 'inet_csk_accept', by: 'fentry' },
        ...states,
        ...members,
      ],
      options,
      without,
      switches: {
        data: [
          { function: 'tcp_sendmsg', by: 'fentry' },
          { function: 'tcp_recvmsg', by: 'fentry' },
        ],
      },
      cannotTell: {},
      misses:
        'connections that fail before the socket changes state (no route, not permitted); splice and sendfile that go past tcp_sendmsg, and reads past tcp_recvmsg',
      cost: 'a tracepoint program a TCP state change and a trampoline an accept(); with --data one a send and a receive',
    },
    {
      name: 'kprobe',
      ...byKprobe,
      needs: [roomy, ...byKprobe.needs],
      switches: { data: lengths },
      cannotTell: {},
    },
    {
      name: 'tracepoint',
      ...byTracepoint,
      needs: [roomy, ...byTracepoint.needs],
      switches: { data: lengths },
      cannotTell: {},
    },
    {
      name: 'narrowkprobe',
      ...byKprobe,
      switches: { data: noRoomForData },
      cannotTell: { cookie: noRoom },
    },
    {
      name: 'narrowtracepoint',
      ...byTracepoint,
      switches: { data: noRoomForData },
      cannotTell: { cookie: noRoom },
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        { function: 'security_sock_graft', by: 'kprobe' },
        ...states,
      ],
      options: senderHooksByBcc,
      without: [withoutSendersByBcc],
      switches: {
        data: [
          { function: 'tcp_sendmsg', by: 'fentry' },
          { function: 'tcp_recvmsg', by: 'fentry' },
        ],
      },
      cannotTell: {},
      misses:
        'connections that fail before the socket changes state (no route, not permitted); changes of state and accepts while another tracing program runs on that CPU; splice and sendfile that go past tcp_sendmsg, and reads past tcp_recvmsg',
      cost: 'a tracepoint program a TCP state change and a kprobe an accept(); with --data a trampoline a send and a receive; a compiler run of seconds at the start',
    },
  ],
})

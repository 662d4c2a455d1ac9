import {
  common,
  heldSocket,
  sendingOwner,
  ownerHooks,
  ownerHooksByBcc,
  socket,
  tcpStates,
  withoutOwnerHooks,
  withoutOwnerHooksByBcc,
  withoutSenders,
  ownerRawTracepoints,
  ownerTracepoints,
} from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

const { time, ktime_ns, cpu } = common
const options = {
  ...ownerHooks,
  tlp: { function: 'tcp_send_loss_probe', by: 'fentry' },
  tlpkprobe: { function: 'tcp_send_loss_probe', by: 'kprobe' },
  err: { tracepoint: 'tcp:tcp_retransmit_skb', fields: ['err'] },
} as const
const synack = 'tcp:tcp_retransmit_synack'

/** Addresses of a request are where filters and groups can read them, which those of the tracepoint are not. */
const request = [
  { tracepoint: synack, fields: ['skaddr', 'req', 'sport', 'dport'] },
  { btf: 'request_sock.__req_common.skc_v6_daddr' },
] as const

export default defineProbe({
  name: 'retrans',
  aliases: ['tcpretrans'],
  summary: 'TCP retransmissions: which connection, in which state, whose socket',
  example: 'ebpf-run retrans --duration 60',
  owner: 'socket',
  failed: [{ field: 'result', min: -4095, max: -1 }],
  tcpCounters: true,
  events: {
    retransmit: {
      doc: 'one retransmission of a segment, or of a SYN-ACK',
      fields: {
        time,
        ktime_ns,
        cpu,
        ...sendingOwner,
        ...heldSocket,
        ...socket,
        state: { kind: 'enum', names: tcpStates, doc: 'state of the socket', width: 12 },
        kind: {
          kind: 'enum',
          names: { 1: 'retransmit', 2: 'loss-probe', 3: 'syn-ack' },
          nullAs: 0,
          doc: 'what was sent again: after a time-out or duplicate ACKs, as a tail loss probe, or a SYN-ACK; null where a loss probe cannot be told from the rest',
          width: 10,
        },
        result: {
          kind: 'result',
          nullAs: 1,
          doc: 'what sending it returned; kernels before 6.17 report only what was sent',
          width: 6,
        },
      },
      table: ['time', 'pid', 'lport', 'raddr', 'rport', 'state', 'kind', 'result'],
    },
  },
  variants: [
    {
      name: 'rawtracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'tcp:tcp_retransmit_skb', raw: true },
        ...ownerRawTracepoints,
        ...request,
        { btf: 'sock.__sk_common.skc_v6_daddr' },
        { btf: 'socket_alloc.vfs_inode.i_ino' },
        { btf: 'inet_sock.inet_sport' },
      ],
      options: { ...options, raw: true },
      without: withoutOwnerHooks,
      cannotTell: {},
      misses: 'SYN-ACKs sent again while another tracing program runs on that CPU',
      cost: 'a raw tracepoint program a retransmission and a TCP state change',
    },
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        {
          tracepoint: 'tcp:tcp_retransmit_skb',
          fields: ['skaddr', 'sport', 'dport', 'saddr_v6', 'daddr_v6'],
        },
        ...request,
        ...ownerTracepoints,
        { btf: 'sock.__sk_common.skc_state' },
        { btf: 'inet_sock.inet_sport' },
        { btf: 'socket_alloc.vfs_inode.i_ino' },
      ],
      options: { ...options, raw: false },
      without: withoutOwnerHooks,
      cannotTell: {},
      misses: 'retransmissions made while another tracing program runs on that CPU',
      cost: 'a tracepoint program a retransmission and a TCP state change',
    },
    {
      name: 'kprobe',
      backend: 'bpftrace',
      template: 'kprobe.bt',
      needs: [
        { function: 'tcp_retransmit_skb', by: 'kprobe' },
        { function: '__tcp_retransmit_skb', by: 'kprobe' },
        { function: 'tcp_send_loss_probe', by: 'kprobe' },
        { function: 'tcp_connect', by: 'kprobe' },
        { function: 'tcp_finish_connect', by: 'kprobe' },
        { function: 'tcp_v4_destroy_sock', by: 'kprobe' },
        { btf: 'sock.__sk_common.skc_v6_daddr' },
        { btf: 'inet_sock.inet_sport' },
        { btf: 'socket_alloc.vfs_inode.i_ino' },
      ],
      options: ownerHooks,
      without: [withoutSenders],
      cannotTell: {
        result: 'it sees the attempt, not what sending it returned',
      },
      misses: 'SYN-ACKs, and attempts made while another tracing program runs on that CPU',
      cost: 'a kprobe a retransmission and a connect()',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        { tracepoint: 'tcp:tcp_retransmit_skb', fields: ['skaddr', 'sport', 'dport'] },
        { tracepoint: synack, fields: ['sport', 'dport', 'saddr_v6', 'daddr_v6'] },
        ...ownerTracepoints,
      ],
      options: {
        ...ownerHooksByBcc,
        tlp: options.tlpkprobe,
        err: options.err,
      },
      without: withoutOwnerHooksByBcc,
      cannotTell: {},
      misses: 'retransmissions made while another tracing program runs on that CPU',
      cost: 'a tracepoint program a retransmission and a TCP state change; a compiler run of seconds at the start',
    },
  ],
})

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
  ownerRawTracepoints,
  ownerTracepoints,
} from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

const { time, ktime_ns, cpu } = common

const members = [
  { btf: 'sock.__sk_common.skc_v6_daddr' },
  { btf: 'inet_sock.inet_sport' },
  { btf: 'socket_alloc.vfs_inode.i_ino' },
  { btf: 'sk_buff.network_header' },
] as const
const options = {
  ...ownerHooks,
  reason: { tracepoint: 'tcp:tcp_send_reset', fields: ['reason'] },
} as const

export default defineProbe({
  name: 'tcpreset',
  summary: 'TCP resets, sent and received: which connection, why, whose socket',
  example: 'ebpf-run tcpreset --rport 443',
  owner: 'socket',
  events: {
    reset: {
      doc: 'one TCP reset that was sent, or that reached a socket',
      fields: {
        time,
        ktime_ns,
        cpu,
        ...sendingOwner,
        ...heldSocket,
        direction: {
          kind: 'enum',
          names: { 1: 'sent', 2: 'received' },
          doc: 'who resets the connection: `sent` this machine, `received` the other side',
          width: 8,
          heading: 'DIR',
        },
        ...socket,
        family: { ...socket.family, nullable: true },
        laddr: { ...socket.laddr, nullAs: '::' },
        lport: { ...socket.lport, nullAs: 0 },
        raddr: { ...socket.raddr, nullAs: '::' },
        rport: { ...socket.rport, nullAs: 0 },
        state: {
          kind: 'enum',
          names: tcpStates,
          nullAs: 0,
          doc: 'state of the socket; null where there is no socket',
          width: 12,
        },
        reason: {
          kind: 'enum',
          namesFrom: { tracepoint: 'tcp:tcp_send_reset', field: 'reason' },
          nullAs: 4_294_967_295,
          doc: 'why it was sent; null for those received, and on kernels that do not tell (before 6.10)',
          width: 16,
        },
      },
      table: ['time', 'pid', 'direction', 'lport', 'raddr', 'rport', 'reason'],
    },
  },
  variants: [
    {
      name: 'rawtracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'tcp:tcp_send_reset', fields: ['reason'], raw: true },
        { tracepoint: 'tcp:tcp_receive_reset', raw: true },
        ...ownerRawTracepoints,
        ...members,
      ],
      options: { ...options, raw: true, entry: false },
      without: withoutOwnerHooks,
      cannotTell: {},
      misses: 'resets that arrive where there is no socket, or only one in TIME_WAIT',
      cost: 'a raw tracepoint program a reset and a TCP state change',
    },
    {
      name: 'fentry',
      backend: 'bpftrace',
      template: 'fentry.bt',
      needs: [
        { bpftrace: '>=0.16.0' },
        { function: 'tcp_v4_send_reset', by: 'fentry' },
        { function: 'tcp_v6_send_reset', by: 'fentry' },
        { function: 'tcp_send_active_reset', by: 'fentry' },
        { function: 'tcp_reset', by: 'fentry' },
        ...ownerTracepoints,
        ...members,
      ],
      options: { ...options, raw: false, entry: true },
      without: withoutOwnerHooks,
      cannotTell: {},
      misses:
        'resets that arrive where there is no socket, or only one in TIME_WAIT, and owners of sockets that changed state while another tracing program ran on that CPU',
      cost: 'a trampoline a reset, and a tracepoint program a TCP state change',
    },
    {
      name: 'kprobe',
      backend: 'bpftrace',
      template: 'kprobe.bt',
      needs: [
        { function: 'tcp_v4_send_reset', by: 'kprobe' },
        { function: 'tcp_v6_send_reset', by: 'kprobe' },
        { function: 'tcp_send_active_reset', by: 'kprobe' },
        { function: 'tcp_reset', by: 'kprobe' },
        ...ownerTracepoints,
        ...members,
      ],
      options: { ...options, raw: false, entry: true },
      without: withoutOwnerHooks,
      cannotTell: { reason: 'the place of that argument differs between kernels' },
      misses:
        'resets that arrive where there is no socket, or only one in TIME_WAIT, and resets made while another tracing program runs on that CPU',
      cost: 'a kprobe a reset, and a tracepoint program a TCP state change',
    },
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'tcp:tcp_send_reset', fields: ['skaddr', 'skbaddr'] },
        { tracepoint: 'tcp:tcp_receive_reset', fields: ['skaddr'] },
        ...ownerTracepoints,
        ...members,
      ],
      options: { ...options, raw: false, entry: false },
      without: withoutOwnerHooks,
      cannotTell: {},
      misses:
        'resets that arrive where there is no socket, or only one in TIME_WAIT; resets made while another tracing program runs on that CPU; and, on kernels before 6.10, resets sent without a socket, such as those from a closed port',
      cost: 'a tracepoint program a reset and a TCP state change',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        { tracepoint: 'tcp:tcp_receive_reset', fields: ['skaddr'] },
        { function: 'tcp_v4_send_reset', by: 'kprobe' },
        { function: 'tcp_v6_send_reset', by: 'kprobe' },
        { function: 'tcp_send_active_reset', by: 'kprobe' },
        ...ownerTracepoints,
      ],
      options: {
        ...ownerHooksByBcc,
        reason: {
          tracepoint: 'tcp:tcp_send_reset',
          fields: ['skaddr', 'skbaddr', 'reason'],
        },
      },
      without: withoutOwnerHooksByBcc,
      cannotTell: {},
      misses:
        'resets that arrive where there is no socket, or only one in TIME_WAIT, and resets made while another tracing program runs on that CPU',
      cost: 'a kprobe or a tracepoint program a reset, and a tracepoint program a TCP state change; a compiler run of seconds at the start',
    },
  ],
})

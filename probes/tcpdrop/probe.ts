import {
  common,
  sendingOwner,
  ownerHooks,
  ownerHooksByBcc,
  socket,
  tcpStates,
  withoutOwnerHooks,
  withoutOwnerHooksByBcc,
  ownerRawTracepoints,
  ownerTracepoints,
  heldSocket,
} from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

const { time, ktime_ns } = common

const members = [
  { btf: 'sock.__sk_common.skc_v6_daddr' },
  { btf: 'sock.sk_protocol' },
  { btf: 'sk_buff.network_header' },
  { btf: 'sk_buff.skb_iif' },
] as const
const options = {
  ...ownerHooks,
  rxsk: { tracepoint: 'skb:kfree_skb', fields: ['rx_sk'] },
} as const
const other =
  'segments that were freed by another way than kfree_skb(), and those dropped while another tracing program runs on that CPU'
const beforeReasons = `on kernels before 5.17 what TCP itself refuses of a connection that stands, such as old data; ${other}`

export default defineProbe({
  name: 'tcpdrop',
  summary: 'TCP segments that the kernel drops: which connection, why, where in the kernel',
  example: 'ebpf-run tcpdrop --stack',
  owner: 'socket',
  switches: {
    stack: {
      doc: 'also the call stack of the kernel at the drop',
      fields: ['stack'],
      table: ['time', 'pid', 'lport', 'raddr', 'rport', 'reason', 'stack'],
    },
  },
  events: {
    drop: {
      doc: 'one TCP segment that the kernel dropped',
      fields: {
        time,
        ktime_ns,
        ...sendingOwner,
        ...heldSocket,
        direction: {
          kind: 'enum',
          names: { 1: 'sent', 2: 'received' },
          doc: 'whether it was `received` from a device, or `sent` by this machine; one to be passed on was received',
          width: 8,
          heading: 'DIR',
        },
        ...socket,
        laddr: {
          ...socket.laddr,
          doc: 'local address, from the packet: the destination of what was received',
        },
        lport: { ...socket.lport, nullAs: 0 },
        rport: { ...socket.rport, nullAs: 0 },
        state: {
          kind: 'enum',
          names: tcpStates,
          nullAs: 0,
          doc: 'state of the socket; null where there is none, or the kernel does not tell which',
          width: 12,
        },
        tcp_flags: {
          kind: 'enum',
          flags: ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'],
          nullAs: 65_535,
          doc: 'flags of the segment',
          heading: 'FLAGS',
          width: 7,
        },
        reason: {
          kind: 'enum',
          namesFrom: { tracepoint: 'skb:kfree_skb', field: 'reason' },
          nullAs: 4_294_967_295,
          doc: 'why it was dropped',
          width: 16,
        },
        stack: {
          kind: 'stack',
          emptyIsNull: true,
          doc: 'functions of the kernel that led to the drop, the innermost first; only with --stack',
        },
      },
      table: ['time', 'pid', 'lport', 'raddr', 'rport', 'tcp_flags', 'reason'],
    },
  },
  variants: [
    {
      name: 'rawtracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'skb:kfree_skb', fields: ['reason'], raw: true },
        ...ownerRawTracepoints,
        ...members,
      ],
      options: { ...options, raw: true, reason: true },
      without: withoutOwnerHooks,
      cannotTell: {},
      misses: 'segments that were freed by another way than kfree_skb()',
      cost: 'a raw tracepoint program a dropped packet of any kind, and a TCP state change',
    },
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'skb:kfree_skb', fields: ['skbaddr', 'reason'] },
        ...ownerTracepoints,
        ...members,
      ],
      options: { ...options, raw: false, reason: true },
      without: withoutOwnerHooks,
      // The limit of 64 bytes on a format, before that.
      switches: { stack: [{ bpftrace: '>=0.16.0' }] },
      cannotTell: {},
      misses: other,
      cost: 'a tracepoint program a dropped packet of any kind, and a TCP state change',
    },
    {
      name: 'noreason',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'skb:kfree_skb', fields: ['skbaddr'] },
        ...ownerTracepoints,
        ...members,
      ],
      options: { ...options, raw: false, reason: false },
      without: withoutOwnerHooks,
      switches: { stack: [{ bpftrace: '>=0.16.0' }] },
      cannotTell: { reason: 'the kernel tells it from 5.17 on' },
      misses: beforeReasons,
      cost: 'a tracepoint program a dropped packet of any kind, and a TCP state change',
    },
    {
      name: 'narrow',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'skb:kfree_skb', fields: ['skbaddr'] },
        ...ownerTracepoints,
        ...members,
      ],
      options: { ...options, raw: false, reason: false },
      without: withoutOwnerHooks,
      cannotTell: {
        reason: 'the kernel tells it from 5.17 on',
        inode: 'with the call stack, a record of bpftrace before 0.16 has no room for it',
      },
      misses: `owners of sockets older than the run; ${beforeReasons}`,
      cost: 'a tracepoint program a dropped packet of any kind, and a TCP state change',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        { tracepoint: 'skb:kfree_skb', fields: ['skbaddr', 'protocol'] },
        ...ownerTracepoints,
      ],
      options: {
        ...ownerHooksByBcc,
        rxsk: options.rxsk,
        reason: { tracepoint: 'skb:kfree_skb', fields: ['reason'] },
      },
      without: withoutOwnerHooksByBcc,
      cannotTell: {},
      misses: other,
      cost: 'a tracepoint program a dropped packet of any kind, and a TCP state change; a compiler run of seconds at the start',
    },
  ],
})

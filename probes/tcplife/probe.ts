import {
  common,
  ownerHooks,
  ownerHooksByBcc,
  sendingOwner,
  socket,
  tcpStates,
  withoutOwnerHooks,
  withoutOwnerHooksByBcc,
  heldSocket,
  noOwners,
} from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

const { time, ktime_ns, cpu } = common

const tuple = {
  tracepoint: 'sock:inet_sock_set_state',
  fields: ['skaddr', 'oldstate', 'newstate', 'sport', 'dport', 'protocol', 'saddr_v6', 'daddr_v6'],
} as const

const members = [
  { btf: 'sock.__sk_common.skc_v6_daddr' },
  { btf: 'sock.sk_protocol' },
  { btf: 'inet_sock.inet_sport' },
  { btf: 'tcp_sock.bytes_acked' },
  { btf: 'tcp_sock.bytes_retrans' },
] as const

const options = ownerHooks
const without = withoutOwnerHooks

const noBtf = 'the tracepoint does not have it, and without BTF its place in the socket is unknown'

const noRoom = 'bpftrace before 0.16 has no room for it in a record'

const misses =
  'connections that have not ended when the run ends, and state changes made while another tracing program runs on that CPU'

export default defineProbe({
  name: 'tcplife',
  summary: 'TCP connections when they end: who, how long, how many bytes, how it ended',
  example: 'ebpf-run tcplife --rport 443',
  owner: 'socket',
  failed: [{ field: 'outcome', min: 2, max: 5 }],
  events: {
    connection: {
      doc: 'one TCP connection that was established and has ended',
      fields: {
        time,
        ktime_ns,
        cpu,
        ...sendingOwner,
        ...heldSocket,
        direction: {
          kind: 'enum',
          names: { 1: 'active', 2: 'passive' },
          nullAs: 0,
          doc: 'who asked for the connection: `active` this side, `passive` the other; null when it is older than the run',
          width: 7,
          heading: 'DIR',
        },
        ...socket,
        state: {
          kind: 'enum',
          names: tcpStates,
          doc: 'the last state before the end',
          width: 12,
        },
        outcome: {
          kind: 'enum',
          names: { 1: 'closed', 2: 'reset', 3: 'timed-out', 4: 'unreachable', 5: 'aborted' },
          doc: 'how it ended',
          width: 11,
        },
        duration_ns: {
          kind: 'duration',
          unit: 'ns',
          nullAs: 0,
          doc: 'from the complete handshake to the end; null when it is older than the run',
          heading: 'MS',
        },
        sent: {
          kind: 'u64',
          unit: 'bytes',
          measure: true,
          doc: 'bytes that the other side has acknowledged',
          width: 10,
        },
        received: {
          kind: 'u64',
          unit: 'bytes',
          measure: true,
          doc: 'bytes that arrived in order, read by the program or not',
          width: 10,
        },
        retransmits: {
          kind: 'u32',
          unit: 'segments',
          measure: true,
          doc: 'segments that were sent again, with those of the handshake and the end',
          heading: 'RETRANS',
          width: 7,
        },
        srtt_us: {
          kind: 'u32',
          unit: 'us',
          measure: true,
          nullAs: 4_294_967_295,
          doc: 'smoothed round-trip time at the end; null when none was measured',
          heading: 'RTT_US',
        },
      },
      table: ['pid', 'comm', 'raddr', 'rport', 'sent', 'received', 'duration_ns'],
    },
  },
  variants: [
    {
      name: 'rawtracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [{ tracepoint: 'sock:inet_sock_set_state', raw: true }, ...members],
      options: { ...options, raw: true, tcp: true },
      without,
      cannotTell: {},
      misses: 'connections that have not ended when the run ends',
      cost: 'a raw tracepoint program a TCP state change',
    },
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [{ bpftrace: '>=0.16.0' }, tuple, ...members],
      options: { ...options, raw: false, tcp: true },
      without,
      cannotTell: {},
      misses,
      cost: 'a tracepoint program a TCP state change',
    },
    {
      name: 'narrow',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [tuple, ...members],
      options: { ...options, raw: false, tcp: true },
      without,
      cannotTell: { cpu: noRoom, cgroup: noRoom, owner_from: noRoom, inode: noRoom, state: noRoom },
      misses,
      cost: 'a tracepoint program a TCP state change',
    },
    {
      name: 'addresses',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [tuple],
      options: {
        ...{ accept: false, graft: false, acceptcall: false, sendentry: false, sendkprobe: false },
        ...{ raw: false, tcp: false },
      },
      cannotTell: {
        ...noOwners('without BTF a socket is not told from an earlier one at its address'),
        inode: noBtf,
        netns: noBtf,
        outcome: noBtf,
        sent: noBtf,
        received: noBtf,
        retransmits: noBtf,
        srtt_us: noBtf,
      },
      misses,
      cost: 'a tracepoint program a TCP state change',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        {
          tracepoint: 'sock:inet_sock_set_state',
          fields: ['skaddr', 'oldstate', 'newstate', 'sport', 'dport', 'protocol'],
        },
      ],
      options: ownerHooksByBcc,
      without: withoutOwnerHooksByBcc,
      cannotTell: {},
      misses,
      cost: 'a tracepoint program a TCP state change; a compiler run of seconds at the start',
    },
  ],
})

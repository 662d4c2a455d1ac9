import {
  common,
  sendingOwner,
  ownerHooks,
  ownerHooksByBcc,
  socket,
  withoutOwnerHooks,
  withoutOwnerHooksByBcc,
  ownerRawTracepoints,
  ownerTracepoints,
  heldSocket,
} from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

const { time, ktime_ns, cpu } = common

const members = [{ btf: 'sock.__sk_common.skc_v6_daddr' }, { btf: 'tcp_sock.srtt_us' }] as const
const options = ownerHooks

export default defineProbe({
  name: 'tcprtt',
  summary: 'TCP round-trip times: the smoothed RTT at each segment received, as a histogram',
  example: 'ebpf-run tcprtt --by raddr --interval 10s',
  owner: 'socket',
  aggregate: { by: [], histogram: 'srtt_ns' },
  events: {
    sample: {
      doc: 'one segment that an established TCP connection received, and its smoothed round-trip time just before',
      fields: {
        time,
        ktime_ns,
        cpu,
        ...sendingOwner,
        ...heldSocket,
        ...socket,
        srtt_ns: {
          kind: 'duration',
          unit: 'ns',
          nullAs: 0,
          doc: "the kernel's smoothed round-trip time, in steps of 125 ns; null before the first measurement",
          heading: 'SRTT MS',
        },
      },
      table: ['time', 'pid', 'comm', 'lport', 'raddr', 'rport', 'srtt_ns'],
    },
  },
  variants: [
    {
      name: 'rawtracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [{ tracepoint: 'tcp:tcp_probe', raw: true }, ...ownerRawTracepoints, ...members],
      options: { ...options, raw: true },
      without: withoutOwnerHooks,
      cannotTell: {},
      misses:
        'nothing beside other tracing programs; from Linux 7.0 on what happens while the program itself was preempted on that CPU (`missed` has it)',
      cost: 'a raw tracepoint program a segment received and a TCP state change',
    },
    {
      name: 'fentry',
      backend: 'bpftrace',
      template: 'fentry.bt',
      needs: [
        { bpftrace: '>=0.16.0' },
        { function: 'tcp_rcv_established', by: 'fentry' },
        ...ownerTracepoints,
        ...members,
      ],
      options: { ...options, raw: false },
      without: withoutOwnerHooks,
      cannotTell: {},
      misses: 'owners of sockets that changed state while another tracing program ran on that CPU',
      cost: 'a trampoline a segment received, and a tracepoint program a TCP state change',
    },
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [{ tracepoint: 'tcp:tcp_probe', fields: ['skaddr'] }, ...ownerTracepoints, ...members],
      options: { ...options, raw: false },
      without: withoutOwnerHooks,
      cannotTell: {},
      misses: 'segments that arrive while another tracing program runs on that CPU',
      cost: 'a tracepoint program a segment received and a TCP state change',
    },
    {
      name: 'kprobe',
      backend: 'bpftrace',
      template: 'kprobe.bt',
      needs: [{ function: 'tcp_rcv_established', by: 'kprobe' }, ...ownerTracepoints, ...members],
      options: { ...options, raw: false },
      without: withoutOwnerHooks,
      cannotTell: {},
      misses: 'segments that arrive while another tracing program runs on that CPU',
      cost: 'a kprobe a segment received, and a tracepoint program a TCP state change',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        { function: 'tcp_rcv_established', by: 'kprobe' },
        ...ownerTracepoints,
      ],
      options: ownerHooksByBcc,
      without: withoutOwnerHooksByBcc,
      cannotTell: {},
      misses: 'segments that arrive while another tracing program runs on that CPU',
      cost: 'a kprobe a segment received, and a tracepoint program a TCP state change; a compiler run of seconds at the start',
    },
  ],
})

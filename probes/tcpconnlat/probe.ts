import { common, connectOutcomes, ownTask, socket } from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

export default defineProbe({
  name: 'tcpconnlat',
  summary: 'TCP connect latency: how long each connection took to stand, or to fail',
  example: 'ebpf-run tcpconnlat --min 10ms',
  owner: 'task',
  failed: [{ field: 'outcome', min: 2, max: 5 }],
  params: {
    min: {
      doc: 'only what took at least this long: 10ms, 1.5s, 250us',
      unit: 'ns',
      default: 0,
      min: 0,
      max: 3_600_000_000_000,
    },
  },
  events: {
    connect: {
      doc: 'one connection that was asked for with a SYN, when its outcome is known',
      fields: {
        ...common,
        ...ownTask,
        ktime_ns: { ...common.ktime_ns, doc: "the kernel's clock at the connect()" },
        cpu: { ...common.cpu, doc: 'CPU that ran the connect()' },
        ...socket,
        outcome: {
          kind: 'enum',
          doc: 'what became of the connection; null for one that failed where the kernel has no BTF',
          nullAs: 0,
          names: connectOutcomes,
          width: 11,
        },
        duration_ns: {
          kind: 'duration',
          unit: 'ns',
          doc: 'from the SYN to the outcome',
          heading: 'MS',
          width: 8,
        },
      },
      table: ['time', 'pid', 'comm', 'raddr', 'rport', 'outcome', 'duration_ns'],
    },
  },
  variants: [
    {
      name: 'rawtracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'sock:inet_sock_set_state', raw: true },
        { btf: 'sock.__sk_common.skc_v6_daddr' },
        { btf: 'sock.sk_protocol' },
        { btf: 'inet_sock.inet_sport' },
      ],
      options: { btf: { btf: 'tcp_sock.segs_out' }, raw: true },
      cannotTell: {},
      misses: 'connections that have no outcome yet when the run ends',
      cost: 'a raw tracepoint program a TCP state change',
    },
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        {
          tracepoint: 'sock:inet_sock_set_state',
          fields: [
            'skaddr',
            'oldstate',
            'newstate',
            'sport',
            'dport',
            'protocol',
            'saddr_v6',
            'daddr_v6',
          ],
        },
      ],
      options: { btf: { btf: 'tcp_sock.segs_out' }, raw: false },
      cannotTell: {},
      misses:
        'connections that have no outcome yet when the run ends, and state changes made while another tracing program runs on that CPU',
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
      cannotTell: {},
      misses:
        'connections that have no outcome yet when the run ends, and state changes made while another tracing program runs on that CPU',
      cost: 'a tracepoint program a TCP state change; a compiler run of seconds at the start',
    },
  ],
})

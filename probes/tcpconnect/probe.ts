import { common, connectOutcomes, ownTask, socket } from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

/** Of variants that see state changes. */
const begun = {
  result: 'it sees connections that were begun, and their `outcome`: --failed has what failed',
} as const

export default defineProbe({
  name: 'tcpconnect',
  summary: 'active TCP connections: who connects to where, and what came of it',
  example: 'ebpf-run tcpconnect --rport 443,8000-8100',
  owner: 'task',
  inTask: true,
  failed: [
    { field: 'result', min: -4095, max: -1 },
    { field: 'outcome', min: 2, max: 6 },
  ],
  events: {
    connect: {
      doc: 'one connect() of a TCP socket',
      fields: {
        ...common,
        ...ownTask,
        ...socket,
        lport: { ...socket.lport, nullAs: 0 },
        laddr: { ...socket.laddr, nullAs: '::' },
        result: {
          kind: 'result',
          nullAs: 1,
          doc: "return of connect's kernel half: 0 means that a SYN was queued, -n is an errno",
        },
        outcome: {
          kind: 'enum',
          doc: 'what became of the connection',
          nullAs: 0,
          names: { ...connectOutcomes, 6: 'not-sent' },
          width: 11,
        },
        duration_ns: {
          kind: 'duration',
          unit: 'ns',
          doc: 'from the SYN to the outcome',
          heading: 'MS',
        },
      },
      table: ['time', 'pid', 'comm', 'lport', 'raddr', 'rport', 'outcome'],
    },
  },
  variants: [
    {
      name: 'fexit',
      backend: 'bpftrace',
      template: 'fexit.bt',
      needs: [
        { bpftrace: '>=0.16.0' },
        { function: 'tcp_v4_connect', by: 'fentry' },
        { function: 'tcp_v6_connect', by: 'fentry' },
        { btf: 'sock.__sk_common.skc_v6_daddr' },
      ],
      cannotTell: {
        outcome: 'it sees connect() return, not what the network answers',
        duration_ns: 'it sees connect() return, not what the network answers',
      },
      misses: 'nothing: a trampoline runs also while another tracing program does',
      cost: 'one trampoline a connect()',
    },
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
      notInTask: 'the event comes with the outcome, which no task waits for',
      neverFails: begun,
      misses:
        'connects that fail before the socket changes state (no route, not permitted) or have no outcome yet when the run ends',
      cost: 'a raw tracepoint program a TCP state change',
    },
    {
      name: 'kprobe',
      backend: 'bpftrace',
      template: 'kprobe.bt',
      needs: [
        { function: 'tcp_v4_connect', by: 'kprobe' },
        { function: 'tcp_v6_connect', by: 'kprobe' },
        { btf: 'sock.__sk_common.skc_v6_daddr' },
      ],
      cannotTell: {
        outcome: 'it sees connect() return, not what the network answers',
        duration_ns: 'it sees connect() return, not what the network answers',
      },
      misses:
        'calls made while another tracing program runs on that CPU, and returns when more connects are under way at once than the kernel has kretprobe instances',
      cost: 'a kprobe and a kretprobe a connect()',
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
      notInTask: 'the event comes with the outcome, which no task waits for',
      neverFails: begun,
      misses:
        'connects that fail before the socket changes state (no route, not permitted) or have no outcome yet when the run ends, and state changes made while another tracing program runs on that CPU',
      cost: 'a tracepoint program a TCP state change',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        { function: 'tcp_v4_connect', by: 'kprobe' },
        { function: 'tcp_v6_connect', by: 'kprobe' },
      ],
      cannotTell: {
        outcome: 'it sees connect() return, not what the network answers',
        duration_ns: 'it sees connect() return, not what the network answers',
      },
      misses:
        'calls made while another tracing program runs on that CPU, and returns when more than 512 connects are under way at once',
      cost: 'a kprobe and a kretprobe a connect(); a compiler run of seconds at the start',
    },
  ],
})

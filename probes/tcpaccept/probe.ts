import { common, descriptorMembers, ownTask, socket } from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

const addresses = [
  { btf: 'sock.__sk_common.skc_v6_daddr' },
  { btf: 'sock.sk_protocol' },
  { btf: 'sock.sk_ack_backlog' },
] as const

export default defineProbe({
  name: 'tcpaccept',
  summary: 'passive TCP connections: who accepts from where, and how full the queue is',
  example: 'ebpf-run tcpaccept --lport 443',
  owner: 'task',
  inTask: true,
  events: {
    accept: {
      doc: 'one connection that accept() took from the queue of a listening TCP socket',
      fields: {
        ...common,
        ...ownTask,
        ...socket,
        backlog: {
          kind: 'u32',
          nullAs: 4_294_967_295,
          measure: true,
          doc: 'connections that still wait in the queue of the listening socket',
          heading: 'QUEUE',
          width: 5,
        },
        backlog_max: {
          kind: 'u32',
          nullAs: 4_294_967_295,
          doc: 'how many may wait there: the backlog of listen(), as the kernel limited it',
          heading: 'MAX',
          width: 5,
        },
        result: { kind: 'result', doc: 'always 0: accepts that fail are not shown' },
      },
      table: ['time', 'pid', 'comm', 'lport', 'raddr', 'rport', 'backlog', 'backlog_max'],
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
        ...addresses,
      ],
      cannotTell: {},
      misses: 'nothing: a trampoline runs also while another tracing program does',
      cost: 'one trampoline an accept()',
    },
    {
      name: 'kprobe',
      backend: 'bpftrace',
      template: 'kprobe.bt',
      needs: [
        { function: 'inet_csk_accept', by: 'kprobe' },
        { function: 'security_sock_graft', by: 'kprobe' },
        { tracepoint: 'syscalls:sys_exit_accept' },
        { tracepoint: 'syscalls:sys_exit_accept4' },
        ...addresses,
      ],
      cannotTell: {},
      misses: 'accepts made while another tracing program runs on that CPU',
      cost: 'two kprobes and a tracepoint program an accept()',
    },
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'syscalls:sys_enter_accept', fields: ['fd'] },
        { tracepoint: 'syscalls:sys_enter_accept4', fields: ['fd'] },
        { tracepoint: 'syscalls:sys_exit_accept', fields: ['ret'] },
        { tracepoint: 'syscalls:sys_exit_accept4', fields: ['ret'] },
        ...descriptorMembers,
        ...addresses,
      ],
      cannotTell: {},
      misses:
        'accepts by io_uring, by 32-bit programs and by the kernel itself, and those made while another tracing program runs on that CPU',
      cost: 'two tracepoint programs an accept()',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        { function: 'inet_csk_accept', by: 'kprobe' },
      ],
      cannotTell: {},
      misses:
        'accepts made while another tracing program runs on that CPU, and those of calls that wait beside 4096 others',
      cost: 'a kprobe and a kretprobe an accept(); a compiler run of seconds at the start',
    },
  ],
})

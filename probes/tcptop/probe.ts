import { common, ownTask, socket } from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

const bytes = { kind: 'u64', unit: 'bytes', nullAs: '0', measure: true, width: 9 } as const

export default defineProbe({
  name: 'tcptop',
  summary: 'TCP throughput: bytes sent and received by process and connection',
  example: 'ebpf-run tcptop --interval 1s',
  owner: 'task',
  inTask: true,
  aggregate: {
    by: ['pid', 'comm', 'laddr', 'lport', 'raddr', 'rport'],
    intervalMs: 1_000,
  },
  events: {
    transfer: {
      doc: 'one send or receive of a program that moved bytes',
      fields: {
        ...common,
        ...ownTask,
        ...socket,
        sent: { ...bytes, doc: 'bytes that the program handed to the connection' },
        received: { ...bytes, doc: 'bytes that the program took from the connection' },
      },
      table: ['time', 'pid', 'comm', 'raddr', 'rport', 'sent', 'received'],
    },
  },
  variants: [
    {
      name: 'fexit',
      backend: 'bpftrace',
      template: 'fexit.bt',
      needs: [
        { bpftrace: '>=0.16.0' },
        { function: 'tcp_sendmsg', by: 'fentry' },
        { function: 'tcp_recvmsg', by: 'fentry' },
        { btf: 'sock.__sk_common.skc_v6_daddr' },
      ],
      cannotTell: {},
      misses: 'splice and sendfile that go past tcp_sendmsg, and reads past tcp_recvmsg',
      cost: 'a trampoline a send and a receive',
    },
    {
      name: 'rawtracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'sock:sock_send_length', raw: true },
        { tracepoint: 'sock:sock_recv_length', raw: true },
        { btf: 'sock.__sk_common.skc_v6_daddr' },
        { btf: 'sock.sk_protocol' },
      ],
      options: { raw: true },
      cannotTell: {},
      misses: 'splice and sendfile that go past sendmsg',
      cost: 'a raw tracepoint program a send and a receive of any socket',
    },
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'sock:sock_send_length', fields: ['sk', 'protocol', 'ret', 'flags'] },
        { tracepoint: 'sock:sock_recv_length', fields: ['sk', 'protocol', 'ret', 'flags'] },
        { btf: 'sock.__sk_common.skc_v6_daddr' },
      ],
      options: { raw: false },
      cannotTell: {},
      misses:
        'splice and sendfile that go past sendmsg, and transfers made while another tracing program runs on that CPU',
      cost: 'a tracepoint program a send and a receive of any socket',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        { function: 'tcp_sendmsg', by: 'fentry' },
        { function: 'tcp_recvmsg', by: 'fentry' },
      ],
      cannotTell: {},
      misses: 'splice and sendfile that go past tcp_sendmsg, and reads past tcp_recvmsg',
      cost: 'a trampoline a send and a receive; a compiler run of seconds at the start',
    },
  ],
})

import { common } from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'
import { signals } from '../../src/schema/signals.ts'

const calls = [
  { tracepoint: 'syscalls:sys_enter_kill', fields: ['pid', 'sig'] },
  { tracepoint: 'syscalls:sys_exit_kill', fields: ['ret'] },
  { tracepoint: 'syscalls:sys_enter_tkill', fields: ['pid', 'sig'] },
  { tracepoint: 'syscalls:sys_enter_tgkill', fields: ['tgid', 'pid', 'sig'] },
  { tracepoint: 'syscalls:sys_enter_rt_sigqueueinfo', fields: ['pid', 'sig'] },
  { tracepoint: 'syscalls:sys_enter_rt_tgsigqueueinfo', fields: ['tgid', 'pid', 'sig'] },
] as const
const pidfd = { tracepoint: 'syscalls:sys_enter_pidfd_send_signal', fields: ['sig'] } as const

export default defineProbe({
  name: 'killsnoop',
  summary: 'signals sent by system calls: who sends what to whom, and the result',
  example: 'ebpf-run killsnoop --signal KILL,TERM',
  owner: 'task',
  inTask: true,
  failed: [{ field: 'result', min: -4095, max: -1 }],
  events: {
    kill: {
      doc: 'one call that sends a signal',
      fields: {
        ...common,
        kind: {
          kind: 'enum',
          names: {
            1: 'kill',
            2: 'tkill',
            3: 'tgkill',
            4: 'rt_sigqueueinfo',
            5: 'rt_tgsigqueueinfo',
            6: 'pidfd_send_signal',
          },
          doc: 'the system call',
          width: 8,
        },
        signal: {
          kind: 'enum',
          names: { 0: 'NONE', ...signals },
          doc: 'the signal; `NONE` (0) only asks whether the target is there',
          width: 11,
        },
        tpid: {
          kind: 'i32',
          doc: "target process as the caller gave it: 0 is the caller's own group, -1 everyone, -n the group n; null where the call names a thread or a pidfd alone",
          nullAs: -2_147_483_648,
        },
        ttid: {
          kind: 'i32',
          doc: 'target thread; null where the call names no thread',
          nullAs: -2_147_483_648,
        },
        result: { kind: 'result', doc: 'return value of the call: 0, or -errno' },
      },
      table: ['time', 'pid', 'comm', 'kind', 'signal', 'tpid', 'result'],
    },
  },
  variants: [
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: calls,
      options: {
        typeless: { bpftrace: '<0.15.0' },
        pidfd,
      },
      cannotTell: {},
      misses: 'calls made while another tracing program runs on that CPU',
      cost: 'two tracepoint programs a call',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [{ bcc: '>=0.18.0' }, { headers: true }, ...calls],
      options: { pidfd },
      cannotTell: {},
      misses: 'calls made while another tracing program runs on that CPU',
      cost: 'two tracepoint programs a call; a compiler run of seconds at the start',
    },
  ],
})

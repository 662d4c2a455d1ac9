import { common } from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'
import { syscallNames } from '../../src/schema/syscall-names.ts'

/** Tells the calls of 32-bit programs, which have numbers of their own. */
const width = { btf: 'task_struct.thread_info.status' } as const

/**
 * From 7.0 on a program of a raw tracepoint can be preempted, and misses the calls of others meanwhile: two of the 53 that the lab's
 * workload expects. That of a tracepoint cannot.
 */
const whole = { linux: '<7.0.0' } as const

/** What no variant sees. */
const unseen = 'those that began before the run or that seccomp refused'

export default defineProbe({
  name: 'syscount',
  summary: 'system calls: how many of each, how long they took, and how many failed',
  example: 'ebpf-run syscount --duration 10',
  owner: 'task',
  inTask: true,
  failed: [{ field: 'result', min: -4095, max: -1 }],
  aggregate: { by: ['syscall'] },
  events: {
    call: {
      doc: 'one system call, when it returns',
      fields: {
        ...common,
        syscall: {
          kind: 'enum',
          names: syscallNames,
          namesText: "a system call's name; one of a 32-bit program begins with `i386_`",
          doc: 'the system call',
          width: 18,
        },
        result: {
          kind: 'result',
          doc: '0, or -errno when it failed; null for a call that does not return',
          nullAs: -2_147_483_648,
        },
        duration_ns: {
          kind: 'duration',
          unit: 'ns',
          doc: 'from its beginning to its return; null for a call that does not return',
          nullAs: 9_007_199_254_740_991,
          heading: 'MS',
        },
      },
      table: ['time', 'pid', 'comm', 'syscall', 'result', 'duration_ns'],
    },
  },
  variants: [
    {
      name: 'rawtracepoint',
      backend: 'bpftrace',
      template: 'calls.bt',
      needs: [
        { tracepoint: 'raw_syscalls:sys_enter', raw: true },
        { tracepoint: 'raw_syscalls:sys_exit', raw: true },
        whole,
        width,
      ],
      options: {
        raw: true,
        renumbers: { tracepoint: 'sched:sched_process_exec', fields: ['old_pid'] },
      },
      cannotTell: {},
      misses: `calls of bpftrace itself, ${unseen}`,
      cost: 'two raw tracepoint programs a system call of the whole machine',
    },
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'calls.bt',
      needs: [
        { tracepoint: 'raw_syscalls:sys_enter', fields: ['id'] },
        { tracepoint: 'raw_syscalls:sys_exit', fields: ['ret'] },
        width,
      ],
      options: {
        raw: false,
        renumbers: { tracepoint: 'sched:sched_process_exec', fields: ['old_pid'] },
      },
      cannotTell: {},
      misses: `calls of bpftrace itself, ${unseen}, and those that begin or end while another tracing program runs on that CPU`,
      cost: 'two tracepoint programs a system call of the whole machine',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        { tracepoint: 'raw_syscalls:sys_enter', fields: ['id'] },
        { tracepoint: 'raw_syscalls:sys_exit', fields: ['ret'] },
      ],
      options: {
        renumbers: { tracepoint: 'sched:sched_process_exec', fields: ['old_pid'] },
      },
      cannotTell: {},
      misses: `calls of bcc's Python itself, ${unseen}, and those that begin or end while another tracing program runs on that CPU`,
      cost: 'two tracepoint programs a system call of the whole machine; a compiler run of seconds at the start',
    },
  ],
})

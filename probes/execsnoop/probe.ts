import { common } from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

export default defineProbe({
  name: 'execsnoop',
  summary: 'process executions: filename, arguments, parent and result',
  example: 'ebpf-run execsnoop --failed',
  owner: 'task',
  inTask: true,
  failed: [{ field: 'ret', min: -4095, max: -1 }],
  events: {
    exec: {
      doc: 'one execve() or execveat()',
      fields: {
        ...common,
        comm: { ...common.comm, doc: "the thread's command name after the call" },
        ppid: { kind: 'u32', doc: "the parent's process id", nullAs: -1 },
        filename: {
          kind: 'text',
          bytes: 128,
          emptyIsNull: true,
          doc: 'path that was executed, as the caller gave it',
          width: 24,
        },
        argc: { kind: 'u32', measure: true, doc: 'number of arguments', nullAs: -1 },
        argv: {
          kind: 'texts',
          bytes: 128,
          nullable: true,
          doc: 'arguments; null where unreadable',
          width: 40,
        },
        ret: { kind: 'i32', doc: 'return value of the call: 0, or -errno' },
        errno: { kind: 'errno', of: 'ret', nullable: true, doc: "the errno's name when it failed" },
      },
      table: ['time', 'pid', 'ppid', 'comm', 'ret', 'argv'],
    },
  },
  variants: [
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'syscalls:sys_enter_execve', fields: ['filename', 'argv'] },
        { tracepoint: 'syscalls:sys_exit_execve', fields: ['ret'] },
        { tracepoint: 'syscalls:sys_enter_execveat', fields: ['filename', 'argv'] },
        { tracepoint: 'syscalls:sys_exit_execveat', fields: ['ret'] },
        { btf: 'mm_struct.start_stack' },
        { btf: 'task_struct.real_parent' },
      ],
      cannotTell: {},
      misses: 'calls made while another tracing program runs on that CPU',
      cost: 'two tracepoint programs an exec, and one record an argument',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        { tracepoint: 'syscalls:sys_enter_execve', fields: ['filename', 'argv'] },
        { tracepoint: 'syscalls:sys_exit_execve', fields: ['ret'] },
        { tracepoint: 'syscalls:sys_enter_execveat', fields: ['filename', 'argv'] },
        { tracepoint: 'syscalls:sys_exit_execveat', fields: ['ret'] },
      ],
      cannotTell: {},
      misses: 'calls made while another tracing program runs on that CPU',
      cost: 'two tracepoint programs an exec, and one record an argument; a compiler run of seconds at the start',
    },
  ],
})
